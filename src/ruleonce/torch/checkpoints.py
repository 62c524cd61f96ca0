"""State dicts: what goes out is PyTorch's own form; what comes in keeps its dtype."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any  # a state dict holds tensors, numbers, and what others put there

import torch
from torch import Tensor

from ..formats import Storage
from .notes import noted
from .settings import Settings

StateDict = dict[str, Any]


class Checkpoints(torch.optim.Optimizer):
    """The part of an optimizer that saves it, loads it and copies it."""

    _settings: Settings
    _saved: StateDict | None = None  # what is being loaded

    def _forget(self) -> None:
        """Nothing is known but what stands in the state and in the param groups."""
        raise NotImplementedError

    def state_dict(self) -> StateDict:
        """The state and the options, in PyTorch's keys and layout; see torch.optim.Optimizer.

        State that is stored in parts is there as it lies in memory, with a note that says in which
        format it is. `expanded_state_dict` is what torch.optim takes.
        """
        return plain(super().state_dict())

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Go on from a state dict: ours, or that of the class of torch.optim with the same name.

        Unlike torch.optim, each state keeps the dtype that it was saved in (or gets the optimizer's
        `state_dtype`), and is copied. What is stored as this optimizer stores it goes on bit for
        bit; another format is decoded, and encoded again at the next step.

        Raises FormatError, and changes nothing, for a format that there is not.
        """
        last = self.register_load_state_dict_pre_hook(self._note_saved)
        try:
            super().load_state_dict(state_dict)
        finally:
            last.remove()
            self._saved = None

    def _note_saved(self, _: torch.optim.Optimizer, state_dict: StateDict) -> None:
        self._saved = state_dict

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_settings": self._settings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = self.__dict__.get("_saved")
        if saved is not None:  # within load_state_dict
            parameters = [p for group in state["param_groups"] for p in group["params"]]
            found = as_saved(state["state"], saved, parameters)
            for entry in found.values():
                if isinstance(entry, dict):
                    self._held_in(entry)  # can it be read?
            state = {**state, "state": found}
        super().__setstate__(state)
        self._forget()

    def _held_in(self, entry: dict[str, Any]) -> dict[str, Storage]:
        """How the state of a parameter is kept in parts, by key, as its entry says."""
        storing = self._settings.storing
        return noted(entry, storing.storages if storing is not None else ())


def entries(
    groups: Sequence[Mapping[str, Any]], state_dict: StateDict
) -> Iterator[tuple[Tensor, dict[str, Any]]]:
    """Each parameter with its entry in a state dict."""
    for group, numbered in zip(groups, state_dict["param_groups"], strict=True):
        for parameter, place in zip(group["params"], numbered["params"], strict=True):
            if place in state_dict["state"]:
                yield parameter, state_dict["state"][place]


def plain(state_dict: StateDict) -> StateDict:
    """A state dict of plain dictionaries: torch.load(weights_only=True) takes no others."""
    state = {
        key: dict(value) if isinstance(value, dict) else value
        for key, value in state_dict["state"].items()
    }
    return {**state_dict, "state": state}


def as_saved(
    state: Mapping[Any, Any], saved: StateDict, parameters: list[Tensor]
) -> defaultdict[Any, Any]:
    """The state that torch's load_state_dict made, with every tensor as it was saved, copied.

    PyTorch casts a state to the dtype of its parameter, which loses the digits of a float32 state
    for bfloat16 weights, and lets two optimizers share one tensor where nothing is to be cast.
    """
    ids = [place for group in saved["param_groups"] for place in group["params"]]
    originals = dict(zip(map(id, parameters), (saved["state"].get(i) for i in ids), strict=True))
    found: defaultdict[Any, Any] = defaultdict(dict)
    for key, entry in state.items():
        original = originals.get(id(key)) if isinstance(key, Tensor) else None
        if original is None or not isinstance(entry, dict):
            found[key] = entry
            continue
        found[key] = {
            name: _copied(original.get(name), value, key) for name, value in entry.items()
        }
    return found


def _copied(original: object, cast: object, parameter: Tensor) -> object:
    if not isinstance(original, Tensor) or not isinstance(cast, Tensor):
        return cast
    with torch.no_grad():
        if original.ndim == 0 and parameter.ndim:  # a number, such as the step
            return original.detach().clone()
        return original.detach().to(device=cast.device, copy=True)
