"""Train a small GPT on Python's own documentation, with AdamW of ruleonce.

    python examples/train_gpt.py --steps 300
    torchrun --nproc-per-node 2 examples/train_gpt.py --steps 300
    torchrun --nproc-per-node 2 examples/train_gpt.py --steps 300 --fsdp
    python examples/train_gpt.py --steps 300 --formats bfloat16+8

The first trains in one process, the second in two that share each batch (DDP), the third in two
that share the weights and the optimizer's state as well (FSDP2). End any of them as you like, by
Ctrl-C or kill -9: the same command goes on from the last checkpoint. It may also go on with another
number of processes, with or without --fsdp, or with the other optimizer: the file is the same. One
process comes to the same final loss, bit for bit, as if it had never been ended.

The last has weights in bfloat16, with 8 error bits each in the optimizer, and state in 8 bits.

Nothing random is saved, since nothing random is remembered: what a step draws (its batch, its
dropout) depends on the seed and the number of the step alone.
"""

import argparse
import math
import os
import pydoc_data.topics
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from gpt import GPT, Block, Shape, loss_of, sample
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import ruleonce.torch
from ruleonce.formats import Choice
from ruleonce.schedules import cosine, warmup

OPTIMIZERS = ("ruleonce", "torch")

# How weights and state are stored: see docs/formats.md. Norms are small, and stay in float32.
NORMS = ("*before_*", "last.*")
STATE = {"exp_avg": "int8", "exp_avg_sq": "uint8_sqrt"}
FORMATS = {
    "float32": None,
    "8bit": Choice(STATE, smallest=0, full=NORMS),
    "bfloat16+8": Choice({**STATE, "w": "bfloat16+8"}, smallest=0, full=NORMS),
}


@dataclass(frozen=True)
class Team:
    """The processes that train together; `rank` is the number of this one."""

    rank: int
    ranks: int
    device: torch.device


@contextmanager
def joined() -> Iterator[Team]:
    """Those that torchrun has started, or this process alone."""
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if "RANK" in os.environ:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Team(rank, ranks, device)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def texts() -> tuple[Tensor, Tensor]:
    """The bytes to learn from, and those to be tested on."""
    topics = pydoc_data.topics.topics
    everything = "\n\n".join(topics[name] for name in sorted(topics)).encode()
    data = torch.frombuffer(bytearray(everything), dtype=torch.uint8).long()
    return data[: -len(data) // 10], data[-len(data) // 10 :]


def windows(text: Tensor, count: int, length: int, seed: int) -> Tensor:
    """Pieces of the text from random places."""
    generator = torch.Generator().manual_seed(seed)
    starts = torch.randint(len(text) - length, (count, 1), generator=generator)
    return text[starts + torch.arange(length)]


Masters = dict[str, Tensor]


def build(arguments: argparse.Namespace, team: Team) -> tuple[GPT, nn.Module, Masters]:
    """The model, the same as it is called in training, and, where its weights were cast, what they
    were.
    """
    torch.manual_seed(arguments.seed)  # equal weights in every process
    names = ("context", "width", "layers", "heads", "dropout")
    model = GPT(Shape(**{name: getattr(arguments, name) for name in names})).to(team.device)
    masters: Masters = {}
    if arguments.formats == "bfloat16+8":
        masters = {name: weights.detach().clone() for name, weights in model.named_parameters()}
        ruleonce.torch.cast(model, torch.bfloat16, full=NORMS)
    if arguments.fsdp:
        for block in model.modules():
            if isinstance(block, Block):
                fully_shard(block)
        fully_shard(model)
    elif dist.is_initialized():
        return model, DistributedDataParallel(model), masters
    return model, model, masters


def optimizer_for(model: nn.Module, arguments: argparse.Namespace) -> torch.optim.Optimizer:
    """Matrices decay; biases and the scales of norms do not."""
    named = list(model.named_parameters())
    matrices = [(name, weights) for name, weights in named if weights.ndim > 1]
    others = [(name, weights) for name, weights in named if weights.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": arguments.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if arguments.optimizer == "torch":
        return torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=True)  # their fastest
    return ruleonce.torch.AdamW(
        groups,
        betas=(0.9, 0.99),
        max_norm=arguments.max_norm,
        formats=FORMATS[arguments.formats],
    )


def computing(arguments: argparse.Namespace, team: Team) -> AbstractContextManager[object]:
    """Products in bfloat16, where the weights are; norms in float32."""
    if arguments.formats != "bfloat16+8":
        return nullcontext()
    return torch.autocast(team.device.type, torch.bfloat16)


class Checkpoint:
    """A file with all that a run needs to go on, whatever number of processes it goes on with.

    For a model so large that no process can hold the whole of it, write a folder instead, with
    torch.distributed.checkpoint.save: see docs/torch_distributed.md.
    """

    def __init__(
        self, path: Path, team: Team, model: GPT, optimizer: torch.optim.Optimizer
    ) -> None:
        self.path, self.team, self.model, self.optimizer = path, team, model, optimizer
        self.options = StateDictOptions(full_state_dict=True, cpu_offload=True)

    def save(self, losses: list[float]) -> None:
        """Write a file beside the old one, then put it in its place: one of them is always whole.

        All processes call this: each gives what it holds to the first.
        """
        weights, state = get_state_dict(self.model, self.optimizer, options=self.options)
        if self.team.rank == 0:
            content = {"weights": weights, "state": state, "losses": losses}
            partial = self.path.with_name(self.path.name + ".partial")
            with partial.open("wb") as file:
                torch.save({**content, "shape": vars(self.model.shape)}, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)

    def load(self) -> list[float]:
        """The losses of the steps that were taken, none if there is no file yet."""
        if not self.path.exists():
            return []
        content = torch.load(self.path, map_location="cpu", weights_only=True)
        if content["shape"] != vars(self.model.shape):
            raise SystemExit(
                f"{self.path} is of a model with {content['shape']}, and this one has "
                f"{vars(self.model.shape)}: name another file with --checkpoint."
            )
        set_state_dict(
            self.model,
            self.optimizer,
            model_state_dict=content["weights"],
            optim_state_dict=content["state"],
            options=self.options,
        )
        losses: list[float] = content["losses"]
        return losses


def mean(loss: Tensor, team: Team) -> float:
    """Of the losses of all processes."""
    loss = loss.detach() / team.ranks
    if team.ranks > 1:
        dist.all_reduce(loss)
    return loss.item()


def train(arguments: argparse.Namespace, team: Team) -> None:
    """The whole run, or what is left of it."""
    console = Console(quiet=team.rank != 0)
    model, trained, masters = build(arguments, team)
    optimizer = optimizer_for(model, arguments)
    checkpoint = Checkpoint(arguments.checkpoint, team, model, optimizer)
    losses = checkpoint.load()
    if losses:
        console.print(f"going on after step {len(losses)} of {arguments.checkpoint}")
    elif masters and isinstance(optimizer, ruleonce.torch.RuleOptimizer):
        optimizer.load_masters(masters)  # the same weights as in float32, to 24 bits
    learning_text, test_text = texts()
    length = arguments.context + 1
    schedule = warmup(
        arguments.warmup,
        cosine(arguments.learning_rate, max(1, arguments.steps - arguments.warmup)),
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=team.rank != 0) as progress:
        bar = progress.add_task("", total=arguments.steps, completed=len(losses))
        for step in range(len(losses) + 1, arguments.steps + 1):
            torch.manual_seed((arguments.seed * 1_000_003 + step) * team.ranks + team.rank)
            batch = windows(learning_text, arguments.batch, length, arguments.seed + step)
            share = batch.chunk(team.ranks)[team.rank].to(team.device)

            for group in optimizer.param_groups:
                group["lr"] = schedule(step)
            with computing(arguments, team):
                loss = loss_of(trained, share)
            optimizer.zero_grad()
            loss.backward()
            if arguments.optimizer == "torch":  # ours clips as it steps
                nn.utils.clip_grad_norm_(model.parameters(), arguments.max_norm)
            optimizer.step()

            losses.append(mean(loss, team))
            progress.update(bar, advance=1, description=f"loss {losses[-1]:.3f}")
            if step % arguments.save_every == 0 or step == arguments.steps:
                checkpoint.save(losses)

    model.eval()
    with torch.no_grad(), computing(arguments, team):
        final = loss_of(model, windows(test_text, 64, length, 0).to(team.device)).item()
    generator = torch.Generator().manual_seed(arguments.seed)  # the same bytes in every process
    with computing(arguments, team):
        written = sample(model, b"The ", arguments.sample, generator)
    console.print(written.decode(errors="replace"), markup=False, highlight=False, style="cyan")
    if isinstance(optimizer, ruleonce.torch.RuleOptimizer) and not arguments.fsdp:
        count = sum(weights.numel() for weights in model.parameters())
        each = optimizer.nbytes / count
        console.print(f"state {each:.2f} bytes a parameter, of {count}", highlight=False)
    console.print(f"final loss {final!r} on text that it has not seen", highlight=False)
    if arguments.curve and team.rank == 0:
        lines = (f"{step},{loss!r}\n" for step, loss in enumerate(losses, 1))
        arguments.curve.write_text("step,loss\n" + "".join(lines))


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def above_zero(text: str) -> float:
    """A finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def parsed() -> argparse.Namespace:
    """The command line; ends the program if something on it is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--steps", type=positive, default=300, help="how many steps (%(default)s)")
    add(
        "--optimizer",
        choices=("ruleonce", "torch"),
        default="ruleonce",
        help="whose AdamW (%(default)s)",
    )
    add("--formats", choices=[*FORMATS], default="float32", help="what is stored how (%(default)s)")
    add("--fsdp", action="store_true", help="share weights and state, too; needs torchrun")
    add("--checkpoint", type=Path, default=Path("gpt.pt"), help="the file (%(default)s)")
    add("--save-every", type=positive, default=50, help="steps between two (%(default)s)")
    add("--curve", type=Path, help="write the loss of every step to this file")
    add("--sample", type=positive, default=300, help="bytes to write at the end (%(default)s)")
    add("--batch", type=positive, default=16, help="texts a step, all processes (%(default)s)")
    add("--learning-rate", type=above_zero, default=3e-3, help="its highest (%(default)s)")
    add("--warmup", type=positive, default=30, help="steps until then (%(default)s)")
    add("--weight-decay", type=float, default=0.1, help="of matrices (%(default)s)")
    add("--max-norm", type=above_zero, default=1.0, help="of all gradients together (%(default)s)")
    add("--context", type=positive, default=Shape.context, help="bytes it sees (%(default)s)")
    add("--width", type=positive, default=Shape.width, help="numbers a byte (%(default)s)")
    add("--layers", type=positive, default=Shape.layers, help="(%(default)s)")
    add("--heads", type=positive, default=Shape.heads, help="(%(default)s)")
    add("--dropout", type=float, default=Shape.dropout, help="share (%(default)s)")
    add("--seed", type=int, default=0, help="of all that is random (%(default)s)")
    arguments = parser.parse_args()
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if arguments.width % arguments.heads:
        parser.error(f"--width {arguments.width} cannot be divided among {arguments.heads} --heads")
    if arguments.batch % ranks:
        parser.error(f"--batch {arguments.batch} cannot be divided among {ranks} processes")
    if not 0 <= arguments.dropout < 1:
        parser.error(f"--dropout {arguments.dropout} is not from 0 to below 1")
    if arguments.fsdp and "RANK" not in os.environ:
        parser.error("--fsdp needs torchrun: torchrun --nproc-per-node 2 examples/train_gpt.py")
    if arguments.formats != "float32" and arguments.optimizer == "torch":
        parser.error(f"--formats {arguments.formats} needs --optimizer ruleonce")
    if arguments.formats == "bfloat16+8" and arguments.fsdp:
        parser.error(
            "--formats bfloat16+8 has norms in float32, and --fsdp needs one dtype for all"
        )
    return arguments


def main() -> None:
    """Train."""
    arguments = parsed()
    with joined() as team:
        train(arguments, team)


if __name__ == "__main__":
    main()
