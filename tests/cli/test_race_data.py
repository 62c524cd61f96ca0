"""What the race reads: the digits, CSV, .npz, and what it says of files that it cannot use."""

import numpy as np
import pytest

from ruleonce.cli.race.data import dataset, digits, from_file
from ruleonce.cli.race.files import Samples
from ruleonce.errors import DataError

CSV = "size,weight,kind\n" + "".join(
    f"{i % 7}.5,{i * 3 % 11},{'ant' if i % 7 > 2 else 'bee'}\n" for i in range(40)
)


@pytest.fixture
def write(tmp_path):
    def write(content, name="my.csv"):
        path = tmp_path / name
        if isinstance(content, dict):
            np.savez(path, **content)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content)
        return path

    return write


def message(path, target):
    with pytest.raises(DataError) as caught:
        from_file(path, target)
    return str(caught.value)


def test_the_digits_are_split_by_class_and_standardised():
    found = digits()

    assert found.train_x.shape == (1438, 64)
    assert found.test_x.shape == (359, 64)
    assert found.train_x.dtype == found.test_x.dtype == np.float32
    assert found.classes == tuple("0123456789")
    train, test = np.bincount(found.train_y), np.bincount(found.test_y)
    assert np.all(np.abs(test / (train + test) - 0.2) < 0.003)
    varying = found.train_x.std(axis=0) > 0
    np.testing.assert_allclose(found.train_x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found.train_x[:, varying].std(axis=0), 1, atol=1e-5)
    assert varying.sum() == 61  # three pixels are white in every image


def test_the_split_is_the_same_every_time_and_loses_no_row():
    features = np.arange(30.0)[:, None]
    labels = np.arange(30) % 3
    first, second = (dataset(Samples("x", features, labels)) for _ in range(2))

    np.testing.assert_array_equal(first.test_x, second.test_x)
    rows = np.concatenate([first.train_x, first.test_x])
    assert len(np.unique(rows)) == 30


def test_the_test_rows_do_not_touch_the_standardisation():
    """A mean over all rows would let the test into the training."""
    features = np.arange(40.0)[:, None]
    found = dataset(Samples("x", features, np.arange(40) % 2))

    np.testing.assert_allclose(found.train_x.mean(), 0, atol=1e-6)
    assert abs(found.test_x.mean()) > 1e-3


def test_csv_with_text_labels(write):
    found = from_file(write(CSV), "kind")

    assert found.classes == ("ant", "bee")
    assert found.train_x.shape[1] == 2
    assert len(found.train_y) + len(found.test_y) == 40
    assert sum(found.train_y) + sum(found.test_y) == CSV.count("bee")


def test_the_target_may_stand_anywhere(write):
    turned = "\n".join(",".join(line.split(",")[::-1]) for line in CSV.splitlines())
    expected, found = from_file(write(CSV), "kind"), from_file(write(turned, "turned.csv"), "kind")

    np.testing.assert_array_equal(found.train_x, expected.train_x[:, ::-1])
    np.testing.assert_array_equal(found.train_y, expected.train_y)


@pytest.mark.parametrize(
    "same",
    [
        CSV.replace(",", ";"),
        CSV.replace(",", "\t"),
        CSV.replace("\n", "\r\n"),
        CSV + "\n\n",
        CSV.replace("size,weight,kind", ' size , "weight",kind'),
    ],
    ids=["semicolons", "tabs", "Windows", "empty lines", "spaces and quotes"],
)
def test_the_ways_in_which_csv_is_written(write, same):
    expected = from_file(write(CSV), "kind")
    found = from_file(write(same.encode(), "same.csv"), "kind")

    np.testing.assert_array_equal(found.train_x, expected.train_x)
    np.testing.assert_array_equal(found.train_y, expected.train_y)


def test_the_mark_that_excel_writes_is_no_part_of_the_first_name(write):
    text = "\ufeff" + "\n".join(",".join(line.split(",")[::-1]) for line in CSV.splitlines())

    assert from_file(write(text.encode(), "excel.csv"), "kind").classes == ("ant", "bee")


def test_labels_that_are_numbers_are_compared_as_numbers(write):
    text = "a,y\n" + "".join(f"{i},{y}\n" for i, y in enumerate(["1", "1.0", "10", "2"] * 5))
    found = from_file(write(text), "y")

    assert found.classes == ("1.0", "2.0", "10.0")


X = np.arange(120.0).reshape(30, 4) % 17
Y = np.arange(30) % 3


@pytest.mark.parametrize(
    ("arrays", "target"),
    [
        ({"X": X, "y": Y}, None),
        ({"x": X, "Y": Y[:, None]}, None),
        ({"pictures": X.reshape(30, 2, 2), "digit": Y}, "digit"),
        ({"X": X, "y": np.zeros(30), "other": np.array(["a", "b", "c"])[Y]}, "other"),
        ({"X": X, "y": np.array([b"a", b"b", b"c"])[Y]}, None),
        ({"X": X.astype(np.int16), "y": Y.astype(float)}, None),
    ],
    ids=["X, y", "x, Y as a column", "images", "another array", "bytes", "integers"],
)
def test_npz(write, arrays, target):
    found = from_file(write(arrays, "my.npz"), target)
    expected = dataset(Samples("x", X, Y))

    np.testing.assert_array_equal(found.train_x, expected.train_x)
    np.testing.assert_array_equal(found.train_y, expected.train_y)


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        (CSV, None, "Say --target with one of its columns: size, weight, kind"),
        (CSV, "kinds", "no column 'kinds'; did you mean 'kind'?"),
        (CSV.replace("weight", "kind"), "kind", "2 columns 'kind'"),
        (
            CSV.replace("1.5,3", "1.5,"),
            "kind",
            "missing values in 'weight' (1 row, first in line 3)",
        ),
        (
            CSV.replace("1.5,3", "NaN,3"),
            "kind",
            "missing values in 'size' (1 row, first in line 3)",
        ),
        (CSV.replace("1.5,3,bee", "1.5,3,"), "kind", "missing values in 'kind'"),
        (CSV, "size", "not numbers: 'kind' ('bee' in line 2)"),
        (CSV.replace("1.5,3", "inf,3"), "kind", "not numbers: 'size' ('inf' in line 3)"),
        (CSV.replace("1.5,3,", "1.5,3,4,"), "kind", "line 3: 4 values"),
        (CSV.replace("bee", "ant"), "kind", "every row of my.csv has the label ant"),
        ("a,y\n" + "".join(f"{i},{i}\n" for i in range(9)), "y", "9 different values in 9 rows"),
        ("a,y\n" + "".join(f"1,{i % 25}.5\n" for i in range(99)), "y", "25 different values"),
        ("1,2,3\n4,5,6\n", "1", "must name the columns"),
        ("", "y", "is empty"),
        ("a,y\n", "y", "no row after it"),
        ("y\n1\n2\n", "y", "nothing to learn from"),
        ("größe,y\n1,2\n".encode("latin-1"), "y", "not text in UTF-8"),
    ],
)
def test_mistakes_in_csv(write, text, target, said):
    assert said in message(write(text), target)


@pytest.mark.parametrize(
    ("arrays", "target", "said"),
    [
        ({"X": X, "labels": Y}, None, "no array 'y' for the labels; say --target"),
        ({"X": X, "labels": Y}, "label", "did you mean 'labels'?"),
        ({"a": X, "b": X, "y": Y}, None, "no array 'X' for the features"),
        ({"X": X, "y": Y[:-1]}, None, "with 29 rows"),
        ({"X": X[:, 0], "y": Y}, None, "shape (30,)"),
        ({"X": X, "y": np.eye(3)[Y]}, None, "argmax"),
        ({"X": X * 1j, "y": Y}, None, "dtype complex128"),
        ({"X": np.where(X == 3, np.nan, X), "y": Y}, None, "missing (nan)"),
        ({"X": X, "y": np.where(Y == 1, np.nan, Y)}, None, "y has 10 values missing"),
        ({"X": X, "y": np.array([None] * 30)}, None, "without running the Python objects"),
        ({"X": X, "y": Y * 0}, None, "has the label 0"),
    ],
)
def test_mistakes_in_npz(write, arrays, target, said):
    assert said in message(write(arrays, "my.npz"), target)


def test_files_that_are_none(write, tmp_path):
    assert "does not exist" in message(tmp_path / "nothing.csv", "y")
    assert "is a folder" in message(tmp_path, "y")
    assert "neither a .csv nor an .npz" in message(write("x", "my.xlsx"), "y")
    assert "cannot be read as an .npz" in message(write("x", "my.npz"), None)
