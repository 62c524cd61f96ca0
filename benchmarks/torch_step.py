"""One step of Adam in PyTorch, side by side with the peers, in one process.

make bench-torch                              # on the CPU, some ten minutes
make bench-torch BENCH=--quick                # fewer sizes, less time for each
make bench-torch BENCH=--full                 # with the 148 tensors of GPT-2
make bench-torch BENCH="--device cuda --markdown"
make bench-torch BENCH="--sizes 1M 50x4k --only torch --dtype bfloat16"

Every candidate's weights are compared with torch.optim's before any time is taken; a line at the
end says why one was left out. README.md in this folder says how the time is taken.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence

import torch
from report import doubts
from timing import OtherPrograms, settle_memory
from torch_peers import (
    FRESH,
    OURS,
    TORCH_PEERS,
    TorchCandidate,
    TorchPeer,
    candidates,
)
from torch_report import Run, gaps, tables, targets, torch_machine
from torch_timing import Times, measured, measures, situations
from torch_work import GPT2, Work, elements, free_memory, memory, size

SIZES = ("1k", "1M", "20M", "200x1k", "1000x1k")
QUICK = ("1M", "20M", "200x1k")
LARGE = 10_000_000  # parameters; from here on the speed of memory is measured beside it
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rule", choices=("Adam", "AdamW"), default="AdamW")
    parser.add_argument(
        "--dtype", nargs="+", choices=tuple(DTYPES), help="float32; on cuda both, one after another"
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"only {', '.join(QUICK)}, and less time for each"
    )
    parser.add_argument(
        "--full", action="store_true", help=f"{GPT2} too on the CPU: {_gigabytes()} of memory"
    )
    parser.add_argument(
        "--sizes", nargs="+", type=size, metavar="SIZE", help=f"of {', '.join(SIZES)}, {GPT2}, ..."
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="peers with one of these in their name; ruleonce always runs",
    )
    parser.add_argument("--seconds", type=float, help="timed for each cell (1; if quick, 0.2)")
    parser.add_argument("--rounds", type=int, help="blocks that they are shared out over (15; 5)")
    parser.add_argument("--markdown", action="store_true", help="print the tables of the README")
    given = parser.parse_args()
    on_gpu = given.device == "cuda"
    if on_gpu and not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch finds no such device here")
    large = (GPT2,) if on_gpu or given.full else ()
    given.sizes = given.sizes or (*(QUICK if given.quick else SIZES), *large)
    given.dtype = given.dtype or (list(DTYPES) if on_gpu else ["float32"])
    given.seconds = given.seconds or (0.2 if given.quick else 1.0)
    given.rounds = given.rounds or (5 if given.quick else 15)
    if given.rounds < 3:
        parser.error("--rounds must be 3 or more: there is no spread of fewer")
    return given


def chosen(device: str, names: Sequence[str] | None) -> list[TorchPeer]:
    """The peers for a device with one of the names in theirs, and ours."""
    return [
        peer
        for peer in TORCH_PEERS
        if device in peer.devices
        and (names is None or peer.name in (OURS, FRESH) or any(n in peer.name for n in names))
    ]


def run_all(
    given: argparse.Namespace, busy: dict[str, float], left_out: dict[str, list[str]]
) -> Iterator[Run]:
    """Measure everything, dtype by dtype."""
    peers = chosen(given.device, given.only)
    for name in given.dtype:
        results: dict[str, dict[str, Times]] = {
            situation.name: {} for situation in situations(given.device)
        }
        for text in given.sizes:
            label = f"{name} {text}"
            print(f"{label} ...", file=sys.stderr)
            all_, left_out[label] = ready(given, text, DTYPES[name], peers)
            if not all_:
                continue
            others = OtherPrograms()  # from here on: compilers that peers start are others too
            for situation in situations(given.device):
                found = measured(all_, situation, given.rounds, given.seconds)
                results[situation.name][text] = found
            busy[label] = others.processors()
        yield Run(given.device, DTYPES[name], results, peers)


def ready(
    given: argparse.Namespace, text: str, dtype: torch.dtype, peers: Sequence[TorchPeer]
) -> tuple[list[TorchCandidate], list[str]]:
    """All candidates at one size, ours among them or none; and a line on each that is left out."""
    needed, free = memory(text, dtype, len(peers)), free_memory(given.device)
    if needed > free:
        return [], [
            f"needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} are free (--only needs less)"
        ]
    all_, left_out = candidates(peers, Work(text, given.rule, dtype, given.device))
    if OURS not in [candidate.name for candidate in all_]:
        return [], left_out
    return all_ + (measures(given.device) if elements(text) >= LARGE else []), left_out


def _gigabytes() -> str:
    return f"{memory(GPT2, torch.float32, len(chosen('cpu', None))) / 1e9:.0f} GB"


def main() -> None:
    """Measure; print the tables; then what was asked for."""
    given = arguments()
    print("\n".join(torch_machine(given.device)), flush=True)
    settle_memory()
    busy: dict[str, float] = {}
    left_out: dict[str, list[str]] = {}
    runs = list(run_all(given, busy, left_out))
    print(
        f"{given.rule}; medians of {given.rounds} blocks ± half of the distance of the quartiles\n"
    )
    for run in runs:
        print(*tables(run, as_markdown=given.markdown), sep="\n")
    for run in runs:
        print(*targets(run), sep="\n")
    print(*gaps(left_out), *doubts(busy), sep="\n")


if __name__ == "__main__":
    main()
