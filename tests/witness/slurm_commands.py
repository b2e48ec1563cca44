"""The commands of `fake_slurm`; they start hundreds of times, so little is imported."""

import json
import os
import sys


def text(path: str) -> str:
    """What a file holds; nothing if it is not there."""
    if not os.path.exists(path):
        return ""
    with open(path) as file:
        return file.read()


def rows(folder: str) -> list[dict[str, str]]:
    """The queue, an element a row."""
    queue: list[dict[str, str]] = json.loads(text(f"{folder}/queue") or "[]")
    return queue


def write(folder: str, queue: list[dict[str, str]]) -> None:
    """Let this be the queue."""
    with open(f"{folder}/queue", "w") as file:
        json.dump(queue, file)


def main(folder: str, command: str, arguments: list[str]) -> int:
    """One call of a command; its exit status."""
    if arguments == ["--version"]:
        return 0
    with open(f"{folder}/calls", "a") as file:
        file.write(json.dumps([command, *arguments]) + "\n")
    if refusal := text(f"{folder}/{command}.refuse"):
        after, _, words = refusal.partition("\n")
        if text(f"{folder}/calls").count(f'["{command}"') > int(after):
            print(words, file=sys.stderr)
            return 1
    if answer := ANSWERS.get(command):
        answer(folder, arguments)
    return 0


def _names(arguments: list[str]) -> list[str]:
    (names,) = (word for word in arguments if word.startswith("--name="))
    return names.removeprefix("--name=").split(",")


def _squeue(folder: str, arguments: list[str]) -> None:
    fields = ("name", "number", "array_id", "index", "state", "reason", "node", "user")
    everything = not any(word.startswith("--name=") for word in arguments)
    for row in rows(folder):
        if everything or row["name"] in _names(arguments):
            print("|".join(row[field] for field in fields))


def _sacct(folder: str, arguments: list[str]) -> None:
    for line in text(f"{folder}/accounting").splitlines():
        if line.partition("|")[0] in _names(arguments):
            print(line)


def _sbatch(folder: str, arguments: list[str]) -> None:
    lines = text(arguments[-1]).split("\n")
    words = [line[10:].partition("=") for line in lines if line.startswith("#SBATCH --")]
    options = {key: value for key, _, value in words}
    queue = rows(folder)
    array_id = 100 * (len(text(f"{folder}/calls").split('["sbatch"')) - 1)
    for indices in options["array"].partition("%")[0].split(","):
        first, _, last = indices.partition("-")
        for index in range(int(first), int(last or first) + 1):
            queue.append(
                {
                    "name": options["job-name"],
                    "number": str(array_id + index),
                    "array_id": str(array_id),
                    "index": str(index),
                    "state": "PENDING",
                    "reason": "Dependency" if "dependency" in options else "Priority",
                    "node": "",
                    "user": "somebody",
                }
            )
    write(folder, queue)
    print(f"{array_id};cluster")


def _scancel(folder: str, arguments: list[str]) -> None:
    left = [r for r in rows(folder) if f"{r['array_id']}_{r['index']}" not in arguments]
    write(folder, left)


def _scontrol(folder: str, arguments: list[str]) -> None:
    if arguments == ["show", "config"]:
        size = text(f"{folder}/max_array_size") or "1001"
        print(f"MaxArrayTasks           = 7\nMaxArraySize            = {size}")
    elif arguments[:3] == ["--all", "show", "job"]:
        print("JobId=7\n   JobState=RUNNING Reason=None\n   PreemptTime=None")


ANSWERS = {
    "squeue": _squeue,
    "sacct": _sacct,
    "sbatch": _sbatch,
    "scancel": _scancel,
    "scontrol": _scontrol,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
