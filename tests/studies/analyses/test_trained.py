"""Claims about trained networks and about chains are untold where their condition does not hold."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from studies.analyses.best_of_training.claims import _not_past_their_best
from studies.analyses.judge import CLAIMS, judge
from studies.analyses.learning_curves.paper import SETTLED
from studies.analyses.trained import Training, conditional, network_name, trainings
from studies.judging.looks import BY_LOOKS
from studies.judging.shared import BOUNDS_OF_ONE_NETWORK, CHAINS_OF_ONE_NETWORK, TWO_CHAINS
from studies.judging.verdicts import Claim, Measured, Measurement
from studies.judging.wording import measured, telling, to_decide
from studies.report.build import build
from studies.store.store import Store
from studies.tables.intervals import Interval, t_interval
from studies.tables.tables import Tables, tables
from tests.witness.made_up_findings import quantity
from tests.witness.made_up_rows import bound_rows, network, tables_of
from tests.witness.made_up_store import MadeUp, write_store

FALLS = np.array([0.08, 0.09, 0.13])
LOWER, FIRST = "learned_sigma_lowers_nll", "first_steps_carry_the_bound"


@pytest.fixture(scope="module")
def ablation(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    root = write_store(tmp_path_factory.mktemp("store"), MadeUp())
    return tables(Store(root), MadeUp().study)


def falling(study: Tables, falls: "np.ndarray | float", objective: str = "hybrid") -> Tables:
    """The study with other falls of one objective's networks."""
    table = study.trainings.sort_values("seed")
    is_it = table["objective"] == objective
    table.loc[is_it, "loss_fall"] = falls
    return replace(study, trainings=table)


def test_a_plateau_is_what_the_papers_own_curve_still_fell_before_it_was_compared() -> None:
    """Fig. 6: 3.595 bits/dim at 100,000 steps, 3.555 at 200,000, either 0.02 off."""
    assert math.exp(SETTLED) == pytest.approx(3.615 / 3.535)
    assert math.log(3.595 / 3.555) < SETTLED


def test_a_study_knows_its_trainings(ablation: Tables) -> None:
    table, T = ablation.trainings, MadeUp().T
    assert len(table) == 6  # two objectives, three seeds
    assert set(table["levels"]) == {17}
    f = [math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2 for t in (0, 1)]
    assert table["first_noise"].to_numpy() == pytest.approx(math.sqrt(1 - f[1] / f[0]))
    assert table["loss_fall"].tolist() == [0.0] * 6
    assert {(one.plateau, one.said) for one in trainings(ablation)} == {
        ("reached", "0.0% (0.0 to 0.0%)")
    }


def test_a_training_that_still_learns_leaves_the_claims_on_what_it_arrives_at_untold(
    ablation: Tables,
) -> None:
    assert judge(LOWER, ablation).verdict == "supported"
    found = judge(LOWER, falling(ablation, FALLS))
    mean, half = FALLS.mean(), stats.t.ppf(0.975, 2) * FALLS.std(ddof=1) / math.sqrt(3)
    low, high = (100 * (1 - math.exp(-end)) for end in (mean - half, mean + half))
    assert (found.verdict, found.is_untold) == ("inconclusive", True)
    assert found.reason.startswith(
        "The numbers of the study do not tell: L_hybrid, cosine schedule, T = 200, after 1,500 "
        "training steps, has not reached its plateau (over the last doubling of its training its "
        f"loss fell by {100 * (1 - math.exp(-mean)):.1f}% ({low:.1f} to {high:.1f}%); at most 2.2% "
    )
    asked = [one for one in found.measurements if one.untold]
    assert len(asked) == 2
    assert not any(one.decides for one in found.measurements)
    first, deciding = telling(found)
    assert (first, deciding) == (asked[0], 0)
    why = "decides nothing here, as its trainings have not arrived"
    assert measured(asked[0]).endswith(f", claimed below 0.000, 3 seeds: {why}")
    both = judge(LOWER, falling(falling(ablation, FALLS), FALLS, "simple"))
    assert both.reason.count("has not reached its plateau") == 2


def test_what_cannot_be_told_from_a_fall_does_not_count_as_a_plateau(ablation: Tables) -> None:
    found = judge(LOWER, falling(ablation, np.array([-0.05, 0.0, 0.05])))
    assert found.verdict == "inconclusive"
    assert (
        "L_hybrid, cosine schedule, T = 200, after 1,500 training steps, is not shown to have "
        in (found.reason)
    )
    assert "its loss fell by an unknown part;" in judge(LOWER, falling(ablation, math.nan)).reason


def test_more_seeds_are_said_to_help_only_where_whether_trainings_arrived_is_open(
    ablation: Tables,
) -> None:
    """The loss falls by -0.3 to 2.7% over three seeds; over six such it would by 0.6 to 1.8%."""
    open_yet = judge(LOWER, falling(ablation, np.array([0.006, 0.012, 0.018])))
    assert (open_yet.verdict, open_yet.is_untold) == ("inconclusive", True)
    assert to_decide(open_yet) == "more seeds may show whether its trainings were long enough"
    first, _ = telling(open_yet)
    assert first is not None
    assert measured(first).endswith("here, as its trainings are not shown to have arrived")
    never = falling(ablation, FALLS, "simple")
    for study in (never, falling(never, np.array([0.006, 0.012, 0.018])), unknown(ablation)):
        assert to_decide(judge(LOWER, study)) == "more seeds alone would not decide it"


def unknown(study: Tables) -> Tables:
    """The study with networks of which it is not known how far they got."""
    return falling(study, math.nan)


def test_a_loss_that_rises_has_not_reached_a_plateau(ablation: Tables) -> None:
    reason = judge(LOWER, falling(ablation, -FALLS)).reason
    assert "has not reached its plateau" in reason
    half = stats.t.ppf(0.975, 2) * FALLS.std(ddof=1) / math.sqrt(3)
    mean, *ends = (100 * (math.exp(FALLS.mean() + to) - 1) for to in (0, -half, half))
    assert f"its loss rose by {mean:.1f}% ({ends[0]:.1f} to {ends[1]:.1f}%); at most" in reason


def test_a_bound_that_rises_is_said_to(ablation: Tables) -> None:
    table = ablation.trainings.sort_values("seed")
    table["bound_fall"] = -2 * (table["seed"] + 1.0)
    one, *_ = trainings(replace(ablation, trainings=table))
    half = stats.t.ppf(0.975, 2) * 2 / math.sqrt(3)
    assert one.bound_said == f"rose by 4.00 ({4 - half:.2f} to {4 + half:.2f})".replace("-", "−")
    assert one.said == "0.0% (0.0 to 0.0%)"
    (alone, *_) = trainings(replace(ablation, trainings=table[table["seed"] == 2]))
    assert (alone.said, alone.bound_said) == ("0.0%, without a spread", "rose by 6.00")


def test_falls_that_lie_wholly_below_the_level_are_a_plateau(ablation: Tables) -> None:
    small = SETTLED * np.array([0.80, 0.82, 0.84])
    assert judge(LOWER, falling(ablation, small)).verdict == "supported"
    large = SETTLED * np.array([0.96, 0.98, 1.00])
    assert judge(LOWER, falling(ablation, large)).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("falls", "look"),
    [([0.0, 0.001, 0.002, 0.9, 0.9], 3), ([0.0, 0.011, 0.022, 0.010, 0.012], 5)],
)
def test_a_look_asks_of_its_own_seeds_whether_trainings_have_arrived(
    tmp_path: Path, falls: list[float], look: int
) -> None:
    """The first three have, whatever the others do; or that they have is shown by all five."""
    bits = {"beta": 3.0, "beta_tilde": 2.9, "range": 2.0}
    made = MadeUp(seeds=tuple(range(5)), figures=(), claims=(LOWER,), steps=(10,))
    made = replace(made, bound=lambda objective, variance, seed: bits[variance] + 0.01 * seed)
    study = tables(Store(write_store(tmp_path, made)), made.study)
    study = falling(replace(study, record={**study.record, **BY_LOOKS}), np.array(falls))
    found = judge(LOWER, study)
    assert (found.verdict, found.look) == ("supported", look)
    assert found.is_untold == (look == 3)
    assert not any(one.untold for one in found.seen)
    early = judge(LOWER, study.of_seeds(range(3)))
    assert early.verdict == ("supported" if look == 3 else "inconclusive")


OF_TRAINED = {
    *("architecture_improves_quality", "best_dropout_depends_on_the_schedule"),
    *("cosine_lowers_nll", "cosine_suffers_from_any_skip", "ddim_wins_below_fifty_steps"),
    *("diffusion_covers_more_than_gan", "ensemble_keeps_hybrid_quality", "ensemble_lowers_nll"),
    *("gan_is_more_precise", "hundred_steps_are_nearly_enough", "hybrid_keeps_quality"),
    *("hybrid_is_better_between_the_ends", "learned_sigma_has_the_best_short_bound"),
    *("learned_sigma_keeps_quality_at_few_steps", "learned_sigma_lowers_nll"),
    *("longer_chain_lowers_nll", "only_large_diffusion_beats_gan"),
    *("schedules_reach_similar_quality", "small_dropout_improves_the_best_quality"),
    *("vlb_gives_lowest_nll", "vlb_worsens_samples"),
}
"""Sentences of the paper on networks that were trained to their end."""


def test_it_is_fixed_which_claims_are_of_trained_networks_and_which_of_chains() -> None:
    assert {name for name, claim in CLAIMS.items() if claim.of_trained} == OF_TRAINED
    assert {name for name, claim in CLAIMS.items() if claim.of_chains} == {
        *("cosine_lowers_nll", "longer_chain_lowers_nll")
    }


SHARED = {
    TWO_CHAINS: {
        *("cosine_lowers_nll", "cosine_reaches_its_best_sooner", "longer_chain_lowers_nll"),
        *("cosine_suffers_from_any_skip", "schedules_reach_similar_quality"),
    },
    CHAINS_OF_ONE_NETWORK: {
        *("hundred_steps_are_nearly_enough", "learned_sigma_keeps_quality_at_few_steps"),
        "linear_spares_a_skipped_fifth",
    },
    BOUNDS_OF_ONE_NETWORK: {
        *("even_stride_costs_likelihood", "first_steps_win_back_likelihood"),
        "learned_sigma_has_the_best_short_bound",
    },
}
"""Sentences on arms of two schedules, of two T, or of two numbers of steps."""


def test_it_is_fixed_which_claims_say_what_their_arms_share() -> None:
    found: dict[str, set[str]] = {}
    for name, claim in CLAIMS.items():
        found.setdefault(claim.shared, set()).add(name)
    del found[""]
    assert found == SHARED


def test_claims_that_hold_of_any_training_stay(ablation: Tables) -> None:
    learning = falling(falling(ablation, FALLS), FALLS, "simple")
    assert judge(FIRST, learning).verdict == "supported"
    assert judge(FIRST, learning) == judge(FIRST, ablation)
    assert not CLAIMS["larger_networks_are_better"].of_trained  # after equal training steps


def test_only_the_networks_of_a_comparison_count(ablation: Tables) -> None:
    other = ablation.trainings.assign(settings="another", loss_fall=9.0)
    both = pd.concat([ablation.trainings, other], ignore_index=True)
    assert judge(LOWER, replace(ablation, trainings=both)).verdict == "supported"


def test_networks_from_elsewhere_have_no_curve_and_count_as_trained(ablation: Tables) -> None:
    without = replace(ablation, trainings=ablation.trainings.head(0))
    assert judge(LOWER, without).verdict == "supported"


# ------------------------------------------------------------------------- networks made by hand

TRAINED = json.dumps({"train": {"steps": 800}}, sort_keys=True)


def ended(*falls: "tuple[float, float] | float", **changes: Any) -> pd.DataFrame:
    """The trainings of a network, one for each seed: by what its loss fell, and its bound."""
    pairs = [fall if isinstance(fall, tuple) else (fall, math.nan) for fall in falls]
    row = network("hybrid") | {"levels": 17, "first_noise": 0.125, "settings": TRAINED} | changes
    return pd.DataFrame(
        [
            row | {"seed": seed, "loss_fall": loss, "bound_fall": bound}
            for seed, (loss, bound) in enumerate(pairs)
        ]
    )


def study(*networks: pd.DataFrame) -> Tables:
    return replace(tables_of([]), trainings=pd.concat(networks, ignore_index=True))


@pytest.mark.parametrize(
    ("low", "high", "plateau"),
    [
        *((-0.9, 0.9, "reached"), (1.1, 2.0, "not reached"), (-2.0, -1.1, "not reached")),
        *((0.5, 1.5, "not told"), (-1.5, -0.5, "not told"), (-1.5, 1.5, "not told")),
    ],
)
def test_a_plateau_is_told_where_the_whole_interval_lies_on_one_side_of_a_level(
    low: float, high: float, plateau: str
) -> None:
    middle, half = SETTLED * (low + high) / 2, SETTLED * (high - low) / 2
    fall = Interval(middle, middle - half, middle + half, 3)
    assert Training(name="", fall=fall, bound=None).plateau == plateau


def test_a_fall_is_of_the_seeds_of_one_network_and_one_length_that_know_it() -> None:
    bounds = ended((0.1, 3.0), (0.2, math.nan), (0.3, 4.0))
    longer = ended(0.0, math.nan, 0.1, training_steps=1600)
    first, second = trainings(study(bounds, longer))
    assert (first.fall, first.bound) == (t_interval([0.1, 0.2, 0.3]), t_interval([3.0, 4.0]))
    assert (second.fall, second.bound, second.plateau) == (None, None, "not told")
    assert [one.name.rpartition(", ")[2] for one in (first, second)] == [
        *("after 800 training steps", "after 1,600 training steps")
    ]
    two = ended((0.1, 3.0), (0.2, 4.0))
    (said,) = trainings(study(two))
    assert said.bound_said.startswith("3.50 (−2.85 to ")
    assert said.said.endswith("%)")


def test_a_network_is_called_by_the_settings_that_it_has() -> None:
    row = network("hybrid", T=1000) | {"train.batch_size": 16, "train.network.dropout": math.nan}
    columns = ["objective", "schedule", "T", "train.batch_size", "train.network.dropout"]
    named = "L_hybrid, cosine schedule, T = 1000, batch size = 16, after 800 training steps"
    assert network_name(row, columns) == named


def bits(values: list[float | None], variance: str = "range", **changes: Any) -> Any:
    return bound_rows(network("hybrid") | {"settings": TRAINED}, variance, values, **changes)


def test_the_bound_of_held_out_images_is_that_over_all_steps_of_the_fewest_bits() -> None:
    """By seeds that have both; the bounds of other images, chains and Σ have other halves."""
    whole = [
        *bits([3.0, 3.1, 3.2, 3.0, None]),
        *bits([3.4] * 3, images=64),
        *bits([3.9] * 3, "beta"),
        *bits([2.0] * 3, steps=10),
    ]
    half = [
        *bits([3.5, 3.5, 3.5, None, 9.0]),
        *bits([7.0] * 3, images=64),
        *bits([8.0] * 3, "beta"),
        *bits([9.0] * 3, steps=10),
    ]
    found = replace(study(ended(0.0, 0.0)), results=tables_of(whole).results)
    known = tables_of(row for row in half if row["value"])  # of one seed there is none
    (one,) = trainings(replace(found, half_trained=known))
    assert one.held_out is not None
    expected = t_interval([0.5, 0.4, 0.3])
    assert (one.held_out.mean, one.held_out.low) == pytest.approx((expected.mean, expected.low))
    assert one.held_out.n == 3


BELOW = quantity([-0.2, -0.21, -0.22], networks=frozenset([TRAINED]), what="x")
LEARNING, OPEN = (0.08, 0.09, 0.13), (0.006, 0.012, 0.018)
ARRIVED, DOUBTED = "its trainings have not arrived", "its trainings are not shown to have arrived"
FINE = "its chains begin far below the bin of a pixel"


def asked(
    one: Measurement, networks: Tables, *of: str, half: Measurement | None = None
) -> Measurement:
    """What a claim of these conditions finds of a quantity, where something else is missing."""
    then = Measured([half] if half else [], [])
    claim = Claim(says="", source="", method="", measure=lambda _: then)
    claim = replace(claim, of_trained="of_trained" in of, of_chains="of_chains" in of)
    halves = replace(networks, half_trained=tables_of([])) if half else networks
    found = conditional(claim, Measured([one], ["other"]), halves)
    assert found.missing[0] == "other"
    (told,) = found.measurements
    assert told.untold == "; ".join(found.missing[1:])
    return told


@pytest.mark.parametrize(
    ("falls", "noise", "of", "because"),
    [
        (LEARNING, 0.125, ("of_trained",), ARRIVED),
        (OPEN, 0.125, ("of_trained",), DOUBTED),
        (LEARNING, 0.01, ("of_trained",), ARRIVED),
        (LEARNING, 0.01, ("of_chains",), FINE),
        (LEARNING, 0.125, ("of_trained", "of_chains"), ARRIVED),
        (LEARNING, 0.01, ("of_trained", "of_chains"), f"{FINE} and {ARRIVED}"),
        (OPEN, 0.01, ("of_trained", "of_chains"), f"{FINE} and {ARRIVED}"),
        (LEARNING, 0.01, (), ""),
        ((0.0, 0.0, 0.0), 0.125, ("of_trained", "of_chains"), ""),
    ],
)
def test_a_quantity_tells_under_the_conditions_of_its_claim_alone(
    falls: tuple[float, ...], noise: float, of: tuple[str, ...], because: str
) -> None:
    networks = study(ended(*falls, first_noise=noise))
    told = asked(BELOW, networks, *of)
    assert (told.because, told.decides) == (because, not because)
    aside = replace(BELOW, decides=False)
    assert asked(aside, networks, *of) == aside


def test_one_network_that_learns_beside_one_that_is_open_has_not_arrived() -> None:
    other = json.dumps({"train": {"steps": 900}})
    both = study(ended(*LEARNING), ended(*OPEN, settings=other, training_steps=900))
    one = replace(BELOW, networks=frozenset([TRAINED, other]))
    told = asked(one, both, "of_trained")
    assert (told.because, told.untold.count("its plateau")) == (ARRIVED, 2)


@pytest.mark.parametrize(("seeds", "decides"), [(1, True), (2, False)])
def test_one_seed_decides_nothing_and_is_not_asked_whether_it_arrived(
    seeds: int, decides: bool
) -> None:
    some = replace(BELOW, interval=t_interval([-0.2, -0.21][:seeds]))
    assert asked(some, study(ended(*LEARNING)), "of_trained").decides is decides


def test_a_quantity_that_was_measured_half_trained_is_asked_by_that_alone() -> None:
    """The mean stands where another doubling leaves it, and by seed it crosses the border."""
    half = quantity([0.5, -0.21, -0.92], what="x", formula=("half",))
    told = asked(BELOW, study(ended(*LEARNING)), "of_trained", half=half)
    assert told.because == "another doubling of its trainings may change it"
    assert (told.half_trained, told.formula_half_trained) == (half.values, ("half",))
    same = replace(half, values=BELOW.values)
    assert asked(BELOW, study(ended(*LEARNING)), "of_trained", half=same).decides


def test_of_chains_that_begin_apart_the_finest_counts_and_both_ends_are_told() -> None:
    other = json.dumps({"train": {"steps": 900}})
    one = replace(BELOW, networks=frozenset([TRAINED, other]))
    noises = [(17, 0.0125), (256, 2 / 255)]  # a tenth of a bin, and a whole one
    rows = [
        ended(0.0, settings=settings, levels=levels, first_noise=noise)
        for settings, (levels, noise) in zip((TRAINED, other), noises, strict=True)
    ]
    why = asked(one, study(*rows), "of_chains").untold
    assert "is 0.100 and 1.000 of the bin of pixels of 17 and 256 levels" in why
    why = asked(one, study(rows[0]), "of_chains").untold
    assert "is 0.100 of the bin of pixels of 17 levels" in why


# ---------------------------------------------------------------------------------------- chains


def of_chains(study: Tables, levels: int, first_noise: float) -> Measured:
    """A claim on chains over networks of such data and noise."""
    network = frozenset(study.trainings["settings"])
    values = [-0.2, -0.21, -0.22]
    one = Measurement(
        what="", interval=t_interval(values), unit="bits/dim", high=0.0, networks=network
    )
    claim = Claim(
        says="", source="", method="", measure=lambda _: Measured([one], []), of_chains=True
    )
    table = study.trainings.assign(levels=levels, first_noise=first_noise)
    return conditional(claim, claim.measure(study), replace(study, trainings=table))


def test_a_chain_that_begins_far_below_a_bin_tells_nothing_of_chains(ablation: Tables) -> None:
    """The linear chain of T = 4000: β of its first step is 0.1/4000, √β 0.005."""
    noise = math.sqrt(0.1 / 4000)
    digits = of_chains(ablation, 17, noise)
    assert [one.decides for one in digits.measurements] == [False]
    (why,) = digits.missing
    assert f"is {noise / 0.125:.3f} of the bin of pixels of 17 levels" in why
    f = [math.cos((t / 4000 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in (0, 1)]
    ends = [127.5 * math.sqrt(beta) for beta in (1 - f[1] / f[0], 0.1 / 1000)]
    assert "those of the paper begin at {:.2f} to {:.2f} of one".format(*ends) in why
    photos = of_chains(ablation, 256, noise)
    assert [one.decides for one in photos.measurements] == [True]
    assert photos.missing == []


def test_below_a_sixth_of_a_bin_rounding_gives_the_image_back(ablation: Tables) -> None:
    """Then half a bin is three deviations."""
    assert stats.norm.sf(0.5 / (1 / 6)) == pytest.approx(stats.norm.sf(3))
    told = [of_chains(ablation, 17, share * 0.125).missing for share in (0.166, 0.167)]
    assert [len(missing) for missing in told] == [1, 0]


# ------------------------------------------------------------------------------- best of training


@pytest.mark.parametrize(("values", "count"), [((3.0, 2.0, 2.5), 0), ((3.0, 2.0, 1.5), 2)])
def test_a_training_that_has_passed_its_best_has_arrived_there(
    values: tuple[float, ...], count: int
) -> None:
    rows = pd.DataFrame(
        [
            {"training_steps": steps, "seed": seed, "value": value + 0.01 * seed}
            for steps, value in zip((100, 200, 400), values, strict=True)
            for seed in (0, 1)
        ]
    )
    found = _not_past_their_best(rows)
    assert len(found) == count
    assert set(found["training_steps"]) <= {400}


# -------------------------------------------------------------------------------------- the page


def test_the_page_shows_how_far_its_trainings_got(tmp_path: Path) -> None:
    root = write_store(tmp_path / "store", MadeUp(figures=(), claims=(LOWER,)))
    build(Store(root), tmp_path / "out")
    folder = tmp_path / "out" / MadeUp().study
    page = (folder / "index.html").read_text()
    assert page.count("<td>reached</td><td>0.0% (0.0 to 0.0%)</td><td>–</td>") == 2
    assert 'where one has not reached its <a href="#trainings">plateau</a>' in page
    kept = pd.read_csv(folder / "trainings.csv")
    expected = tables(Store(root), MadeUp().study).trainings
    assert kept["loss_fall"].tolist() == expected["loss_fall"].tolist()
    assert kept["address"].tolist() == expected["address"].tolist()
