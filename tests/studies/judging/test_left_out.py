"""What an interval over seeds leaves out, against the store that the numbers were written to."""

import json
from dataclasses import replace

import pytest

from studies.analyses.index import CLAIMS
from studies.judging.left_out import left_out
from studies.spec.arms import TRAIN
from studies.store.store import Store
from studies.tables.tables import Tables, tables
from tests.witness.made_up_rows import BOUND, SCORE, tables_of
from tests.witness.made_up_store import BOUNDED_IMAGES, MadeUp, write_store


@pytest.fixture(scope="module")
def ablation(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    root = write_store(tmp_path_factory.mktemp("store"), MadeUp())
    return tables(Store(root), MadeUp().study)


def test_a_bound_is_over_so_many_images_with_the_largest_of_their_errors(ablation: Tables) -> None:
    rows = ablation.results.query("metric == 'bits_per_dim'")
    said = left_out(ablation, CLAIMS["learned_sigma_lowers_nll"].parts)
    assert f"over {BOUNDED_IMAGES} images, the same for every seed" in said
    assert f"a standard error of up to {max(rows['standard_error']):.2g}, " in said
    assert "extractor" not in said


def test_a_score_looks_through_one_extractor(ablation: Tables) -> None:
    said = left_out(ablation, CLAIMS["sigma_choice_is_minor_at_many_steps"].parts)
    assert f"at {MadeUp().reference_images} real images" in said.replace(",", "")
    assert "bounds" not in said


def test_it_is_of_every_bound_with_an_error_and_of_every_extractor() -> None:
    bounds = [(16, 0.02), (64, 0.3), (2000, 0.1), (99, None)]
    rows = [BOUND | {"images": images, "standard_error": error} for images, error in bounds]
    for name, images in (("vit:ab", 500), ("classifier:cd", 1500), ("classifier:ef", 500)):
        recipe = json.dumps({"extractor": name, "reference_images": images})
        rows.append(SCORE | {"recipe": recipe})
    trained = left_out(tables_of(rows), (TRAIN,))
    assert "over 16, 64 and 2,000 images, " in trained
    assert "of up to 0.3, " in trained
    assert left_out(tables_of(rows), ("likelihood",)) == trained
    scored = left_out(tables_of(rows), ("samples",))
    assert "one extractor (classifier and vit) at 500 and 1,500 real images" in scored


def test_what_is_exact_or_not_measured_leaves_nothing_out(ablation: Tables) -> None:
    assert left_out(ablation, CLAIMS["beta_tilde_close_to_beta"].parts) == ""
    planned = ablation.results.assign(value=None, recipe=None)
    assert left_out(replace(ablation, results=planned), ("likelihood", "samples")) == ""
