"""Each setting reaches the object that it describes."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from iddpm import build, samplers
from iddpm.bounds import ConfigError
from iddpm.config import (
    DiffusionConfig,
    Digits,
    Hybrid,
    LossSecondMoment,
    OptimizerConfig,
    Simple,
    TrainConfig,
    UNetConfig,
)
from iddpm.data import Description
from iddpm.denoiser import Denoiser
from iddpm.evaluation.config import Ancestral, Ddim, SampleConfig, Sampler
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.unet import ResBlock
from iddpm.schedules import linear_betas
from iddpm.strides import stride_timesteps
from iddpm.timesteps import LossSecondMomentTimesteps, UniformTimesteps
from tests.witness.unet_layout import layout

TRAIN = TrainConfig(
    data=Digits(),
    diffusion=DiffusionConfig(steps=40),
    network=UNetConfig(
        model_channels=8,
        channel_mult=(1, 2),
        res_blocks=2,
        attention_resolutions=(8,),
        heads=2,
        groups=4,
        dropout=0.25,
    ),
    objective=Hybrid(),
)
IMAGES = Description(
    channels=3, size=8, levels=17, classes=10, train_images=9, test_images=9, digest=""
)
SAMPLES = SampleConfig(steps=10, last_block=1, block_size=2)


def with_network(**changes: object) -> TrainConfig:
    return replace(TRAIN, network=replace(TRAIN.network, **changes))  # type: ignore[arg-type]


class Recorder:
    """A network that predicts zero noise and remembers the steps that it is asked about."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def __call__(self, x: Tensor, t: Tensor, conditioning: Conditioning | None) -> Tensor:
        self.steps.append(int(t[0]))
        return torch.zeros_like(x)


def denoiser(network: Recorder) -> Denoiser:
    config = replace(TRAIN, objective=Simple())
    return build.denoiser(config, network, build.diffusion(config.diffusion))


def test_the_chain_has_the_schedule_and_steps_of_its_config() -> None:
    chain = build.diffusion(DiffusionConfig(schedule="linear", steps=30))
    assert torch.equal(chain.betas, torch.from_numpy(linear_betas(30)))


@pytest.mark.parametrize("class_conditional", [True, False])
@pytest.mark.parametrize(("objective", "channels"), [(Simple(), 3), (Hybrid(), 6)])
def test_the_network_has_the_layout_of_its_config(
    objective: Simple | Hybrid, channels: int, class_conditional: bool
) -> None:
    config = replace(with_network(class_conditional=class_conditional), objective=objective)
    network = build.network(config, IMAGES)
    expected = layout(
        in_channels=3,
        out_channels=channels,
        image_size=8,
        model_channels=8,
        channel_mult=(1, 2),
        res_blocks=2,
        attention_resolutions=(8,),
        classes=10 if class_conditional else None,
    )
    assert {name: tuple(p.shape) for name, p in network.named_parameters()} == expected


def test_dropout_groups_and_heads_reach_the_network() -> None:
    network = build.network(TRAIN, IMAGES)
    parts = list(network.modules())
    assert {part.p for part in parts if isinstance(part, nn.Dropout)} == {0.25}
    assert {part.num_groups for part in parts if isinstance(part, nn.GroupNorm)} == {4}
    assert {part.heads for part in parts if hasattr(part, "heads")} == {2}


@pytest.mark.parametrize("scale_shift", [True, False])
def test_the_way_the_timestep_enters_reaches_every_block(scale_shift: bool) -> None:
    network = build.network(with_network(scale_shift=scale_shift), IMAGES)
    blocks = [part for part in network.modules() if isinstance(part, ResBlock)]
    assert {block.scale_shift for block in blocks} == {scale_shift}


@pytest.mark.parametrize(("rescale", "scale"), [(True, 25.0), (False, 1.0)])
def test_rescaled_timesteps_run_to_a_thousand(rescale: bool, scale: float) -> None:
    network = build.network(with_network(rescale_timesteps=rescale), IMAGES)
    assert network.timestep_scale == scale


def test_a_network_that_does_not_fit_its_data_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"^network\.class_conditional: expected data with labels"
    ):
        build.network(with_network(class_conditional=True), replace(IMAGES, classes=None))


def test_the_denoiser_reads_the_network_as_it_was_trained() -> None:
    config = replace(TRAIN, prediction="v")
    reader = build.denoiser(config, Recorder(), build.diffusion(config.diffusion))
    assert (reader.prediction, reader.learned_variance) == ("v", "range")


def test_training_steps_are_drawn_as_the_config_says() -> None:
    assert isinstance(build.timestep_sampler(TRAIN), UniformTimesteps)
    choice = LossSecondMoment(history=3, uniform_share=0.5)
    built = build.timestep_sampler(replace(TRAIN, timesteps=choice))
    assert isinstance(built, LossSecondMomentTimesteps)
    expected = LossSecondMomentTimesteps(40, history=3, uniform_share=0.5)
    assert built.state_dict().keys() == expected.state_dict().keys()
    shapes = [{k: v.shape for k, v in s.state_dict().items()} for s in (built, expected)]
    assert shapes[0] == shapes[1]


def test_the_optimizer_has_the_settings_of_its_config() -> None:
    settings = OptimizerConfig(learning_rate=0.5, betas=(0.1, 0.2), eps=0.25, weight_decay=0.75)
    weight = nn.Parameter(torch.zeros(1))
    (group,) = build.optimizer(replace(TRAIN, optimizer=settings), [weight]).param_groups
    found = [group[name] for name in ("lr", "betas", "eps", "weight_decay")]
    assert found == [0.5, (0.1, 0.2), 0.25, 0.75]


@pytest.mark.parametrize(
    ("sampler", "steps"),
    [
        (Ancestral(), stride_timesteps("even", 40, 10)),
        (Ddim(), tuple(range(0, 40, 4))),
        (Ancestral(stride="even_plus_first"), stride_timesteps("even_plus_first", 40, 10)),
    ],
)
@pytest.mark.parametrize(("skip", "kept"), [(0.0, 1.0), (0.3, 0.7)])
def test_a_sampler_asks_for_the_steps_of_its_stride_less_the_skipped(
    sampler: Sampler, steps: tuple[int, ...], skip: float, kept: float
) -> None:
    network, config = Recorder(), replace(SAMPLES, sampler=sampler, skip=skip)
    draw = build.sampler(config, denoiser(network))
    draw(torch.zeros(2, 3, 8, 8), torch.Generator(), None)
    taken = round(kept * len(steps))
    assert network.steps == list(reversed(steps[:taken]))
    assert build.reverse_steps(config, 40) == taken


@pytest.mark.parametrize("clip", [True, False])
def test_settings_of_the_samplers_reach_them(clip: bool) -> None:
    whole = denoiser(Recorder())
    x_T = torch.randn((2, 3, 8, 8), generator=torch.Generator().manual_seed(0))

    def built(sampler: Sampler) -> Tensor:
        config = replace(SAMPLES, sampler=sampler, steps=40, clip=clip)
        return build.sampler(config, whole)(x_T, torch.Generator().manual_seed(1), None)

    def draws() -> torch.Generator:
        return torch.Generator().manual_seed(1)

    ancestral = samplers.ancestral(whole, x_T, variance="beta_tilde", clip=clip, generator=draws())
    ddim = samplers.ddim(whole, x_T, eta=0.5, clip=clip, generator=draws())
    assert torch.equal(built(Ancestral(variance="beta_tilde")), ancestral)
    assert torch.equal(built(Ddim(eta=0.5, stride="even")), ddim)
