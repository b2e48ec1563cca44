"""`python -m tests.benchmarks.gpu`: what a GPU does with our networks, on one page in ten minutes.

Each part is tried by itself: what fails or finds no time left says so in its place on the page, and
the page is written anew after each. `--tiny` does the same in small on a CPU, to show that all of
it works; its numbers mean nothing.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn

from iddpm import build
from iddpm.config import (
    DiffusionConfig,
    Hybrid,
    Npz,
    Precision,
    TrainConfig,
    UNetConfig,
)
from iddpm.data import describe, load
from iddpm.denoiser import Denoiser
from iddpm.evaluation.config import Ddim, SampleConfig
from iddpm.evaluation.likelihood import Reading
from iddpm.model import blocks_of_images
from iddpm.networks.compiling import Compiling, compiled
from iddpm.networks.precision import arithmetic, tf32
from iddpm.networks.size import FORWARD_AND_BACK, trained_size
from iddpm.networks.unet import AttentionBlock, GroupNorm
from iddpm.training import Training, train
from studies.execute.worker import one_thread_deterministic
from studies.store.provenance import cpu_model
from tests.witness import kills, whole_training
from tests.witness.operations import Operations

PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "bf16")
BOUNDS: dict[Precision, float] = {"float32": 1e-4, "tf32": 1e-2, "bf16": 5e-2}
"""By how much an output may differ from float64's, as a share of its largest number."""
FORMATS = (torch.contiguous_format, torch.channels_last)
CIFAR = UNetConfig()
IMAGENET = replace(CIFAR, channel_mult=(1, 2, 3, 4))
SMALL = UNetConfig(
    model_channels=8, channel_mult=(1, 2), res_blocks=1, attention_resolutions=(4,), groups=4
)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is done of each part."""

    matrix: int = 8192
    copied: int = 2**28
    """Numbers of four bytes."""
    levels: tuple[tuple[int, int], ...] = ((32, 128), (16, 256), (8, 256), (4, 256))
    """Side and width of the feature maps whose layers are measured."""
    networks: tuple[tuple[str, UNetConfig, int, tuple[int, ...]], ...] = (
        ("CIFAR-10", CIFAR, 32, (128, 512)),
        ("ImageNet 64", IMAGENET, 64, (128,)),
    )
    """Name, network, side of the images, batch sizes."""
    compilings: tuple[Compiling, ...] = ("off", "kernels", "graphs")
    seconds: float = 1.0
    """That a measured case takes, besides its warm-up."""
    steps: int = 20
    """Of a chain."""
    kills: tuple[int, ...] = (3, 11, 17)
    """File operations at which a training is killed."""


TINY = Scale(
    matrix=64,
    copied=2**12,
    levels=((8, 8),),
    networks=(
        ("CIFAR-10", SMALL, 8, (2, 4)),
        ("ImageNet 64", replace(SMALL, attention_resolutions=(8,)), 16, (2,)),
    ),
    compilings=("off",),
    seconds=0.0,
    steps=2,
    kills=(11,),
)


@dataclass(kw_only=True)
class Bench:
    """A run: where it computes, how long it may, and what it found so far."""

    device: torch.device
    scale: Scale
    folder: Path
    """For data that are made up."""
    ends: float
    """On the clock of `time.monotonic`."""
    lines: list[str] = field(default_factory=list)
    failures: int = 0
    rates: dict[Precision, float] = field(default_factory=dict)
    """Multiply-adds a second of a matrix product."""
    bandwidth: float = 0.0
    """Bytes a second, read and written."""

    def table(self, *names: str) -> None:
        """Begins a table."""
        self.lines += ["", f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]

    def row(self, *names: object, measure: Callable[[], tuple[str, ...]]) -> None:
        """A row of a table, or why it is not there; an error of one loses no other."""
        if time.monotonic() > self.ends:
            cells: tuple[str, ...] = ("left out: the time was up",)
        else:
            try:
                cells = measure()
            except Exception as error:  # whatever a driver or a compiler may raise
                self.failures += 1
                reason = str(error).strip().partition("\n")[0][:200].replace("|", "/")
                cells = (f"failed: {type(error).__name__}: {reason}",)
        self.lines.append(f"| {' | '.join([*map(str, names), *cells])} |")
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def seconds(self, call: Callable[[], object], *, at_once: int = 5, warm_up: int = 3) -> float:
        """Median time of a call, the device's work included."""
        for _ in range(warm_up):
            call()
        self.wait()
        found: list[float] = []
        began = time.perf_counter()
        while not found or time.perf_counter() - began < self.scale.seconds:
            start = time.perf_counter()
            for _ in range(at_once):
                call()
            self.wait()
            found.append((time.perf_counter() - start) / at_once)
        return statistics.median(found)

    def wait(self) -> None:
        """Until the device has done all that it was told."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def config(self, network: UNetConfig, size: int, batch_size: int) -> TrainConfig:
        """A training with the paper's settings on images of noise."""
        file = self.folder / f"noise{size}.npz"
        if not file.exists():
            draws = np.random.default_rng(0)
            images = draws.integers(0, 256, (2048, size, size, 3), dtype=np.uint8)
            np.savez(file, train=images, test=images[:512])
        return TrainConfig(
            data=Npz(path=str(file)),
            diffusion=DiffusionConfig(steps=4000),
            network=replace(network, dropout=0.1),
            objective=Hybrid(),
            batch_size=batch_size,
            ema_decays=(0.999, 0.9999, 0.99995),
        )

    def share(self, multiply_adds: float, precision: Precision) -> str:
        """A rate as it is, and as a share of that of a matrix product."""
        rate = self.rates.get(precision)
        of = "" if rate is None else f", {multiply_adds / rate:.0%}"
        return f"{multiply_adds / 1e12:.4g}{of}"


# ------------------------------------------------------------------------------------- the device


def facts(bench: Bench) -> None:
    """Of the device and of what drives it."""
    named = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{cpu_model()}, {torch.get_num_threads()} threads",
        "torch": f"{torch.__version__}, Python {platform.python_version()}",
    }
    if bench.device.type == "cuda":
        found = torch.cuda.get_device_properties(bench.device)
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        named |= {
            "GPU": f"{found.name}, {found.total_memory / 2**30:.0f} GiB, "
            f"{found.multi_processor_count} multiprocessors, {found.major}.{found.minor}",
            "CUDA": f"{torch.version.cuda}, cuDNN {cudnn}",
        }
    bench.table("what", "it is")
    for name, value in named.items():
        bench.row(name, measure=partial(tuple, [value]))


def rates(bench: Bench) -> None:
    """What nothing can be faster than: matrix products, and copies from memory to memory."""
    bench.table("product of matrices", "T multiply-adds/s")
    for precision in PRECISIONS:
        bench.row(f"{bench.scale.matrix}, {precision}", measure=partial(_product, bench, precision))
    bench.row("a copy, read and written", measure=partial(_copy, bench))


def _product(bench: Bench, precision: Precision) -> tuple[str, ...]:
    side, dtype = bench.scale.matrix, torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(side, side, device=bench.device).to(dtype) for _ in range(2))
    with tf32(precision):
        bench.rates[precision] = side**3 / bench.seconds(lambda: a @ b)
    return (f"{bench.rates[precision] / 1e12:.4g}",)


def _copy(bench: Bench) -> tuple[str, ...]:
    source = torch.ones(bench.scale.copied, device=bench.device)
    there = torch.empty_like(source)
    bench.bandwidth = 8 * len(source) / bench.seconds(lambda: there.copy_(source))
    return (f"{bench.bandwidth / 1e9:.4g} GB/s",)


def layers(bench: Bench) -> None:
    """Each kind of layer, forwards and back, beside what rates and bandwidth allow."""
    bench.table("layer", "side, width", "precision", "compiled", "µs", "allowed µs", "share")
    precisions: tuple[Precision, ...] = ("tf32", "bf16")
    for (side, width), precision in product(bench.scale.levels, precisions):
        for (name, layer, macs), how in product(_kinds(side, width), bench.scale.compilings[:2]):
            images = torch.randn(bench.scale.networks[0][3][0], width, side, side)
            bench.row(
                *(name, f"{side}, {width}", precision, how),
                measure=partial(_layer, bench, images, precision, layer, macs, how),
            )


def _layer(
    bench: Bench,
    images: torch.Tensor,
    precision: Precision,
    layer: nn.Module,
    macs: int,
    how: Compiling,
) -> tuple[str, ...]:
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    x = images.to(bench.device, dtype, memory_format=torch.channels_last).requires_grad_()
    ours = _channels_last(layer.to(bench.device))
    call: Callable[..., torch.Tensor] = ours
    if how != "off":
        torch.compiler.reset()
        call = torch.compile(ours, dynamic=False)

    def both_ways() -> None:
        with arithmetic(precision, bench.device):
            output = call(x)
        with tf32(precision):
            torch.autograd.backward(output, torch.ones_like(output))

    taken = bench.seconds(both_ways)
    moved = 5 * x.nbytes  # in and out, and on the way back three more
    multiplied = FORWARD_AND_BACK * macs * len(x)
    allowed = max(multiplied / bench.rates[precision], moved / bench.bandwidth)
    return f"{taken * 1e6:.1f}", f"{allowed * 1e6:.1f}", f"{allowed / taken:.0%}"


def _channels_last(layer: nn.Module) -> nn.Module:
    """As networks are on a GPU."""
    nn.utils.convert_conv2d_weight_memory_format(layer, torch.channels_last)
    return layer


def _kinds(side: int, width: int) -> Iterator[tuple[str, nn.Module, int]]:
    """Name, layer and multiply-adds for each image."""
    pixels, groups = side**2, min(32, width // 2)
    yield "convolution", nn.Conv2d(width, width, 3, padding=1), pixels * 9 * width**2
    yield "GroupNorm, SiLU", nn.Sequential(GroupNorm(groups, width), nn.SiLU()), 0
    attention = AttentionBlock(width, heads=4, groups=groups)
    yield "attention", attention, pixels * width * (4 * width + 2 * pixels)


# ---------------------------------------------------------------------------------------- is it so


def correctness(bench: Bench) -> None:
    """A small network on the device beside float64 on the CPU, in each way it can be run."""
    config = bench.config(SMALL, 8, 4)
    torch.manual_seed(0)
    network = build.network(config, describe(config.data)).eval().requires_grad_(False)
    for weight in network.parameters():
        weight.add_(0.1 * torch.randn_like(weight))
    x = torch.randn(64, 3, 8, 8)
    t = torch.arange(64) * 50
    expected = deepcopy(network).double()(x.double(), t)
    bench.table("precision", "memory", "compiled", "off by", "allowed", "held")
    for precision, form, how in product(PRECISIONS, FORMATS, bench.scale.compilings):
        bench.row(
            *(precision, str(form).removeprefix("torch."), how),
            measure=partial(_beside, bench, network, (x, t, expected), precision, form, how),
        )


def _beside(
    bench: Bench,
    network: nn.Module,
    given: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    precision: Precision,
    form: torch.memory_format,
    how: Compiling,
) -> tuple[str, ...]:
    x, t, expected = given
    there = deepcopy(network).to(bench.device)
    nn.utils.convert_conv2d_weight_memory_format(there, form)
    with torch.no_grad(), arithmetic(precision, bench.device):
        asked = x.to(bench.device, memory_format=form), t.to(bench.device)
        found = compiled(there, how)(*asked, None)
    off_by = float((found.cpu().double() - expected).abs().max() / expected.abs().max())
    return f"{off_by:.2g}", f"{BOUNDS[precision]:g}", _held(off_by < BOUNDS[precision])


def _held(is_so: bool) -> str:
    return "yes" if is_so else "**no**"


def resuming(bench: Bench) -> None:
    """A training that is killed at its file operations, and goes on, in the deterministic mode."""
    bench.table("a training", "held")

    times = len(bench.scale.kills)
    told = f"killed {times} times ends in the bytes of one that was not"
    bench.row(told, measure=partial(_killed, bench))


def _killed(bench: Bench) -> tuple[str, ...]:
    with one_thread_deterministic():
        whole = train(whole_training.CONFIG, bench.folder / "whole", device=bench.device)
        for operation in bench.scale.kills:
            place = [str(bench.folder / "killed"), str(bench.device), str(operation)]
            command = [sys.executable, "-m", "tests.benchmarks.gpu", "--killed", *place]
            code = subprocess.run(command, check=False).returncode
            assert code == -9, f"expected a training that was killed, found exit code {code}"
        resumed = train(whole_training.CONFIG, bench.folder / "killed", device=bench.device)
    return (_held(resumed == whole),)


def run_until_killed(folder: Path, device: str, operation: int) -> None:
    """The training that `resuming` kills."""
    kills.at(operation)
    with one_thread_deterministic():
        train(whole_training.CONFIG, folder, device=device, checkpoint_every_s=0)


# -------------------------------------------------------------------------------------- how fast


def training_steps(bench: Bench) -> None:
    """Steps of the paper's networks, the whole batch in one pass."""
    bench.table(
        *("network", "batch", "precision", "compiled", "mode", "images/s"),
        *("T multiply-adds/s, share of a product's", "GiB"),
    )
    for name, network, size, batches in bench.scale.networks:
        ways = [*product(batches, PRECISIONS[::-1], bench.scale.compilings, ("usual",))]
        ways.append((batches[0], "bf16", "off", "deterministic"))
        for batch, precision, how, mode in ways:
            config = replace(bench.config(network, size, batch), precision=precision)
            bench.row(
                *(name, batch, precision, how, mode),
                measure=partial(_steps, bench, config, how, mode),
            )


def _steps(bench: Bench, config: TrainConfig, how: Compiling, mode: str) -> tuple[str, ...]:
    on_gpu = bench.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    with one_thread_deterministic() if mode == "deterministic" else nullcontext():
        training = Training(config, bench.device, compiling=how)
        taken = bench.seconds(training.advance)
    macs = FORWARD_AND_BACK * trained_size(config, describe(config.data)).multiply_adds
    held = torch.cuda.max_memory_allocated() if on_gpu else 0
    rate = bench.share(macs * config.batch_size / taken, config.precision)
    return f"{config.batch_size / taken:,.0f}", rate, f"{held / 2**30:.1f}"


def operations(bench: Bench) -> None:
    """What a step launches, and whether it waits."""
    name, network, size, (batch, *_) = bench.scale.networks[0]
    bench.table("step of", "precision", "operations", "casts", "waits for the device")
    for precision in PRECISIONS:
        config = replace(bench.config(network, size, batch), precision=precision)
        bench.row(name, precision, measure=partial(_counted, bench, config))


def _counted(bench: Bench, config: TrainConfig) -> tuple[str, ...]:
    training = Training(config, bench.device)
    training.advance()
    with Operations() as found:
        training.advance()
    return f"{found.total:,}", f"{found.casts:,}", _waits(bench, training)


def _waits(bench: Bench, training: Training) -> str:
    """Whether two steps that read no loss wait for the device."""
    if bench.device.type != "cuda":
        return "told on a GPU only"
    bench.wait()
    torch.cuda.set_sync_debug_mode("error")
    try:
        training.advance()
        training.advance()
    except RuntimeError as error:
        return f"**yes**: {str(error).partition(chr(10))[0]}"
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return "no"


def network_calls(bench: Bench) -> None:
    """Images a second that pass the network in sampling and in a bound."""
    bench.table(
        *("what", "network", "batch", "precision", "compiled", "network calls/s"),
        "T multiply-adds/s, share of a product's",
    )
    precisions: tuple[Precision, ...] = ("tf32", "bf16")
    kinds = (("samples", _sampling), ("bound", _bound))
    for name, network, size, batches in bench.scale.networks:
        ways = product(kinds, batches, precisions, bench.scale.compilings)
        for (what, work), batch, precision, how in ways:
            config = replace(bench.config(network, size, batch), precision=precision)
            bench.row(
                *(what, name, batch, precision, how),
                measure=partial(_called, bench, config, how, work),
            )


Asking = Callable[[Bench, TrainConfig, Denoiser], Callable[[], object]]
"""What asks a network once for each image of a batch and step of a chain, when it is called."""


def _called(bench: Bench, config: TrainConfig, how: Compiling, work: Asking) -> tuple[str, ...]:
    denoiser = _denoiser(bench, config, how)
    taken = bench.seconds(work(bench, config, denoiser), at_once=1, warm_up=1)
    calls = config.batch_size * bench.scale.steps / taken
    macs = trained_size(config, describe(config.data)).multiply_adds
    return f"{calls:,.0f}", bench.share(calls * macs, config.precision)


def _denoiser(bench: Bench, config: TrainConfig, how: Compiling) -> Denoiser:
    network = build.network(config, describe(config.data)).to(bench.device)
    network.eval().requires_grad_(False)
    if bench.device.type == "cuda":  # as `load_network` has it
        _channels_last(network)
    chain = build.diffusion(config.diffusion).to(bench.device)
    return build.denoiser(config, compiled(network, how), chain)


def _sampling(bench: Bench, config: TrainConfig, denoiser: Denoiser) -> Callable[[], object]:
    asked = SampleConfig(
        sampler=Ddim(),
        steps=bench.scale.steps,
        last_block=1,
        block_size=config.batch_size,
        precision=config.precision,
    )
    draw = build.sampler(asked, denoiser)
    return lambda: blocks_of_images(asked, config, draw, (0,), bench.device)


def _bound(bench: Bench, config: TrainConfig, denoiser: Denoiser) -> Callable[[], object]:
    chain = denoiser.diffusion.respaced(range(bench.scale.steps))
    reading = Reading(
        denoiser=replace(denoiser, diffusion=chain),
        levels=256,
        variances=config.variances,
        clip=True,
        block_size=config.batch_size,
        seed=0,
    )
    images = load(config.data, "test").images[: config.batch_size]

    def blocks() -> None:
        with arithmetic(config.precision, bench.device):
            reading.blocks(images, device=bench.device)

    return blocks


# --------------------------------------------------------------------------------------- the page

PARTS: tuple[tuple[str, Callable[[Bench], None]], ...] = (
    ("The device", facts),
    ("What nothing can exceed", rates),
    ("Outputs beside float64 on a CPU", correctness),
    ("What a step launches", operations),
    ("Training", training_steps),
    ("Samples and bounds", network_calls),
    ("Killed and resumed", resuming),
    ("Layers", layers),
)


def written(bench: Bench, page: Path, title: str) -> None:
    """Every part in turn, the page written anew after each."""
    bench.lines.append(f"# {title}")
    for name, part in PARTS:
        bench.lines += ["", f"## {name}"]
        with _one_that_may_fail(bench):
            part(bench)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("\n".join(bench.lines) + "\n")
        print(f"{name}: {page}", flush=True)


@contextmanager
def _one_that_may_fail(bench: Bench) -> Iterator[None]:
    """A part of which not even the first row could be tried says so on the page."""
    try:
        yield
    except Exception as error:
        bench.failures += 1
        reason = str(error).strip().partition("\n")[0]
        bench.lines += ["", f"failed: {type(error).__name__}: {reason}"]


def main(words: list[str]) -> int:
    """Measures, writes the page and says where; 1 where a part failed or there is no GPU."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.gpu", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="every part in small, on a CPU")
    parser.add_argument("--out", type=Path, default=Path("reports/benchmarks"))
    parser.add_argument("--minutes", type=float, default=10.0, help="no row begins after them")
    parser.add_argument("--killed", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    if asked.killed:
        folder, device, operation = asked.killed
        run_until_killed(Path(folder), device, int(operation))
        return 0
    if not asked.tiny and not torch.cuda.is_available():
        print(
            "tests.benchmarks.gpu: expected a GPU that torch sees, found none; --tiny runs every "
            "part in small on a CPU",
            file=sys.stderr,
        )
        return 1
    device = torch.device("cpu" if asked.tiny else "cuda")
    name = "tiny" if asked.tiny else torch.cuda.get_device_name().lower().replace(" ", "-")
    page = asked.out / f"{datetime.now(UTC):%Y-%m-%d}-gpu-{name}.md"
    with TemporaryDirectory() as folder:
        bench = Bench(
            device=device,
            scale=TINY if asked.tiny else Scale(),
            folder=Path(folder),
            ends=time.monotonic() + 60 * asked.minutes,
        )
        told = ", where no number means anything" if asked.tiny else ""
        written(bench, page, f"Networks of this project on {name}{told}")
    return min(bench.failures, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
