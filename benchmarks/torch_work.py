"""What is updated: the tensors, their gradients, and the bytes that this takes."""

import argparse
import math
from pathlib import Path

import torch
from cpu_step import workload
from torch import Tensor

GPT2 = "gpt2"

# The learning rate: such that a step of weights around 1 shows in the digits that they have.
RATES = {torch.float32: 1e-3, torch.bfloat16: 0.1}
BETAS, EPS = (0.9, 0.999), 1e-8
DECAY = {"Adam": 0.0, "AdamW": 0.01}

Shape = tuple[int, ...]


def gpt2(words: int = 50257, places: int = 1024, width: int = 768, layers: int = 12) -> list[Shape]:
    """The shapes of the parameters of GPT-2, the small one: 148 tensors, 124 439 808 parameters."""
    norm = [(width,), (width,)]
    attention = [(width, 3 * width), (3 * width,), (width, width), (width,)]
    perceptron = [(width, 4 * width), (4 * width,), (4 * width, width), (width,)]
    layer = [*norm, *attention, *norm, *perceptron]
    return [(words, width), (places, width), *(layer * layers), *norm]


def shapes(text: str) -> list[Shape]:
    """The shapes of "gpt2", "1000", "20M", "200x1k"; raises ArgumentTypeError for what is none."""
    if text == GPT2:
        return gpt2()
    try:
        count, length = workload(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, and {GPT2} is") from None
    return [(length,)] * count


def size(text: str) -> str:
    """`text`, if it is a size."""
    shapes(text)
    return text


def elements(text: str) -> int:
    """How many parameters there are."""
    return sum(map(math.prod, shapes(text)))


class Work:
    """What all candidates start from, and the gradients that all use.

    rule        "Adam" or "AdamW"
    gradients   at the same addresses in every step
    others      equal to them, elsewhere
    """

    def __init__(self, text: str, rule: str, dtype: torch.dtype, device: str) -> None:
        generator = torch.Generator().manual_seed(0)
        self.rule = rule
        self.dtype = dtype
        self.device = device
        self.rate = RATES[dtype]
        self.options = {
            "lr": self.rate,
            "betas": BETAS,
            "eps": EPS,
            "weight_decay": DECAY[rule],
        }
        self.start: list[Tensor] = []
        self.gradients: list[Tensor] = []
        for shape in shapes(text):
            weights = torch.rand(shape, generator=generator)
            gradient = torch.randn(shape, generator=generator)
            # None near 0, where the place of eps, which libraries differ in, counts.
            gradient += torch.copysign(torch.tensor(0.1), gradient)
            self.start.append(weights.to(device, dtype))
            self.gradients.append(gradient.to(device, dtype))
        self.others: list[Tensor] = []

    def parameters(self) -> list[torch.nn.Parameter]:
        """Weights of one's own, with the gradients in their place."""
        made = [torch.nn.Parameter(w.clone()) for w in self.start]
        for parameter, gradient in zip(made, self.gradients, strict=True):
            parameter.grad = gradient
        return made

    def second_set(self) -> list[Tensor]:
        """The gradients at other addresses; made once."""
        self.others = self.others or [gradient.clone() for gradient in self.gradients]
        return self.others

    def scale(self, factor: float) -> None:
        """Change the gradients, where they lie."""
        for gradient in (*self.gradients, *self.others):
            gradient *= factor


def memory(text: str, dtype: torch.dtype, candidates: int) -> int:
    """The bytes that so many candidates need at once: weights and two states for each, what they
    start from, two sets of gradients, and of one at a time what torch's foreach puts aside. The
    check needs four tensors of float32 meanwhile.
    """
    return elements(text) * (dtype.itemsize * (3 * candidates + 3 + 2) + 4 * 4)


def free_memory(device: str) -> float:
    """The bytes that are free; infinity where that is not known."""
    if device == "cuda":
        return float(torch.cuda.mem_get_info()[0])
    path = Path("/proc/meminfo")
    if path.exists():
        for line in path.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable"):
                return float(line.split()[1]) * 1024
    return math.inf
