"""Ctrl-C at any moment: a timer's signal ends what is done again and again."""

import gc
import signal
import time
from contextlib import contextmanager

PATIENCE = 2.0  # seconds; the timers of the tests are set to some milliseconds


class Interrupted(BaseException):
    """What Ctrl-C raises, under a name that nothing else raises."""


@contextmanager
def interruptions():
    """While this lasts, the signal of a timer raises Interrupted.

    Python drops what is raised in a callback of its garbage collector, and Hypothesis has one: so
    nothing is collected meanwhile.
    """

    def interrupt(number, frame):
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        signal.signal(signal.SIGALRM, before)


def is_interrupted(work, seconds):
    """Do `work` over and over until the signal ends it, after so many seconds; False if what it
    raised was lost somewhere, which a test must not wait for in vain.
    """
    end = time.monotonic() + PATIENCE
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        while time.monotonic() < end:
            work()
    except Interrupted:
        return True
    return False
