"""Sums of whole tensors from those of their shards: parameters that several processes share."""

from collections.abc import Sequence
from typing import Any  # NumPy's arrays, or tensors of a device

import torch
import torch.distributed as dist
from torch import Tensor


class Whole:
    """Adds up the sums of shards over the processes that hold them.

    parameters   in the order of the rows of the sums; a DTensor or a whole tensor each

    Every process that holds a shard has to take part, as in every collective.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        rows: dict[int, tuple[Any, list[int]]] = {}
        for row, parameter in enumerate(parameters):
            for group in _groups_of(parameter):
                rows.setdefault(id(group), (group, []))[1].append(row)
        self._rows = list(rows.values())

    def __call__(self, sums: Any) -> Any:
        """The sums of the whole tensors, [tensors, sums]."""
        found = torch.as_tensor(sums)
        for group, rows in self._rows:
            shards = found[rows].contiguous()
            if dist.get_backend(group) == "nccl":
                shards = shards.cuda()
            dist.all_reduce(shards, group=group)
            found[rows] = shards.to(found.device)
        return found if isinstance(sums, Tensor) else found.numpy()


def _groups_of(parameter: Tensor) -> list[Any]:
    """The groups of processes over which a parameter is divided, one for each such dimension of its
    mesh; over the other dimensions it is held several times.
    """
    if not hasattr(parameter, "placements"):
        return []
    mesh = parameter.device_mesh  # type: ignore[attr-defined]  # a DTensor
    return [
        mesh.get_group(place)
        for place, placement in enumerate(parameter.placements)
        if not placement.is_replicate()  # a strided shard says that it is none
    ]
