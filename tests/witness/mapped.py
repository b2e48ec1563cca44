"""Whether a tensor lies in a file that the process has mapped."""

from pathlib import Path

from torch import Tensor


def is_mapped(tensor: Tensor, file: Path) -> bool:
    """Whether the tensor's memory is that of the file, by what Linux says of this process."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    of_the_file = [line.split()[0].split("-") for line in lines if line.endswith(str(file))]
    return any(int(a, 16) <= tensor.data_ptr() < int(b, 16) for a, b in of_the_file)
