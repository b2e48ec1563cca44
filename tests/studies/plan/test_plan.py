import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from iddpm import build
from iddpm.config import Digits, StepNoise, TrainConfig
from iddpm.data import describe
from iddpm.evaluation.config import (
    Ancestral,
    Classifier,
    FeaturesConfig,
    LikelihoodConfig,
    LikelihoodMergeConfig,
    RadiiConfig,
    SampleConfig,
    ScoreConfig,
)
from iddpm.evaluation.config import LikelihoodShardConfig as Shard
from studies.analyses.index import cautions
from studies.plan.costs import Cost, arm_label, costs
from studies.plan.plan import Plan, expand, needed, record
from studies.spec.sweep import read_sweep
from studies.tasks.task import Task, radii
from tests.witness.image_folders import write_folder
from tests.witness.sweep_files import PRESET, SWEEP, write_sweep

ROOT = Path(__file__).parents[3]
T = 100


def planned(folder: Path, sweep: str = SWEEP, preset: str = PRESET, **options: Any) -> Plan:
    return expand(read_sweep(write_sweep(folder, sweep, preset), **options))


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return planned(tmp_path)


@pytest.fixture(scope="module")
def ablation() -> Plan:
    return expand(read_sweep(ROOT / "sweeps/sigma_ablation.yaml", preset="digits_full"))


def of_kind(plan: Plan, kind: str) -> list[Task]:
    return [task for task in plan.tasks.values() if task.kind == kind]


def changed(old: str, new: str, text: str = SWEEP) -> str:
    assert old in text
    return text.replace(old, new)


def with_likelihood(inside: str) -> str:
    return changed("likelihood: {}", f"likelihood: {{{inside}}}")


# ------------------------------------------------------------------------------------- its tasks


def test_every_task_comes_after_all_that_it_needs(ablation: Plan) -> None:
    seen: set[str] = set()
    for address, task in ablation.tasks.items():
        assert {need for _, need in task.inputs} <= seen
        assert address == task.address
        seen.add(address)


def test_every_task_answers_some_cell(ablation: Plan) -> None:
    wanted: set[str] = set()
    asked = [(*cell.tasks.values(), *cell.half_trained.values()) for cell in ablation.cells]
    pending = [address for of_cell in asked for address in of_cell]
    while pending:
        address = pending.pop()
        wanted.add(address)
        pending += [need for _, need in ablation.tasks[address].inputs]
    assert wanted == set(ablation.tasks)


def test_all_arms_of_an_objective_share_its_networks(ablation: Plan) -> None:
    whole, half, quarter = 4 * 6, 3 * 6 + 2, 3 * 2  # of ancestral sampling alone, but for two steps
    samples = (whole + half + quarter) * 3
    assert len(of_kind(ablation, "train")) == (2 * 3 + 2) * 3
    assert len(of_kind(ablation, "likelihood")) == (2 + 1) * 2 * 3
    assert len(of_kind(ablation, "score")) == samples
    assert len(of_kind(ablation, "extractor")) == 1
    assert len(of_kind(ablation, "features")) == samples + 1
    assert len(of_kind(ablation, "radii")) == 1


def test_scores_of_one_reference_and_k_share_its_radii(tmp_path: Path) -> None:
    def near(sweep: str) -> list[Task]:
        return of_kind(planned(tmp_path, sweep), "radii")

    (one,) = near(SWEEP)
    assert one.config == RadiiConfig(neighbours=3)
    several = near(
        changed("        steps: [10, 100]", "        steps: [10]\n        neighbours: [3, 5]")
    )
    assert [task.config for task in several] == [RadiiConfig(neighbours=k) for k in (3, 5)]
    assert one in several
    assert len({task.inputs for task in several}) == 1


def test_radii_that_only_finished_scores_would_read_are_not_planned(plan: Plan) -> None:
    (near,) = of_kind(plan, "radii")
    scores = [task.address for task in of_kind(plan, "score")]
    others = set(plan.tasks) - {near.address}
    assert needed(plan, lambda address: False).tasks == plan.tasks
    assert needed(plan, lambda address: address in plan.tasks).tasks == plan.tasks
    one_is_left = others - {scores[0]}
    assert needed(plan, lambda address: address in one_is_left).tasks == plan.tasks
    finished = needed(plan, lambda address: address in others)
    assert list(finished.tasks) == [address for address in plan.tasks if address in others]
    assert all(need in others for task in finished.tasks.values() for _, need in task.inputs)


def test_an_arm_is_answered_under_every_seed(plan: Plan) -> None:
    assert [cell.seed for cell in plan.cells] == [0, 1] * 6
    for cell in plan.cells:
        for role in {"train", "samples", "likelihood"} & set(cell.tasks):
            config = plan.tasks[cell.tasks[role]].config
            assert isinstance(config, TrainConfig | SampleConfig | LikelihoodConfig)
            assert config.seed == cell.seed


def test_a_samples_cell_is_cut_into_tasks_that_need_one_another_by_role(plan: Plan) -> None:
    roles = next(cell.tasks for cell in plan.cells if cell.arm["evaluation"] == "samples")
    assert set(roles) == {"train", "samples", "features", "score"}
    score, features = plan.tasks[roles["score"]], plan.tasks[roles["features"]]
    reference = plan.tasks[score.parents["reference"]]
    first, second = (plan.tasks[features.parents[f"samples/{i}"]] for i in (0, 1))
    extractor = plan.tasks[features.parents["extractor"]]
    assert score.config == ScoreConfig(neighbours=3)
    assert score.parents["generated"] == features.address
    assert score.parents["radii"] == radii(reference.address, 3).address
    assert features.config == FeaturesConfig(images=96)
    assert set(features.parents) == {"extractor", "samples/0", "samples/1"}
    shard = SampleConfig(
        sampler=Ancestral(), steps=10, ema_decay=0.9, last_block=4, block_size=16, seed=0
    )
    assert first.config == shard
    assert second.config == replace(shard, first_block=4, last_block=6)
    assert first.parents == second.parents == {"network": roles["train"]}
    assert roles["samples"] == first.address
    assert extractor.config == Classifier(data=Digits())
    images = describe(Digits()).train_images
    assert reference.config == FeaturesConfig(data=Digits(), split="train", images=images)
    assert reference.parents == {"extractor": extractor.address}


def test_what_reads_data_holds_its_digest(plan: Plan) -> None:
    digest = (("data", describe(Digits()).digest),)
    for task in plan.tasks.values():
        reads = task.kind in ("train", "extractor", "likelihood") or (
            isinstance(task.config, FeaturesConfig) and task.config.data is not None
        )
        assert task.digests == (digest if reads else ())


def test_what_was_done_to_files_of_a_folder_is_told_with_the_plan(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", "cat/0.png", "dog/0.png")
    (folder / "train/.jupyter").mkdir()
    data = f"data: {{folder: {{path: {folder}, size: 8}}}}"
    preset = changed("data: digits", data, changed("images: 20", "images: 2", PRESET))
    preset = changed(
        "ema_decay: 0.9, extractor", "ema_decay: 0.9, neighbours: 1, extractor", preset
    )
    plan = planned(tmp_path, preset=preset)
    assert cautions([plan]) == [
        "small-tiny: data.folder: left out, hidden or a file manager's: 1 (train/.jupyter)"
    ]
    assert cautions([planned(tmp_path)]) == []


def test_a_cell_of_a_training_alone_names_its_training(tmp_path: Path) -> None:
    plan = planned(tmp_path, SWEEP[: SWEEP.index("evaluate:")])
    assert [set(cell.tasks) for cell in plan.cells] == [{"train"}] * 4
    assert {cell.arm["evaluation"] for cell in plan.cells} == {"train"}
    assert {task.kind for task in plan.tasks.values()} == {"train"}


# ----------------------------------------------------------------------------- equal work is shared


def test_two_sweeps_share_equal_tasks(tmp_path: Path) -> None:
    one = planned(tmp_path)
    other = planned(tmp_path, changed("[10, 100]", "[10, 50]", changed("study: small", "study: x")))
    assert set(one.tasks) & set(other.tasks) == {
        address
        for address, task in one.tasks.items()
        if not any(
            cell.arm["steps"] == 100
            and cell.arm["evaluation"] == "samples"
            and address in _own(one, cell.tasks)
            for cell in one.cells
        )
    }


def _own(plan: Plan, roles: dict[str, str]) -> set[str]:
    if "features" not in roles:
        return set()
    shards = plan.tasks[roles["features"]].parents
    return {roles["score"], roles["features"], *(a for r, a in shards.items() if "/" in r)}


def test_more_images_share_the_whole_shards_of_fewer(tmp_path: Path) -> None:
    few, many = (
        planned(tmp_path, preset=changed("images: 96", f"images: {images}", PRESET))
        for images in (64, 128)
    )
    assert {task.address for task in of_kind(few, "sample")} < {
        task.address for task in of_kind(many, "sample")
    }


def test_a_seed_of_sampling_draws_other_images_of_the_same_networks(tmp_path: Path) -> None:
    one = changed("seeds: [0, 1]", "seeds: [0]", SWEEP)
    sweep = one.replace("steps: [10, 100]", "noise_seed: [0, 7]\n      steps: 10")
    plan, plain = planned(tmp_path, sweep), planned(tmp_path, one)
    trained = [{task.address for task in of_kind(one, "train")} for one in (plan, plain)]
    assert trained[0] == trained[1]
    seeds = [getattr(task.config, "seed", -1) for task in of_kind(plan, "sample")]
    assert sorted(set(seeds)) == [0, 7]
    assert {cell.arm["samples.noise_seed"] for cell in plan.cells if cell.tasks.get("samples")} == {
        0,
        7,
    }


def test_the_noise_of_steps_tells_samples_apart_and_nothing_else(tmp_path: Path) -> None:
    def addresses(noise: str) -> dict[str, set[str]]:
        plan = planned(tmp_path, changed("steps: [10, 100]", f"steps: [10, 100]{noise}", SWEEP))
        return {
            kind: {task.address for task in of_kind(plan, kind)}
            for kind in ("train", "likelihood", "sample", "score")
        }

    plain = addresses("")
    same, other = (addresses(f"\n      noise: {name}") for name in get_args(StepNoise))
    assert same == plain
    assert (other["train"], other["likelihood"]) == (plain["train"], plain["likelihood"])
    assert other["sample"].isdisjoint(plain["sample"])
    assert other["score"].isdisjoint(plain["score"])


def test_a_sampler_without_noise_draws_the_same_images_whatever_the_noise(tmp_path: Path) -> None:
    def samples(noise: str, eta: float) -> set[str]:
        grid = f"[{{ddim: {{eta: {eta}}}}}]\n        noise: [{noise}]"
        plan = planned(
            tmp_path, changed("steps: [10, 100]", f"steps: [10]\n        sampler: {grid}")
        )
        return {task.address for task in of_kind(plan, "sample")}

    assert samples("brownian", 0) == samples("independent", 0)
    assert samples("brownian", 0.5).isdisjoint(samples("independent", 0.5))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SWEEP, with_likelihood("steps: 100")),
        (SWEEP, with_likelihood("steps: 100, stride: constant")),
        (with_likelihood("images: null"), with_likelihood("images: 297")),
        (SWEEP, with_likelihood("shard_blocks: 1")),  # all images make one block
        (SWEEP, changed("seeds:", "train: {block_size: 16}\nseeds:")),
        (changed("[10, 100]", "[100]\n        sampler: [{ddim: {stride: even}}]"),
         changed("[10, 100]", "[100]\n        sampler: [ddim]")),
        (changed("grid:\n        steps: [10, 100]", "reference: {images: 1500}\n      steps: 10"),
         changed("grid:\n        steps: [10, 100]", "steps: 10")),
        (changed("[simple, hybrid]", "[hybrid]"),
         changed("[simple, hybrid]", "[{hybrid: {vlb_weight: 1e-3}}]")),
    ],
)  # fmt: skip
def test_equal_work_has_equal_addresses(tmp_path: Path, one: str, other: str) -> None:
    assert set(planned(tmp_path, one).tasks) == set(planned(tmp_path, other).tasks)


def test_a_likelihood_is_cut_into_shards_that_more_images_share(tmp_path: Path) -> None:
    cut = "block_size: 4, shard_blocks: 2"
    few, many = (
        planned(tmp_path, with_likelihood(f"images: {images}, {cut}")) for images in (16, 20)
    )
    merge = few.tasks[few.cells[0].tasks["likelihood"]]
    assert merge.kind == "likelihood_merge"
    assert isinstance(merge.config, LikelihoodMergeConfig)
    assert set(merge.parents) == {"network", "shards/0", "shards/1"}
    shards = [few.tasks[merge.parents[f"shards/{i}"]].config for i in (0, 1)]
    spans = [(shard.blocks, shard.images) for shard in shards if isinstance(shard, Shard)]
    assert spans == [(range(2), 8), (range(2, 4), 8)]
    ours, theirs = ({t.address for t in of_kind(p, "likelihood_shard")} for p in (few, many))
    assert ours < theirs
    assert (len(ours), len(theirs)) == (2 * 4, 3 * 4)


def test_shards_cost_what_the_whole_does(tmp_path: Path) -> None:
    whole, cut = (
        planned(tmp_path, with_likelihood(f"block_size: 3{more}"))
        for more in ("", ", shard_blocks: 2")
    )
    assert len(cut.tasks) == len(whole.tasks) + 4 * 4  # four cells, each of shards of 6, 6, 6 and 2
    assert costs(cut)[-1].network_calls == costs(whole)[-1].network_calls
    assert cut.cells[0].arm == whole.cells[0].arm


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_moves_no_address(
    tmp_path_factory: pytest.TempPathFactory, shuffler: random.Random
) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return [shuffled(item) for item in value]
        if not isinstance(value, dict):
            return value
        keys = list(value)
        shuffler.shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}

    folder = tmp_path_factory.mktemp("order")
    usual = planned(folder)
    texts = [json.dumps(shuffled(yaml.safe_load(text))) for text in (SWEEP, PRESET)]
    assert set(planned(folder, *texts).tasks) == set(usual.tasks)


# -------------------------------------------------------------------------- the settings of an arm


def test_an_arm_is_named_by_what_every_arm_shows(plan: Plan) -> None:
    shared = {"objective": "simple", "schedule": "cosine", "T": T, "prediction": "eps"}
    assert plan.cells[0].arm == {
        "evaluation": "likelihood",
        **shared,
        "variance": None,
        "sampler": None,
        "eta": None,
        "stride": "even",
        "steps": T,
        "skip": None,
        "ema_decay": 0.9,
        "images": 20,
    }
    assert plan.cells[2].arm == {
        "evaluation": "samples",
        **shared,
        "variance": "beta",
        "sampler": "ancestral",
        "eta": None,
        "stride": "even",
        "steps": 10,
        "skip": 0.0,
        "ema_decay": 0.9,
        "images": 96,
    }


def test_any_other_setting_that_differs_is_shown_by_its_dotted_key(tmp_path: Path) -> None:
    grid = "  train.network.channel_mult: [[1, 2], [1, 1]]\n  train.steps: [9]\nseeds:"
    inside = "clip: [true, false]\n        steps: [10]"
    plan = planned(tmp_path, changed("steps: [10, 100]", inside, changed("seeds:", grid)))
    extra = [{k: v for k, v in cell.arm.items() if "." in k} for cell in plan.cells]
    assert extra[0] == {"train.network.channel_mult": "1,2", "samples.clip": None}
    assert extra[2] == {"train.network.channel_mult": "1,2", "samples.clip": True}
    assert extra[-1] == {"train.network.channel_mult": "1,1", "samples.clip": False}


def test_settings_within_a_choice_tell_its_arms_apart(tmp_path: Path) -> None:
    choices = "[simple, {hybrid: {vlb_weight: 0.1}}, {hybrid: {vlb_weight: 0.2}}]"
    plan = planned(tmp_path, changed("[simple, hybrid]", choices))
    shown = [(cell.arm["objective"], cell.arm["train.objective.vlb_weight"]) for cell in plan.cells]
    assert list(dict.fromkeys(shown)) == [("simple", None), ("hybrid", 0.1), ("hybrid", 0.2)]


def test_no_two_arms_go_by_the_same_settings(ablation: Plan) -> None:
    arms = [json.dumps([cell.arm, cell.seed], sort_keys=True) for cell in ablation.cells]
    assert len(set(arms)) == len(arms)


def test_an_arm_is_said_in_words(plan: Plan) -> None:
    likelihood, samples = plan.cells[0].arm, plan.cells[2].arm
    ddim = {**samples, "sampler": "ddim", "variance": None, "eta": 0.5, "stride": "even"}
    other = {**samples, "ema_decay": None, "skip": 0.25, "prediction": "v", "samples.clip": False,
             "train.steps": 7}  # fmt: skip
    assert [arm_label(arm) for arm in (likelihood, samples, ddim, other)] == [
        "simple cosine T=100, likelihood, 100 steps, EMA 0.9, 20 images",
        "simple cosine T=100, ancestral beta, 10 steps, EMA 0.9, 96 images",
        "simple cosine T=100, ddim eta=0.5, 10 even steps, EMA 0.9, 96 images",
        "simple cosine T=100 predicting v, steps=7, ancestral beta, 10 steps, 0.25 skipped, "
        "raw weights, 96 images, clip=False",
    ]
    assert arm_label({**samples, "evaluation": "train"}) == "simple cosine T=100, training"


# ----------------------------------------------------------------------------------------- costs


def test_costs_are_counted_once_per_task(plan: Plan) -> None:
    def rows(objective: str) -> list[Cost]:
        words = f"{objective} cosine T=100"
        images = f"ancestral beta, {{}} steps, EMA 0.9, {96} images"
        return [
            cost(f"{words}, training", tasks=2, training_steps=2 * 50),
            cost(f"{words}, likelihood, 100 steps, EMA 0.9, 20 images", 2, calls=2 * 20 * T),
            cost(f"{words}, {images.format(10)}", 2 * 4, calls=2 * 96 * 10),
            cost(f"{words}, {images.format(100)}", 2 * 4, calls=2 * 96 * 100),
        ]

    def cost(arm: str, tasks: int, training_steps: int = 0, calls: int = 0) -> Cost:
        return Cost(
            arm=arm,
            tasks=tasks,
            parameters=None,
            training_steps=training_steps,
            network_calls=calls,
        )

    simple, hybrid = rows("simple"), rows("hybrid")
    real = cost("features of real images", 3, training_steps=600)
    total = cost("total", len(plan.tasks), 200 + 600, 2 * (2 * 20 * T + 2 * 96 * 110))
    found = [replace(row, parameters=None) for row in costs(plan)]
    assert found == [*simple[:3], real, simple[3], *hybrid, total]


def test_what_two_arms_share_costs_the_first_of_them(tmp_path: Path) -> None:
    strides = "sampler: [{ancestral: {stride: even}}, {ancestral: {stride: constant}}]"
    sweep = changed("        steps: [10, 100]", f"        {strides}\n        steps: [100]")
    plan = planned(tmp_path, sweep.replace("[simple, hybrid]", "[simple]"))
    rows = {row.arm: row for row in costs(plan)}
    (even,) = (row for arm, row in rows.items() if "ancestral" in arm)
    assert even.arm.endswith("beta, 100 steps, EMA 0.9, 96 images")
    assert (even.tasks, even.network_calls) == (2 * 4, 2 * 96 * T)
    (trained,) = (row for arm, row in rows.items() if arm.endswith("training"))
    assert (trained.tasks, trained.training_steps) == (2, 2 * 50)
    assert (even.parameters, rows["total"].parameters) == (None, None)
    with torch.device("meta"):
        network = build.network(plan.spec.arms[0].train, describe(Digits()))
    assert trained.parameters == sum(p.numel() for p in network.parameters())


def test_what_is_done_costs_nothing(plan: Plan) -> None:
    trained = [task.address for task in of_kind(plan, "train")]
    rows = {row.arm: row for row in costs(plan, done=trained)}
    assert rows["simple cosine T=100, training"].tasks == 0
    assert rows["total"].training_steps == 600
    assert costs(plan, done=plan.tasks)[-1] == Cost(
        arm="total", tasks=0, parameters=None, training_steps=0, network_calls=0
    )


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ("steps: 10\n      skip: 0.25", 8),
        ("steps: 10\n      sampler: {ancestral: {stride: even_plus_first}}", 10 + 9),
        ("steps: 3\n      sampler: {ancestral: {stride: [0, 50, 99]}}", 3),
    ],
)
def test_calls_follow_the_steps_that_are_taken(tmp_path: Path, settings: str, steps: int) -> None:
    plan = planned(tmp_path, changed("grid:\n        steps: [10, 100]", settings))
    likelihoods = 2 * 2 * 20 * T
    assert costs(plan)[-1].network_calls == likelihoods + 2 * 2 * 96 * steps


def test_rows_add_up_to_the_total(ablation: Plan) -> None:
    *rows, total = costs(ablation)
    for name in ("tasks", "training_steps", "network_calls"):
        assert sum(getattr(row, name) for row in rows) == getattr(total, name)
    assert total.tasks == len(ablation.tasks)


# ------------------------------------------------------------------------------- record, imports


def test_a_record_is_plain_json_with_all_that_was_asked(plan: Plan) -> None:
    kept = record(plan)
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept
    assert plan.study == "small-tiny"
    assert (kept["study"], kept["preset"], kept["seeds"]) == ("small", "tiny", [0, 1])
    assert (kept["sweep_text"], kept["preset_text"]) == (SWEEP, PRESET)
    assert kept["tasks"] == list(plan.tasks)
    assert kept["cells"][0] == {
        "arm": plan.cells[0].arm,
        "seed": 0,
        "tasks": plan.cells[0].tasks,
        "compute": plan.cells[0].compute,
    }


def test_planning_the_ablation_loads_no_torch_pandas_or_matplotlib() -> None:
    script = (
        "import sys; from studies.plan.plan import expand; "
        "from studies.spec.sweep import read_sweep; "
        "expand(read_sweep('sweeps/sigma_ablation.yaml')); "
        "heavy = ('torch', 'pandas', 'matplotlib', 'scipy', 'sklearn'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
