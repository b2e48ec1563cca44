"""Table 4: class-conditional ImageNet 64, diffusion of two sizes beside BigGAN-deep."""

from collections.abc import Iterator
from dataclasses import dataclass

from studies.analyses.analysis import Analysis, Need, Place
from studies.analyses.needs import SAMPLES, SIZES, WIDTH, is_samples
from studies.published.published import SAMPLE_METRICS, Inferred, Metric, Published
from studies.spec.arms import RIVALS
from studies.tables.answer import ANY, Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One row of the table, every number exact."""

    name: str
    frechet_distance: float
    precision: float
    recall: float
    channels: int | None = None
    """Of the first layer of a diffusion model; None: it is a GAN."""
    training_steps: int


SOURCE = "Table 4"
TABLE_4 = (
    Model(
        name="BigGAN-deep",
        frechet_distance=4.06,
        precision=0.86,
        recall=0.59,
        training_steps=125_000,
    ),
    Model(
        name="Improved Diffusion (small)",
        frechet_distance=6.92,
        precision=0.77,
        recall=0.72,
        channels=128,
        training_steps=1_700_000,
    ),
    Model(
        name="Improved Diffusion (large)",
        frechet_distance=2.92,
        precision=0.82,
        recall=0.71,
        channels=192,
        training_steps=250_000,
    ),
)
"""BigGAN-deep has 100M parameters, both networks counted, the diffusion models have 100M and 270M
and take 250 sampling steps. A later evaluation of the same samples, with other neighbours and
references, is another measurement."""

AS_WITHOUT_LABELS = Inferred(
    ("batch size", "learning rate", "T", "schedule", "dropout", "vlb weight", "rescale timesteps"),
    "of the small network batch and learning rate of the one without labels, all else of the large "
    "one",
)
AS_MANY_REAL_IMAGES = Inferred(
    ("neighbours among",),
    "neighbours among as many real images as drawn ones, as Kynkäänniemi et al. (2019) have them",
)


def table_4_numbers() -> Iterator[Published]:
    """Of the diffusion models: L_hybrid, cosine, T = 4000."""
    for model in TABLE_4:
        if model.channels is None:
            continue
        flags = (AS_WITHOUT_LABELS,) if model.channels == 128 else ()
        for metric in SAMPLE_METRICS:
            yield Published(
                value=getattr(model, metric),
                metric=metric,
                source=SOURCE,
                tag="exact",
                error=None,
                data="imagenet64_labelled",
                T=4000,
                schedule="cosine",
                objective="hybrid",
                training_steps=model.training_steps,
                channels=model.channels,
                variance="range",
                sampler="ancestral",
                steps=250,
                images=50_000,
                inferred=(*flags, *inferred_of(metric)),
            )


def inferred_of(metric: Metric) -> tuple[Inferred, ...]:
    """What is inferred of how a metric was taken, of whatever model."""
    return () if metric == "frechet_distance" else (AS_MANY_REAL_IMAGES,)


ANALYSIS = Analysis(
    figures={
        "model_comparison": Need((*SAMPLES, RIVALS)),
    },
    claims={
        "diffusion_covers_more_than_gan": Need((*SAMPLES, RIVALS)),
        "gan_is_more_precise": Need((*SAMPLES, RIVALS)),
        "only_large_diffusion_beats_gan": Need(
            (*SAMPLES, RIVALS),
            f"samples of {SIZES}",
            (WIDTH,),
            lambda arms: len({arm[WIDTH] for arm in arms if is_samples(arm)}) > 1,
        ),
    },
    answers={
        "gan_comparison": Answer(
            metric="frechet_distance",
            baseline={"rival": ANY},
            against=({"objective": ANY},),
            alike=("images",),
        ),
    },
    numbers=table_4_numbers,
    places={"gan_comparison": Place("5", 4, "Table 4")},
)
