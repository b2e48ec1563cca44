"""The files of a bundle, and the archive that holds them: the same store gives the same bytes."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from studies.bundling import verifier
from studies.bundling.derivations import HALF_TRAINED, derivations, rows_of
from studies.report.luck import of_presets
from studies.report.page import csv_of, study_page
from studies.store.checksums import StoreError, read_checked
from studies.store.integrity import PROVENANCE, RESULT, check_file
from studies.store.records import tasks
from studies.store.store import FEATURES, WRITTEN_ANEW, Store
from studies.tables.tables import Tables, tables
from studies.tables.unbiased import UNBIASED
from studies.tasks.task import identity

PAGE, RECORDS = "page/", "store/"
MANIFEST, DERIVATIONS, IDENTITIES = "manifest.json", "derivations.json", "identities.json"
BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The date of every file: the earliest that an archive can hold."""
README = """A study of "Improved Denoising Diffusion Probabilistic Models" (arXiv:2102.09672).

page/index.html     what was found; page/results.csv has every number
half_trained.csv    the same of its networks after half of their training, where it asks for that
store/              the records of the tasks that found it, and the features of their images
sweep.yaml          what was asked, preset.yaml with which data, network and budgets
derivations.json    how each number of the page is made of results.csv
verifier.py         works all of it out again, with Python, NumPy and SciPy alone:

    python -I verifier.py THIS_ARCHIVE.zip

It ends with 1 at the first number that does not follow, and names it. Who only wants to look can
unpack the archive and open page/index.html.
"""


def bundle(store: Store, study: str) -> bytes:
    """The archive of a study, finished or not.

    Raises:
        StoreError: If there is no such study, a figure or claim of it cannot be made, or a record
            is damaged or has no checksum.
    """
    return packed(dict(_files(store, study)))


def checked(archive: bytes) -> list[str]:
    """Hold a bundle against its own verifier; what that does not work out again.

    Raises:
        StoreError: If a number does not follow: the store and this program disagree.
    """
    try:
        return list(verifier.verified(io.BytesIO(archive)).how["not_recomputed"])
    except SystemExit as differs:
        raise StoreError(f"the bundle does not hold: {differs.code}; please report it") from differs


def packed(files: Mapping[str, bytes]) -> bytes:
    """An archive of these files and of a manifest with their hashes."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = json.dumps({"format": 1, "sha256": digests}, sort_keys=True, indent=1)
    whole = {**files, MANIFEST: manifest.encode()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(whole):
            entry = zipfile.ZipInfo(name, BEGINNING)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            entry.create_system = 3  # whichever system packs it
            archive.writestr(entry, whole[name])
    return buffer.getvalue()


def _files(store: Store, study: str) -> Iterator[tuple[str, bytes]]:
    read = tables(store, study)
    luck = of_presets(store).get(str(read.record["preset"]), ())
    page = study_page(store, read, luck=luck)
    if page.entry.faults:
        lacks = "; ".join(f"{fault.of}: {fault.sentence}" for fault in page.entry.faults)
        raise StoreError(f"{study}: expected a page that can be drawn whole, found {lacks}")
    for name, content in page.files.items():
        yield f"{PAGE}{name}", content.encode() if isinstance(content, str) else content
    if (half := rows_of(read).get(HALF_TRAINED)) is not None:
        yield HALF_TRAINED, csv_of(half.results.drop(columns="settings")).encode()
    how = derivations(store, read, page.entry)
    yield DERIVATIONS, json.dumps(how, indent=1, ensure_ascii=False).encode()
    yield from _records(store, study)
    yield from _features(store, read)
    yield "README.txt", README.encode()
    yield "verifier.py", Path(verifier.__file__).read_bytes()
    yield "sweep.yaml", str(read.record["sweep_text"]).encode()
    yield "preset.yaml", str(read.record["preset_text"]).encode()


def _records(store: Store, study: str) -> Iterator[tuple[str, bytes]]:
    """The records of a study and of its tasks as they lie in the store, and what addresses hash."""
    addresses = tasks(store, study)
    for address in addresses:  # grows as it goes, by what is needed of other studies
        addresses += [need for need in store.inputs(address) if need not in addresses]
    folders = [store.folder(address) for address in addresses]
    names = ("task.json", RESULT, PROVENANCE)
    paths = [folder / name for folder in folders for name in names]
    for path in (store.root / "store.json", store.root / "studies" / f"{study}.json", *paths):
        if (found := read_checked(path, WRITTEN_ANEW)) is None:
            continue
        if not found.has_checksum:
            raise StoreError(
                f"{path}: expected a record with a checksum, found one of an older version; run "
                "its sweep again in a new store"
            )
        yield f"{RECORDS}{path.relative_to(store.root).as_posix()}", found.content
    texts = {address: identity(store.task(address)) for address in addresses}
    yield IDENTITIES, json.dumps(texts, sort_keys=True, indent=1).encode()


def _features(store: Store, read: Tables) -> Iterator[tuple[str, bytes]]:
    """The features from which distances were judged without their bias."""
    results = [each.results for each in rows_of(read).values()]
    scores = [score for rows in results for score in rows["address"][rows["metric"] == UNBIASED]]
    needs = [store.task(score).parents for score in dict.fromkeys(scores)]
    for address in dict.fromkeys(of[r] for of in needs for r in ("generated", "reference")):
        path = store.folder(address) / FEATURES
        check_file(path, "the features that its task left")
        yield f"{RECORDS}{path.relative_to(store.root).as_posix()}", path.read_bytes()
