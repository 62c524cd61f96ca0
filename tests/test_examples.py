"""examples/train_gpt.py does what it says: it resumes exactly, and trains as torch.optim does."""

import importlib.util
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "train_gpt.py"
SMALL = ["--context", "32", "--width", "32", "--batch", "8", "--sample", "20"]
DROPOUT = ["--dropout", "0.1"]  # so that a run that draws other numbers after a stop is another run
SHORT = ["--steps", "60", "--warmup", "10"]
TORCHRUN = [
    *("-m", "torch.distributed.run", "--nproc-per-node", "2"),
    *("--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"),  # any free port
]
# One thread: two of them on busy processors wait for each other, and that takes most of the time.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


class Run:
    """The example in a process (or several) of its own, in a folder of its own."""

    def __init__(self, folder, *options, launcher=()):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, *launcher, EXAMPLE, "--curve", "curve.csv", *SMALL, *options],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # torchrun hands this one on to its workers, who do not hear of its death by the other.
        self.end = signal.SIGTERM if launcher else signal.SIGKILL

    def finish(self):
        """(step -> loss, the final loss), as they are printed."""
        said, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, said
        curve = (self.folder / "curve.csv").read_text().split()[1:]
        return dict(line.split(",") for line in curve), re.search(r"final loss (\S+)", said)[1]

    def kill_somewhere(self, most):
        """After some checkpoints, of which there are more than `most`, at no special moment."""
        count, seen, file = random.randint(1, most), set(), self.folder / "gpt.pt"  # noqa: S311
        end = time.monotonic() + 90
        while len(seen) < count and self.process.poll() is None and time.monotonic() < end:
            seen |= {file.stat().st_mtime_ns} if file.exists() else set()
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.01))  # noqa: S311
        was_running = self.process.poll() is None
        said = self.kill()
        assert was_running, said
        assert not (self.folder / "curve.csv").exists()

    def kill(self):
        """End it, in the middle of whatever it does. What it has said."""
        self.process.send_signal(self.end)
        return self.process.communicate(timeout=60)[0]


@pytest.fixture
def start():
    """Run, and an end of what the test has left running."""
    runs = []
    yield lambda *args, **kwargs: runs.append(Run(*args, **kwargs)) or runs[-1]
    for run in runs:
        if not run.process.stdout.closed:
            run.kill()


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """(step -> loss, the final loss) of a run that nothing ends."""
    return Run(tmp_path_factory.mktemp("whole"), *DROPOUT).finish()


def test_a_run_that_is_killed_goes_on_to_the_same_losses_bit_for_bit(whole_run, start, tmp_path):
    options = (*DROPOUT, "--save-every", "2")  # it is often killed while it writes a checkpoint
    start(tmp_path, *options).kill_somewhere(most=100)
    resumed = start(tmp_path, *options).finish()

    assert len(resumed[0]) == 300
    assert resumed == whole_run


def test_the_losses_are_those_of_torch_optim(whole_run, start, tmp_path):
    ours, _ = whole_run
    theirs, _ = start(tmp_path, *DROPOUT, "--optimizer", "torch").finish()

    apart = {step: abs(float(ours[step]) - float(theirs[step])) for step in theirs}
    worst = max(apart, key=apart.get)
    said = f"largest difference of a loss: {apart[worst]:.1e}, at step {worst} of {len(apart)}"
    print(f"\n{said}")  # noqa: T201  (pytest -s shows it)
    assert ours.keys() == theirs.keys()
    assert float(ours["300"]) < 0.6 * float(ours["1"])
    assert apart[worst] < 1e-5, said


def test_torchrun_trains_is_killed_and_goes_on_with_sharded_weights(start, tmp_path):
    alone = start(tmp_path / "alone", *SHORT)
    options = (*SHORT, "--save-every", "2")
    start(tmp_path / "two", *options, launcher=TORCHRUN).kill_somewhere(most=15)
    expected, final = alone.finish()
    curve, found = start(tmp_path / "two", *options, "--fsdp", launcher=TORCHRUN).finish()

    assert curve.keys() == expected.keys()
    for step, loss in expected.items():
        assert float(curve[step]) == pytest.approx(float(loss), abs=1e-4), step
    assert float(found) == pytest.approx(float(final), abs=1e-4)


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLE.parent)
    spec = importlib.util.spec_from_file_location("train_gpt", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("gpt", None)


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        (["--steps", "0"], {}, "--steps: '0' is not a whole number above 0"),
        (["--steps", "many"], {}, "--steps: 'many' is not a whole number above 0"),
        (["--optimizer", "sgd"], {}, "invalid choice: 'sgd'"),
        (["--width", "30", "--heads", "4"], {}, "--width 30 cannot be divided among 4 --heads"),
        (["--batch", "3"], {"WORLD_SIZE": "2"}, "--batch 3 cannot be divided among 2 processes"),
        (["--dropout", "1"], {}, "--dropout 1.0 is not from 0 to below 1"),
        (["--max-norm", "0"], {}, "--max-norm: '0' is not a number above 0"),
        (["--learning-rate", "nan"], {}, "--learning-rate: 'nan' is not a number above 0"),
        (["--formats", "9bit"], {}, "invalid choice: '9bit'"),
        (["--formats", "8bit", "--optimizer", "torch"], {}, "needs --optimizer ruleonce"),
        (["--formats", "bfloat16+8", "--fsdp"], {"RANK": "0"}, "--fsdp needs one dtype for all"),
        (["--fsdp"], {}, "--fsdp needs torchrun: torchrun --nproc-per-node 2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_are_named(example, options, environment, message, monkeypatch, capsys):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["train_gpt.py", *options])
    with pytest.raises(SystemExit) as ended:
        example.parsed()

    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_the_checkpoint_of_another_model_is_refused(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = ["train_gpt.py", "--steps", "1", "--sample", "1", "--context", "8", "--batch", "2"]
    monkeypatch.setattr(sys, "argv", [*base, "--width", "16"])
    example.main()
    before = Path("gpt.pt").read_bytes()
    monkeypatch.setattr(sys, "argv", [*base, "--width", "32"])

    with pytest.raises(SystemExit, match=r"'width': 16.*'width': 32.*--checkpoint"):
        example.main()
    assert Path("gpt.pt").read_bytes() == before


def test_a_save_that_ends_half_way_leaves_the_old_checkpoint(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = ["train_gpt.py", "--sample", "1", "--context", "8", "--batch", "2", "--width", "8"]
    monkeypatch.setattr(sys, "argv", [*base, "--steps", "1"])
    example.main()
    before = Path("gpt.pt").read_bytes()

    def half(_, file):
        file.write(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", [*base, "--steps", "2"])
    with monkeypatch.context() as patch:
        patch.setattr(example.torch, "save", half)
        with pytest.raises(KeyboardInterrupt):
            example.main()
    assert Path("gpt.pt").read_bytes() == before

    example.main()
    assert len(example.torch.load("gpt.pt", weights_only=True)["losses"]) == 2


@pytest.mark.parametrize(
    ("formats", "dtype", "keys"),
    [
        ("8bit", "float32", {"exp_avg.scale", "exp_avg_sq.scale"}),
        ("bfloat16+8", "bfloat16", {"exp_avg.scale", "exp_avg_sq.scale", "weights.error"}),
    ],
)
def test_a_run_in_a_format_goes_on_bit_for_bit(
    example, formats, dtype, keys, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    base = ["train_gpt.py", "--sample", "1", "--context", "8", "--batch", "2", "--width", "16"]
    base += ["--formats", formats, "--steps", "4", "--save-every", "2", "--curve", "curve.csv"]
    monkeypatch.setattr(sys, "argv", [*base, "--checkpoint", "whole.pt"])
    example.main()
    whole, said = Path("curve.csv").read_text(), capsys.readouterr().out
    content = example.torch.load("whole.pt", weights_only=True)
    assert content["weights"]["byte.weight"].dtype == getattr(example.torch, dtype)
    assert content["weights"]["last.weight"].dtype == example.torch.float32
    entry = content["state"]["state"]["byte.weight"]
    assert entry["exp_avg"].dtype == example.torch.int8
    assert keys <= entry.keys()
    assert "bytes a parameter" in said

    monkeypatch.setattr(sys, "argv", base)
    save = example.Checkpoint.save

    def once(self, losses):
        save(self, losses)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(example.Checkpoint, "save", once)
        with pytest.raises(KeyboardInterrupt):
            example.main()
    example.main()
    assert "going on after step 2" in capsys.readouterr().out
    assert Path("curve.csv").read_text() == whole


def test_help_says_how_to_start_it(example, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train_gpt.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        example.main()

    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "torchrun --nproc-per-node 2 examples/train_gpt.py --steps 300 --fsdp" in said
