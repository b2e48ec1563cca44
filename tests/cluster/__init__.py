"""A real SLURM for the tests: two nodes with four pretend GPUs on this machine."""
