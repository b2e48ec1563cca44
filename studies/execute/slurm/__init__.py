"""SLURM: a plan becomes job arrays with dependencies, queued at once; nobody need stay."""

from studies.execute.slurm.queue import SlurmError
from studies.execute.slurm.submit import Submission, SubmitSettings, cancel, preview, submit

__all__ = ["SlurmError", "Submission", "SubmitSettings", "cancel", "preview", "submit"]
