"""One folder per subject of the paper."""
