"""One rank of a training, as a process: `python -m tests.witness.rank JOB_FILE NUMBER`.

The job file is JSON: port, count, folder, steps, timesteps, seeds of the ranks, and what this rank
does to the others. Prints the training's result as JSON; a RanksError ends it with status 3.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from iddpm.config import LossSecondMoment, TrainConfig
from iddpm.interruption import Interrupted
from iddpm.ranks import RanksError, joined
from iddpm.training import train
from tests.witness import tiny


def main(job: dict[str, Any], number: int) -> int:
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)  # rounding is then far below any difference of substance
    training = tiny.training(steps=job["steps"]).config
    assert isinstance(training, TrainConfig)
    config = replace(
        training,
        batch_size=8,
        block_size=2,
        seed=job["seeds"][number],
        timesteps=LossSecondMoment(history=2, uniform_share=0.1),
    )
    seen = 0

    def progress(done: int, total: int) -> None:
        nonlocal seen
        seen = done
        if job.get("killed") == [number, done]:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        with joined(
            number=number,
            count=job["count"],
            address="127.0.0.1",
            port=job["port"],
            timeout_s=job["timeout_s"],
        ) as ranks:
            result = train(
                config,
                Path(job["folder"]),
                progress=progress,
                should_stop=lambda: job.get("stopped") == [number, seen],
                checkpoint_every_s=job["checkpoint_every_s"],
                ranks=ranks,
            )
    except Interrupted as error:
        print(json.dumps({"saved": error.saved}))
        return 0
    except RanksError as error:
        print(error, file=sys.stderr)
        return 3
    print(json.dumps(result.as_json()))
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])))
