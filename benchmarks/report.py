"""What is printed: the machine, the tables, and what the project asks of itself."""

import os
import platform
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

from peers import CARD, FRESH, FUSED, OURS, Candidate
from startup import DEFINITION, IMPORT
from timing import ratios, spread

Results = Mapping[str, Mapping[str, Candidate]]  # workload -> name of the candidate -> candidate
LIBRARIES = ("numpy", "llvmlite", "scikit-learn", "torch", "jax", "optax")
BUSY = 0.1  # processors; what other programs may use before a number is called doubtful

Table = list[list[str]]
Cell = Callable[[Candidate, Candidate], str]  # of a candidate and of ours


class Named(Protocol):
    """A peer, of whatever kind."""

    @property
    def name(self) -> str:
        """What it is called in the tables."""


def machine(libraries: Sequence[str] = LIBRARIES) -> Iterator[str]:
    """What kind of machine this is, and what runs on it; not which one."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield f"{_processor()}, {count} cores, {platform.system()}"
    yield f"Python {platform.python_version()}, {', '.join(map(_version, libraries))}"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(library: str) -> str:
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return f"{library} not installed"


def time_table(results: Results, peers: Sequence[Named], ours: str = OURS) -> Table:
    """The time of a step, and its spread."""

    def cell(candidate: Candidate, _: Candidate) -> str:
        return f"{shown_time(candidate.times)} ±{spread(candidate.times):.0%}"

    return table("time of a step", results, peers, cell, ours)


def ratio_table(results: Results, peers: Sequence[Named], ours: str = OURS) -> Table:
    """How many times as long as ours, and its spread."""

    def cell(candidate: Candidate, base: Candidate) -> str:
        if candidate is base:
            return "1"
        values = ratios(candidate, base)
        return f"{shown_ratio(values)} ±{spread(values):.0%}"

    return table(f"times as long as {ours}", results, peers, cell, ours)


def markdown_table(results: Results, peers: Sequence[Named], ours: str = OURS) -> Table:
    """Our times, and how many times as long the others take."""

    def cell(candidate: Candidate, base: Candidate) -> str:
        if candidate is base:
            return f"**{shown_time(base.times)}**"
        return f"{shown_ratio(ratios(candidate, base))} x"

    ours_first = sorted(peers, key=lambda peer: peer.name != ours)
    return table("parameters", results, ours_first, cell, ours)


def table(corner: str, results: Results, peers: Sequence[Named], cell: Cell, base: str) -> Table:
    """A row for each peer, a column for each workload.

    base   the candidate that `cell` gets beside each
    """
    rows = [[corner, *results]]
    for peer in peers:
        found = [
            cell(by_name[peer.name], by_name[base]) if peer.name in by_name else "not installed"
            for by_name in results.values()
        ]
        rows.append([peer.name, *found])
    return rows


def aligned(table: Table) -> str:
    """The table for a terminal."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def markdown(table: Table) -> str:
    """The table for a README."""
    head, *rows = table
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def startup_lines(times: Mapping[str, list[float]]) -> Iterator[str]:
    """What happens once, in milliseconds."""
    for name, seconds in times.items():
        yield f"{statistics.median(seconds) * 1e3:6.1f} ms ±{spread(seconds):.0%}  {name}"


def targets(results: Results, once: Mapping[str, list[float]]) -> Iterator[str]:
    """What the project asks of itself, with what was measured of it here."""
    for name, limit in ((IMPORT, 0.15), (DEFINITION, 0.1)):
        seconds = statistics.median(once[name])
        text = f"{name}, in {limit * 1e3:.0f} ms: {seconds * 1e3:.0f} ms"
        yield verdict(text, met=seconds < limit)
    if "1k" in results:
        seconds = statistics.median(results["1k"][OURS].times)
        text = f"1k, {OURS}, in 4 us: {seconds * 1e6:.2f} us"
        yield verdict(text, met=seconds < 4e-6)
    for workload, name, peer, factor in (
        ("1k", OURS, CARD, 4.0),
        ("20M", OURS, FUSED, 1.0),
        ("200x1k", OURS, FUSED, 8.0),
        ("200x1k", FRESH, FUSED, 3.0),
    ):
        by_name = results.get(workload, {})
        if name in by_name and peer in by_name:
            values = ratios(by_name[peer], by_name[name])
            low, middle, high = statistics.quantiles(values, n=4)
            text = f"{workload}, {name}, {factor:g} x as fast as {peer}: {middle:.2f} x"
            yield verdict(f"{text} (quartiles {low:.2f}, {high:.2f})", met=middle >= factor)


def doubts(busy: Mapping[str, float]) -> Iterator[str]:
    """Which numbers were taken while other programs were at work.

    busy   what was measured -> processors that other programs kept busy meanwhile
    """
    doubtful = [f"{name} ({count:.1f})" for name, count in busy.items() if count > BUSY]
    if doubtful:
        yield ""
        yield f"DOUBTFUL, as other programs kept processors busy meanwhile: {', '.join(doubtful)}"


def verdict(text: str, *, met: bool) -> str:
    """A line on a target."""
    return f"{'PASS' if met else 'MISS'}  {text}"


def shown_time(times: Sequence[float]) -> str:
    """Their median, to three digits, with a unit."""
    micro = statistics.median(times) * 1e6
    return f"{micro:.3g} us" if micro < 999.5 else f"{micro / 1e3:.3g} ms"


def shown_ratio(values: Sequence[float]) -> str:
    """Their median, to two decimals where it is near 1."""
    middle = statistics.median(values)
    return f"{middle:.2f}" if middle < 2 else f"{middle:.1f}" if middle < 10 else f"{middle:.0f}"
