"""Saving and loading: a resumed run is the uninterrupted one, and a file is whole or not there."""

import json
import os
import signal
import stat
import sys
import time
import warnings

import numpy as np
import pytest
import safetensors.numpy
from alone import alone
from ml_dtypes import bfloat16

import ruleonce as ro
from ruleonce.errors import CheckpointError, MissingLibraryError

ENGINES = pytest.mark.parametrize("engine", ["cpu", "reference"])
KEY = "ruleonce"


@ro.rule
def total(w, dw, m, n: ro.Scalar, p: ro.Scalar, t, *, a=0.1, b=0.9, up=False):
    """Scalar state, a switch and the step count in one rule."""
    n = n + a / t
    p = b * p + n
    m = b * m + dw
    return (w + a * m * p if up else w - a * m * p), m, n, p


def gradients_at(step, params):
    rng = np.random.default_rng(step)
    if isinstance(params, dict):
        return {k: gradients_at(100 * step + i, v) for i, (k, v) in enumerate(params.items())}
    if isinstance(params, list):
        return [gradients_at(100 * step + i, v) for i, v in enumerate(params)]
    return rng.normal(size=params.shape).astype(params.dtype.newbyteorder("="))


def run(optimizer, steps):
    for _ in range(steps):
        optimizer.step(gradients_at(optimizer.t, optimizer.params))


def assert_same(got, expected):
    flatten = expected._structure.flatten
    for x, y in zip(flatten(got.params, ""), flatten(expected.params, ""), strict=True):
        np.testing.assert_array_equal(x, y, strict=True)
    for name, values in expected.state.items():
        if name in expected.rule.scalars:
            assert got.state[name] == values
            continue
        for x, y in zip(flatten(got.state[name], ""), flatten(values, ""), strict=True):
            np.testing.assert_array_equal(x, y, strict=True)
    assert got.t == expected.t


def zeros_of(shape, dtype="float64"):
    return np.zeros(shape, dtype)


CASES = {
    **{
        str(np.dtype(dtype)): lambda e, dtype=dtype: ro.Adam(zeros_of(37, dtype), engine=e)
        for dtype in ["float64", "float32", "float16", bfloat16]
    },
    "another state dtype": lambda e: ro.Adam(
        zeros_of(9, "float16"), state_dtype="float32", engine=e
    ),
    "nested": lambda e: ro.Adam(
        {"a": [zeros_of(3), zeros_of((2, 2))], "b": zeros_of(())}, engine=e
    ),
    "layouts": lambda e: ro.Adam(
        {
            "F": np.asfortranarray(zeros_of((3, 4))),
            "strided": zeros_of((6, 8))[::2, 1::2],
            "swapped": zeros_of(5, np.dtype("float32").newbyteorder()),
            "empty": zeros_of((0, 5)),
        },
        engine=e,
    ),
    "groups": lambda e: ro.Momentum(
        {"a": zeros_of(3), "b": zeros_of(3)}, groups={"b": {"beta1": 0.5}}, engine=e
    ),
    "scalars": lambda e: ro.Optimizer(total, zeros_of(3), engine=e),
    "scalars in groups": lambda e: ro.Optimizer(
        total, {"a": zeros_of(3), "b": zeros_of(3)}, groups={"b": {"a": 0.3, "up": True}}, engine=e
    ),
    "schedules": lambda e: ro.Adam(
        zeros_of(5), learning_rate=lambda t: 0.1 / t, beta1=lambda t: 1 - 1 / (t + 1), engine=e
    ),
    "no state": lambda e: ro.SGD([zeros_of(3), zeros_of(4, "float32")], engine=e),
    "nothing": lambda e: ro.Adam([], engine=e),
}


@ENGINES
@pytest.mark.parametrize("case", CASES)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(case, engine, tmp_path):
    whole, saved, resumed = (CASES[case](engine) for _ in range(3))
    run(whole, 7)

    run(saved, 3)
    saved.save(tmp_path / "run")
    run(resumed, 1)  # what it held before does not matter
    resumed.load(tmp_path / "run")
    assert_same(resumed, saved)
    run(resumed, 4)

    assert resumed.t == 7
    assert_same(resumed, whole)


def test_a_run_may_go_on_in_the_other_engine(tmp_path):
    whole, saved = (CASES["nested"]("cpu") for _ in range(2))
    resumed = CASES["nested"]("reference")
    run(whole, 5)
    run(saved, 3)
    saved.save(tmp_path / "run")

    resumed.load(tmp_path / "run")
    run(resumed, 2)

    assert_same(resumed, whole)


def test_hyperparameters_that_were_set_later_are_resumed_too(tmp_path):
    def made():
        params = {"a": zeros_of(3), "b": zeros_of(3)}
        return ro.Optimizer(total, params, groups={"b": {"a": 0.3}})

    whole, resumed = made(), made()
    run(whole, 2)
    whole.hyperparameters["up"] = True
    whole.hyperparameters["b"] = 0.25
    whole.groups["b"]["a"] = 0.5
    whole.groups["b"]["b"] = 0.125  # an override that was not there
    whole.save(tmp_path / "run")
    run(whole, 2)

    resumed.load(tmp_path / "run")
    run(resumed, 2)

    assert_same(resumed, whole)
    assert dict(resumed.groups["b"]) == {"a": 0.5, "b": 0.125}


def test_the_order_of_a_dict_does_not_matter(tmp_path):
    """Scalar state goes to its own group, though the groups are met in another order."""

    def made(names):
        params = {name: zeros_of(3) for name in names}
        return ro.Optimizer(total, params, groups={"b": {"a": 0.3}})

    saved, loaded = made("ab"), made("ba")
    run(saved, 3)
    saved.save(tmp_path / "run")

    loaded.load(tmp_path / "run")

    assert loaded.state["n"] == saved.state["n"][::-1]
    assert loaded.state["n"][0] != loaded.state["n"][1]
    for name in "ab":
        np.testing.assert_array_equal(loaded.params[name], saved.params[name])


def test_a_schedule_of_the_loading_optimizer_is_kept(tmp_path):
    ro.SGD(zeros_of(1), learning_rate=0.5).save(tmp_path / "run")
    optimizer = ro.SGD(zeros_of(1), learning_rate=lambda t: 2.0)

    optimizer.load(tmp_path / "run")
    optimizer.step(np.ones(1))

    assert optimizer.params[0] == -2.0


def test_the_file_is_safetensors_that_others_can_read(tmp_path):
    optimizer = ro.Adam(
        {"a": np.arange(3.0), "b": np.asfortranarray(np.eye(2, 3, dtype="float32"))}
    )
    optimizer.step({"a": np.ones(3), "b": np.ones((2, 3), "float32")})
    optimizer.save(tmp_path / "run")

    tensors = safetensors.numpy.load_file(tmp_path / "run")

    assert set(tensors) == {"w/a", "w/b", "m/a", "m/b", "v/a", "v/b"}
    np.testing.assert_array_equal(tensors["w/b"], optimizer.params["b"], strict=True)
    np.testing.assert_array_equal(tensors["v/a"], optimizer.state["v"]["a"], strict=True)


def saved_adam(path, **options):
    optimizer = ro.Adam({"a": zeros_of(3), "b": zeros_of((2, 2), "float32")}, **options)
    run(optimizer, 2)
    optimizer.save(path)
    return optimizer


def adam(a=3, b=(2, 2), dtype="float32", **options):
    return ro.Adam({"a": zeros_of(a), "b": zeros_of(b, dtype)}, **options)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda: ro.SGD({"a": zeros_of(3)}), ["of the rule adam, not of sgd"]),
        (lambda: ro.Adam({"a": zeros_of(3)}), ["other parameters or state", "'w/b'", "besides"]),
        (lambda: ro.Adam({"a": zeros_of(3), "c": zeros_of(3)}), ["lacks 'w/c'", "'w/b'"]),
        (lambda: ro.Adam([zeros_of(3)]), ["other parameters", "lacks 'w/0'"]),
        (lambda: ro.Adam(zeros_of(3)), ["other parameters", "lacks 'w'"]),
        (lambda: adam(a=4), ["'w/a' is float64 of shape (3,)", "of shape (4,)"]),
        (lambda: adam(b=(4,)), ["'w/b' is float32 of shape (2, 2)", "of shape (4,)"]),
        (lambda: adam(dtype="float64"), ["'w/b' is float32", "float64"]),
        (lambda: adam(state_dtype="float16"), ["'m/a' is float64", "float16"]),
        (lambda: adam(groups={"a": {"eps": 1.0}}), ["other groups", "lacks 'a'"]),
    ],
)
def test_a_file_of_another_optimizer_is_refused(other, words, tmp_path, unchanged):
    path = tmp_path / "run"
    saved_adam(path)
    optimizer = other()
    run(optimizer, 1)

    with unchanged(optimizer, CheckpointError, str(path), *words):
        optimizer.load(path)


@pytest.mark.parametrize(
    ("saved", "own", "words"),
    [
        ({"a": {"eps": 1.0}}, None, ["other groups", "'a' besides"]),
        ({"a": {"eps": 1.0}}, {"*": {"eps": 1.0}}, ["lacks '*'", "'a' besides"]),
        ({"a": {}, "*": {}}, {"*": {}, "a": {}}, ["another order: , a, *"]),
        ({"a": {"eps": 1.0}}, {"a": {"beta1": 0.5}}, ["no value", "'beta1'"]),
        ({"a": {"eps": lambda t: 1.0}}, {"a": {}}, ["eps was a schedule", "eps=..."]),
    ],
)
def test_a_file_of_other_groups_is_refused(saved, own, words, tmp_path, unchanged):
    path = tmp_path / "run"
    saved_adam(path, groups=saved)
    optimizer = adam(groups=own)
    run(optimizer, 1)

    with unchanged(optimizer, CheckpointError, str(path), *words):
        optimizer.load(path)


def test_a_file_of_another_rule_is_not_called_damaged(tmp_path):
    path = tmp_path / "run"
    saved_adam(path)

    with pytest.raises(CheckpointError) as caught:
        ro.SGD({"a": zeros_of(3)}).load(path)

    assert str(caught.value) == f"{path} is of the rule adam, not of sgd."


def test_a_schedule_that_is_missing_is_asked_for(tmp_path, unchanged):
    path = tmp_path / "run"
    saved_adam(path, learning_rate=lambda t: 0.1)
    optimizer = adam()

    with unchanged(optimizer, CheckpointError, "learning_rate was a schedule", "load again"):
        optimizer.load(path)


def rewritten(path, change):
    """The same file with another description."""
    header = json.loads(path.read_bytes()[8:][: int.from_bytes(path.read_bytes()[:8], "little")])
    about = json.loads(header["__metadata__"][KEY])
    change(about)
    write_with(path, json.dumps(about))


def write_with(path, about):
    safetensors.numpy.save_file(safetensors.numpy.load_file(path), path, {KEY: about})


def set_own(name, value):
    return lambda about: about["hyperparameters"][0][1].__setitem__(name, value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda about: about.update(version=2), ["of version 2", "reads version 1"]),
        (set_own("beta1", 1.5), ["beta1 is 1.5", "below 1"]),
        (set_own("beta1", "x"), ["beta1 is 'x'"]),
        (set_own("lr", 0.1), ["no hyperparameter 'lr'", "learning_rate"]),
        (lambda about: about["hyperparameters"][0][1].pop("eps"), ["no value", "'eps'"]),
        (lambda about: about.pop("t"), ["damaged", "'t'"]),
        (lambda about: about.pop("version"), ["damaged", "'version'"]),
        (lambda about: about.update(hyperparameters=3), ["damaged"]),
        (lambda about: about.update(t=None), ["damaged"]),
    ],
)
def test_a_file_whose_description_is_wrong_is_refused_whole(change, words, tmp_path, unchanged):
    """Also where the fault comes last: by then the weights must not have been written."""
    path = tmp_path / "run"
    saved_adam(path)
    rewritten(path, change)
    optimizer = adam()
    run(optimizer, 1)

    with unchanged(optimizer, CheckpointError, str(path), *words):
        optimizer.load(path)


@pytest.mark.parametrize("about", ["[", "[]", "3", "null", "{}"])
def test_a_description_that_is_none_is_refused(about, tmp_path, unchanged):
    path = tmp_path / "run"
    saved_adam(path)
    write_with(path, about)
    optimizer = adam()

    with unchanged(optimizer, CheckpointError, str(path), "damaged"):
        optimizer.load(path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: b"", ["not a safetensors file, or is damaged"]),
        (lambda data: b"hello, this is no such file", ["not a safetensors file, or is damaged"]),
        (lambda data: data[:-1], ["damaged"]),
        (lambda data: data[: len(data) // 2], ["damaged"]),
        (lambda data: data + b"x", ["damaged"]),
        (lambda data: data[:9] + b"?" + data[10:], ["damaged"]),
        (lambda data: safetensors.numpy.save({"w": np.ones(3)}), ["not written by an optimizer"]),
    ],
)
def test_a_damaged_file_is_refused(damage, words, tmp_path, unchanged):
    path = tmp_path / "run"
    saved_adam(path)
    path.write_bytes(damage(path.read_bytes()))
    optimizer = adam()
    run(optimizer, 1)

    with unchanged(optimizer, CheckpointError, str(path), *words):
        optimizer.load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path, unchanged):
    optimizer = adam()

    with unchanged(optimizer, FileNotFoundError, str(tmp_path / "none")):
        optimizer.load(tmp_path / "none")


def test_a_missing_folder_is_named(tmp_path, unchanged):
    optimizer = adam()

    with unchanged(optimizer, FileNotFoundError, "no folder", str(tmp_path / "none")):
        optimizer.save(tmp_path / "none" / "run")

    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_not_overwritten(tmp_path, unchanged):
    (tmp_path / "run").mkdir()
    optimizer = adam()

    with unchanged(optimizer, OSError):
        optimizer.save(tmp_path / "run")

    assert [x.name for x in tmp_path.iterdir()] == ["run"]


def test_a_save_that_fails_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch):
    path = tmp_path / "run"
    saved_adam(path)
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        adam().save(path)

    assert path.read_bytes() == before
    assert [x.name for x in tmp_path.iterdir()] == ["run"]


def test_what_a_killed_process_left_is_removed_once_it_is_old(tmp_path):
    """A young one may belong to a process that is saving right now."""
    path = tmp_path / "run[1]"
    old, young, other = (
        tmp_path / name
        for name in (".run[1].0123.partial", ".run[1].4567.partial", ".run.0123.partial")
    )
    for file in (old, young, other):
        file.write_bytes(b"half")
    for file in (old, other):
        os.utime(file, (time.time() - 7200,) * 2)

    adam().save(path)

    assert {x.name for x in tmp_path.iterdir()} == {path.name, young.name, other.name}


@pytest.mark.skipif(os.name != "posix", reason="permissions of Windows were not tested")
def test_a_new_file_has_the_permissions_of_any_new_file_and_an_old_one_keeps_its_own(tmp_path):
    path, ordinary = tmp_path / "run", tmp_path / "ordinary"
    ordinary.touch()
    adam().save(path)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)

    path.chmod(0o640)
    adam().save(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="links on Windows were not tested")
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link, target = tmp_path / "latest", tmp_path / "elsewhere" / "run"
    link.symlink_to(target)

    saved = saved_adam(link)
    loaded = adam()
    loaded.load(target)

    assert link.is_symlink()
    assert_same(loaded, saved)


def test_a_relative_path_is_fine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved = saved_adam("run")
    loaded = adam()

    loaded.load("run")

    assert_same(loaded, saved)
    assert [x.name for x in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("which", ["save", "load"])
def test_without_safetensors_the_way_to_install_it_is_named(
    which, tmp_path, monkeypatch, unchanged
):
    path = tmp_path / "run"
    saved_adam(path)
    before = path.read_bytes()
    monkeypatch.setitem(sys.modules, "safetensors", None)
    optimizer = adam()

    with unchanged(optimizer, MissingLibraryError, "pip install 'ruleonce[save]'"):
        getattr(optimizer, which)(path)

    assert path.read_bytes() == before


def forked(child):
    """The process id of a child that runs `child` and never returns."""
    with warnings.catch_warnings():
        # Python 3.12 warns of fork where there are threads: this child uses none.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            child()
        finally:
            os._exit(1)
    return pid


SIZE = 50_000


def filled(t):
    """An optimizer whose weights and velocity are all `t`: a mixture of two states would show."""
    optimizer = ro.Momentum([np.full(SIZE, float(t)), np.full(7, float(t))])
    for m in optimizer.state["m"]:
        m[:] = t
    optimizer.t = t
    return optimizer


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here: kill -9 was not tested")
@alone
def test_kill_9_while_saving_leaves_a_whole_file_every_time(tmp_path):
    """100 processes, each killed at another moment of a loop that saves without end."""
    path = tmp_path / "run"
    loaded = filled(0)
    loaded.save(path)
    rng = np.random.default_rng(0)
    seen = set()

    for number in range(100):
        first = 1000 * (number + 1)

        def saves(first=first):
            optimizer = filled(first)
            while True:
                optimizer.t += 1
                for array in (*optimizer.params, *optimizer.state["m"]):
                    array[:] = optimizer.t
                optimizer.save(path)

        pid = forked(saves)
        time.sleep(rng.uniform(0.0, 0.05))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

        loaded.load(path)
        values = {float(x) for array in loaded.params for x in np.unique(array)}
        values |= {float(x) for array in loaded.state["m"] for x in np.unique(array)}
        assert values == {float(loaded.t)}
        seen.add(loaded.t)

    assert len(seen) > 20  # they did save
    left = [x for x in tmp_path.iterdir() if x != path]
    assert all(x.name.startswith(".run.") and x.suffix == ".partial" for x in left)
