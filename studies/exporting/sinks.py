"""Where runs are exported to: one function for each tool, found by its name.

Each tool is an extra of its own and imported when it is asked for. Nothing is sent anywhere: what
is written lies in a folder, which the tool opens or uploads.
"""

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from iddpm.bounds import ConfigError
from iddpm.running.files import make_folder, written_whole
from studies.exporting.runs import Run, table

NEEDS = {
    "parquet": "pyarrow",
    "tensorboard": "tensorboard",
    "wandb-offline": "wandb",
    "mlflow": "mlflow",
    "trackio": "trackio",
}
"""By tool, the library that it takes; the extra has the name of the tool."""


def parquet(runs: list[Run], folder: Path, name: str) -> Path:
    """One tidy table, `NAME.parquet`: a row for each number, and each step of a curve."""
    file = folder / f"{name}.parquet"
    with written_whole(file) as opened:
        table(runs).to_parquet(opened, index=False)
    return file


def tensorboard(runs: list[Run], folder: Path, name: str) -> Path:
    """A folder of event files below `NAME/`, one for each run: `tensorboard --logdir` shows it.

    Numbers without a step stand at step 0.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for run in runs:
        place = folder / name / run.key
        for old in place.glob("events.*"):  # a second export is not added to the first
            old.unlink()
        writer = EventFileWriter(str(place))
        for tag, step, value in run.points():
            scalar = Summary.Value(tag=tag, simple_value=value)
            writer.add_event(Event(step=step or 0, summary=Summary(value=[scalar])))
        writer.close()
    return folder / name


def wandb_offline(runs: list[Run], folder: Path, name: str) -> Path:
    """Runs of the project NAME that `wandb sync` uploads; the settings are their config."""
    import wandb

    place = _new(folder / f"{name}.wandb")
    for run in runs:
        with wandb.init(
            mode="offline",
            dir=str(place),
            project=name,
            name=run.name,
            id=run.key,
            config=dict(run.settings),
            settings=wandb.Settings(**QUIETLY),
        ) as opened:
            for step, values in _by_step(run).items():
                opened.log(values, step=step)
            opened.summary.update(dict(run.numbers))
    return place


QUIETLY = {"console": "off", "silent": True, "x_disable_machine_info": True}
"""No word on the terminal, and none of the machine that exports: it is not the one that trained."""


def mlflow(runs: list[Run], folder: Path, name: str) -> Path:
    """A database with the experiment NAME: `mlflow server --backend-store-uri sqlite:///FILE`."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    place = _new(folder / f"{name}.mlflow")
    client = MlflowClient(tracking_uri=f"sqlite:///{place.absolute()}/mlflow.db")
    experiment = client.create_experiment(name, artifact_location=str(place.absolute()))
    for run in runs:
        number = client.create_run(experiment, run_name=run.name, tags={"address": run.key})
        told = [Metric(tag, value, 0, step or 0) for tag, step, value in run.points()]
        settings = [Param(key, str(value)) for key, value in run.settings.items()]
        for start in range(0, max(len(told), 1), MLFLOW_BATCH):
            batch = told[start : start + MLFLOW_BATCH]
            client.log_batch(number.info.run_id, metrics=batch, params=settings)
        client.set_terminated(number.info.run_id)
    return place


def trackio(runs: list[Run], folder: Path, name: str) -> Path:
    """A folder with the project NAME: `TRACKIO_DIR=FOLDER trackio show --project NAME`."""
    if "trackio" in sys.modules:
        found = "one that has, whose folder is settled"
        raise ConfigError("--to", "a process that has not imported trackio yet", found)
    place = _new(folder / f"{name}.trackio")
    os.environ["TRACKIO_DIR"] = str(place.absolute())  # read when it is imported
    import trackio as tracker

    for run in runs:
        tracker.init(project=name, name=run.key, config={**run.settings, "name": run.name})
        for step, values in _by_step(run).items():
            tracker.log(values, step=step)
        if run.numbers:
            tracker.log(dict(run.numbers))
        tracker.finish()
    return place


MLFLOW_BATCH = 1000
"""The most metrics that one call may log."""


def _by_step(run: Run) -> dict[int, dict[str, float]]:
    """The curves of a run, all that belongs to a step together, in order."""
    found: dict[int, dict[str, float]] = {}
    for tag, series in run.series.items():
        for step, value in series:
            found.setdefault(step, {})[tag] = value
    return dict(sorted(found.items()))


def _new(place: Path) -> Path:
    """A folder for a tool that adds to what it finds.

    Raises:
        ConfigError: If there is one already.
    """
    if place.exists():
        expected = f"no {place.name} there"
        raise ConfigError("--out", expected, str(place), "remove it, or name another folder")
    make_folder(place)
    return place


SINKS: dict[str, Callable[[list[Run], Path, str], Path]] = {
    "parquet": parquet,
    "tensorboard": tensorboard,
    "wandb-offline": wandb_offline,
    "mlflow": mlflow,
    "trackio": trackio,
}


def export(runs: list[Run], to: str, folder: Path, name: str) -> Path:
    """Write runs for a tool; where they lie.

    Args:
        runs: Of the study.
        to: The tool, a name of `SINKS`.
        folder: Below which they are written; it is made if need be.
        name: Under which they stand there.

    Raises:
        ConfigError: If the tool's library is not installed, or adds to what is there already.
        StorageError: If the folder cannot be made, or a file not be written.
    """
    if find_spec(NEEDS[to]) is None:
        raise ConfigError(
            "--to",
            f"{NEEDS[to]} beside this program, which {to} takes",
            "none",
            f"pip install 'iddpm-studies[{to}]'",
        )
    make_folder(folder)
    return SINKS[to](runs, folder, name)
