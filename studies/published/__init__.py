"""The paper's numbers: when one may stand beside ours."""
