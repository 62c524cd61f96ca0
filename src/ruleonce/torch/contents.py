"""What an optimizer keeps, as it can be looked at: bytes, master weights, expanded state."""

from collections.abc import Iterator, Mapping
from typing import Any  # a state dict holds tensors, numbers, and what others put there

import torch
from torch import Tensor

from ..errors import StructureError, TensorError
from ..formats import Storage
from .checkpoints import Checkpoints, StateDict, entries
from .held import parts_in, values_in
from .layout import block_of, format_of, local
from .notes import NOTE
from .parts import wide
from .settings import Group, labels_of
from .slots import STEP, WEIGHTS


class Contents(Checkpoints):
    """The part of an optimizer that shows its state."""

    @property
    def nbytes(self) -> int:
        """The memory of the state in this process, in bytes: of tensors, not of numbers such as the
        step count. The error bits of weights are part of it.
        """
        return sum(size for sizes in self.bytes_by_tensor().values() for size in sizes.values())

    def bytes_by_tensor(self) -> dict[str, dict[str, int]]:
        """The same for each parameter and each key of its state, such as "exp_avg.scale".

        A parameter is called by the name that was given with it (`model.named_parameters()`), or by
        its number in the state dict.
        """
        found: dict[str, dict[str, int]] = {}
        for name, parameter in self._named():
            entry = self.state.get(parameter, {})
            found[name] = {
                key: local(value).nbytes
                for key, value in entry.items()
                if isinstance(value, Tensor) and not _is_number(value, key, parameter)
            }
        return found

    def expanded_state_dict(self) -> StateDict:
        """The state dict that the class of torch.optim loads: its keys, and new tensors of float32
        (float64 for such weights), whatever the state is stored as. Error bits of weights are not
        in it; see `masters`.
        """
        found = self.state_dict()
        with torch.no_grad():
            for parameter, entry in entries(self.param_groups, found):
                held = self._held_in(entry)
                parts = {name for key, how in held.items() for name in how.names(key)[1:]}
                kept = {
                    key: _expanded(entry, key, held.get(key), parameter)
                    for key in entry
                    if key not in parts and not key.endswith(NOTE)
                }
                entry.clear()
                entry.update(kept)
        return found

    def masters(self) -> dict[Any, Tensor]:
        """The weights with all the bits that are kept of them: new tensors of float32 (float64 for
        such weights), by the name that was given with each parameter, or by the parameter itself.
        """
        found: dict[Any, Tensor] = {}
        with torch.no_grad():
            for key, parameter in self._by_key():
                entry = self.state.get(parameter, {})
                storage = self._held_in(entry).get(WEIGHTS)
                values = values_in(entry, WEIGHTS, storage, parameter)
                assert values is not None  # noqa: S101
                found[key] = _like(parameter, values, wide(parameter.dtype))
        return found

    @torch.no_grad()
    def load_masters(self, masters: Mapping[Any, Tensor]) -> None:
        """Set weights and error bits from weights of more bits, such as the state dict of the model
        before it was cast; what else that holds is left alone.

        masters   name or parameter -> tensor of its shape

        Raises StructureError if one is missing, TensorError or TensorTypeError for another shape or
        a dtype of whole numbers; then nothing has changed.
        """
        pairs = [(key, parameter, masters.get(key)) for key, parameter in self._by_key()]
        values = {key: value for key, _, value in pairs if value is not None}
        if len(values) < len(pairs):
            names = [label for label, _ in self._named()]
            missing = [name for name, (*_, x) in zip(names, pairs, strict=True) if x is None]
            raise StructureError(
                f"there are no master weights for {', '.join(missing[:4])}: give a mapping to "
                "tensors from the names that the optimizer was made with "
                "(model.named_parameters()), or from the parameters themselves."
            )
        for (label, _), (key, parameter, _) in zip(self._named(), pairs, strict=True):
            format_of(values[key].dtype, f"the master weights of {label}")
            if values[key].shape != parameter.shape:
                raise TensorError(
                    f"the master weights of {label} have shape {tuple(values[key].shape)}, and the "
                    f"parameter {tuple(parameter.shape)}."
                )
        self._set_masters({parameter: values[key] for key, parameter, _ in pairs})

    def _set_masters(self, masters: Mapping[Tensor, Tensor]) -> None:
        """Write weights and error bits."""
        raise NotImplementedError

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        parameters = [p for group in self.param_groups for p in group["params"]]
        return zip(labels_of(self.param_groups), parameters, strict=True)

    def _by_key(self) -> Iterator[tuple[Any, Tensor]]:
        """Each parameter by the name that was given with it, or else by itself."""
        named = [name for group in self.param_groups for name in _names_of(group)]
        for name, (_, parameter) in zip(named, self._named(), strict=True):
            yield parameter if name is None else name, parameter


def _names_of(group: Group) -> list[str | None]:
    return list(group.get("param_names") or [None] * len(group["params"]))


def _is_number(value: Tensor, key: str, parameter: Tensor) -> bool:
    """Whether it is a number for the whole parameter, such as the step count, or a note."""
    return key == STEP or key.endswith(NOTE) or value.ndim < min(1, parameter.ndim)


def _expanded(
    entry: Mapping[str, Any], key: str, storage: Storage | None, parameter: Tensor
) -> Any:
    value = entry[key]
    if not isinstance(value, Tensor):
        return value
    if _is_number(value, key, parameter):
        return value.detach().clone()
    if storage is not None and parts_in(entry, key, storage, parameter) is not None:
        values = values_in(entry, key, storage, parameter)
        return value if values is None else _like(parameter, values, values.dtype)
    dtype = wide(parameter.dtype)
    dtype = dtype if value.itemsize < dtype.itemsize else value.dtype
    return value.detach().to(dtype, copy=True)


def _like(parameter: Tensor, values: Tensor, dtype: torch.dtype) -> Tensor:
    """The values as a tensor like the parameter: a DTensor for a DTensor."""
    dtype = dtype.to_complex() if parameter.is_complex() else dtype
    return block_of(parameter, dtype, lambda new: new.copy_(values))
