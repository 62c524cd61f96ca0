"""A small GPT that reads and writes bytes: Radford et al. 2019, in a hundred lines."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

BYTES = 256


@dataclass(frozen=True)
class Shape:
    """What the weights of a model look like.

    context   how many bytes it sees
    width     how many numbers stand for each of them
    """

    context: int = 64
    width: int = 64
    layers: int = 2
    heads: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be divided among {self.heads} heads")


class Attention(nn.Module):
    """Every place looks at itself and those before it."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.dropout = shape.heads, shape.dropout
        self.ask = nn.Linear(shape.width, 3 * shape.width)
        self.answer = nn.Linear(shape.width, shape.width)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, place, width) -> the same shape."""
        batch, places, width = x.shape
        query, key, value = (
            part.view(batch, places, self.heads, width // self.heads).transpose(1, 2)
            for part in self.ask(x).chunk(3, dim=-1)
        )
        dropout = self.dropout if self.training else 0.0
        seen = functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, dropout_p=dropout
        )
        answer: Tensor = self.answer(seen.transpose(1, 2).reshape(batch, places, width))
        return answer


class Block(nn.Module):
    """Look around, then think; both add to what was there."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(shape.width)
        self.attention = Attention(shape)
        self.before_thought = nn.LayerNorm(shape.width)
        self.thought = nn.Sequential(
            nn.Linear(shape.width, 4 * shape.width),
            nn.GELU(),
            nn.Linear(4 * shape.width, shape.width),
        )
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, place, width) -> the same shape."""
        seen: Tensor = x + self.dropout(self.attention(self.before_attention(x)))
        thought: Tensor = seen + self.dropout(self.thought(self.before_thought(seen)))
        return thought


class GPT(nn.Module):
    """For each place of a text, what the next byte may be."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.byte = nn.Embedding(BYTES, shape.width)
        self.place = nn.Embedding(shape.context, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.last = nn.LayerNorm(shape.width)
        self.guess = nn.Linear(shape.width, BYTES, bias=False)
        for name, weights in self.named_parameters():
            if weights.ndim == 2:
                # What is added to the running sum is smaller the more layers add to it.
                adds = name.endswith(("answer.weight", "thought.2.weight"))
                nn.init.normal_(weights, std=0.02 / (2 * shape.layers) ** (0.5 * adds))

    def forward(self, text: Tensor) -> Tensor:
        """Bytes (batch, place) -> logits (batch, place, byte)."""
        places = torch.arange(text.shape[1], device=text.device)
        x = self.byte(text) + self.place(places)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.guess(self.last(x))
        return logits


def loss_of(model: nn.Module, text: Tensor) -> Tensor:
    """The mean surprise at each byte after the first, in nats."""
    logits = model(text[:, :-1])
    return functional.cross_entropy(logits.flatten(0, 1).float(), text[:, 1:].flatten())


@torch.no_grad()
def sample(model: GPT, start: bytes, length: int, generator: torch.Generator) -> bytes:
    """`start`, and what the model goes on with."""
    device = model.guess.weight.device
    text = list(start)
    for _ in range(length):
        seen = torch.tensor([text[-model.shape.context :]], device=device)
        chances = torch.softmax(model(seen)[0, -1].float() / 0.8, 0)
        text.append(int(torch.multinomial(chances.cpu(), 1, generator=generator)))
    return bytes(text)
