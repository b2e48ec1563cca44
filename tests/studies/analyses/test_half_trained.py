"""Claims about trained networks in studies that measure their networks half trained too."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from studies.analyses.judge import CLAIMS, judge
from studies.analyses.trained import trainings
from studies.judging.looks import BY_LOOKS
from studies.judging.verdicts import Finding
from studies.judging.wording import measured, on_its_way, telling, to_decide
from studies.report.build import build
from studies.store.checksums import read_checked
from studies.store.store import Store
from studies.tables.intervals import t_interval
from studies.tables.tables import Tables, tables
from tests.witness.calls import given
from tests.witness.made_up_store import MadeUp, write_store
from tests.witness.made_up_tables import made_up, planned

LOWER = "learned_sigma_lowers_nll"
Bits = Callable[[int], float]
"""By seed, the bits/dim of the learned Σ; those of β and β̃ are 3.0."""


def study(folder: Path, whole: Bits, half: Bits | None, seeds: int = 3) -> Tables:
    """A study of three arms as the store holds it, and as it was after half of the training."""
    own = MadeUp(seeds=tuple(range(seeds)), figures=(), claims=(LOWER,), steps=(10,))

    def bound(of: Bits) -> Callable[[str, str, int], float]:
        return lambda objective, variance, seed: of(seed) if variance == "range" else 3.0

    made = [replace(own, bound=bound(whole))]
    if half is not None:
        made += [replace(own, study="half-digits", training_steps=750, bound=bound(half))]
    root = write_store(folder, *made)
    if half is not None:
        paths = [root / "studies" / f"{one.study}.json" for one in made]
        record, other = (json.loads(path.read_text()) for path in paths)
        for cell, before in zip(record["cells"], other["cells"], strict=True):
            cell["half_trained"] = before["tasks"]
        paths[0].write_text(json.dumps(record))
        paths[1].unlink()
    return tables(Store(root), own.study)


def judged(folder: Path, whole: Bits, half: Bits | None, seeds: int = 3) -> Finding:
    return judge(LOWER, study(folder, whole, half, seeds))


def test_the_half_is_read_under_the_names_of_the_whole(tmp_path: Path) -> None:
    found = study(tmp_path, lambda seed: 2.0, lambda seed: 2.5)
    half = found.half_trained
    assert half is not None
    bits = [t.results.query("metric == 'bits_per_dim'") for t in (found, half)]
    columns = ["objective", "variance", "steps", "seed"]
    assert bits[0][columns].equals(bits[1][columns])
    assert [set(t["training_steps"]) for t in bits] == [{1500}, {750}]
    assert [set(t.loc[t["variance"] == "range", "value"]) for t in bits] == [{2.0}, {2.5}]
    only = found.of_seeds([1]).half_trained
    assert only is not None
    assert set(only.results["seed"]) == {1}
    assert study(tmp_path / "plain", lambda seed: 2.0, None).half_trained is None


def test_the_half_is_read_once_with_the_whole(tmp_path: Path) -> None:
    paths = given(read_checked, "path", lambda: study(tmp_path, lambda seed: 2.0, lambda seed: 2.5))
    read = Counter(path for path in paths if path.parent.parent.name == "tasks")
    assert set(read.values()) == {1}


def test_a_verdict_that_another_doubling_would_leave_is_told(tmp_path: Path) -> None:
    """From −0.3 to −0.5, and so to −0.7, whatever the losses of the trainings do."""
    found = study(tmp_path, lambda seed: 2.5 + 0.01 * seed, lambda seed: 2.7 - 0.01 * seed)
    learning = replace(found, trainings=found.trainings.assign(loss_fall=0.3))
    for tables_of in (found, learning):
        assert judge(LOWER, tables_of).verdict == "supported"
    without = replace(learning, half_trained=None)
    assert judge(LOWER, without).is_untold


def test_it_says_what_another_doubling_would_leave(tmp_path: Path) -> None:
    found = judged(tmp_path, lambda seed: 2.5 + 0.01 * seed, lambda seed: 2.7 - 0.01 * seed)
    first, _ = telling(found)
    assert first is not None
    t = float(stats.t.ppf(0.975, 2)) / 3**0.5
    half, after = 0.01 * t, 0.03 * t
    assert on_its_way(first) == (
        f"after half of the training it was −0.310 (−{0.31 + half:.3f} to −{0.31 - half:.3f}); "
        f"another doubling that moved it as far again would leave −0.670 (−{0.67 + after:.3f} to "
        f"−{0.67 - after:.3f})"
    )


def test_a_verdict_that_another_doubling_would_turn_is_untold(tmp_path: Path) -> None:
    """From −0.5 to −0.2, and so to 0.1."""
    found = judged(tmp_path, lambda seed: 2.8 + 0.01 * seed, lambda seed: 2.5 + 0.01 * seed)
    assert (found.verdict, found.is_untold, found.seeds_may_tell) == ("inconclusive", True, False)
    assert "another doubling that moved it as far again would leave 0.1" in found.reason
    first, _ = telling(found)
    assert first is not None
    because = "decides nothing here, as another doubling of its trainings may change it"
    assert measured(first).endswith(because)
    assert to_decide(found) == "more seeds alone would not decide it"


@pytest.mark.parametrize(("half", "verdict"), [(2.25, "supported"), (2.23, "inconclusive")])
def test_a_mean_that_much_longer_trainings_would_turn_is_untold(
    tmp_path: Path, half: float, verdict: str
) -> None:
    """From −0.75 or −0.77 to −0.57, and so to −0.03 or 0.03 after three doublings."""
    found = judged(tmp_path, lambda seed: 2.43 + 1e-4 * seed, lambda seed: half + 1e-4 * seed)
    assert (found.verdict, found.is_untold) == (verdict, verdict == "inconclusive")
    assert not found.seeds_may_tell


def test_where_only_the_spread_hides_what_a_doubling_leaves_more_seeds_may_tell(
    tmp_path: Path,
) -> None:
    """The mean would go from −0.5 to −0.6, and by seed from −1.5 to 0.3."""
    found = judged(tmp_path, lambda seed: 2.5, lambda seed: 2.6 + 0.9 * (seed - 1))
    assert (found.verdict, found.is_untold, found.seeds_may_tell) == ("inconclusive", True, True)
    assert to_decide(found) == "more seeds may show whether its trainings were long enough"


def test_what_the_spread_leaves_open_is_open_by_the_spread(tmp_path: Path) -> None:
    found = judged(tmp_path, lambda seed: 2.9 + 0.3 * (seed - 1), lambda seed: 2.0)
    assert (found.verdict, found.is_untold) == ("inconclusive", False)
    assert to_decide(found).endswith("seeds would decide it at the effect measured")


def test_seeds_without_a_half_are_left_out_of_what_a_doubling_leaves(tmp_path: Path) -> None:
    found = study(tmp_path, lambda seed: 2.5 + 0.01 * seed, lambda seed: 2.7, seeds=4)
    assert found.half_trained is not None
    fewer = replace(found, half_trained=found.half_trained.of_seeds([0, 2]))
    (one, *_) = judge(LOWER, fewer).measurements
    doubled = one.after(1)
    assert doubled is not None
    assert dict(doubled.values) == pytest.approx({0: -0.7, 2: -0.66})
    alone = judge(LOWER, replace(found, half_trained=found.half_trained.of_seeds([0])))
    assert (alone.verdict, alone.seeds_may_tell) == ("inconclusive", True)


def test_losses_judge_where_nothing_was_measured_half_trained(tmp_path: Path) -> None:
    found = study(tmp_path, lambda seed: 2.5 + 0.01 * seed, lambda seed: 2.9)
    assert found.half_trained is not None
    none = replace(found.half_trained, results=found.half_trained.results.head(0))
    for fall, verdict in ((0.3, "inconclusive"), (0.0, "supported")):
        losses = found.trainings.assign(loss_fall=fall)
        assert judge(LOWER, replace(found, half_trained=none, trainings=losses)).verdict == verdict


def test_claims_of_any_training_do_not_ask(tmp_path: Path) -> None:
    name = "first_steps_carry_the_bound"
    found = study(tmp_path, lambda seed: 2.5 + 0.01 * seed, lambda seed: 2.9)
    assert not CLAIMS[name].of_trained
    assert judge(name, found) == judge(name, replace(found, half_trained=None))


def test_a_look_asks_of_its_own_seeds_what_a_doubling_leaves(tmp_path: Path) -> None:
    """The first three seeds are told; of the last two another doubling would turn it."""
    found = study(
        tmp_path,
        lambda seed: 2.5 + 0.001 * seed,
        lambda seed: 2.6 + 0.001 * seed if seed < 3 else 1.0,
        seeds=5,
    )
    looked = judge(LOWER, replace(found, record={**found.record, **BY_LOOKS}))
    assert (looked.verdict, looked.look) == ("supported", 3)
    assert judge(LOWER, found).is_untold


def test_the_page_says_it_beside_the_quantity(tmp_path: Path) -> None:
    study(tmp_path, lambda seed: 2.5 + 0.01 * seed, lambda seed: 2.7 - 0.01 * seed)
    build(Store(tmp_path), tmp_path / "out")
    text = (tmp_path / "out" / MadeUp().study / "index.html").read_text()
    assert "after half of the training it was −0.310" in text
    assert "This study measures its networks after half of their training too" in text


def test_trainings_show_by_how_much_the_bound_of_held_out_images_still_fell(
    tmp_path: Path,
) -> None:
    """By the Σ of fewest bits/dim: the learned one of L_hybrid, either one of L_simple."""
    found = study(tmp_path, lambda seed: 2.5, lambda seed: 2.7 - 0.01 * seed)
    said = {one.name.partition(",")[0]: one for one in trainings(found)}
    half = 0.01 * float(stats.t.ppf(0.975, 2)) / 3**0.5
    assert said["L_hybrid"].held_out_said == f"0.190 ({0.19 - half:.3f} to {0.19 + half:.3f})"
    assert said["L_simple"].held_out == t_interval([0.0] * 3)
    (one, *_) = trainings(replace(found, half_trained=None))
    assert (one.held_out, one.held_out_said) == (None, "–")


def test_halves_of_one_kind_of_evaluation_are_enough(tmp_path: Path) -> None:
    """Columns that only samples have are then empty, and so of another type."""
    found = study(tmp_path, lambda seed: 2.5, lambda seed: 2.7)
    assert found.half_trained is not None
    bounds = found.half_trained.results.query("evaluation == 'likelihood'")
    alone = replace(found.half_trained, results=bounds.dropna(axis=1, how="all"))
    one = next(t for t in trainings(replace(found, half_trained=alone)) if "L_hybrid" in t.name)
    assert one.held_out_said == "0.200 (0.200 to 0.200)"


@pytest.mark.parametrize(
    "sweep", ["objective_ablation", "sampling_stride", "sigma_ablation", "skip_prefix"]
)
def test_a_sweep_halves_what_its_claims_on_trained_networks_compare(sweep: str) -> None:
    """The few arms that its rules or its preset's ask for give each comparison a half."""
    plan = planned(sweep)
    halved = tuple(cell for cell in plan.cells if cell.half_trained)
    assert len(halved) < len(plan.cells)
    whole, half = (made_up(p, lambda *_: 1.0) for p in (plan, replace(plan, cells=halved)))
    compared = 0
    for claim in (CLAIMS[name] for name in plan.spec.claims if CLAIMS[name].of_trained):
        asked, known = (claim.measure(t).measurements for t in (whole, half))
        needed = {one.what for one in asked if one.decides}
        assert needed <= {one.what for one in known}
        compared += len(needed)
    assert compared
