import math
from itertools import accumulate

import pytest
import torch
from torch import Tensor

from iddpm.timesteps import (
    LossSecondMomentTimesteps,
    TimestepSampler,
    UniformTimesteps,
    deterministic_cumsum,
)

STEPS = 6
DRAWS = 100_000


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def warmed_up(uniform_share: float = 0.001) -> LossSecondMomentTimesteps:
    """A sampler whose every step has a full history."""
    timesteps = LossSecondMomentTimesteps(STEPS, history=10, uniform_share=uniform_share)
    for index in range(10):
        losses = [remembered_loss(t, index) for t in range(STEPS)]
        timesteps.record(torch.arange(STEPS), torch.tensor(losses))
    return timesteps


def remembered_loss(t: int, index: int) -> float:
    """Of equal mean for every step, and the more spread out the larger t is."""
    return 2.0 + (0.3 if index % 2 else -0.3) * t


def test_uniform_draws_are_even_and_weigh_one() -> None:
    t, weights = UniformTimesteps(STEPS).draw(DRAWS, generator())
    check_frequencies(t, torch.full((STEPS,), 1 / STEPS))
    assert torch.equal(weights, torch.ones(DRAWS))


def check_frequencies(t: Tensor, p: Tensor) -> None:
    found = torch.bincount(t, minlength=len(p)) / DRAWS
    assert ((found - p).abs() < 4 * (p * (1 - p) / DRAWS).sqrt()).all()


def test_draws_follow_the_root_mean_square_of_the_losses() -> None:
    t, _ = warmed_up().draw(DRAWS, generator())
    squares = [[remembered_loss(t, index) ** 2 for index in range(10)] for t in range(STEPS)]
    size = torch.tensor([math.sqrt(sum(row) / 10) for row in squares])
    check_frequencies(t, 0.999 * size / size.sum() + 0.001 / STEPS)


@pytest.mark.parametrize("count", [1, 2, 1000])
@pytest.mark.parametrize("steps", [2, 100, 4000])
def test_a_cpu_draws_as_multinomial_does(steps: int, count: int) -> None:
    timesteps, drawn = LossSecondMomentTimesteps(steps, history=1), [generator(7), generator(7)]
    for is_warm in (False, True):
        p = timesteps.probabilities
        t, _ = timesteps.draw(count, drawn[0])
        assert timesteps.warmed_up == is_warm
        assert torch.equal(t, torch.multinomial(p, count, replacement=True, generator=drawn[1]))
        timesteps.record(torch.arange(steps), torch.rand(steps, generator=generator(1)) ** 4)
    assert torch.equal(drawn[0].get_state(), drawn[1].get_state())


def test_sums_of_integers_are_those_of_floats() -> None:
    p = torch.rand(4000, dtype=torch.float64, generator=generator()) ** 4
    p /= p.sum()
    found, expected = (
        deterministic_cumsum(p),
        torch.tensor([*accumulate(p.tolist())], dtype=p.dtype),
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=4000 * 2.0**-53)


def test_losses_are_remembered_as_one_after_another() -> None:
    timesteps = LossSecondMomentTimesteps(STEPS, history=3)
    table, met, draws = [[0.0] * 3 for _ in range(STEPS)], [0] * STEPS, generator(2)
    for _ in range(20):
        t = torch.randint(STEPS - 1, (12,), generator=draws)
        losses = torch.rand(12, generator=draws)
        losses[losses > 0.8] = math.nan
        timesteps.record(t, losses)
        for step, loss in zip(t.tolist(), losses.tolist(), strict=True):
            if not math.isnan(loss):
                table[step][met[step] % 3] = loss
                met[step] += 1
    assert timesteps.state_dict()["losses"].tolist() == table
    assert timesteps.state_dict()["counts"].tolist() == met
    assert met[-1] == 0


def test_weighted_draws_are_unbiased() -> None:
    losses = torch.tensor([3.0, 1.0, 4.0, 1.0, 5.0, 9.0])
    t, weights = warmed_up().draw(DRAWS, generator())
    assert weights.dtype == torch.float32
    values = weights * losses[t]
    error = values.std().item() / math.sqrt(DRAWS)
    assert values.mean().item() == pytest.approx(losses.mean().item(), abs=4 * error)


def test_draws_are_uniform_until_every_step_has_its_history() -> None:
    timesteps = LossSecondMomentTimesteps(2, history=10)
    timesteps.record(torch.tensor([0] * 10 + [1] * 9), torch.tensor([9.0] * 10 + [1.0] * 9))
    assert not timesteps.warmed_up
    assert timesteps.probabilities.tolist() == [0.5, 0.5]
    assert timesteps.draw(4, generator())[1].tolist() == [1.0] * 4
    timesteps.record(torch.tensor([1]), torch.tensor([1.0]))
    assert timesteps.warmed_up
    assert timesteps.probabilities.tolist() == pytest.approx([0.8992 + 5e-4 - 1e-4, 0.1004])


def test_only_the_last_ten_losses_of_a_step_count() -> None:
    timesteps = LossSecondMomentTimesteps(2)
    early, late = [100.0, 50.0, 70.0], [float(loss) for loss in range(1, 11)]
    timesteps.record(torch.zeros(13, dtype=torch.int64), torch.tensor(early + late))
    timesteps.record(torch.ones(10, dtype=torch.int64), torch.ones(10))
    share = math.sqrt(38.5) / (math.sqrt(38.5) + 1)  # 1, 4, 9 to 100 add up to 385
    assert timesteps.probabilities[0].item() == pytest.approx(0.999 * share + 0.0005)


def test_the_uniform_share_keeps_a_step_without_losses_alive() -> None:
    timesteps = LossSecondMomentTimesteps(2, history=1, uniform_share=0.001)
    timesteps.record(torch.tensor([0, 1]), torch.tensor([0.0, 5.0]))
    assert timesteps.probabilities.tolist() == pytest.approx([0.0005, 0.9995])


def test_a_loss_that_is_not_finite_is_left_out() -> None:
    timesteps = LossSecondMomentTimesteps(2, history=1)
    timesteps.record(torch.tensor([0, 1, 1]), torch.tensor([1.0, 1.0, math.nan]))
    timesteps.record(torch.tensor([0]), torch.tensor([math.inf]))
    assert timesteps.probabilities.tolist() == [0.5, 0.5]


def test_a_restored_history_draws_the_same_and_goes_on_the_same() -> None:
    original, restored = warmed_up(), LossSecondMomentTimesteps(STEPS)
    original.record(torch.tensor([2, 2, 3]), torch.tensor([7.0, 8.0, 9.0]))
    restored.load_state_dict(original.state_dict())
    for timesteps in (original, restored):
        timesteps.record(torch.tensor([2, 5]), torch.tensor([0.5, 0.25]))
    (t, weights), (same_t, same_weights) = (
        timesteps.draw(1000, generator()) for timesteps in (original, restored)
    )
    assert torch.equal(t, same_t)
    assert torch.equal(weights, same_weights)


def test_a_saved_state_does_not_move_with_the_sampler() -> None:
    timesteps = warmed_up()
    saved = timesteps.state_dict()
    timesteps.record(torch.tensor([0]), torch.tensor([1000.0]))
    assert saved["counts"].tolist() == [10] * STEPS
    assert saved["losses"].max() < 10


@pytest.mark.parametrize(
    "timesteps", [LossSecondMomentTimesteps(STEPS + 1), UniformTimesteps(STEPS)]
)
def test_the_state_of_another_sampler_is_refused(timesteps: TimestepSampler) -> None:
    with pytest.raises(ValueError, match="the state is of another timestep sampler"):
        timesteps.load_state_dict(warmed_up().state_dict())


def test_uniform_timesteps_learn_nothing() -> None:
    timesteps = UniformTimesteps(STEPS)
    timesteps.record(torch.arange(STEPS), torch.ones(STEPS))
    timesteps.load_state_dict(timesteps.state_dict())
    assert timesteps.warmed_up
    assert timesteps.state_dict() == {}


def test_losses_of_another_shape_than_their_steps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"t and losses of one shape, found \(2,\) and \(3,\)"):
        warmed_up().record(torch.tensor([0, 1]), torch.ones(3))


@pytest.mark.gpu
def test_a_gpu_remembers_and_draws_like_a_cpu() -> None:
    here, there = (
        LossSecondMomentTimesteps(STEPS, history=3, device=device) for device in ("cpu", "cuda")
    )
    t = torch.randint(STEPS, (100,), generator=generator())
    losses = torch.rand(100, generator=generator(1))
    here.record(t, losses)
    there.record(t.cuda(), losses.cuda())
    for name, state in here.state_dict().items():
        assert torch.equal(state, there.state_dict()[name].cpu())
    torch.use_deterministic_algorithms(True)  # as workers do
    try:
        draws = [one.draw(DRAWS, generator())[0] for one in (here, there)]
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(draws[0], draws[1].cpu())
