"""The paper's released networks, measured again."""
