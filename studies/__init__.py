"""Which runs, where, and what they add up to."""
