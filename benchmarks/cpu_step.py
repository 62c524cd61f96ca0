"""One Adam step in float32, side by side with the peers, in one process.

make bench                                  # everything, two to three minutes
make bench BENCH=--quick                    # fewer sizes, less time for each: 40 seconds
make bench BENCH=--markdown                 # the table as the README has it
make bench BENCH="--sizes 1k 50x4k --only torch --seconds 3"

Every candidate's weights are compared with the card's before any time is taken. README.md in this
folder says how the time is taken.
"""

import argparse
import re
import sys
from collections.abc import Sequence

from peers import CARD, OURS, PEERS, Candidate, Peer, candidates
from report import (
    aligned,
    doubts,
    machine,
    markdown,
    markdown_table,
    ratio_table,
    startup_lines,
    targets,
    time_table,
)
from startup import startup_times
from timing import OtherPrograms, measure, settle_memory

SIZES = ("10", "1k", "100k", "1M", "20M", "200x1k", "1000x100")
QUICK = ("1k", "1M", "20M", "200x1k")


def workload(text: str) -> tuple[int, int]:
    """(tensors, elements in each) of "1000", "20M", "200x1k"."""
    found = re.fullmatch(r"(?:([1-9]\d*)x)?([1-9]\d*)([kM]?)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; 1000, 20M and 200x1k are")
    tensors, elements, unit = found.groups()
    return int(tensors or 1), int(elements) * {"": 1, "k": 1_000, "M": 1_000_000}[unit]


def size(text: str) -> str:
    """`text`, if it is a size."""
    workload(text)
    return text


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help=f"only {', '.join(QUICK)}, and less time for each"
    )
    parser.add_argument(
        "--sizes", nargs="+", type=size, metavar="SIZE", help=f"of {', '.join(SIZES)}, or others"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="peers with one of these in their name; the card and ruleonce always run",
    )
    parser.add_argument("--seconds", type=float, help="timed for each cell (1; if quick, 0.2)")
    parser.add_argument("--rounds", type=int, help="blocks that they are shared out over (15; 5)")
    parser.add_argument("--markdown", action="store_true", help="print the table of the README")
    given = parser.parse_args()
    given.sizes = given.sizes or (QUICK if given.quick else SIZES)
    given.seconds = given.seconds or (0.2 if given.quick else 1.0)
    given.rounds = given.rounds or (5 if given.quick else 15)
    if given.rounds < 3:
        parser.error("--rounds must be 3 or more: there is no spread of fewer")
    return given


def chosen(names: Sequence[str] | None) -> list[Peer]:
    """The peers with one of the names in theirs, and the two that the others are compared with."""
    return [
        peer
        for peer in PEERS
        if names is None or peer.name in (CARD, OURS) or any(n in peer.name for n in names)
    ]


def measured(text: str, peers: Sequence[Peer], rounds: int, seconds: float) -> list[Candidate]:
    """The times of all candidates at one size."""
    all_ = candidates(peers, *workload(text))
    measure(all_, rounds, seconds)
    for candidate in all_:  # keep the times, free the arrays
        candidate.step = candidate.weights = candidate.refill = tuple
    return all_


def main() -> None:
    """Measure; print the tables; then what was asked for."""
    given = arguments()
    peers = chosen(given.only)
    print("\n".join(machine()), flush=True)
    others = OtherPrograms()
    once = startup_times(3 if given.quick else 9)
    busy = {"the start": others.processors()}
    settle_memory()
    results = {}
    for text in given.sizes:
        print(f"{text} ...", file=sys.stderr)
        others = OtherPrograms()
        all_ = measured(text, peers, given.rounds, given.seconds)
        results[text] = {candidate.name: candidate for candidate in all_}
        busy[text] = others.processors()
    print(f"float32; medians of {given.rounds} blocks ± half of the distance of the quartiles\n")
    if given.markdown:
        print(markdown(markdown_table(results, peers)))
    else:
        print(aligned(time_table(results, peers)), end="\n\n")
        print(aligned(ratio_table(results, peers)))
    print("", *startup_lines(once), "", *targets(results, once), *doubts(busy), sep="\n")


if __name__ == "__main__":
    main()
