"""What each kind of task does: one function from a `Work` to the content of its result file.

A result is a function of the task's address alone. Finished parts are kept in the task's folder,
so that a second call goes on where a first one stopped.
"""

from collections.abc import Callable
from typing import Any

from studies.runners.bounds import likelihood, likelihood_merge, likelihood_shard
from studies.runners.forward import latents
from studies.runners.gradients import gradient_noise
from studies.runners.rivals import external, gan_sample
from studies.runners.sampling import sample
from studies.runners.scores import extractor, features, radii, score
from studies.runners.trainings import gan, train
from studies.runners.work import Work, device

__all__ = ["RUNNERS", "Work", "device"]

RUNNERS: dict[str, Callable[[Work], dict[str, Any]]] = {
    "extractor": extractor,
    "train": train,
    "sample": sample,
    "features": features,
    "radii": radii,
    "score": score,
    "likelihood": likelihood,
    "likelihood_shard": likelihood_shard,
    "likelihood_merge": likelihood_merge,
    "gradient_noise": gradient_noise,
    "latents": latents,
    "gan": gan,
    "gan_sample": gan_sample,
    "external": external,
}
"""What does the tasks of each kind."""
