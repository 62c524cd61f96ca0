"""An optimizer in a safetensors file, written whole or not at all."""

import errno
import glob
import json
import os
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any  # arrays of any dtype; JSON

import numpy as np

from ..errors import CheckpointError, FormatError, HyperparameterError, MissingLibraryError
from ..formats import FORMATS, INTEGERS
from ..language.hyperparameters import Value
from .conversion import CODES, Stored, called, converted
from .gradients import Array
from .groups import Hyperparameters
from .storing import Layout

# safetensors' own names for the formats.
_FORMATS = {code: {**FORMATS, **INTEGERS}[name] for code, name in CODES.items()}
_KEY = "ruleonce"
_VERSION = 1
_PARTIAL = ".partial"
_ABANDONED = 3600.0  # seconds


@dataclass(frozen=True)
class Snapshot:
    """All that a step depends on, except the gradient and the code of schedules.

    tensors          "w/layer.weight" -> array; the optimizer's own, not copies
    hyperparameters  those of the optimizer, called "", then those of each pattern, in order
    scalars          for each group, called by the patterns that make it, its scalar state
    stored           "m/layer.weight" -> how it is stored, for those that are stored in parts
    """

    rule: str
    t: int
    tensors: Mapping[str, Array]
    hyperparameters: list[tuple[str, Hyperparameters]]
    scalars: Mapping[str, tuple[float, ...]]
    stored: Mapping[str, Stored] = field(default_factory=dict)


def named(
    layouts: Sequence[Layout],
    names: Sequence[str],
    weights: Sequence[Array],
    states: Sequence[tuple[Array, ...]],
) -> dict[str, Array]:
    """The tensors of an optimizer by what a file calls them, such as "m/layer.weight"."""
    tensors: dict[str, Array] = {}
    for name, layout, own, all_ in zip(names, layouts, weights, states, strict=True):
        for kind, array in zip((layout.tensors[0], *layout.arrays), (own, *all_), strict=True):
            tensors[called(kind, name)] = array
    return tensors


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
    numbers = [
        (pattern, {name: None if callable(value) else value for name, value in values.items()})
        for pattern, values in snapshot.hyperparameters
    ]
    about = {
        "version": _VERSION,
        "rule": snapshot.rule,
        "t": snapshot.t,
        "hyperparameters": numbers,
        "scalars": snapshot.scalars,
    }
    if snapshot.stored:
        about["formats"] = {name: how.described for name, how in snapshot.stored.items()}
    tensors = {name: np.asarray(x, order="C") for name, x in snapshot.tensors.items()}
    data = safetensors.numpy.save(tensors, {_KEY: json.dumps(about)})
    _replace(Path(path).resolve(), data)  # where a link leads; the link stays


def load(path: str | os.PathLike[str], own: Snapshot) -> Loaded:
    """Read a file and fit it to the optimizer whose snapshot is `own`; change nothing.

    Raises CheckpointError for the first thing that does not fit.
    """
    tensors, about = _read(path)
    try:
        return _fitted(path, tensors, about, own)
    except CheckpointError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged: its description is wrong ({error}).") from None


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Any]:
    """The tensors of a file and what it says of the optimizer."""
    safetensors = _library()
    data = Path(path).read_bytes()  # once, so that all is of one file should another replace it
    try:
        tensors = dict(safetensors.deserialize(data))
    except safetensors.SafetensorError as error:
        raise CheckpointError(
            f"{path} is not a safetensors file, or is damaged: {error}."
        ) from None
    length = int.from_bytes(data[:8], "little")
    about = json.loads(data[8 : 8 + length]).get("__metadata__", {}).get(_KEY)
    if about is None:
        raise CheckpointError(f"{path} was not written by an optimizer of ruleonce.")
    try:
        return tensors, json.loads(about)
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}.") from None


def _fitted(
    path: str | os.PathLike[str], tensors: dict[str, Any], saved: Any, own: Snapshot
) -> Loaded:
    if saved["version"] != _VERSION:
        raise CheckpointError(
            f"{path} is of version {saved['version']}; this release reads version {_VERSION}."
        )
    if saved["rule"] != own.rule:
        raise CheckpointError(f"{path} is of the rule {saved['rule']}, not of {own.rule}.")
    try:
        tensors = converted(tensors, saved.get("formats", {}), own.stored, own.tensors)
    except FormatError as error:
        raise CheckpointError(f"{path}: {error}") from None
    _same(path, "parameters or state", tensors, own.tensors)
    patterns = [pattern for pattern, _ in own.hyperparameters]
    layers = dict(saved["hyperparameters"])
    _same(path, "groups", layers, patterns)
    if list(layers) != patterns:
        raise CheckpointError(f"{path} has its groups in another order: {', '.join(layers)}.")
    _same(path, "groups", saved["scalars"], own.scalars)
    return Loaded(
        t=int(saved["t"]),
        pairs=[_pair(path, name, tensors[name], array) for name, array in own.tensors.items()],
        hyperparameters=[
            _values(path, layers[pattern], values) for pattern, values in own.hyperparameters
        ],
        scalars=[tuple(map(float, saved["scalars"][group])) for group in own.scalars],
    )


def _values(
    path: str | os.PathLike[str], saved: dict[str, Any], own: Hyperparameters
) -> dict[str, Value]:
    """What to set: every saved number, except where the optimizer has a schedule."""
    missing = [name for name in own if name not in saved]
    if missing:
        raise CheckpointError(f"{path} has no value for the hyperparameter {missing[0]!r}.")
    values: dict[str, Value] = {}
    for name, value in saved.items():
        if name in own and callable(own[name]):
            continue
        if value is None:
            raise CheckpointError(
                f"{name} was a schedule when {path} was written, and code is not saved: make the "
                f"optimizer with that schedule, {name}=..., and load again."
            )
        try:
            values[name] = own.checked(name, value)
        except HyperparameterError as error:
            raise CheckpointError(f"{path}: {error}") from None
    return values


def _pair(
    path: str | os.PathLike[str], name: str, saved: dict[str, Any], own: Array
) -> tuple[Array, Array]:
    form = _FORMATS.get(saved["dtype"])
    found = (form.name if form else saved["dtype"], tuple(saved["shape"]))
    wanted = (own.dtype.name, own.shape)
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
            f"{path} has other {what} than the optimizer: "
            f"{' and '.join(filter(None, [lack, more]))}."
        )


def _replace(path: Path, data: bytes) -> None:
    """`path` holds `data` after this, or what it held before if the power goes first."""
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no folder to save in", str(path.parent))
    _remove_leftovers(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}{_PARTIAL}")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            shutil.copymode(path, partial)  # as writing to the old file would have kept it
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
    _flush_folder(path.parent)


def _remove_leftovers(path: Path) -> None:
    """A process that was killed while it saved left a part of a file. One that is being written is
    never old.
    """
    for partial in path.parent.glob(f".{glob.escape(path.name)}.*{_PARTIAL}"):
        with suppress(OSError):
            if time.time() - partial.stat().st_mtime > _ABANDONED:
                partial.unlink()


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
