"""The bound against whole chains by brute force, against exact Gaussians, and against entropy."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from iddpm.arrays import UInt8Array
from iddpm.config import Variance
from iddpm.denoiser import Denoiser
from iddpm.diffusion import Diffusion
from iddpm.evaluation import likelihood
from iddpm.evaluation.likelihood import Likelihood, Reading
from iddpm.running.blocks import Blocks
from iddpm.running.interruption import Interrupted
from iddpm.schedules import betas
from tests.witness.gaussian_chains import GaussianPixels, links

RANGE: tuple[Variance, ...] = ("beta", "beta_tilde", "range")
LEVELS = 17


class Network:
    """Some smooth function of image and step; remembers what it was asked."""

    def __init__(self, channels: int = 2) -> None:
        self.channels = channels
        self.times_called = 0
        self.calls: list[tuple[int, int]] = []
        """Each step with its number of images, one after the other."""
        self.seen: list[Tensor] = []
        """The images of each."""

    def __call__(self, x_t: Tensor, t: Tensor, conditioning: Any) -> Tensor:
        self.times_called += 1
        for step, same in groupby(range(len(t)), key=t.tolist().__getitem__):
            images = list(same)
            self.calls.append((step, len(images)))
            self.seen.append(x_t[images])
        first = 0.8 * x_t + 0.1 * torch.sin(3 * x_t + 0.1 * t.view(-1, 1, 1, 1))
        return torch.cat([first, 1.5 * torch.cos(2 * x_t)], dim=1)[:, : self.channels]


def images(count: int, seed: int = 0) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, LEVELS, (count, 4, 4, 1), dtype=np.uint8)


def denoiser(network: Any, steps: int = 12) -> Denoiser:
    return Denoiser(
        network=network,
        diffusion=Diffusion.from_betas(betas("cosine", steps)),
        learned_variance="range",
    )


def reading(of: Denoiser, **changes: Any) -> Reading:
    settings: dict[str, Any] = {
        "levels": LEVELS,
        "variances": RANGE,
        "clip": True,
        "block_size": 4,
        "seed": 0,
    }
    return Reading(denoiser=of, **{**settings, **changes})


def bound(of: Denoiser, data: UInt8Array, **changes: Any) -> Likelihood:
    of_blocks = ("labels", "kept", "progress", "should_stop")
    asked = {name: changes.pop(name) for name in of_blocks if name in changes}
    read = reading(of, **changes)
    return read.bound(read.blocks(data, **asked), dimensions=data[0].size)


def same(a: Likelihood, b: Likelihood) -> bool:
    return json.dumps(a.as_json(), sort_keys=True) == json.dumps(b.as_json(), sort_keys=True)


# ------------------------------------------------------------------------------ what it is equal to


def normal_log_density(x: Tensor, mean: Tensor, variance: Tensor | float) -> Tensor:
    variance = torch.as_tensor(variance, dtype=torch.float64)
    return -0.5 * ((x - mean) ** 2 / variance + torch.log(2 * math.pi * variance))


@pytest.mark.parametrize("variance", RANGE)
def test_the_bound_is_the_mean_log_ratio_of_whole_chains(variance: Variance) -> None:
    """log q(x_1..x_T | x_0) - log p(x_0..x_T) over chains walked one noising step at a time."""
    chain = np.array([0.2, 0.5, 0.8])
    model = Denoiser(
        network=Network(), diffusion=Diffusion.from_betas(chain), learned_variance="range"
    )
    count, level = 40_000, 11
    x = x_0 = torch.full((count, 1, 1, 1), 2 * level / (LEVELS - 1) - 1, dtype=torch.float64)
    draws = torch.Generator().manual_seed(1)
    ratio = torch.zeros_like(x)
    for t, beta in enumerate(chain):
        before, kept = x, math.sqrt(1 - beta)
        x = kept * before + math.sqrt(beta) * torch.randn(
            x.shape, generator=draws, dtype=torch.float64
        )
        output = model.output(x, t)
        mean, log_variance = model.reverse(output, x, t, variance=variance, clip=False)
        sd = torch.exp(0.5 * log_variance)
        ratio += normal_log_density(x, kept * before, beta)
        if t > 0:
            ratio -= normal_log_density(before, mean, sd**2)
        else:
            ends = torch.tensor([0.5, -0.5], dtype=torch.float64).view(2, 1, 1, 1, 1) / 8
            upper, lower = torch.special.ndtr((x_0 + ends - mean) / sd)
            ratio -= torch.log(upper - lower)
    ratio -= normal_log_density(x, torch.zeros_like(x), 1.0)
    by_hand = ratio.flatten() / math.log(2)

    copies = np.full((count, 1, 1, 1), level, dtype=np.uint8)
    found = bound(model, copies, variances=(variance,), clip=False, block_size=count)
    total = found.bounds[variance].total
    error = math.hypot(total.standard_error, float(by_hand.std()) / math.sqrt(count))
    # 4 standard errors, and the error of the decoder's tanh for the normal CDF
    assert abs(total.mean - float(by_hand.mean())) < 4 * error + 2e-3
    assert error < 0.02


@pytest.mark.parametrize("kept", [tuple(range(40)), (0, 3, 4, 17)])
def test_terms_of_gaussian_pixels_are_those_of_the_exact_chain(kept: tuple[int, ...]) -> None:
    """With the best denoiser, E[KL] follows from the variance that x_t leaves in x_0."""
    pixels, table = GaussianPixels(mean=0.1, sd=0.3), betas("linear", 40)
    model = Denoiser(
        network=pixels.network(table, "eps"),
        diffusion=Diffusion.from_betas(table).respaced(kept),
    )
    levels, count = 256, 300
    draws = np.random.default_rng(0).normal(pixels.mean, pixels.sd, (count, 8, 8, 1))
    data = np.rint((draws.clip(-1, 1) + 1) / 2 * (levels - 1)).astype(np.uint8)
    found = bound(
        model, data, levels=levels, variances=("beta", "beta_tilde"), clip=False, block_size=100
    )
    chain = links(table, kept)
    for index, link in enumerate(chain):
        left = pixels.sd**2 * (1 - link.alpha_bar)
        left /= link.alpha_bar * pixels.sd**2 + 1 - link.alpha_bar
        assert found.x_0_mse_by_step[index] == pytest.approx(left, rel=0.05)
        if index == 0:
            continue
        gain = link.posterior(1.0, 0.0)[0]
        tilde = link.posterior(0.0, 0.0)[1]
        for name, variance in (("beta", link.step[1]), ("beta_tilde", tilde)):
            ratio = tilde / variance
            nats = 0.5 * (ratio - 1 - math.log(ratio) + gain**2 * left / variance)
            result = found.bounds[name]  # type: ignore[index]
            error = result.by_step_standard_error[index]
            # 5 standard errors at some 40 terms, and the share that rounding to levels adds
            assert abs(result.by_step[index] - nats / math.log(2)) < 5 * error + 1e-6
    scale, noise = chain[-1].before[0] * chain[-1].step[0], 1 - chain[-1].alpha_bar
    prior = 0.5 * (scale**2 * (pixels.sd**2 + pixels.mean**2) + noise - 1 - math.log(noise))
    assert abs(found.prior.mean - prior / math.log(2)) < 5 * found.prior.standard_error


def test_the_bound_of_a_perfect_denoiser_comes_down_to_the_entropy() -> None:
    """Pixels of known probabilities: their entropy is below every bound and near a long one."""
    levels = 5
    probability = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    entropy = float(-(probability * np.log2(probability)).sum())
    values = torch.linspace(-1, 1, levels, dtype=torch.float64)
    prior = torch.from_numpy(probability).log()

    def perfect(diffusion: Diffusion) -> Callable[[Tensor, Tensor, Any], Tensor]:
        def network(x_t: Tensor, t: Tensor, conditioning: Any) -> Tensor:
            """E[x_0 | x_t] by Bayes' rule over the levels."""
            alpha_bar = diffusion.alpha_bar[t].view(-1, 1, 1, 1, 1)
            offset = x_t.double()[..., None] - alpha_bar.sqrt() * values
            weights = torch.softmax(prior - 0.5 * offset**2 / (1 - alpha_bar), dim=-1)
            return (weights * values).sum(-1)

        return network

    data = np.random.default_rng(0).choice(levels, (400, 4, 4, 1), p=probability).astype(np.uint8)
    gaps = {}
    for steps in (30, 300):
        diffusion = Diffusion.from_betas(betas("cosine", steps))
        model = Denoiser(network=perfect(diffusion), diffusion=diffusion, prediction="x_0")
        total = (
            bound(model, data, levels=levels, variances=["beta_tilde"], block_size=400)
            .bounds["beta_tilde"]
            .total
        )
        assert total.mean > entropy - 4 * total.standard_error
        gaps[steps] = total.mean - entropy
    # the gap closes as 1/T: some 0.07 of 2.12 bits are left here, known to 0.013
    assert gaps[300] < 0.15
    assert gaps[30] > 5 * gaps[300]


# ------------------------------------------------------------------------ each image exactly once


@pytest.mark.parametrize(("count", "block_size"), [(2, 4), (4, 4), (5, 4), (11, 3), (7, 1)])
def test_every_image_meets_every_step_once(count: int, block_size: int) -> None:
    network = Network()
    found = bound(denoiser(network, steps=12), images(count), block_size=block_size)
    assert found.images == count
    for step in range(12):
        assert sum(size for number, size in network.calls if number == step) == count
    assert len(network.calls) == 12 * math.ceil(count / block_size)


def test_what_the_network_sees_is_the_evaluation_set() -> None:
    """Where hardly any noise is added, the images can be recognised."""
    network, data = Network(), images(7)
    model = Denoiser(
        network=network,
        diffusion=Diffusion.from_betas(np.array([1e-9, 1e-9])),
        learned_variance="range",
    )
    bound(model, data)
    seen = torch.cat(
        [x_t for (step, _), x_t in zip(network.calls, network.seen, strict=True) if step == 0]
    )
    levels = torch.round((seen + 1) / 2 * (LEVELS - 1)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(levels, data)


@pytest.mark.parametrize("block_size", [3, 4, 7])
def test_by_step_terms_and_errors_are_those_of_separate_images(
    block_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    reduced = likelihood._reduced

    def spy(prior: Tensor, terms: Tensor, *rest: Tensor) -> Any:
        kept.append((prior, terms))
        return reduced(prior, terms, *rest)

    monkeypatch.setattr(likelihood, "_reduced", spy)
    found = bound(denoiser(Network()), images(7), block_size=block_size)
    terms = torch.cat([terms for _, terms in kept], dim=2).numpy() / math.log(2)
    prior = torch.cat([prior for prior, _ in kept]).numpy() / math.log(2)
    for row, name in enumerate(RANGE):
        result = found.bounds[name]
        np.testing.assert_allclose(result.by_step, terms[row].mean(1), rtol=1e-12)
        errors = terms[row].std(1, ddof=1) / math.sqrt(7)
        np.testing.assert_allclose(result.by_step_standard_error, errors, rtol=1e-9)
        totals = prior + terms[row].sum(0)
        assert result.total.mean == pytest.approx(totals.mean())
        assert result.total.standard_error == pytest.approx(totals.std(ddof=1) / math.sqrt(7))


def test_the_error_of_x_0_is_the_mean_over_images_however_unequal_their_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = []
    reduced = likelihood._reduced

    def spy(prior: Tensor, terms: Tensor, squared_error: Tensor, outside: Tensor) -> Any:
        kept.append(squared_error)
        return reduced(prior, terms, squared_error, outside)

    monkeypatch.setattr(likelihood, "_reduced", spy)
    found = bound(denoiser(Network()), images(7), block_size=6)
    assert [error.shape[1] for error in kept] == [6, 1]
    errors = torch.cat(kept, dim=1).numpy()
    np.testing.assert_allclose(found.x_0_mse_by_step, errors.mean(1), rtol=1e-12)
    assert not np.allclose(errors[:, :6].mean(1), errors[:, 6], rtol=1e-3)


def test_terms_add_up_to_the_total() -> None:
    found = bound(denoiser(Network()), images(7)).as_json()
    for result in found["variances"].values():
        parts = result["kl"]["mean"] + result["decoder"]["mean"] + found["prior"]["mean"]
        assert result["bits_per_dim"]["mean"] == pytest.approx(parts)
        steps = sum(result["by_step"]["mean"]) + found["prior"]["mean"]
        assert result["bits_per_dim"]["mean"] == pytest.approx(steps)
        assert result["by_step"]["mean"][0] == pytest.approx(result["decoder"]["mean"])


# ------------------------------------------------------------------------- one pass, fixed draws


def test_one_pass_serves_every_variance() -> None:
    data = images(5)
    network = Network()
    together = bound(denoiser(network), data).as_json()
    assert len(network.calls) == 2 * 12
    for name in RANGE:
        alone = bound(denoiser(Network()), data, variances=(name,)).as_json()
        assert alone["variances"][name] == together["variances"][name]
        assert alone["x_0_mse_by_step"] == together["x_0_mse_by_step"]


def test_the_noise_of_an_image_does_not_depend_on_how_many_follow_or_which_steps_are_kept() -> None:
    many, few, short = Network(), Network(), Network()
    model = denoiser(many)
    bound(model, images(8))
    bound(replace(model, network=few), images(8)[:6])
    kept = (0, 4, 11)
    bound(replace(model, network=short, diffusion=model.diffusion.respaced(kept)), images(8))
    by_step = {}
    for name, network in (("many", many), ("few", few), ("short", short)):
        for step in kept:
            blocks = [x for (t, _), x in zip(network.calls, network.seen, strict=True) if t == step]
            by_step[name, step] = torch.cat(blocks)
    for step in kept:
        assert torch.equal(by_step["few", step], by_step["many", step][:6])
        torch.testing.assert_close(by_step["short", step], by_step["many", step])


def test_steps_that_share_a_call_give_the_terms_of_steps_that_do_not() -> None:
    """The noise of three images is the same in a block of three and in a larger one."""
    alone, together = Network(), Network()
    expected = bound(denoiser(alone), images(3), block_size=3)
    assert same(bound(denoiser(together), images(3), block_size=9), expected)
    assert alone.times_called == 12
    assert together.times_called == 1 + 3 + 1  # the decoder, then 8 and 3 steps, three at once


def test_images_and_steps_meet_different_noise_and_seeds_differ() -> None:
    network = Network()
    flat = np.full((8, 4, 4, 1), 8, dtype=np.uint8)
    bound(denoiser(network), flat)
    noises = torch.cat([x_t.flatten(1) / x_t.std() for x_t in network.seen])
    assert len(torch.unique((1e4 * noises).round(), dim=0)) == 8 * 12
    model = denoiser(Network())
    assert not same(bound(model, images(4)), bound(model, images(4), seed=1))


def test_a_respaced_chain_tells_the_network_the_trained_steps() -> None:
    network = Network()
    model = denoiser(network, steps=100)
    found = bound(replace(model, diffusion=model.diffusion.respaced((0, 33, 99))), images(3))
    assert network.calls == [(0, 3), (33, 3), (99, 3)]
    assert found.timesteps == (0, 33, 99)
    assert found.as_json()["steps"] == 3


def test_labels_reach_their_images() -> None:
    told: dict[int, list[int]] = {}
    labels = np.array([3, 1, 4, 1, 5, 9])

    def network(x_t: Tensor, t: Tensor, given: Any) -> Tensor:
        for step, label in zip(t.tolist(), given.labels.tolist(), strict=True):
            told.setdefault(step, []).append(label)
        return torch.cat([x_t, x_t], dim=1)

    bound(denoiser(network), images(6), labels=labels)
    assert told == {step: labels.tolist() for step in range(12)}


def test_clipping_lowers_the_error_of_an_unbounded_guess() -> None:
    model = denoiser(lambda x_t, t, given: torch.zeros(len(x_t), 2, 4, 4))
    clipped, free = (bound(model, images(6), clip=clip) for clip in (True, False))
    assert clipped.x_0_mse_by_step[-1] < 4 < free.x_0_mse_by_step[-1]


def test_v_outside_its_range_is_counted_below_and_above() -> None:
    raw = torch.tensor([-1.5, -0.5, 0.5, 1.5, 2.5, -1.0, 1.0, 0.0]).repeat(2).view(1, 1, 4, 4)

    def network(x_t: Tensor, t: Tensor, given: Any) -> Tensor:
        return torch.cat([x_t, raw.expand(len(x_t), 1, 4, 4)], dim=1)

    found = bound(denoiser(network), images(5))
    assert found.as_json()["range_fraction"] == {"below_0": 1 / 8, "above_1": 2 / 8}
    fixed = replace(denoiser(Network(channels=1)), learned_variance=None)
    assert "range_fraction" not in bound(fixed, images(5), variances=("beta",)).as_json()


# ------------------------------------------------------------------------------ stop and go on


@pytest.mark.parametrize("stop_at", [0, 5, 12, 30])
def test_a_stopped_evaluation_goes_on_to_the_same_result(tmp_path: Path, stop_at: int) -> None:
    expected = bound(denoiser(Network()), images(11))
    first, second = Network(), Network()
    with pytest.raises(Interrupted):
        bound(
            denoiser(first),
            images(11),
            kept=Blocks(folder=tmp_path, work="a bound"),
            should_stop=lambda: len(first.calls) == stop_at,
        )
    finished = stop_at // 12
    assert len(list(tmp_path.iterdir())) == finished
    found = bound(denoiser(second), images(11), kept=Blocks(folder=tmp_path, work="a bound"))
    assert same(found, expected)
    assert len(second.calls) == (3 - finished) * 12
    assert same(
        bound(denoiser(Network()), images(11), kept=Blocks(folder=tmp_path, work="a bound")),
        expected,
    )


@pytest.mark.parametrize("cuts", [(0, 3), (0, 1, 2, 3), (0, 2, 3)])
def test_shards_put_together_are_the_whole_bit_for_bit(cuts: tuple[int, ...]) -> None:
    def network(x_t: Tensor, t: Tensor, given: Any) -> Tensor:
        return torch.cat([x_t + 0.01 * given.labels.view(-1, 1, 1, 1), x_t], dim=1)

    read, data, labels = reading(denoiser(network)), images(11), np.arange(11)
    expected = bound(denoiser(network), data, labels=labels)
    shards = [
        read.blocks(data[: 4 * end], first=start, labels=labels[: 4 * end])
        for start, end in pairwise(cuts)
    ]
    assert [len(shard) for shard in shards] == list(np.diff(cuts))
    blocks = [block for shard in shards for block in shard]
    assert same(read.bound(blocks, dimensions=16), expected)


def test_a_kept_block_that_cannot_be_read_is_evaluated_again(tmp_path: Path) -> None:
    expected = bound(denoiser(Network()), images(11), kept=Blocks(folder=tmp_path, work="a bound"))
    (tmp_path / "block-000001.npz").write_bytes(b"PK")
    assert same(
        bound(denoiser(Network()), images(11), kept=Blocks(folder=tmp_path, work="a bound")),
        expected,
    )


def test_progress_counts_steps_up_to_all_whatever_shares_a_call() -> None:
    told = []
    network = Network()
    bound(denoiser(network), images(5), progress=lambda done, total: told.append((done, total)))
    of_the_last_image = [1, 5, 9, 12]  # the decoder's step, then at most four at once
    done = [*range(1, 13), *(12 + step for step in of_the_last_image)]
    assert told == [(steps, 24) for steps in done]
    assert network.times_called == len(done)


@pytest.mark.parametrize(
    ("count", "labels", "message"),
    [
        (1, None, r"likelihood\.images: expected at least 2, for a standard error, found 1"),
        (3, np.arange(2), r"likelihood\.labels: expected one for each of 3 images, found 2"),
    ],
)
def test_input_that_cannot_be_evaluated_is_refused(count: int, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bound(denoiser(Network()), images(count), labels=labels)
