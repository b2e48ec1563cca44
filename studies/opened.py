"""A store from Python: its studies as tables, verdicts, figures and trained networks.

    import studies

    study = studies.open("store")["sigma_ablation-digits"]
    study.results()
    study.compare("frechet_distance", baseline={"variance": "beta"}, along="steps")
    study.network(objective="hybrid", seed=1, ema_decay=0.995)

What is read is checked as the doors check it; only `run_sweep` writes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from iddpm.registry import nearest
from iddpm.running.files import weights_file
from studies import execute
from studies.analyses.index import checked
from studies.analyses.judge import judge
from studies.judging.families import DECIDED, adjusted, p_value, stands_alone
from studies.judging.looks import decided_by
from studies.judging.power import seeds_to_decide, smallest_effect
from studies.judging.samples import outlying
from studies.plan.plan import chained, expand, needed, record
from studies.spec.sweep import SWEEPS, read_sweep
from studies.store.pruning import reopen_needed
from studies.store.store import Store, StoreError
from studies.tables.answer import Answer
from studies.tables.groupings import is_done
from studies.tables.paired import paired
from studies.tables.tables import Tables, tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from iddpm.networks.unet import UNet

VERDICT = [
    *("claim", "verdict", "final", "what", "mean", "low", "high", "unit", "seeds"),
    *(
        "p",
        "p_among",
        "stands",
        "looked",
        "look",
        "smallest_effect",
        "seeds_to_decide",
        "outlying_seed",
        "untold",
        "reason",
        "says",
    ),
]


def open(store: Path | str = "store") -> "Studies":
    """The studies of a store by their ids.

    Args:
        store: Its folder.

    Raises:
        StoreError: If there is no such folder, or it is no store.
    """
    return Studies(store)


def run_sweep(
    sweep: Path | str,
    *,
    store: Path | str = "store",
    preset: str | None = None,
    settings: Mapping[str, Any] = MappingProxyType({}),
    seeds: Sequence[int] | None = None,
    executor: Literal["inline", "local"] = "inline",
) -> "Study":
    """A study, once all that is not done yet has been run here; as `python -m studies.run` does.

    Args:
        sweep: Its file, or the name of one of the project's own.
        store: The folder where results live; it is made if need be.
        preset: Data, network and budgets; None: the one that the sweep names.
        settings: Values that win over the files, by dotted keys such as `train.steps`.
        seeds: Instead of the sweep's.
        executor: `inline`: in this process; `local`: in a pool of processes.

    Raises:
        ConfigError: If the sweep, the preset or a setting is wrong; nothing was run.
        StoreError: If the store is damaged, or tasks failed; the others are done.
    """
    named = SWEEPS / f"{sweep}.yaml"
    spec = read_sweep(
        named if isinstance(sweep, str) and named.is_file() else sweep,
        preset=preset,
        overrides=[(key, json.dumps(value)) for key, value in settings.items()],
        seeds=seeds,
    )
    there = Store(Path(store))
    plan = needed(expand(checked(spec)), there.is_done)
    there.record_study(plan.study, record(plan))
    tasks = list(chained(plan.tasks.values()).values())
    reopen_needed(there, tasks)
    execute.execute(there, tasks, name=executor)
    if left := [address for address in plan.tasks if not there.is_done(address)]:
        raise StoreError(
            f"{plan.study}: expected every task done, found {len(left)} that are not, such as "
            f"{left[0]}; python -m studies.status {plan.study} --store {store} says why"
        )
    return Study(there, plan.study)


class Studies(Mapping[str, "Study"]):
    """The studies of a store by their ids.

    Args:
        store: Its folder.

    Raises:
        StoreError: If there is no such folder, or it is no store.
    """

    def __init__(self, store: Path | str) -> None:
        root = Path(store)
        if not root.exists():
            raise StoreError(f"{root}: expected a store, found no such folder; name another one")
        self._store = Store(root)

    def __getitem__(self, name: str) -> "Study":
        if name not in self._store.studies():
            raise KeyError(f"{name!r}: no such study; {nearest(str(name), list(self))}")
        return Study(self._store, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.studies())

    def __len__(self) -> int:
        return len(self._store.studies())

    def __repr__(self) -> str:
        return f"<{len(self)} studies in {self._store.root}: {', '.join(self)}>"


class Study:
    """One study of a store, read once.

    Args:
        store: Where its results are.
        name: Its id, such as `sigma_ablation-digits`.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name

    def __repr__(self) -> str:
        return f"<study {self.name} in {self._store.root}>"

    @cached_property
    def tables(self) -> Tables:
        """Every table of the study, as figures and claims take them."""
        return tables(self._store, self.name)

    def results(self) -> pd.DataFrame:
        """One row for each cell and metric, with the settings of the arm in columns.

        A sampler that takes no Σ has the variance `none`, so that no grouping drops its rows.
        """
        return self._told().drop(columns="settings")

    def _told(self) -> pd.DataFrame:
        """The results, with the variance of every sampler."""
        table = self.tables.results
        takes_none = table["sampler"].notna() & (table["sampler"] != "ancestral")
        return table.assign(variance=table["variance"].mask(takes_none, "none"))

    def verdicts(self) -> pd.DataFrame:
        """One row for each measurement that decides a claim, with the verdict on the claim.

        One that does not tell, though the claim asks for it, has a row too: `untold` says why.

        `final` is false while results are missing that may change the verdict. `smallest_effect` is
        how far beyond a border of what is claimed a mean had to lie for these seeds to tell it with
        80% power; `seeds_to_decide` is the number that would decide an open claim at the means
        measured, inf above 100, NaN where no number is known to. `p` is below 0.05 where the
        intervals decide, `p_among` the same by Holm's correction among all claims of the study, and
        `stands` whether the verdict does so there. `looked` is the verdict where seeds were added
        after looking, by the `look` at so many seeds (`studies.judging.looks`). `outlying_seed`
        stands apart from the others. `reason` says what decided, or what keeps the claim open.

        Raises:
            StoreError: If a newer version asked for a claim that this one does not have.
        """
        done = is_done(self.tables)
        rows = []
        findings = [judge(name, self.tables) for name in self.tables.record["claims"]]
        for found, among in zip(findings, adjusted(findings), strict=True):
            said = {
                "claim": found.name,
                "verdict": found.verdict,
                "final": done or found.is_exact,
                "reason": found.reason,
                "says": found.claim.says,
                "p": p_value(found),
                **dict(zip(("looked", "look"), decided_by(found), strict=True)),
                "p_among": among,
                "stands": found.verdict in DECIDED and not stands_alone(found, among),
                "seeds_to_decide": seeds_to_decide(found),
            }
            deciding = [m for m in found.measurements if m.decides or m.untold]
            rows += [
                said
                | {"what": m.what, "unit": m.unit, "seeds": m.interval.n}
                | {"smallest_effect": smallest_effect(m), "outlying_seed": outlying(m)}
                | {"untold": m.untold}
                | {end: getattr(m.interval, end) for end in ("mean", "low", "high")}
                for m in deciding
            ] or [said]
        return pd.DataFrame(rows, columns=VERDICT)

    def compare(
        self,
        metric: str,
        *,
        baseline: Mapping[str, Any],
        against: Sequence[Mapping[str, Any]] = (),
        along: str = "",
        beside: Sequence[str] = (),
    ) -> pd.DataFrame:
        """Every arm against a baseline, paired by seed.

        Args:
            metric: Of `results`. Distances and noise scales are compared by ratios, others by
                differences.
            baseline: Columns of `results` and their values, by which the baseline is known.
            against: The same of the arms that stand against it; none: every other arm.
            along: The column along which arms are followed, such as `steps`.
            beside: Further columns in which an arm may differ from its baseline.

        Returns:
            As `studies.tables.paired.paired` gives it: estimate, 95% interval and seeds of each.

        Raises:
            ValueError: If the study has no such metric, column or arm.
        """
        results = self.results()
        if metric not in set(results["metric"]):
            known = sorted(results["metric"].unique())
            raise ValueError(f"metric: no such metric {metric!r}; {nearest(metric, known)}")
        named = [*baseline, *(key for arm in against for key in arm), *filter(None, [along])]
        _require_columns("compare", [*named, *beside], list(results.columns))
        for arm in (baseline, *against):
            _require_arm(results[results["metric"] == metric], arm)
        answer = Answer(
            metric=metric,
            baseline=baseline,
            against=tuple(against),
            along=along,
            beside=tuple(beside),
        )
        return paired(replace(self.tables, results=self._told()), answer)

    def figure(self, name: str) -> "Figure":
        """A figure of the report, drawn from this study.

        Raises:
            ValueError: If there is no such figure, or nothing to draw it from.
        """
        from studies.analyses.drawings import FIGURES  # matplotlib: not needed for tables

        if name not in FIGURES:
            raise ValueError(f"figure: no such name {name!r}; {nearest(name, list(FIGURES))}")
        table = FIGURES[name].table(self.tables)
        if table.empty:
            raise ValueError(f"figure {name}: the study has no result that it shows")
        return FIGURES[name].draw(table)

    def network(self, *, seed: int, ema_decay: float | None = None, **settings: Any) -> "UNet":
        """A trained network of the study, ready for evaluation, on the CPU.

        Args:
            seed: Of its training.
            ema_decay: Which average of the weights; None: the weights themselves.
            **settings: Columns of `results` that tell the network from others.

        Raises:
            ValueError: If no trained network, or more than one, is of this description, or the
                study has no such column.
            CheckpointError: If its state is damaged.
        """
        from iddpm.training import load_network  # torch: not needed for tables

        address = self.training(seed=seed, **settings)
        folder = self._store.folder(address)
        result = self._store.result(address)
        assert result is not None  # a training that is done has one
        config: Any = self._store.task(address).config
        return load_network(
            weights_file(folder),
            config,
            ema_decay=ema_decay,
            device="cpu",
            digests=result["weights"],
        )

    def export_network(
        self,
        folder: Path | str,
        *,
        to: Literal["safetensors", "diffusers"],
        seed: int,
        ema_decay: float | None = None,
        **settings: Any,
    ) -> Path:
        """A trained network of the study, written for other programs with a model card.

        Args:
            folder: Where the files go.
            to: A file of safetensors, or a pipeline of diffusers.
            seed: Of its training.
            ema_decay: Which average of the weights; None: the weights themselves.
            **settings: Columns of `results` that tell the network from others.

        Raises:
            ValueError: As `network`; also if diffusers cannot express it, or safetensors is not
                installed.
            StorageError: If the folder cannot be written.
        """
        from iddpm import exporting  # torch: not needed for tables

        network = self.network(seed=seed, ema_decay=ema_decay, **settings)
        config: Any = self._store.task(self.training(seed=seed, **settings)).config
        return exporting.WRITERS[to](config, network, Path(folder), ema_decay=ema_decay)

    def training(self, *, seed: int, **settings: Any) -> str:
        """The address of the one training of this description that is done.

        Args:
            seed: Of the training.
            **settings: Columns of `results` that tell it from others.

        Raises:
            ValueError: If there is none, or more than one, or the study has no such column.
        """
        found: dict[str, dict[str, Any]] = {}
        seeds: set[int] = set()
        cells = self.tables.record["cells"]
        known = dict.fromkeys(name for cell in cells for name in cell["arm"])
        _require_columns("network", settings, known)
        for cell in cells:
            arm, address = cell["arm"], cell["tasks"].get("train")
            alike = all(arm.get(name) == value for name, value in settings.items())
            if address and alike and self._store.is_done(address):
                seeds.add(cell["seed"])
                if cell["seed"] == seed:
                    found.setdefault(address, arm)
        if len(found) == 1:
            return next(iter(found))
        if not found:
            there = ", ".join(map(str, sorted(seeds))) or "none"
            raise ValueError(
                f"network: {self.name} has no trained one of seed {seed}, {settings}; of these "
                f"settings the seeds that are trained: {there}"
            )
        of_networks = [key for key in next(iter(found.values())) if key.startswith("train.")]
        apart = [
            name
            for name in ("objective", "schedule", "T", "prediction", *of_networks)
            if len({str(arm.get(name)) for arm in found.values()}) > 1
        ]
        raise ValueError(
            f"network: expected one training, found {len(found)} of seed {seed}, {settings}; say "
            f"which by {' and '.join(apart)}"
        )


def _require_columns(asked_by: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse columns that the study does not have, naming the nearest.

    Raises:
        ValueError: At the first of them.
    """
    there = list(known)
    for name in names:
        if name not in there:
            raise ValueError(f"{asked_by}: no such column {name!r}; {nearest(name, there)}")


def _require_arm(rows: pd.DataFrame, arm: Mapping[str, Any]) -> None:
    """Refuse an arm that no row is of, naming the values that there are.

    Raises:
        ValueError: At the first column without its value in what the columns before it leave.
    """
    for column, value in arm.items():
        values = rows[column]
        rows = rows[values.isna() if value is None else values == value]
        if rows.empty:
            there = values.astype(object).where(values.notna(), None).drop_duplicates()
            known = ", ".join(map(repr, there.tolist()))
            raise ValueError(f"compare: no arm with {column} {value!r}; there are: {known}")
