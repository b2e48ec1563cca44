"""From YAML to a `SweepSpec`: the only reader of YAML."""
