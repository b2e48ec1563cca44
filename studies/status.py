"""`python -m studies.status [STUDY]`: one line per study, or one per task of a study."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iddpm.files import StorageError
from studies.console import counted, fail
from studies.store import Store, StoreError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print where studies stand; the exit code: 0 fine, 2 bad use."""
    options = _parser().parse_args(arguments)
    try:
        store = Store(options.store)
        lines = list(_task_lines(store, options.study) if options.study else _study_lines(store))
    except (StoreError, StorageError) as error:
        return fail(error)
    print("\n".join(lines))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.status", description=__doc__)
    parser.add_argument("study", nargs="?", metavar="STUDY", help="default: all, a line each")
    parser.add_argument("--store", type=Path, default=Path("store"), help="default: store")
    return parser


def _study_lines(store: Store) -> Iterator[str]:
    names = store.studies()
    if not names:
        yield f"{store.root}: holds no study yet; python -m studies.run SWEEP begins one"
    for name in names:
        addresses = store.study(name)["tasks"]
        states = Counter(_standing(store, address)[0] for address in addresses)
        yield f"{name}: {len(addresses)} tasks: {counted(states)}{_time_left(store, addresses)}"


def _task_lines(store: Store, study: str) -> Iterator[str]:
    for address in store.study(study)["tasks"]:
        state, detail = _standing(store, address)
        yield f"{address}  {state}" + (f"  {detail}" if detail else "")


def _standing(store: Store, address: str) -> tuple[str, str]:
    """State of a task, and what there is to say of it; a task behind a failed one is waiting."""
    state = store.state(address)
    if state == "done":
        return state, f"in {_provenance(store, address).get('seconds', 0):.0f} s"
    if state == "running":
        return state, _running(store, address)
    if state == "failed":
        failure = store.failure(address)
        return state, f"{failure.error}: {failure.message}" if failure else ""
    blamed = _blamed(store, address)
    return ("waiting", f"for {', '.join(blamed)}, which failed") if blamed else (state, "")


def _provenance(store: Store, address: str) -> Mapping[str, Any]:
    return store.provenance(address) or {}


def _running(store: Store, address: str) -> str:
    claim, beat = store.claim_of(address), store.progress(address)
    where = f"on {claim.place.host}, process {claim.pid}" if claim else ""
    if beat is None or claim is None or not beat.done:
        return where
    elapsed = (datetime.now(UTC) - datetime.fromisoformat(claim.claimed_at)).total_seconds()
    left = elapsed * (beat.total - beat.done) / beat.done
    return f"{where}, {beat.done} of {beat.total} {beat.unit}, about {left:.0f} s left"


def _blamed(store: Store, address: str) -> list[str]:
    """The failed tasks that keep this one from running, near or far above it."""
    failed: dict[str, None] = {}
    for parent in store.task(address).parents.values():
        if store.failure(parent) is not None:
            failed[parent] = None
        elif store.state(parent) != "done":
            failed |= dict.fromkeys(_blamed(store, parent))
    return list(failed)


def _time_left(store: Store, addresses: Sequence[str]) -> str:
    """How long the rest may take, from the mean time of the study's own tasks of each kind."""
    seconds: dict[str, list[float]] = {}
    missing: Counter[str] = Counter()
    workers = 0
    for address in addresses:
        kind, state = address.rpartition("-")[0], store.state(address)
        workers += state == "running"
        if state == "done":
            seconds.setdefault(kind, []).append(_provenance(store, address).get("seconds", 0.0))
        else:
            missing[kind] += 1
    if not missing or not workers or missing.keys() - seconds.keys():
        return ""
    left = sum(count * sum(seconds[kind]) / len(seconds[kind]) for kind, count in missing.items())
    return f", about {left / workers / 60:.0f} min left"


if __name__ == "__main__":
    sys.exit(main())
