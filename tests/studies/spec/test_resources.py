"""What jobs ask for: layers in their order, and what is refused of them."""

from dataclasses import fields
from pathlib import Path

import pytest

from iddpm.bounds import ConfigError
from studies.plan.plan import expand
from studies.spec.documents import Node, parse
from studies.spec.resources import TEXTS, Resources, override_layer, resources, user_layer
from studies.spec.sweep import read_sweep
from studies.tasks.kinds import KINDS
from tests.witness.sweep_files import PRESET, SWEEP, write_sweep


def layer(text: str) -> Node:
    return parse(text, lambda line: f"f.yaml:{line}", "resources")


def refusal(*layers: Node) -> str:
    with pytest.raises(ConfigError) as error:
        resources(layers)
    return str(error.value)


# -------------------------------------------------------------------------------------- layers


def test_without_layers_every_kind_has_the_defaults() -> None:
    assert resources([]) == dict.fromkeys(KINDS, Resources())


def test_the_later_layer_wins_setting_by_setting() -> None:
    found = resources(
        [layer("all: {cpus: 2, time_min: 7}"), layer("all: {cpus: 3}"), layer("all: {account: a}")]
    )
    assert found == dict.fromkeys(KINDS, Resources(cpus=3, time_min=7, account="a"))


def test_within_a_layer_a_kind_wins_over_all_whichever_stands_first() -> None:
    found = resources([layer("train: {cpus: 4}\nall: {cpus: 2}")])
    assert (found["train"].cpus, found["score"].cpus) == (4, 2)


def test_all_of_a_later_layer_wins_over_a_kind_of_an_earlier_one() -> None:
    found = resources([layer("train: {cpus: 4}"), layer("all: {cpus: 2}")])
    assert found["train"].cpus == 2


def test_shards_ask_for_what_the_whole_does_unless_told_otherwise() -> None:
    found = resources([layer("likelihood: {gpus: 1, cpus: 4}\nlikelihood_shard: {cpus: 2}")])
    assert (found["likelihood_shard"].gpus, found["likelihood_shard"].cpus) == (1, 2)
    assert found["likelihood_merge"].gpus == 0


def test_a_later_layer_can_take_a_setting_back() -> None:
    found = resources([layer("all: {partition: big}"), layer("all: {partition: null}")])
    assert found["train"].partition is None


def test_a_layer_with_nothing_in_it_changes_nothing() -> None:
    assert resources([layer("all:"), layer("train: {}"), Node(None, "f")]) == resources([])


@pytest.mark.parametrize(
    ("key", "text", "cpus"), [("cpus", "5", (5, 5)), ("train.cpus", "5", (5, 1))]
)
def test_an_option_is_a_setting_of_all_kinds_or_of_one(
    key: str, text: str, cpus: tuple[int, int]
) -> None:
    found = resources([override_layer(key, text)])
    assert (found["train"].cpus, found["score"].cpus) == cpus


def test_an_option_may_be_a_list_or_have_brackets_and_commas() -> None:
    found = resources(
        [override_layer("sbatch", "[--exclusive]"), override_layer("exclude", "node[1-3],node7")]
    )["score"]
    assert (found.sbatch, found.exclude) == (("--exclusive",), "node[1-3],node7")


def test_a_training_has_a_process_for_each_gpu_and_at_least_one_on_each_node() -> None:
    assert Resources(nodes=2, gpus=4).processes == 8
    assert Resources(nodes=2).processes == 2


def test_what_all_are_to_have_of_gpus_is_not_meant_for_kinds_that_compute_on_the_cpu() -> None:
    found = resources([layer("all: {gpus: 1, gpu_type: a100, account: us}")])
    for name, kind in KINDS.items():
        asked = found[name].gpus, found[name].gpu_type, found[name].account
        assert asked == ((1, "a100", "us") if kind.uses_gpu else (0, None, "us")), name


def test_those_that_compute_on_the_cpu_may_ask_for_a_partition_of_their_own() -> None:
    cpus, late = layer("cpu: {partition: cpu}"), layer("score: {partition: big}")
    found = resources([layer("all: {partition: gpu, gpus: 1}"), cpus, late])
    partitions = {name: asked.partition for name, asked in found.items()}
    assert (partitions["score"], partitions["radii"]) == ("big", "big")
    assert (partitions["train"], partitions["latents"]) == ("gpu", "cpu")


def test_a_gpu_for_what_computes_on_the_cpu_is_refused() -> None:
    for key in ("cpu", "extractor"):
        assert refusal(layer(f"{key}:\n  gpus: 1")) == (
            f"f.yaml:2: resources.{key}: expected no GPU (extractor computes on the CPU), found 1; "
            "leave it out"
        )
    assert resources([layer("score: {gpus: 0}")])["score"].gpus == 0


@pytest.mark.parametrize("setting", ["gpus: 2", "nodes: 2"])
def test_tasks_of_several_processes_do_not_run_side_by_side(setting: str) -> None:
    refused = refusal(layer(f"train:\n  side_by_side: 4\n  {setting}"))
    expected = "side_by_side: expected 1 where a task has several processes, found 4 tasks of 2 "
    assert refused.startswith(f"f.yaml:2: resources.train.{expected}")


# ------------------------------------------------------------------------------------ messages


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_min: 0", "time_min: expected at least 1, found 0"),
        ("cpus: -1", "cpus: expected at least 1, found -1"),
        ("nodes: 0", "nodes: expected at least 1, found 0"),
        ("gpus: -1", "gpus: expected at least 0, found -1"),
        ("memory_gb: 0", "memory_gb: expected a positive number, found 0.0"),
        ("memory_gb: .nan", "memory_gb: expected a"),
        ("gpu_type: a100", "gpu_type: expected gpus to be at least 1, found 0 of 'a100'"),
        ("sbatch: [-p]", "sbatch: expected options such as --reservation=x, and none of "),
        ("sbatch: [--array=0-9]", "sbatch: expected options such as --reservation=x, and none of "),
        ("sbatch: --x", "sbatch: expected a list of texts, found '--x'"),
        ("cpus: two", "cpus: expected a whole number, found 'two'"),
        ("cpus: 1.5", "cpus: expected a whole number, found 1.5"),
        ("gpu: 1", "gpu: no such field; did you mean 'gpus'?"),
        ("partition: 3", "partition: expected text or null, found 3"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_place(text: str, message: str) -> None:
    kind = "train" if text.startswith("gpu") and not text.startswith("gpu:") else "extractor"
    assert refusal(layer(f"all:\n  {text}")).startswith(f"f.yaml:2: resources.{kind}.{message}")


@pytest.mark.parametrize("option", ["--dependency afterok:1", "--no-requeue", "--output=x"])
def test_an_option_of_ours_is_refused_however_it_is_written(option: str) -> None:
    with pytest.raises(ConfigError, match="and none of --job-name, "):
        Resources(sbatch=(option,))


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("--time=4", "time_min"),
        ("--gpus-per-node=2", "gpus"),
        ("--gres gpu:2", "gpus"),
        ("--mem=1G", "memory_gb"),
        ("--ntasks=2", "nodes"),
        ("--partition=x", "partition"),
    ],
)
def test_an_option_that_has_a_setting_is_refused_by_its_name(option: str, field: str) -> None:
    with pytest.raises(ConfigError, match=f"found '{option}'; say {field}: instead"):
        Resources(sbatch=(option,))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--arra=0-9", "and none of --job-name, "),
        ("--dep=afterok:1", "and none of --job-name, "),
        ("--o=x", "and none of --job-name, "),
        ("--dep afterok:1", "and none of --job-name, "),
        ("--test-only", "and none of --job-name, "),
        ("--Array=0", "and none of --job-name, "),
        ("-a", "and none of --job-name, "),
        ("--", "and none of --job-name, "),
        ("--x'$(y)'", "and none of --job-name, "),
        ("--tim=4", "say time_min: instead"),
        ("--gpus-per=1", "say gpus: instead"),
        ("--excl=node1", "say exclude: instead"),
        ("--mem-per-c 4", "say memory_gb: instead"),
        ("--reservation maintenance", "joined by =, found '--reservation maintenance'; write "),
    ],
)
def test_the_beginning_of_an_option_counts_as_the_option(option: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        Resources(sbatch=(option,))
    assert words in str(error.value)


UNPRINTABLE = (
    "\n",
    "\r",
    "\0",
    "\t",
    "\x1b",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
    "\u202e",
    "\udc80",
)


@pytest.mark.parametrize("character", UNPRINTABLE)
@pytest.mark.parametrize("name", [*TEXTS, "sbatch"])
def test_a_setting_is_one_line_of_printable_text(name: str, character: str) -> None:
    text = f"--x{character}touch /tmp/P"
    with pytest.raises(ConfigError) as error:
        Resources(gpus=1, **{name: (text,) if name == "sbatch" else text})  # type: ignore[arg-type]
    assert str(error.value) == (
        f"resources.{name}: expected one line of printable text, found {text!r}"
    )


def test_every_setting_that_is_text_is_held_to_one_line() -> None:
    assert {item.name for item in fields(Resources) if "str" in str(item.type)} == {
        *TEXTS,
        "sbatch",
    }


@pytest.mark.parametrize("text", ["a100:8", "a100,gpu=4", "a 100"])
def test_a_type_of_gpu_says_nothing_of_how_many(text: str) -> None:
    with pytest.raises(ConfigError, match="; say how many with gpus:"):
        Resources(gpus=1, gpu_type=text)


def test_a_line_break_in_a_setting_is_refused_with_the_place_where_it_stands() -> None:
    assert refusal(layer("all:\n  comment: >\n    paper\n\n    draft\n")) == (
        "f.yaml:2: resources.extractor.comment: expected one line of printable text, found "
        "'paper\\ndraft\\n'"
    )
    for text in ('["--x\\ntouch /tmp/P\\n#=y"]', '["--x\n\ntouch /tmp/P\n\n#=y"]'):
        with pytest.raises(ConfigError) as error:
            resources([override_layer("sbatch", text)])
        said = str(error.value)
        assert said.startswith('--resource sbatch=["--x\\n')
        assert "resources.extractor.sbatch: expected one line of printable text, found " in said
        assert "\n" not in said


def test_an_option_may_begin_like_one_of_ours() -> None:
    options = ("--signals=x", "--error-mode")
    assert Resources(sbatch=options).sbatch == options


def test_a_kind_that_is_none_is_refused_with_its_place() -> None:
    expected = "f.yaml:2: resources.trian: no such key; did you mean 'train'?"
    assert refusal(layer("all: {}\ntrian: {cpus: 2}")) == expected


def test_settings_that_are_no_mapping_are_refused_with_their_place() -> None:
    assert refusal(layer("train: 4")) == "f.yaml:1: resources.train: expected a mapping, found 4"
    assert refusal(layer("[1]")) == "f.yaml:1: resources: expected a mapping, found [1]"


@pytest.mark.parametrize("setting", ["gpus: 2", "nodes: 2"])
def test_several_processes_are_for_trainings_alone_and_refused_where_they_were_asked(
    setting: str,
) -> None:
    one = layer(f"train: {{{setting}}}")
    assert resources([one])["train"].processes == 2
    gpus = 2 if setting.startswith("gpus") else 0
    first = "sample" if gpus else "extractor"  # all that computes on the CPU gets no GPU
    assert refusal(layer(f"all:\n  {setting}"), override_layer("partition", "p")) == (
        f"f.yaml:2: resources.{first}: expected one process (only a training runs on several), "
        f"found {3 - max(gpus, 1)} nodes with {gpus} GPUs each; give these to train alone"
    )


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("cpus", "x", "--resource cpus=x: resources.extractor.cpus: expected a whole number"),
        ("a.cpus", "1", "--resource a.cpus=1: resources.a: no such key; "),
        ("train.x.cpus", "1", "--resource train.x.cpus=1: resources.train.x: no such key; "),
        ("cpus", "[", "--resource cpus=[: expected a value, found broken YAML"),
        ("cpus", "", "--resource cpus=: expected a value, found an empty document"),
    ],
)
def test_a_wrong_option_is_refused_as_it_was_written(key: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        resources([override_layer(key, text)])
    assert str(error.value).startswith(message)


# --------------------------------------------------------------------------------------- files


def test_the_users_file_is_found_in_the_configuration_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert user_layer() == []
    path = tmp_path / "iddpm-studies" / "resources.yaml"
    path.parent.mkdir()
    path.write_text("all: {account: mine}\n")
    assert resources(user_layer())["train"].account == "mine"
    path.write_text("\nal: {account: mine}\n")
    assert refusal(*user_layer()) == f"{path}:2: resources.al: no such key; did you mean 'all'?"
    path.write_text("all: {\n")
    with pytest.raises(ConfigError, match="expected a file of resources, found broken YAML"):
        user_layer()


def test_without_that_variable_the_folder_is_dot_config_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".config" / "iddpm-studies" / "resources.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("all: {account: mine}\n")
    assert resources(user_layer())["train"].account == "mine"


def test_the_sweep_wins_over_its_preset(tmp_path: Path) -> None:
    path = write_sweep(
        tmp_path,
        SWEEP + "resources: {train: {cpus: 3}}\n",
        PRESET + "resources: {train: {cpus: 2, gpus: 1}}\n",
    )
    found = resources(read_sweep(path).resources)["train"]
    assert (found.cpus, found.gpus) == (3, 1)


WRONG = "resources:\n  all:\n    cpu: 2\n"


def test_wrong_resources_of_a_sweep_are_refused_with_file_and_line(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, SWEEP + WRONG)
    line = SWEEP.count("\n") + 3
    with pytest.raises(ConfigError) as error:
        read_sweep(path)
    assert str(error.value).startswith(f"{path}:{line}: resources.extractor.cpu: no such field")


def test_wrong_resources_of_a_preset_are_refused_with_file_and_line(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, SWEEP, PRESET + WRONG)
    preset, line = tmp_path / "presets" / "tiny.yaml", PRESET.count("\n") + 3
    with pytest.raises(ConfigError) as error:
        read_sweep(path)
    assert str(error.value).startswith(f"{preset}:{line}: resources.extractor.cpu: no such field")


def test_no_address_depends_on_resources(tmp_path: Path) -> None:
    plain = expand(read_sweep(write_sweep(tmp_path))).tasks
    asked = "resources: {all: {time_min: 9, memory_gb: 3}, train: {gpus: 4, nodes: 2}}\n"
    path = write_sweep(tmp_path, SWEEP + asked, PRESET + asked)
    assert expand(read_sweep(path)).tasks == plain
