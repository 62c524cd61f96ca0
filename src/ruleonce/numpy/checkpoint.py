"""An optimizer in a safetensors file, written whole or not at all."""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # arrays of any dtype; JSON

import numpy as np

from ..errors import CheckpointError, MissingLibraryError
from ..formats import FORMATS, format_of
from ..language.hyperparameters import Value
from .gradients import Array

# safetensors' own names for the formats.
_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_FORMATS = {code: FORMATS[name] for name, code in _NAMES.items()}
_KEY = "ruleonce"
_VERSION = 1


@dataclass(frozen=True)
class Snapshot:
    """All that a step depends on, except the gradient and the code of schedules.

    tensors          "w/layer.weight" -> array; the optimizer's own, not copies
    hyperparameters  group pattern -> name -> value; "" is the optimizer itself
    scalars          for each group, its scalar state
    """

    rule: str
    t: int
    tensors: Mapping[str, Array]
    hyperparameters: Mapping[str, Mapping[str, Value]]
    scalars: list[list[float]]


@dataclass(frozen=True)
class Loaded:
    """What a file holds, fitted to an optimizer.

    pairs            (the optimizer's array, what it should hold)
    hyperparameters  what to set, for the optimizer and then for each group
    """

    t: int
    pairs: list[tuple[Array, Array]]
    hyperparameters: list[dict[str, Value]]
    scalars: list[tuple[float, ...]]


def save(path: str | os.PathLike[str], snapshot: Snapshot) -> None:
    """Write a snapshot: to a new file beside `path`, flushed to the disk, then renamed."""
    safetensors = _library()
    numbers = {
        pattern: {name: None if callable(value) else value for name, value in values.items()}
        for pattern, values in snapshot.hyperparameters.items()
    }
    about = {
        "version": _VERSION,
        "rule": snapshot.rule,
        "t": snapshot.t,
        "hyperparameters": numbers,
        "scalars": snapshot.scalars,
    }
    tensors = {name: np.asarray(x, order="C") for name, x in snapshot.tensors.items()}
    data = safetensors.numpy.save(tensors, {_KEY: json.dumps(about)})
    _replace(Path(path), data)


def load(path: str | os.PathLike[str], own: Snapshot) -> Loaded:
    """Read a file and fit it to the optimizer whose snapshot is `own`; change nothing.

    Raises CheckpointError for the first thing that does not fit.
    """
    safetensors = _library()
    try:
        with safetensors.safe_open(path, "np") as file:
            about = (file.metadata() or {}).get(_KEY)
        tensors = dict(safetensors.deserialize(Path(path).read_bytes()))
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is not a safetensors file, or is damaged: {error}.") from None
    if about is None:
        raise CheckpointError(f"{path} was not written by an optimizer of ruleonce.")
    saved = json.loads(about)
    if saved["version"] != _VERSION:
        raise CheckpointError(
            f"{path} is of version {saved['version']}; this release reads version {_VERSION}."
        )
    if saved["rule"] != own.rule:
        raise CheckpointError(f"{path} is of the rule {saved['rule']}, not of {own.rule}.")
    _same(path, "parameters or state", tensors, own.tensors)
    _same(path, "groups", saved["hyperparameters"], own.hyperparameters)
    _same(path, "groups", range(len(saved["scalars"])), range(len(own.scalars)))
    return Loaded(
        t=saved["t"],
        pairs=[_pair(path, name, tensors[name], array) for name, array in own.tensors.items()],
        hyperparameters=[
            _values(path, saved["hyperparameters"][pattern], values)
            for pattern, values in own.hyperparameters.items()
        ],
        scalars=[tuple(numbers) for numbers in saved["scalars"]],
    )


def _values(
    path: str | os.PathLike[str], saved: dict[str, Any], own: Mapping[str, Value]
) -> dict[str, Value]:
    """What to set: every saved number, except where the optimizer has a schedule."""
    _same(path, "hyperparameters", saved, own)
    for name, value in saved.items():
        if value is None and not callable(own[name]):
            raise CheckpointError(
                f"{name} was a schedule when {path} was written, and code is not saved: make the "
                f"optimizer with that schedule, {name}=..., and load again."
            )
    return {n: v for n, v in saved.items() if v is not None and not callable(own[n])}


def _pair(
    path: str | os.PathLike[str], name: str, saved: dict[str, Any], own: Array
) -> tuple[Array, Array]:
    form = _FORMATS.get(saved["dtype"])
    found = (form.name if form else saved["dtype"], tuple(saved["shape"]))
    wanted = (format_of(own.dtype, name).name, own.shape)
    if form is None or found != wanted:
        raise CheckpointError(
            f"{path}: {name!r} is {found[0]} of shape {found[1]}, and the optimizer's is "
            f"{wanted[0]} of shape {wanted[1]}."
        )
    values = np.frombuffer(saved["data"], form.dtype.newbyteorder("<"))
    return own, values.reshape(own.shape)


def _same(path: str | os.PathLike[str], what: str, saved: Any, own: Any) -> None:
    missing = [repr(x) for x in own if x not in saved]
    extra = [repr(x) for x in saved if x not in own]
    if missing or extra:
        lack = f"it lacks {', '.join(missing[:4])}" if missing else ""
        more = f"it has {', '.join(extra[:4])} besides" if extra else ""
        raise CheckpointError(
            f"{path} has other {what} than the optimizer: {' and '.join(filter(None, [lack, more]))}."
        )


def _replace(path: Path, data: bytes) -> None:
    """`path` holds `data` after this, or what it held before if the power goes first."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _like_a_new_file(name)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    _flush_folder(path.parent)


def _like_a_new_file(name: str) -> None:
    """The permissions that `open` would have given; mkstemp's are for its owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    Path(name).chmod(0o666 & ~mask)


def _flush_folder(folder: Path) -> None:
    # Windows cannot open a folder, and keeps renames without being asked.
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _library() -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as missing:
        raise MissingLibraryError(
            "saving and loading need safetensors, which is not installed here:\n"
            "  pip install 'ruleonce[save]'"
        ) from missing
    return safetensors
