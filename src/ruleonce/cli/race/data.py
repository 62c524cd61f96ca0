"""What is raced on: rows of numbers with a class each, split, standardised, ready to train on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import DataError
from .files import Samples, read_csv, read_npz
from .network import Array, Labels

TEST_SHARE = 0.2


@dataclass(frozen=True)
class Dataset:
    """A data set in two parts; features are float32, standardised by the training part.

    name              for titles
    train_x, test_x   (rows, features)
    train_y, test_y   (rows,), classes counted from 0
    classes           what each class was called, by its number
    """

    name: str
    train_x: Array
    train_y: Labels
    test_x: Array
    test_y: Labels
    classes: tuple[str, ...]


def digits() -> Dataset:
    """1797 handwritten digits of 8 x 8 pixels, which scikit-learn's wheel holds; no download.

    Source: Alpaydin & Kaynak 1998, UCI, "Optical Recognition of Handwritten Digits", test part.
    """
    from sklearn.datasets import load_digits  # slow to import, and the reader's data needs none

    features, labels = load_digits(return_X_y=True)
    return dataset(Samples("digits", features, labels))


def from_file(path: Path, target: str | None) -> Dataset:
    """The reader's own data, from a .csv or an .npz file.

    target   the column or the array that holds the labels

    Raises DataError: no such file, no such column, text among the numbers, missing values, a single
    class. Nothing is guessed and no row is dropped.
    """
    if path.is_dir() or not path.exists():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"the data file {path} {what}; give the path of a .csv or an .npz file.")
    if path.suffix.lower() == ".npz":
        return dataset(read_npz(path, target))
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return dataset(read_csv(path, target))
    raise DataError(
        f"{path} is neither a .csv nor an .npz file. A spreadsheet can be saved as CSV; arrays are "
        "saved by numpy.savez(path, X=features, y=labels)."
    )


def dataset(samples: Samples) -> Dataset:
    """Number the classes, split the rows and standardise the features.

    The split is the same at every call: it depends on the labels alone, and takes TEST_SHARE of
    each class. A feature that never changes becomes 0.

    Raises DataError if there is one class only, or if the labels are measurements, not classes.
    """
    classes, labels = np.unique(samples.labels, return_inverse=True)
    _check_classes(samples, classes)
    train, test = _split(labels)
    known = samples.features[train]
    spread = known.std(axis=0)
    standard = (samples.features - known.mean(axis=0)) / np.where(spread > 0, spread, 1)
    x = standard.astype(np.float32)
    return Dataset(
        name=samples.name,
        train_x=x[train],
        train_y=labels[train],
        test_x=x[test],
        test_y=labels[test],
        classes=tuple(map(str, classes)),
    )


def _split(labels: Labels) -> tuple[Labels, Labels]:
    """The rows to train on and to test with, each in the order of the data."""
    rng = np.random.default_rng(0)
    is_test = np.zeros(len(labels), bool)
    for label in range(labels.max() + 1):
        rows = rng.permutation(np.flatnonzero(labels == label))
        # A class with a single row is trained on; of two, one is for the test.
        count = max(round(TEST_SHARE * len(rows)), 1) if len(rows) > 1 else 0
        is_test[rows[:count]] = True
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _check_classes(samples: Samples, classes: Array) -> None:
    count, rows = len(classes), len(samples.labels)
    if count == 1:
        raise DataError(
            f"every row of {samples.name} has the label {classes[0]!s}; the network needs at least "
            "two classes to tell apart. Is --target the right column?"
        )
    is_measured = classes.dtype.kind == "f" and bool(np.any(classes % 1)) and count > 20
    if count > rows / 2 or is_measured:
        raise DataError(
            f"the labels of {samples.name} have {count} different values in {rows} rows, such as "
            f"{classes[0]!s} and {classes[1]!s}; that looks like a measurement or a name, and the "
            "race sorts rows into classes. Give --target a column that repeats, or sort the values "
            "into a few ranges first."
        )
