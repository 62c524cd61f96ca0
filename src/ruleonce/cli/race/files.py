"""The reader's files: CSV and .npz, checked value by value, nothing guessed and nothing dropped."""

import csv
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # labels are numbers or text

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...language.hyperparameters import nearest
from .network import Array

MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}  # as spreadsheets and pandas write it
SHOWN = 3  # how many faults of one kind a message names


@dataclass(frozen=True)
class Samples:
    """Rows as they were read.

    name       of the data, for messages and titles
    features   (rows, columns), float64, all finite
    labels     (rows,), numbers or text
    """

    name: str
    features: Array
    labels: NDArray[Any]


def read_csv(path: Path, target: str | None) -> Samples:
    """Read a CSV file: a line of column names, then a row a line; comma, semicolon or tab.

    target   the column with the labels, which may be text; all others must be numbers

    Raises DataError, naming columns and lines.
    """
    lines, rows = _rows(path)
    names = [name.strip() for name in rows[0]]
    if target is None:
        raise DataError(
            f"which column of {path.name} holds the labels? Say --target with one of its columns: "
            f"{', '.join(names)}."
        )
    if names.count(target) != 1:
        if target in names:
            raise DataError(
                f"{path.name} has {names.count(target)} columns {target!r}; rename them."
            )
        raise DataError(f"{path.name} has no column {target!r}{nearest(target, names)}")
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(names):
            raise DataError(
                f"{path.name}, line {line}: {_count(len(row), 'value')}, where the first line has "
                f"{_count(len(names), 'column name')}. Text that holds a separator needs quotes."
            )
    if len(names) == 1:
        raise DataError(
            f"{path.name} has the column {target!r} alone; there is nothing to learn from."
        )
    if len(rows) == 1:
        raise DataError(f"{path.name} has a line of column names and no row after it.")
    columns = [[value.strip() for value in column] for column in zip(*rows[1:], strict=True)]
    _refuse_missing(path, names, columns, lines[1:])
    place = names.index(target)
    labels = columns.pop(place)
    names.pop(place)
    return Samples(path.name, _as_numbers(path, names, columns, lines[1:]), _as_labels(labels))


def read_npz(path: Path, target: str | None) -> Samples:
    """Read an .npz file: an array X with a row a sample, and an array y with the labels.

    target   the name of the array with the labels, if it is not y. If there is no X, the features
             are the only other array. Rows with more than one axis (images) are laid flat.

    Raises DataError. Pickled objects are never loaded: they could run any code.
    """
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read as an .npz file: {error}") from error
    except ValueError as error:
        raise DataError(
            f"{path.name} cannot be read without running the Python objects in it, and that is not "
            "done. Save arrays of numbers or of text: numpy.savez(path, X=features, y=labels)."
        ) from error
    label_name = _array_name(path, arrays, "labels", (target,) if target else ("y", "Y"))
    rest = [name for name in arrays if name != label_name]
    wanted = ("X", "x") if len(rest) != 1 else (rest[0],)
    feature_name = _array_name(path, {name: arrays[name] for name in rest}, "features", wanted)
    labels, features = arrays[label_name], arrays[feature_name]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(
            f"{path.name}: {label_name} has the shape {labels.shape}; it must hold one label "
            "a row, (rows,). Columns of 0 and 1 become labels by .argmax(axis=1)."
        )
    if features.ndim < 2 or len(features) != len(labels) or not features.size:
        raise DataError(
            f"{path.name}: {feature_name} has the shape {features.shape}; it must be (rows, "
            f"columns) with {_count(len(labels), 'row')}, one for each label in {label_name}."
        )
    if features.dtype.kind not in "biuf" or labels.dtype.kind not in "biufUS":
        raise DataError(
            f"{path.name}: {feature_name} has the dtype {features.dtype} and {label_name} "
            f"{labels.dtype}; features must be real numbers, labels numbers or text."
        )
    flat = features.reshape(len(features), -1).astype(np.float64)
    for name, array in ((feature_name, flat), (label_name, labels)):
        bad = 0 if array.dtype.kind in "US" else int(np.sum(~np.isfinite(array)))
        if bad:
            raise DataError(
                f"{path.name}: {name} has {_count(bad, 'value')} missing (nan) or "
                "infinite; leave those rows out, or fill them in."
            )
    return Samples(path.name, flat, labels.astype(str) if labels.dtype.kind == "S" else labels)


def _rows(path: Path) -> tuple[list[int], list[list[str]]]:
    """The rows that are not empty, the line of names first, and where in the file each ends."""
    try:
        # -sig: Excel writes a mark at the start, which would become a part of the first name.
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=first.count))
            found = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not text in UTF-8; save it as CSV with UTF-8.") from error
    except (csv.Error, OSError) as error:
        raise DataError(f"{path.name} cannot be read as CSV: {error}") from error
    if not found:
        raise DataError(f"{path.name} is empty.")
    lines, rows = zip(*found, strict=True)
    if all(_number(name) is not None for name in rows[0]):
        raise DataError(
            f"the first line of {path.name} holds numbers only ({', '.join(rows[0][:SHOWN])} ...); "
            "it must name the columns, so that --target can choose one."
        )
    return list(lines), list(rows)


def _refuse_missing(
    path: Path, names: list[str], columns: list[list[str]], lines: list[int]
) -> None:
    faults = []
    for name, column in zip(names, columns, strict=True):
        missing = [
            line for line, text in zip(lines, column, strict=True) if text.lower() in MISSING
        ]
        if missing:
            faults.append(f"{name!r} ({_count(len(missing), 'row')}, first in line {missing[0]})")
    if faults:
        raise DataError(
            f"{path.name} has missing values in {_listed(faults)}. Leave those rows out, or fill "
            "the values in; the race does neither by itself, since either changes what is learned."
        )


def _as_numbers(path: Path, names: list[str], columns: list[list[str]], lines: list[int]) -> Array:
    found = []
    faults = []
    for name, column in zip(names, columns, strict=True):
        values = [_number(text) for text in column]
        if None in values:
            row = values.index(None)
            faults.append(f"{name!r} ({column[row]!r} in line {lines[row]})")
        else:
            found.append(np.array(values, np.float64))
    if faults:
        raise DataError(
            f"{path.name} has columns that are not numbers: {_listed(faults)}. Leave them out, or "
            "write a category as one column of 0 and 1 for each of its values. (A number is "
            "written 1.5, without a decimal comma, and is finite.)"
        )
    return np.column_stack(found)


def _as_labels(column: list[str]) -> NDArray[Any]:
    """Labels that are all numbers are compared as numbers: 1 and 1.0 are one class."""
    values = [_number(text) for text in column]
    return np.array(column if None in values else values)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _array_name(path: Path, arrays: dict[str, Any], what: str, wanted: tuple[str, ...]) -> str:
    for name in wanted:
        if name in arrays:
            return name
    how = "; say --target with the name of another array" if what == "labels" else ""
    raise DataError(
        f"{path.name} has no array {wanted[0]!r} for the {what}{how}{nearest(wanted[0], arrays)}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")


def _listed(faults: list[str]) -> str:
    more = f" and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    return ", ".join(faults[:SHOWN]) + more
