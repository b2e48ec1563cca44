"""What the seed alone moves, as a study of the lottery of seeds measured it for its preset.

The pages of other studies of that preset quote it beside their verdicts.
"""

from studies.analyses.lottery import lottery
from studies.store.store import Store, StoreError
from studies.tables.tables import tables


def of_presets(store: Store) -> dict[str, list[str]]:
    """By preset, what its lottery says; presets whose lottery is not finished have none."""
    found = {}
    for study in store.studies():
        if study.startswith("lottery-"):
            try:
                read = tables(store, study)
            except (StoreError, OSError):  # its own page says so
                continue
            if said := lottery.meanings(lottery.table(read)):
                found[str(read.record["preset"])] = said
    return found
