"""The schedulers of diffusers, a peer to check against; their tables are float32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def scheduler(name: str, betas: NDArray[np.float64], steps: int, **options: object) -> Any:
    """The named scheduler over a chain of the given betas, set to sample in so many steps."""
    import diffusers  # takes seconds, and most tests need none of it

    made = getattr(diffusers, name)(
        num_train_timesteps=len(betas),
        trained_betas=betas.tolist(),
        **{"timestep_spacing": "leading", **options},
    )
    made.set_timesteps(steps)
    return made
