"""What claims share: comparisons and verdicts."""
