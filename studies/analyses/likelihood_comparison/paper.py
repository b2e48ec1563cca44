"""Table 3: bits/dim of models of many families."""

from studies.analyses.analysis import Analysis, Need, Place
from studies.analyses.needs import LIKELIHOOD
from studies.analyses.objective_ablation.paper import table_numbers
from studies.published.published import Published
from studies.tables.answer import ANY, LEAST, Answer

TABLE_3_DATA = ("imagenet64", "cifar10")
TABLE_3: tuple[tuple[str, float | None, float | None], ...] = (
    ("Glow", 3.81, 3.35),
    ("Flow++", 3.69, 3.08),
    ("PixelCNN", 3.57, 3.14),
    ("SPN", 3.52, None),
    ("NVAE", None, 2.91),
    ("Very Deep VAE", 3.52, 2.87),
    ("PixelSNAIL", 3.52, 2.85),
    ("Image Transformer", 3.48, 2.90),
    ("Sparse Transformer", 3.44, 2.80),
    ("Routing Transformer", 3.43, None),
    ("DDPM", 3.77, 3.70),
    ("DDPM (cont flow)", None, 2.99),
    ("Improved DDPM", 3.53, 2.94),
)
"""(model, on ImageNet 64, on CIFAR-10), exact; None: the table has no number.

DDPM's number on ImageNet 64 is the second row of Table 1, trained for that paper. Its 3.70 on
CIFAR-10 is taken over from Ho et al. (2020).
"""


def table_3(data: str) -> dict[str, float]:
    """Bits/dim by model on these data; empty on others."""
    if data not in TABLE_3_DATA:
        return {}
    place = TABLE_3_DATA.index(data)
    found = {model: bits[place] for model, *bits in TABLE_3}
    return {model: bits for model, bits in found.items() if bits is not None}


def own_number(data: str) -> Published:
    """The table's last row as Table 1 or 2 has it: L_vlb, trained longest.

    Bits/dim of other models hang on no setting of ours, but on the images that they are of; the
    table stands where those are the same as behind this row.
    """
    rows = [n for n in table_numbers() if (n.data, n.metric) == (data, "bits_per_dim")]
    return max((n for n in rows if n.objective == "vlb"), key=lambda n: n.training_steps)


ANALYSIS = Analysis(
    figures={
        "likelihood_comparison": Need(LIKELIHOOD),
    },
    answers={
        "likelihood_comparison": Answer(
            metric="bits_per_dim",
            baseline={"T": LEAST},
            among=(
                {"objective": "simple", "variance": "beta"},
                {"objective": ANY, "variance": "range"},
            ),
            beside=("steps",),
        ),
    },
    places={"likelihood_comparison": Place("3.4", 3, "Table 3")},
)
