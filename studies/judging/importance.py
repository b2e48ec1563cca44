"""Whether networks that were to draw t by importance (Eq. 18) ever did.

The sampler draws uniformly until every step has ten losses. A short training of a long chain ends
before that: its network is L_vlb with uniform draws, and tells nothing of the paper's L_vlb.
"""

import pandas as pd

from studies.tables.labels import is_resampled
from studies.tables.resampling import warm_up_draws

MOST = 0.95
"""The paper's networks drew more than this share of their t by importance."""


def drew_uniformly(network: pd.DataFrame) -> bool:
    """Whether all t of a network's training were drawn uniformly, as it was asked to or not.

    Args:
        network: Its rows of a results table; of one that does not say it, the answer is no.
    """
    return bool(network["share_resampled"].astype(float).eq(0).all()) and len(network) > 0


def lack_of_importance(network: pd.DataFrame, name: str) -> str:
    """A sentence that a network drew every t uniformly, and why; empty if it did not."""
    if not drew_uniformly(network):
        return ""
    row = network.iloc[0]
    said = f"{name} drew every t of its training uniformly"
    if not is_resampled(row):
        return said
    begins = round(warm_up_draws(int(row["T"])) * row["training_steps"] / row["images_seen"])
    return (
        f"{said}: importance sampling begins after about {begins:,} training steps, and it had "
        f"{int(row['training_steps']):,}"
    )


def remarks(network: pd.DataFrame, name: str) -> list[str]:
    """How t was drawn, beside a verdict that takes this network for the paper's L_vlb."""
    if lack := lack_of_importance(network, name):
        return [f"{lack}; the paper's L_vlb drew t by importance."]
    share = float(network["share_resampled"].iloc[0])
    return [f"{name} drew the last {share:.0%} of its t by importance."] if share > 0 else []


def how_much(network: pd.DataFrame, name: str) -> str:
    """A sentence that a network drew only some of its t by importance; empty if it drew most."""
    share = float(network["share_resampled"].iloc[0])
    if not 0 < share < MOST:
        return ""
    return f"{name} drew only the last {share:.0%} of its t by importance."
