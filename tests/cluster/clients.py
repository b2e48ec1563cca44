"""Asking SLURM: every command has a time limit, and its failure is told in its own words."""

import os
import subprocess
from collections.abc import Mapping

from tests.cluster.daemons import ClusterError

CLIENT_SECONDS = 20.0


def ask(environment: Mapping[str, str], *command: str, seconds: float = CLIENT_SECONDS) -> str:
    """What a command prints, without the white space around it.

    Args:
        environment: What to add to our own environment.
        command: The program and its arguments.
        seconds: The time limit.

    Raises:
        ClusterError: If it fails or does not end in time.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            timeout=seconds,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{' '.join(command)}: no answer in {seconds:.0f} s") from error
    except subprocess.CalledProcessError as error:
        raise ClusterError(f"{' '.join(command)}: {error.stderr.strip()}") from error
    return done.stdout.strip()
