"""Samples to look at: by objective and step count, and by class."""

from studies.analyses.analysis import Analysis, Need, Place
from studies.analyses.needs import LABELS, SAMPLES, has, is_samples, together

ANALYSIS = Analysis(
    figures={
        "sample_grid": Need(SAMPLES),
        "class_grid": Need(
            SAMPLES,
            f"samples of a class-conditional network ({LABELS}: true)",
            (LABELS,),
            together(is_samples, (), has(LABELS, True)),
        ),
    },
    sentences=("sample_gallery",),
    places={"sample_gallery": Place("H", 9, "Figs. 9 and 18 to 31")},
)
