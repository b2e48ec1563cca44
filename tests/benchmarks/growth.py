"""How a finished study's doors grow with it: `python -m tests.benchmarks.growth [TASKS ...]`.

Sweeps of about 1,000 and 10,000 tasks are planned, their results made up, and then each door is
opened in a process of its own: `run` again, `status`, `report`. Seconds are of whole processes,
imports included; memory is the most that a process held.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from studies.plan.plan import Plan, expand, record
from studies.spec.sweep import read_sweep
from studies.store.checksums import record_bytes, write_record
from studies.store.integrity import vouched
from studies.store.store import Store
from studies.tasks.task import Task, task_json
from tests.benchmarks.planning import PRESET
from tests.witness.made_up_store import PROVENANCE, MadeUp, likelihood_result, score_result

STUDY = MadeUp(T=1000)
ARMS = 5
"""Networks and their Σ: two of L_simple, three of L_hybrid."""
PER_CELL = 4
"""Tasks of a cell of samples: two shards of images, features, score."""
SEEDS = 5

SWEEP = """
study: growth
question: How do the doors of a study grow with it?
preset: small
seeds: {seeds}
grid:
  train.objective: [simple, hybrid]
evaluate:
  - likelihood: {{}}
  - samples:
      grid:
        sampler:
          - ancestral: {{variance: beta}}
          - ancestral: {{variance: beta_tilde}}
          - ancestral: {{variance: range}}
        steps: {steps}
      exclude:
        - {{train.objective: simple, sampler: {{ancestral: {{variance: range}}}}}}
figures: [quality_vs_steps]
claims: [learned_sigma_keeps_quality_at_few_steps]
"""


def main(sizes: list[int]) -> None:
    print(f"{'tasks':>7} {'door':>10} {'seconds':>9} {'CPU s':>9} {'MiB':>6}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            _measure(Path(folder), size)


def _measure(folder: Path, size: int) -> None:
    sweep, store = folder / "sweep.yaml", folder / "store"
    cells = size // (PER_CELL * SEEDS * ARMS)
    steps = [round(2 + i * 998 / cells) for i in range(cells)]
    sweep.write_text(SWEEP.format(seeds=list(range(SEEDS)), steps=steps))
    (folder / "presets").mkdir()
    (folder / "presets" / "small.yaml").write_text(PRESET)
    begun, computed = time.perf_counter(), time.process_time()
    plan = expand(read_sweep(sweep, presets_dir=folder / "presets"))
    seconds, computed = time.perf_counter() - begun, time.process_time() - computed
    tasks = len(plan.tasks)
    print(f"{tasks:>7} {'plan':>10} {seconds:9.2f} {computed:9.2f}")
    at = ["--store", str(store)]
    write_store(plan, store)
    doors = {
        "run again": ["studies.run", str(sweep), *at],
        "status": ["studies.status", *at],
        "report": ["studies.report", *at, "--out", str(folder / "page")],
    }
    for name, command in doors.items():
        seconds, computed, held = _whole([sys.executable, "-m", *command], folder / "said")
        print(f"{tasks:>7} {name:>10} {seconds:9.2f} {computed:9.2f} {held:6.0f}", flush=True)


def write_store(plan: Plan, root: Path) -> None:
    """A store in which every task of the plan is done, with made-up results."""
    store = Store(root)
    store.record_study(plan.study, record(plan))
    for task in plan.tasks.values():
        folder = root / "tasks" / task.address
        (folder / "attempts" / "1").mkdir(parents=True)
        (folder / "lock").touch()
        write_record(folder / "task.json", task_json(task))
        content = record_bytes(result(task, plan))
        write_record(folder / "provenance.json", PROVENANCE | vouched(folder, content))
        (folder / "result.json").write_bytes(content)


def result(task: Task, plan: Plan) -> dict[str, Any]:
    """What a task of the sweep might have come to."""
    config: Any = task.config
    if task.kind == "train":
        return {
            "steps": config.steps,
            "parameters": 123_456,
            "images_seen": config.batch_size * config.steps,
            "nonfinite_steps": 0,
            "loss_curve": {"step": [100, 200], "loss": [0.25, 0.25]},
            "weights": {"raw": "aa"},
        }
    network = task.parents.get("network")
    if task.kind == "likelihood" and network:
        train: Any = plan.tasks[network].config
        return likelihood_result(STUDY, train.objective.kind, train.variances, config.seed)
    if task.kind == "score":
        return score_result(STUDY, 1 + int(task.address[-4:], 16) / 65_536)
    return {"images": 256, "name": "made up", "source": "made up"}


def _whole(command: list[str], said: Path) -> tuple[float, float, float]:
    """Seconds by the clock and of computing, and MiB, of one process."""
    begun = time.perf_counter()
    with said.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {status}:\n{said.read_text()[-2000:]}")
    computed = usage.ru_utime + usage.ru_stime
    return time.perf_counter() - begun, computed, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [1_000, 10_000])
