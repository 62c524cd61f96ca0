"""Start processes that work together, and take what each returns.

They are forked from a server that has imported PyTorch once, so that four of them start in less
time than one Python takes to import it. They meet in a file: no port has to be free.
"""

import faulthandler
import importlib.util
import inspect
import multiprocessing
import tempfile
import time
import traceback
from datetime import timedelta
from multiprocessing.connection import wait
from pathlib import Path

import torch
import torch.distributed

_METHODS = multiprocessing.get_all_start_methods()
_CONTEXT = multiprocessing.get_context("forkserver" if "forkserver" in _METHODS else "spawn")
_PRELOADED = [
    "pytest",
    "ruleonce.engines.cpu",
    "ruleonce.torch",
    "torch._dynamo",  # DTensor imports it, and needs longer for that than for anything else
    "torch.distributed.checkpoint.state_dict",
    "torch.distributed.fsdp",
    "torch.distributed.optim",
]


class RanksError(Exception):
    """What went wrong, in which of the processes."""


def results_of(count, work, *arguments, timeout=60.0):
    """What `work(*arguments)` returns in each of `count` processes of one process group.

    work   a function of a test's file, found there by its name

    Raises RanksError, and ends all of them, if one fails, or if they take longer than `timeout`
    seconds: then with the lines at which they stand.
    """
    if _CONTEXT.get_start_method() == "forkserver":
        _CONTEXT.set_forkserver_preload(_PRELOADED)
    with tempfile.TemporaryDirectory() as folder:
        job = (inspect.getsourcefile(work), work.__name__, arguments)
        ranks = [
            _CONTEXT.Process(
                target=_be_a_rank, args=(rank, count, folder, timeout, *job), daemon=True
            )
            for rank in range(count)
        ]
        for rank in ranks:
            rank.start()
        try:
            _wait_for(ranks, timeout)
        finally:
            for rank in ranks:
                rank.kill()
                rank.join()
        places = [Path(folder, str(rank)) for rank in range(count)]
        errors = [
            f"rank {rank} of {count}, exit code {process.exitcode}:\n{_said(place)}"
            for rank, (process, place) in enumerate(zip(ranks, places, strict=True))
            if not place.with_suffix(".pt").exists()
        ]
        if errors:
            raise RanksError("\n".join(errors))
        return [torch.load(place.with_suffix(".pt"), weights_only=False) for place in places]


def _wait_for(processes, timeout):
    """Return when all have ended, one has failed, or the time is over."""
    end = time.monotonic() + timeout
    running = {process.sentinel: process for process in processes}
    while running and (left := end - time.monotonic()) > 0:
        for sentinel in wait(list(running), left):
            process = running.pop(sentinel)
            process.join()
            if process.exitcode != 0:
                # The others may fail because of it, and what they have to say is worth a moment.
                wait(list(running), 1.0)
                return


def _said(place):
    """What a rank that has not come to its end has left."""
    return "".join(
        file.read_text()
        for file in (place.with_suffix(".error"), place.with_suffix(".stack"))
        if file.exists()
    )


def _be_a_rank(rank, count, folder, timeout, file, name, arguments):
    place = Path(folder, str(rank))
    torch.set_num_threads(1)
    with place.with_suffix(".stack").open("w") as stack:
        faulthandler.dump_traceback_later(0.9 * timeout, file=stack)
        try:
            torch.distributed.init_process_group(
                "gloo",
                init_method=Path(folder, "meeting").as_uri(),
                rank=rank,
                world_size=count,
                timeout=timedelta(seconds=timeout),
            )
            spec = importlib.util.spec_from_file_location("work", file)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            result = getattr(module, name)(*arguments)
            torch.distributed.barrier()  # none goes home while another needs it
            torch.distributed.destroy_process_group()
        except BaseException:  # noqa: BLE001  (whatever it is, the test is told)
            place.with_suffix(".error").write_text(traceback.format_exc())
            raise SystemExit(1) from None
        finally:
            faulthandler.cancel_dump_traceback_later()
    torch.save(result, place.with_suffix(".partial"))
    place.with_suffix(".partial").rename(place.with_suffix(".pt"))
