"""How long it takes to plan about ten thousand tasks: `python -m tests.benchmarks.planning`.

Two shapes of sweep: many evaluations of few networks, where reading and hashing evaluations
counts, and many networks evaluated once, where reading and hashing trainings counts. Times are
those of one process after its imports; the ratio is to hashing alone, done on the same machine.
"""

import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path

from studies.plan.plan import Plan, expand
from studies.spec.sweep import read_sweep
from studies.tasks.task import task_json

PRESET = """
description: a small network
data: digits
train:
  network: {model_channels: 16, channel_mult: [1, 2], attention_resolutions: [4], groups: 8}
evaluate:
  likelihood: {images: 100}
  samples: {images: 256, block_size: 64, shard_blocks: 2, extractor: classifier}
"""

MANY_EVALUATIONS = f"""
study: evaluations
question: How long does it take to plan many evaluations?
preset: small
seeds: {list(range(5))}
grid:
  train.objective: [simple, hybrid]
evaluate:
  - samples:
      grid:
        sampler: [{{ancestral: {{variance: beta}}}}, {{ancestral: {{variance: beta_tilde}}}}]
        steps: {list(range(10, 135))}
      exclude: [{{train.objective: simple, steps: 10}}]
"""

MANY_TRAININGS = f"""
study: trainings
question: How long does it take to plan many trainings?
preset: small
seeds: {list(range(5))}
grid:
  train.objective: [simple, hybrid]
  train.optimizer.learning_rate: {[round(1e-5 * i, 6) for i in range(1, 51)]}
  train.steps: {list(range(1000, 11000, 1000))}
evaluate:
  - likelihood: {{}}
"""


def main() -> None:
    for name, sweep in (("evaluations", MANY_EVALUATIONS), ("trainings", MANY_TRAININGS)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sweep.yaml"
            path.write_text(sweep)
            (Path(folder) / "small.yaml").write_text(PRESET)
            begun = time.perf_counter()
            plan = expand(read_sweep(path, presets_dir=folder))
            seconds = time.perf_counter() - begun
        floor = hashing_alone(plan)
        print(
            f"many {name}: {len(plan.tasks)} tasks planned in {seconds:.2f} s, "
            f"{seconds / floor:.1f} times the {floor:.2f} s of hashing them"
        )
    heavy = [name for name in ("torch", "pandas", "matplotlib") if name in sys.modules]
    print(f"heavy modules imported: {', '.join(heavy) or 'none'}")


def hashing_alone(plan: Plan) -> float:
    """Seconds to write every task as JSON once, and hash it."""
    tasks = [task_json(task) for task in plan.tasks.values()]
    begun = time.perf_counter()
    for task in tasks:
        hashlib.sha256(json.dumps(task, sort_keys=True).encode()).hexdigest()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
