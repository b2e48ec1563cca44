"""SLURM: a plan becomes job arrays with dependencies, queued at once; nobody need stay."""

from studies.executors.slurm.queue import SlurmError
from studies.executors.slurm.submit import Settings, Submission, cancel, preview, submit

__all__ = ["Settings", "SlurmError", "Submission", "cancel", "preview", "submit"]
