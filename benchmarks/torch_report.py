"""What is printed of a step in PyTorch: the machine, the tables, and the targets."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from peers import FUSED, Candidate
from report import (
    Results,
    Table,
    aligned,
    machine,
    markdown,
    markdown_table,
    ratio_table,
    shown_time,
    time_table,
    verdict,
)
from timing import ratios, spread
from torch_peers import (
    BITSANDBYTES,
    DEEPSPEED,
    EIGHT_BITS,
    FLASH,
    FRESH,
    FUSED_FRESH,
    MASTERS,
    OURS,
    TorchPeer,
)
from torch_timing import AFTER_PRODUCT, ALONE, COPY, DEVICE, HOST, IN_PLACE, MEASURE_BYTES, MEASURES
from torch_work import GPT2, elements

LIBRARIES = (
    "numpy",
    "llvmlite",
    "torch",
    "triton",
    "deepspeed",
    "bitsandbytes",
    "torchao",
    "flashoptim",
)
HOST_LIMIT = 60e-6
MASTERS_LIMIT = 600e-6
SHARE_LIMIT = 0.97
TIE = 0.97


@dataclass(frozen=True)
class Run:
    """All that was measured with one dtype.

    results   situation -> workload -> name of the candidate -> candidate
    peers     that could have run
    """

    device: str
    dtype: torch.dtype
    results: Mapping[str, Results]
    peers: Sequence[TorchPeer]

    @property
    def name(self) -> str:
        """The dtype as people write it."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def measure(self) -> str:
        """What the speed of a step is compared with: the fastest that memory is used."""
        return COPY if self.device == "cuda" else IN_PLACE


@dataclass(frozen=True)
class Target:
    """That `name` is to be `factor` times as fast as `peer`. Where `may_tie`, noise is allowed for:
    the median is at least TIE of the factor, and the upper quartile reaches it.
    """

    situation: str
    size: str
    name: str
    peer: str
    factor: float
    may_tie: bool = False


# What is set for two processor cores, and for an H100.
CPU_TARGETS = (
    Target(ALONE, "20M", OURS, FUSED, 1.0, may_tie=True),
    Target(ALONE, "20M", OURS, DEEPSPEED, 0.95),
    Target(ALONE, "200x1k", OURS, FUSED, 8.0),
    Target(ALONE, "200x1k", FRESH, FUSED_FRESH, 8.0),
    Target(ALONE, "1M", OURS, FUSED, 1.5),
    Target(AFTER_PRODUCT, "1M", OURS, FUSED, 1.5),
)
GPU_TARGETS = {
    torch.float32: (
        Target(DEVICE, GPT2, OURS, FUSED, 1.12),
        Target(DEVICE, "1000x1k", OURS, FUSED, 10.0),
        Target(DEVICE, GPT2, EIGHT_BITS, BITSANDBYTES, 10.0),
    ),
    torch.bfloat16: (
        Target(DEVICE, GPT2, OURS, FUSED, 1.4),
        Target(DEVICE, "1000x1k", OURS, FUSED, 10.0),
        Target(DEVICE, GPT2, MASTERS, FLASH, 10.0),
    ),
}


def torch_machine(device: str) -> Iterator[str]:
    """What kind of machine this is, and what runs on it; not which one."""
    yield from machine(LIBRARIES)
    if device == "cuda":
        yield f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    else:
        yield f"{torch.get_num_threads()} threads of PyTorch"


def tables(run: Run, *, as_markdown: bool) -> Iterator[str]:
    """The time of a step in each situation, and what it is compared with ours."""
    for situation, results in run.results.items():
        peers = [p for p in run.peers if any(p.name in by_name for by_name in results.values())]
        yield f"{run.name}, {situation}"
        yield ""
        if as_markdown:
            yield markdown(_short(markdown_table(results, peers, OURS)))
        else:
            yield aligned(_short(time_table(results, peers, OURS)))
            yield ""
            yield aligned(_short(ratio_table(results, peers, OURS)))
        yield ""
        large = {size: found for size, found in results.items() if run.measure in found}
        if large:
            rows = _short(share_table(run, large, peers))
            yield markdown(rows) if as_markdown else aligned(rows)
            yield ""


def share_table(run: Run, results: Results, peers: Sequence[TorchPeer]) -> Table:
    """The bytes that a step has to move, as a share of what memory could move in its time."""

    def cell_of(peer: TorchPeer, size: str) -> str:
        if peer.name not in results[size]:
            return "not installed"
        return f"{statistics.median(shares(run, results[size], peer, size)):.0%}"

    return [
        [f"share of the bandwidth of: {run.measure}", *results],
        *([name, *(_rate(found[name]) for found in results.values())] for name in MEASURES),
        *([p.name, *(cell_of(p, size) for size in results)] for p in peers),
    ]


def shares(run: Run, by_name: Mapping[str, Candidate], peer: TorchPeer, size: str) -> list[float]:
    """The same of one candidate, round by round."""
    moved = peer.bytes(run.dtype) * elements(size) / MEASURE_BYTES
    return [moved * ratio for ratio in ratios(by_name[run.measure], by_name[peer.name])]


def _rate(measure: Candidate) -> str:
    return f"{MEASURE_BYTES / statistics.median(measure.times) / 1e9:.0f} GB/s"


def _short(rows: Table) -> Table:
    """With a dash for what was left out: the lines at the end say why."""
    return [["-" if cell == "not installed" else cell for cell in row] for row in rows]


def gaps(left_out: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What was not measured, and why.

    left_out   what was to be measured -> a line on each candidate that was not
    """
    reasons: dict[str, list[str]] = {}
    for label, lines in left_out.items():
        for line in lines:
            reasons.setdefault(line, []).append(label)
    if reasons:
        yield ""
        yield "Left out:"
    for line, labels in reasons.items():
        yield line if len(labels) == len(left_out) else f"{line} ({', '.join(labels)})"


def targets(run: Run) -> Iterator[str]:
    """What the project asks of itself, with what was measured of it here."""
    if run.device == "cuda":
        asked, where = GPU_TARGETS[run.dtype], "an H100"
        limits = list(_limits(run))
    else:
        asked, where = CPU_TARGETS if run.dtype == torch.float32 else (), "two processor cores"
        limits = []
    lines = [line for target in asked for line in judged(run, target)] + limits
    if lines:
        yield f"What is asked for, on {where}:"
    yield from lines


def judged(run: Run, target: Target) -> Iterator[str]:
    """Whether a target was met, if both were measured."""
    by_name = run.results[target.situation].get(target.size, {})
    if target.name not in by_name or target.peer not in by_name:
        return
    values = ratios(by_name[target.peer], by_name[target.name])
    low, middle, high = statistics.quantiles(values, n=4)
    met = middle >= target.factor
    judged_by = "median"
    if target.may_tie and not met:
        met = middle >= TIE * target.factor and high >= target.factor
        judged_by = f"median, or a tie: median at least {TIE:g}, upper quartile at least 1"
    yield verdict(
        f"{run.name}, {target.size}, {target.situation}: {target.name}, {target.factor:g} x as "
        f"fast as {target.peer}: {middle:.2f} x (quartiles {low:.2f}, {high:.2f}; by the "
        f"{judged_by})",
        met=met,
    )


def _limits(run: Run) -> Iterator[str]:
    """What is set for the shapes of GPT-2 on a GPU, beside the ratios."""
    by_name = run.results[DEVICE].get(GPT2, {})
    ours = next(peer for peer in run.peers if peer.name == OURS)
    if OURS in by_name and run.measure in by_name:
        share = statistics.median(shares(run, by_name, ours, GPT2))
        text = f"{run.name}, {GPT2}: {SHARE_LIMIT:.0%} of the bandwidth of a copy: {share:.1%}"
        yield verdict(text, met=share >= SHARE_LIMIT)
    if MASTERS in by_name:
        yield _at_most(run, DEVICE, MASTERS, MASTERS_LIMIT)
    if OURS in run.results[HOST].get(GPT2, {}):
        yield _at_most(run, HOST, OURS, HOST_LIMIT)


def _at_most(run: Run, situation: str, name: str, limit: float) -> str:
    times = run.results[situation][GPT2][name].times
    text = (
        f"{run.name}, {GPT2}, {situation}: {name}, at most {shown_time([limit])}: "
        f"{shown_time(times)} ±{spread(times):.0%}"
    )
    return verdict(text, met=statistics.median(times) <= limit)
