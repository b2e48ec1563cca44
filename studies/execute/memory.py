"""What helps a task that wanted more memory than there is."""

from studies.tasks.kinds import kind_of


def remedy(address: str, executor: str) -> str:
    """What helps a task that found too little memory: `run again with fewer --workers or ...`.

    Args:
        address: Of the task.
        executor: By which it was run.
    """
    kind = kind_of(address)
    rooms = {"slurm": f"--resource {kind.name}.memory_gb=N", "local": "fewer --workers"}
    room = rooms.get(executor, "more memory")
    smaller = f" or a smaller {kind.memory_by}" if kind.memory_by else ""
    return f"run again with {room}{smaller}"
