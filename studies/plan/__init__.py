"""From a `SweepSpec` to the tasks that it takes, and what they cost."""
