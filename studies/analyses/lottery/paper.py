"""Which part of a seed's luck moves a result: what every comparison of the paper stands on.

The paper trains each network once, so it has no numbers of this kind.
"""

from studies.analyses.analysis import Analysis, Need
from studies.analyses.needs import BOTH, both, is_trained, several

PARTS = {
    "train.seeds.weights": "initial weights",
    "train.seeds.order": "order of the images",
    "train.seeds.noise": "noise and its steps",
}
"""Settings that hold the seed of a part of a training, and what they draw."""

SAMPLING = "samples.noise_seed"
"""The setting that holds the seed of sampling."""


def _others(name: str) -> tuple[str, ...]:
    return tuple(other for other in PARTS if other != name)


ANALYSIS = Analysis(
    figures={
        "lottery": Need(
            BOTH,
            f"trainings over several seeds of each part of what they draw ({', '.join(PARTS)})",
            tuple(PARTS),
            both(*(several(is_trained, name, beside=_others(name)) for name in PARTS)),
        ),
    },
)
