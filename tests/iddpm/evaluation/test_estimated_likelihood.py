"""The estimated bound against closed forms, the exact bound, and the spread of its own repeats."""

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from iddpm.arrays import FloatArray, Int64Array, UInt8Array
from iddpm.config import Variance
from iddpm.data import to_unit
from iddpm.denoiser import Denoiser
from iddpm.diffusion import Diffusion
from iddpm.evaluation import estimated_likelihood
from iddpm.evaluation.config import PILOT_BINS, TRIAL_STRATA
from iddpm.evaluation.estimated_likelihood import (
    Design,
    DrawnBlock,
    DrawnEstimate,
    DrawnReading,
    EstimatedLikelihood,
)
from iddpm.evaluation.likelihood import Reading, Watch
from iddpm.running.blocks import Blocks
from iddpm.running.draws import generator
from iddpm.running.interruption import Interrupted
from iddpm.schedules import betas
from tests.iddpm.evaluation.test_likelihood import Network, denoiser, images, reading
from tests.witness.gaussian_chains import GaussianPixels, links

FIXED: tuple[Variance, ...] = ("beta", "beta_tilde")
T, LEVELS = 100, 256
PIXELS, TABLE = GaussianPixels(mean=0.1, sd=0.2), betas("linear", T)


SILENT = Watch(lambda done, total: None, lambda: False, 0, 0)


def unit(data: UInt8Array) -> Tensor:
    return torch.from_numpy(to_unit(data, LEVELS)).double()


def gaussian(**changes: Any) -> Reading:
    """The best denoiser of Gaussian pixels: the mean of every term is known."""
    model = Denoiser(network=PIXELS.network(TABLE, "eps"), diffusion=Diffusion.from_betas(TABLE))
    settings = {"levels": LEVELS, "variances": FIXED, "clip": False, "block_size": 1000}
    return reading(model, **{**settings, **changes})


def drawn_images(count: int, seed: int = 0) -> UInt8Array:
    draws = np.random.default_rng(seed).normal(PIXELS.mean, PIXELS.sd, (count, 4, 4, 1))
    return np.rint((draws.clip(-1, 1) + 1) / 2 * (LEVELS - 1)).astype(np.uint8)


@cache
def exact_kls(variance: str) -> FloatArray:
    """Bits of all steps back together of a pixel of each level, the noise integrated out."""
    x_0 = np.linspace(-1, 1, LEVELS)
    nats = np.zeros_like(x_0)
    for link in links(TABLE, range(T))[1:]:
        intercept, slope = PIXELS.expected_x_0(np.array(link.alpha_bar))
        signal, noise = math.sqrt(link.alpha_bar), math.sqrt(1 - link.alpha_bar)
        squared = (x_0 - intercept - slope * signal * x_0) ** 2 + (slope * noise) ** 2
        gain, tilde = link.posterior(1.0, 0.0)[0], link.posterior(0.0, 0.0)[1]
        step = link.step[1] if variance == "beta" else tilde
        ratio = tilde / step
        nats += 0.5 * (ratio - 1 - math.log(ratio) + gain**2 * squared / step)
    return nats / math.log(2)


def exact_kl(data: UInt8Array, variance: str) -> FloatArray:
    """Bits/dim of all steps back together for each of these images."""
    means: FloatArray = exact_kls(variance)[data.reshape(len(data), -1)].mean(1)
    return means


def estimated(
    read: Reading, data: UInt8Array, *, draws: int = 16, **settings: Any
) -> EstimatedLikelihood:
    of_blocks = ("labels", "kept", "progress", "should_stop")
    asked = {name: settings.pop(name) for name in of_blocks if name in settings}
    drawing = DrawnReading(reading=read, draws=draws, **settings)
    return drawing.bound(*drawing.blocks(data, **asked), dimensions=data[0].size)


def same(a: EstimatedLikelihood, b: EstimatedLikelihood) -> bool:
    return json.dumps(a.as_json()) == json.dumps(b.as_json())


# ----------------------------------------------------------------- unbiased, and as good as it says


def covering(count: int, group: int, *, draws: int, seed: int = 0) -> FloatArray:
    """How far groups of images are off the truth, in their standard errors: shape (2, groups).

    Of the KLs with Σ = β, first against the truth of these images, in errors due to draws, then
    against that of all images there could be, in whole standard errors.
    """
    data = drawn_images(count, seed)
    drawing = DrawnReading(reading=gaussian(seed=seed), draws=draws, pilot=16)
    _, blocks = drawing.blocks(data)
    values = np.concatenate([block.kl[0] for block in blocks]) / math.log(2)
    variances = np.concatenate([block.kl_variance[0] for block in blocks]) / math.log(2) ** 2
    truth = exact_kl(data, "beta").reshape(-1, group).mean(1)
    everywhere = exact_kl(drawn_images(50_000, seed=99), "beta").mean()
    found = [
        DrawnEstimate.of(value, variance)
        for value, variance in zip(
            values.reshape(-1, group), variances.reshape(-1, group), strict=True
        )
    ]
    means = np.array([one.mean for one in found])
    return np.array(
        [
            (means - truth) / [one.due_to_draws for one in found],
            (means - everywhere) / [one.standard_error for one in found],
        ]
    )


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    off = covering(2_000, 50, draws=10)
    held = (np.abs(off) < 2.01).mean(1)
    # of 40 groups 38 in the mean; 33 are three standard deviations below
    assert (held >= 33 / 40).all()
    assert (np.abs(off.mean(1)) < 4 / math.sqrt(40)).all()
    assert (np.abs(off).mean(1) > 0.5).all()  # and no wider than they need to be: 0.8 in the mean


@pytest.mark.slow
@pytest.mark.parametrize("draws", [10, 20])
def test_over_four_thousand_repeats_ninety_five_percent_are_covered(draws: int) -> None:
    off = np.hstack([covering(20_000, 50, draws=draws, seed=seed) for seed in range(10)])
    held = (np.abs(off) < 2.01).mean(1)
    # 4 standard deviations at 4,000 repeats, and what the skewness of the terms takes at 50 images
    assert (np.abs(held - 0.95) < 4 * math.sqrt(0.95 * 0.05 / off.shape[1]) + 0.01).all(), held


@pytest.mark.parametrize("proposal", ["pilot", "uniform", "wrong"])
def test_the_estimate_is_unbiased_whatever_the_proposal(proposal: str) -> None:
    """Weights undo the proposal: over many images the mean is the closed form's, to its error."""
    data, drawing = drawn_images(1_000), DrawnReading(reading=gaussian(), draws=20, pilot=16)
    design, blocks = drawing.blocks(data)
    if proposal != "pilot":
        shape = np.ones(T - 1) if proposal == "uniform" else np.linspace(1, 3, T - 1)
        design = design._replace(proposal=shape / shape.sum())
        with torch.no_grad():
            part = estimated_likelihood._Part(x_0=unit(data), first=0, labels=None)
            blocks = [drawing._block("likelihood estimate", part, design, SILENT)]
    for row, variance in enumerate(FIXED):
        values = np.concatenate([block.kl[row] for block in blocks]) / math.log(2)
        off = values - exact_kl(data, variance)
        assert abs(off.mean()) < 4 * off.std() / math.sqrt(len(off))
        if proposal == "pilot":
            assert off.std() / math.sqrt(len(off)) < 0.01 * values.mean()


def test_a_pilot_spares_draws() -> None:
    """At equal draws the error of a uniform proposal is several times that of the pilot's."""
    data, drawing = drawn_images(400), DrawnReading(reading=gaussian(), draws=20, pilot=16)
    design, blocks = drawing.blocks(data)
    flat = design._replace(proposal=np.full(T - 1, 1 / (T - 1)))
    with torch.no_grad():
        part = estimated_likelihood._Part(x_0=unit(data), first=0, labels=None)
        uniform = drawing._block("likelihood estimate", part, flat, SILENT)
    assert uniform.kl_variance[0].mean() > 10 * blocks[0].kl_variance[0].mean()


def test_it_estimates_the_exact_bound_part_by_part() -> None:
    data = images(60)
    read = reading(denoiser(Network(), steps=40), block_size=60)
    exact = [replace(read, seed=seed) for seed in range(100, 106)]
    truths = [one.bound(one.blocks(data), dimensions=16) for one in exact]
    found = estimated(read, data, draws=100)
    for variance, result in found.bounds.items():
        for name in ("total", "decoder", "kl"):
            values = [getattr(truth.bounds[variance], name).mean for truth in truths]
            error = math.hypot(np.std(values, ddof=1) / math.sqrt(6), getattr(result, name)[2])
            assert abs(getattr(result, name).mean - np.mean(values)) < 4 * error, (variance, name)
        parts = result.decoder.mean + result.kl.mean + found.prior.mean
        assert result.total.mean == pytest.approx(parts, rel=1e-12)
    assert found.prior.mean > 1e-9
    assert found.prior == truths[0].prior
    assert found.range_fraction is not None
    assert truths[0].range_fraction is not None
    for share, truth in zip(found.range_fraction, truths[0].range_fraction, strict=True):
        assert truth > 0
        assert share == pytest.approx(truth, rel=0.05)  # of 60 x 16 numbers at 100 draws


def test_the_error_due_to_draws_is_the_spread_of_equal_images() -> None:
    read = reading(denoiser(Network(), steps=40), block_size=800)
    _, (block,) = DrawnReading(reading=read, draws=12).blocks(images(1).repeat(800, axis=0))
    for values, variances in (
        (block.kl, block.kl_variance),
        (block.decoder, block.decoder_variance),
    ):
        # 4 standard errors of a variance of 800 values with tails as long as a normal's, and half
        np.testing.assert_allclose(variances.mean(1), values.var(1, ddof=1), rtol=0.3)


def test_errors_over_draws_and_over_images_make_up_the_whole() -> None:
    values, variances = np.array([1.0, 2.0, 4.0, 5.0]), np.array([0.1, 0.3, 0.2, 0.2])
    found = DrawnEstimate.of(values, variances)
    assert found.mean == 3
    assert found.standard_error == pytest.approx(math.sqrt(10 / 3 / 4))
    assert found.due_to_draws == pytest.approx(math.sqrt(0.8) / 4)
    assert found.due_to_images == pytest.approx(math.sqrt(10 / 12 - 0.05))
    noisy = DrawnEstimate.of(values, 100 * variances)
    assert noisy.due_to_images == 0


# -------------------------------------------------------------------------------- what it takes


@pytest.mark.parametrize("draws", [4, 6, 10, 24])
def test_every_image_takes_as_many_calls_as_were_asked_for(draws: int) -> None:
    network = Network()
    data = images(11)
    found = estimated(reading(denoiser(network, steps=40)), data, draws=draws, pilot=3)
    calls = sum(count for _, count in network.calls)
    pilot = 3 * (BINS_OF_40 + 2 * (1 + TRIAL_STRATA))
    assert (found.draws, found.calls) == (draws, 11 * draws + pilot)
    assert calls == found.calls
    assert found.as_json()["estimated"] == {"draws": draws, "calls": calls}


def test_a_result_file_says_each_part_under_its_name() -> None:
    found = estimated(reading(denoiser(Network(), steps=40)), images(11), pilot=3)
    said = found.as_json()
    assert list(said["variances"]) == list(found.bounds)
    for name, bound in found.bounds.items():
        parts = {"bits_per_dim": bound.total, "decoder": bound.decoder, "kl": bound.kl}
        assert said["variances"][name] == {key: one._asdict() for key, one in parts.items()}
        assert len({one.mean for one in bound}) == 3
    below, above = found.range_fraction or (0.0, 0.0)
    assert said["range_fraction"] == {"below_0": below, "above_1": above}
    assert below != above
    assert (said["images"], said["dimensions"], said["steps"]) == (11, 16, 40)


def test_the_parts_are_put_together_in_bits_with_the_errors_of_their_own_draws() -> None:
    """Four images in two blocks, five pairs each; the last two rows are what v says, in sum."""
    rng, steps = np.random.default_rng(0), 40
    blocks = [
        DrawnBlock(rng.random(size), *(rng.random((4, size)) for _ in range(4))) for size in (3, 1)
    ]
    drawing = DrawnReading(
        reading=reading(denoiser(Network(), steps=steps), variances=FIXED), draws=10
    )
    design = Design(proposal=np.full(steps - 1, 1 / 39), pairs=np.array([2, 3]))
    found = drawing.bound(design, blocks, dimensions=16)
    prior, *parts = (np.concatenate(of, axis=-1) for of in zip(*blocks, strict=True))
    decoder, decoder_variance, kl, kl_variance = parts
    for row, name in enumerate(FIXED):
        bits = prior + decoder[row] + kl[row], decoder_variance[row] + kl_variance[row]
        for said, (nats, variance) in (
            (found.bounds[name].total, bits),
            (found.bounds[name].decoder, (decoder[row], decoder_variance[row])),
            (found.bounds[name].kl, (kl[row], kl_variance[row])),
        ):
            expected = [nats.mean(), nats.std(ddof=1) / 2, math.sqrt(variance.sum()) / 4]
            assert said[:3] == pytest.approx(np.array(expected) / math.log(2))
    assert found.prior == pytest.approx(
        (prior.mean() / math.log(2), prior.std(ddof=1) / 2 / math.log(2))
    )
    assert found.range_fraction == pytest.approx((decoder + kl)[2:].mean(1) / steps)
    assert found.calls == 4 * 10 + 4 * (BINS_OF_40 + 2 * (1 + TRIAL_STRATA))


def test_the_implied_image_is_clipped_as_it_is_asked_to() -> None:
    clipped, free = (reading(denoiser(Network(), steps=40), clip=clip) for clip in (True, False))
    assert not same(estimated(clipped, images(6)), estimated(free, images(6)))


def proposed(monkeypatch: pytest.MonkeyPatch, steps: int, count: int, terms: Any) -> FloatArray:
    """What a pilot of so many images proposes where its terms are these."""
    monkeypatch.setattr(DrawnReading, "_values", lambda self, purpose, part, t, watch: terms(t))
    model = reading(denoiser(Network(), steps=steps), variances=FIXED)
    part = estimated_likelihood._Part(x_0=unit(images(count)), first=0, labels=None)
    return DrawnReading(reading=model, draws=10)._proposal(part, SILENT)


def test_the_proposal_is_of_root_mean_squares_and_counts_each_variance_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where each of five steps is a bin. What v says, behind the variances, has no part in it."""

    def terms(t: Tensor) -> Tensor:
        first = torch.stack([1 / t[0], torch.ones(5)]).double()
        return torch.stack([first, t.double() ** -3, t.double() ** 9])

    t = np.arange(1.0, 6.0)
    roots = np.array([np.sqrt((t**-2 + 1) / 2), t**-3])
    shape = (roots / roots.sum(1, keepdims=True)).mean(0)
    found = proposed(monkeypatch, 6, 2, terms)
    assert found == pytest.approx(0.9 * shape + 0.1 / 5, rel=1e-6)


def test_the_pilot_meets_every_step_each_in_its_bin(monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[Tensor] = []

    def terms(t: Tensor) -> Tensor:
        met.append(t)
        return torch.ones(2, *t.shape, dtype=torch.float64)

    assert proposed(monkeypatch, 40, 200, terms) == pytest.approx(np.full(39, 1 / 39))
    (t,) = met
    edges = torch.from_numpy(estimated_likelihood._bins(40))
    assert ((edges[:-1] <= t) & (t < edges[1:])).all()
    assert set(t.flatten().tolist()) == set(range(1, 40))


def test_draws_are_shared_out_by_the_variance_that_varies_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Means over images of the trial's one pair, and of its strata; shares of v do not count."""
    decoder = np.array([[0.03, 0.05], [0.01, 0.01], [9.0, 9.0], [9.0, 9.0]])
    kl = np.array([[0.1, 0.1], [0.2, 0.3], [9.0, 9.0], [9.0, 9.0]])
    tried = DrawnBlock(np.zeros(2), decoder, decoder, kl, kl)
    drawing = DrawnReading(reading=reading(denoiser(Network()), variances=FIXED), draws=10)
    trials: list[Design] = []

    def block(self: DrawnReading, purpose: str, part: Any, trial: Design, watch: Watch) -> Any:
        trials.append(trial)
        return tried

    monkeypatch.setattr(DrawnReading, "_proposal", lambda *of: np.ones(11) / 11)
    monkeypatch.setattr(DrawnReading, "_block", block)
    monkeypatch.setattr(DrawnReading, "_pairs", lambda self, *given: np.array(given))
    part = estimated_likelihood._Part(x_0=unit(images(2)), first=0, labels=None)
    design = drawing._design(part, 7, SILENT)
    assert design.pairs == pytest.approx([0.2, math.sqrt(TRIAL_STRATA * 0.25), 7])
    assert [one.pairs.tolist() for one in trials] == [[1, TRIAL_STRATA]]


def test_the_pilot_is_of_64_images_and_shares_draws_out_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[int] = []

    def pairs(self: DrawnReading, decoder: float, kl: float, images: int) -> Int64Array:
        given.append(images)
        return np.array([1, 1])

    monkeypatch.setattr(DrawnReading, "_pairs", pairs)
    network = Network()
    found = estimated(reading(denoiser(network, steps=40)), images(70))
    assert given == [70]
    assert found.calls == 70 * 4 + 64 * (BINS_OF_40 + 2 * (1 + TRIAL_STRATA))
    assert sum(count for _, count in network.calls) == found.calls


BINS_OF_40 = 22
"""Between 1, 2, 3, 4, 5, 7, 8, 9, 11, 14, 17, 21, and from there to 40 by the same from the end."""


@pytest.mark.parametrize("error", [0.3, 0.1, 0.05])
def test_it_stops_at_a_wanted_error(error: float) -> None:
    data = drawn_images(100)
    read = gaussian(block_size=100)
    found = estimated(read, data, draws=2_000, error=error)
    worst = max(bound.total.due_to_draws for bound in found.bounds.values())
    assert worst < 1.15 * error  # the pilot foresees the spread to some 10%
    least = 2 * (1 + TRIAL_STRATA)
    assert found.draws == least or worst > error / 2  # and takes no more than that needs
    assert found.draws % 2 == 0


def test_draws_are_shared_out_in_step_with_spread() -> None:
    drawing = DrawnReading(reading=gaussian(), draws=40)
    assert drawing._pairs(0.3, 0.1, 100).tolist() == [15, 5]
    assert drawing._pairs(0.0, 0.1, 100).tolist() == [1, 19]
    wanted = replace(drawing, draws=10_000, error=0.0101 / math.log(2))
    assert wanted._pairs(0.3, 0.1, 100).tolist() == [
        12,
        4,
    ]  # (0.3 + 0.1)^2 over 100 x 0.0101^2, 15.7
    assert wanted._pairs(0.3, 0.1, 100_000).tolist() == [1, TRIAL_STRATA]


def test_it_takes_no_more_draws_than_are_allowed() -> None:
    found = estimated(gaussian(), drawn_images(20), draws=12, error=1e-6)
    assert found.draws == 12


def test_a_proposal_keeps_a_part_uniform_and_adds_up_to_one() -> None:
    drawing = DrawnReading(reading=gaussian(), draws=8, pilot=8)
    design, _ = drawing.blocks(drawn_images(8))
    assert design.proposal.shape == (T - 1,)
    assert design.proposal.sum() == pytest.approx(1)
    assert 0.1 / (T - 1) <= design.proposal.min() < 0.12 / (T - 1)
    # the terms of Gaussian pixels fall with t, and so do their roots
    assert design.proposal[0] > 5 * design.proposal[20] > 5 * design.proposal[-1]


@pytest.mark.parametrize("steps", [2, 3, 5, 4000])
def test_chains_of_any_length_are_cut_into_bins(steps: int) -> None:
    edges = estimated_likelihood._bins(steps)
    assert (edges[0], edges[-1]) == (1, steps)
    assert (np.diff(edges) > 0).all()
    assert len(edges) - 1 <= PILOT_BINS
    assert steps < 10 or (np.diff(edges)[[0, 1, -2, -1]] == 1).all()


@pytest.mark.parametrize("steps", [2, 3])
def test_the_shortest_chains_have_an_estimate(steps: int) -> None:
    data, read = images(40), reading(denoiser(Network(), steps=steps), block_size=40)
    found, exact = estimated(read, data, draws=100), read.bound(read.blocks(data), dimensions=16)
    for variance, result in found.bounds.items():
        truth = exact.bounds[variance].total
        assert abs(result.total.mean - truth.mean) < 4 * truth.standard_error


# ----------------------------------------------------------------------------- draws and blocks


def test_what_an_image_draws_depends_on_its_place_alone() -> None:
    data = images(10)
    found = {}
    for count, size in ((10, 10), (10, 3), (7, 4), (10, 100)):
        network = Network()
        read = reading(denoiser(network, steps=40), block_size=size)
        _, blocks = DrawnReading(reading=read, draws=8, pilot=4).blocks(data[:count])
        found[count, size] = np.concatenate([block.kl for block in blocks], axis=1)
    whole = found.pop((10, 10))
    for values in found.values():
        np.testing.assert_allclose(values, whole[:, : values.shape[1]], rtol=1e-6)
    assert len(np.unique(whole[0].round(9))) == 10


def test_each_stratum_has_a_pair_of_draws() -> None:
    drawing = DrawnReading(reading=gaussian(), draws=20)
    design = Design(proposal=np.full(T - 1, 1 / (T - 1)), pairs=np.array([1, 9]))
    part = estimated_likelihood._Part(x_0=unit(drawn_images(30)), first=0, labels=None)
    strata = (drawing._steps("any", part, design).view(30, 9, 2) - 1) // 11
    assert (strata == torch.arange(9)[:, None]).all()


def test_equal_images_and_seeds_meet_different_draws() -> None:
    flat = np.full((6, 4, 4, 1), 8, dtype=np.uint8)
    read = reading(denoiser(Network(), steps=40))
    _, blocks = DrawnReading(reading=read, draws=8, pilot=4).blocks(flat)
    assert len(np.unique(np.concatenate([block.kl[0] for block in blocks]))) == 6
    assert not same(estimated(read, flat), estimated(replace(read, seed=1), flat))


def test_the_pilot_and_the_estimate_draw_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the design was chosen by is not what is estimated from, or it would be biased."""
    asked: list[tuple[Any, ...]] = []

    def spy(*key: Any, **options: Any) -> torch.Generator:
        asked.append(key)
        return generator(*key, **options)

    monkeypatch.setattr(estimated_likelihood, "generator", spy)
    estimated(reading(denoiser(Network(), steps=40), block_size=3), images(5), draws=6, pilot=5)
    assert len(set(asked)) == len(asked)
    assert {seed for seed, *_ in asked} == {0}


def test_labels_reach_their_images() -> None:
    told: set[tuple[int, int]] = set()
    labels = np.array([3, 1, 4, 1, 5, 9])
    levels = np.arange(6)

    def network(x_t: Tensor, t: Tensor, given: Any) -> Tensor:
        at_0 = t == 0
        pixels = ((x_t[at_0].mean((1, 2, 3)) + 1) / 2 * 16).round().int().tolist()
        told.update(zip(pixels, given.labels[at_0].tolist(), strict=True))
        return torch.cat([x_t, x_t], dim=1)

    data = np.broadcast_to(levels[:, None, None, None], (6, 4, 4, 1)).astype(np.uint8)
    table = np.array([1e-6, 0.1, 0.2, 0.5])
    model = Denoiser(
        network=network, diffusion=Diffusion.from_betas(table), learned_variance="range"
    )
    estimated(reading(model), data, labels=labels, draws=8, pilot=3)
    assert told == set(zip(levels.tolist(), labels.tolist(), strict=True))


@pytest.mark.parametrize("stop_at", [0, 3, 12, 20])
def test_a_stopped_estimate_goes_on_to_the_same_result(tmp_path: Path, stop_at: int) -> None:
    read = reading(denoiser(Network(), steps=40))
    expected = estimated(read, images(11), pilot=4)
    first, second = Network(), Network()
    kept = Blocks(folder=tmp_path, work="an estimate")
    with pytest.raises(Interrupted):
        estimated(
            reading(denoiser(first, steps=40)),
            images(11),
            pilot=4,
            kept=kept,
            should_stop=lambda: first.times_called == stop_at,
        )
    asked_before = first.times_called
    again = reading(denoiser(second, steps=40))
    assert same(estimated(again, images(11), pilot=4, kept=kept), expected)
    finished = sorted(tmp_path.iterdir())
    assert finished == [kept.file(number) for number in range(4)]  # the design and three blocks
    third = Network()
    done = reading(denoiser(third, steps=40))
    assert same(estimated(done, images(11), pilot=4, kept=kept), expected)
    assert third.times_called == 0
    assert asked_before == stop_at


def test_progress_counts_the_calls_of_images_up_to_all() -> None:
    told = []
    estimated(
        reading(denoiser(Network(), steps=40)),
        images(11),
        draws=8,
        pilot=4,
        progress=lambda done, total: told.append((done, total)),
    )
    assert [total for _, total in told] == [88] * len(told)
    done = [done for done, _ in told]
    assert done == sorted(set(done))
    assert done[-1] == 88


@pytest.mark.parametrize(
    ("count", "labels", "message"),
    [
        (1, None, r"likelihood\.images: expected at least 2, for a standard error, found 1"),
        (3, np.arange(2), r"likelihood\.labels: expected one for each of 3 images, found 2"),
    ],
)
def test_input_that_cannot_be_estimated_from_is_refused(
    count: int, labels: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        estimated(reading(denoiser(Network())), images(count), labels=labels)
