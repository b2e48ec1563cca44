import math

import numpy as np
import pytest
import torch
from torch import Tensor

from iddpm.diffusion import Diffusion, at
from iddpm.schedules import betas, cosine_betas
from tests.witness.diffusers_schedulers import scheduler
from tests.witness.gaussian_chains import Link, kernel, links

BETAS = cosine_betas(12)
KEPT = (0, 3, 4, 8, 11)
WHOLE = Diffusion.from_betas(BETAS)
STRIDED = WHOLE.respaced(KEPT)
CHAINS = pytest.mark.parametrize(
    ("chain", "expected"),
    [(WHOLE, links(BETAS, range(12))), (STRIDED, links(BETAS, KEPT))],
    ids=["whole", "strided"],
)


def images(seed: int = 0, count: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 2, 3, 3, generator=generator, dtype=torch.float64)


def test_the_marginal_is_the_one_step_kernels_multiplied_out() -> None:
    x_0, t = images(), torch.tensor([0, 1, 5, 10, 11])
    marginal = WHOLE.marginal(x_0, t)
    for image, step in enumerate(t.tolist()):
        scale, variance = kernel(BETAS, 0, step)
        torch.testing.assert_close(marginal.mean[image], scale * x_0[image])
        assert marginal.log_variance[image].item() == pytest.approx(math.log(variance))


def test_noising_adds_noise_of_the_marginals_variance_to_its_mean() -> None:
    x_0, eps, t = images(0), images(1), torch.tensor([0, 1, 5, 10, 11])
    marginal = WHOLE.marginal(x_0, t)
    expected = marginal.mean + torch.exp(marginal.log_variance / 2) * eps
    torch.testing.assert_close(WHOLE.noised(x_0, t, eps), expected)


@CHAINS
def test_the_posterior_is_the_joint_gaussian_conditioned(
    chain: Diffusion, expected: list[Link]
) -> None:
    for t, link in enumerate(expected):
        x_0, x_t = images(0, 1), images(1, 1)
        posterior = chain.posterior(x_0, x_t, torch.tensor([t]))
        means = [link.posterior(a, b)[0] for a, b in zip(x_0.ravel(), x_t.ravel(), strict=True)]
        np.testing.assert_allclose(posterior.mean.ravel(), means, rtol=1e-9, atol=1e-12)
        variance = (link if t else expected[1]).posterior(0.0, 0.0)[1]
        assert posterior.log_variance.item() == pytest.approx(math.log(variance))


def test_the_first_steps_posterior_is_the_image_itself() -> None:
    x_0, t = images(), torch.zeros(5, dtype=torch.int64)
    torch.testing.assert_close(WHOLE.posterior(x_0, images(1), t).mean, x_0)


@CHAINS
def test_betas_are_the_variance_between_one_kept_step_and_the_next(
    chain: Diffusion, expected: list[Link]
) -> None:
    np.testing.assert_allclose(chain.betas, [link.step[1] for link in expected])


def test_respacing_keeps_the_noise_and_the_original_step_numbers() -> None:
    torch.testing.assert_close(STRIDED.alpha_bar, WHOLE.alpha_bar[list(KEPT)])
    assert STRIDED.timesteps.tolist() == list(KEPT)
    assert (STRIDED.steps, STRIDED.original_steps) == (5, 12)


def test_respacing_twice_is_respacing_once() -> None:
    twice, once = STRIDED.respaced([1, 4]), WHOLE.respaced([3, 11])
    assert twice.timesteps.tolist() == once.timesteps.tolist()
    torch.testing.assert_close(twice.betas, once.betas)


def test_respaced_betas_are_not_clipped_again() -> None:
    hundred = Diffusion.from_betas(cosine_betas(4000)).respaced(
        [round(index * 3999 / 99) for index in range(100)]
    )
    assert hundred.betas[-1].item() == pytest.approx(0.9999994, abs=5e-8)


@pytest.mark.parametrize("steps", [10, 50])
def test_posteriors_are_those_of_diffusers(steps: int) -> None:
    table = betas("linear", 100)
    peer = scheduler(
        "DDPMScheduler",
        table,
        steps,
        variance_type="fixed_small",
        prediction_type="sample",
        clip_sample=False,
    )
    chain = Diffusion.from_betas(table).respaced(sorted(peer.timesteps.tolist()))
    x_0, x_t = images(0), images(1)
    for t in (1, steps // 2, steps - 1):
        number = int(chain.timesteps[t])
        drawn = peer.step(x_0, number, x_t, generator=torch.Generator().manual_seed(0)).prev_sample
        noise = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(0), dtype=x_t.dtype)
        ours = chain.posterior(x_0, x_t, t)
        mean = drawn - peer._get_variance(number).sqrt() * noise
        torch.testing.assert_close(ours.mean, mean, rtol=1e-4, atol=1e-5)  # float32 tables there
        assert ours.log_variance.exp().item() == pytest.approx(
            peer._get_variance(number).item(), rel=1e-4
        )


def test_index_0_of_every_log_variance_follows_the_official_conventions() -> None:
    beta_tilde_1 = links(BETAS, range(12))[1].posterior(0.0, 0.0)[1]
    assert WHOLE.beta_tildes[0] == 0
    assert WHOLE.log_beta_tildes[0].item() == pytest.approx(math.log(beta_tilde_1))
    for fixed in WHOLE.fixed_log_variances.values():
        assert fixed[0].item() == pytest.approx(math.log(beta_tilde_1))
    assert WHOLE.log_betas[0].item() == pytest.approx(math.log(BETAS[0]))


def test_eps_and_v_of_a_noised_image_give_the_image_back() -> None:
    x_0, eps, t = images(0), images(1), torch.tensor([0, 1, 5, 9, 10])
    x_t = WHOLE.noised(x_0, t, eps)
    torch.testing.assert_close(WHOLE.x_0_from_eps(x_t, t, eps), x_0)
    torch.testing.assert_close(WHOLE.eps_from_x_0(x_t, t, x_0), eps)
    torch.testing.assert_close(WHOLE.x_0_from_v(x_t, t, WHOLE.v_from(x_0, t, eps)), x_0)


def test_v_is_how_the_noisy_image_turns_from_the_image_to_the_noise() -> None:
    x_0, eps = images(0), images(1)
    angle = math.acos(WHOLE.signal[5].item())
    before, after = (math.cos(a) * x_0 + math.sin(a) * eps for a in (angle - 1e-5, angle + 1e-5))
    torch.testing.assert_close(WHOLE.v_from(x_0, 5, eps), (after - before) / 2e-5)


def test_one_int_for_all_images_is_the_same_step_for_each() -> None:
    x_0, x_t = images(0), images(1)
    each = torch.full((5,), 7)
    torch.testing.assert_close(WHOLE.noised(x_0, 7, x_t), WHOLE.noised(x_0, each, x_t))
    one, all_ = WHOLE.posterior(x_0, x_t, 7), WHOLE.posterior(x_0, x_t, each)
    torch.testing.assert_close(one.mean, all_.mean)
    torch.testing.assert_close(one.log_variance.expand(5, 1, 1, 1), all_.log_variance)


@pytest.mark.parametrize("t", [3, torch.tensor([3, 3, 3, 3, 3])])
def test_tables_take_the_dtype_of_the_images(t: Tensor | int) -> None:
    x_0 = images().float()
    assert WHOLE.noised(x_0, t, x_0).dtype == torch.float32
    assert (at(WHOLE.signal, t, x_0) * x_0).dtype == torch.float32
    assert WHOLE.betas.dtype == WHOLE.posterior_x_0.dtype == torch.float64


def test_moving_a_chain_keeps_its_values() -> None:
    moved = STRIDED.to("cpu")
    assert torch.equal(moved.betas, STRIDED.betas)
    assert torch.equal(moved.timesteps, STRIDED.timesteps)
    assert moved.original_steps == 12


@pytest.mark.parametrize("table", [[0.1], [[0.1, 0.2], [0.1, 0.2]]])
def test_a_chain_of_fewer_than_two_steps_is_refused(table: list[float]) -> None:
    with pytest.raises(ValueError, match=r"diffusion.betas: expected at least 2 steps"):
        Diffusion.from_betas(np.array(table))


@pytest.mark.parametrize(
    ("beta", "found"),
    [(0.0, "0 to 0.1"), (1.0, "0.1 to 1"), (-0.1, "-0.1 to 0.1"), (math.nan, "nan")],
)
def test_betas_that_are_no_variances_of_a_step_are_refused(beta: float, found: str) -> None:
    told = rf"diffusion.betas: expected values in \(0, 1\), found from {found}"
    with pytest.raises(ValueError, match=told):
        Diffusion.from_betas(np.array([0.1, beta]))


@pytest.mark.parametrize("kept", [[3], [3, 3], [4, 2], [0, 4, 2], [-1, 2], [0, 3, 12], []])
def test_a_respacing_that_leaves_the_chain_is_refused(kept: list[int]) -> None:
    with pytest.raises(ValueError, match=r"at least 2 increasing indices from 0 to 11, found \["):
        WHOLE.respaced(kept)


@pytest.mark.parametrize("t", [-1, 12])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_a_step_outside_the_chain_is_refused(t: int, as_tensor: bool) -> None:
    x_0 = images()
    step = torch.tensor([0, 1, 2, 3, t]) if as_tensor else t
    with pytest.raises(ValueError, match=f"expected t from 0 to 11, found {t}"):
        WHOLE.check_step(torch.tensor([t]), x_0[:1])
    with pytest.raises(ValueError, match=f"expected t from 0 to 11, found {t}"):
        WHOLE.noised(x_0, step, x_0)
    with pytest.raises(ValueError, match=f"expected t from 0 to 11, found {t}"):
        WHOLE.marginal(x_0, step)
    with pytest.raises(ValueError, match=f"expected t from 0 to 11, found {t}"):
        WHOLE.posterior(x_0, x_0, step)


@pytest.mark.parametrize("t", [torch.tensor([1, 2]), torch.ones(5), torch.tensor(1)])
def test_a_step_tensor_that_is_not_one_index_for_each_image_is_refused(t: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected t as int64 of shape \(5,\), one step for each"):
        WHOLE.noised(images(), t, images())


def test_no_images_have_no_steps() -> None:
    none = images(count=0)
    assert WHOLE.noised(none, torch.zeros(0, dtype=torch.int64), none).shape == none.shape


def test_images_of_different_shapes_are_refused() -> None:
    shapes = r"found \(5, 2, 3, 3\) and \(4, 2, 3, 3\)"
    with pytest.raises(ValueError, match=f"noised: expected x_0 and eps of one shape, {shapes}"):
        WHOLE.noised(images(), 0, images(count=4))
    with pytest.raises(ValueError, match=f"posterior: expected x_0 and x_t of one shape, {shapes}"):
        WHOLE.posterior(images(), images(count=4), 0)
