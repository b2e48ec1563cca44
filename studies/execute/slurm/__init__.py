"""SLURM: a plan becomes job arrays with dependencies, queued at once; nobody need stay."""

from studies.execute.slurm.queue import SlurmError
from studies.execute.slurm.submit import Settings, Submission, cancel, preview, submit

__all__ = ["Settings", "SlurmError", "Submission", "cancel", "preview", "submit"]
