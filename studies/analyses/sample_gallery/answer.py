"""What a gallery is for, in one sentence."""

from studies.tables.tables import Tables


def sentence(tables: Tables) -> str:
    """How many images there are to look at; no number is taken of them."""
    drawn = tables.samples[tables.samples["path"].notna()]
    if drawn.empty:
        return ""
    return (
        f"Pictures to look at, none of them picked: {int(drawn['images'].sum()):,} samples in "
        f"{len(drawn)} sets, one for each arm, number of steps and seed. No number is taken of "
        "them."
    )
