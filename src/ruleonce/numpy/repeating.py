"""A step taken again and again by a loop that is in a hurry."""

from collections.abc import Callable
from typing import Any  # gradients, in any nesting

from ..engines import FORGOTTEN
from .groups import Group
from .kept import Kept
from .launches import Launches
from .structure import Tree


class Repeating(Kept):
    """The part of an Optimizer that repeats its last step."""

    t: int
    _groups: list[Group]
    _launches: Launches | None
    _last: list[object]
    _passes: int
    _has_scalars: bool
    _on_nonfinite: str
    _reports: bool

    def repeater(self, gradients: Tree) -> Callable[[], Any]:
        """A function that does what `step(gradients)` does, after a step by these very arrays, as
        long as nothing of the optimizer is set in between: what the arrays hold may change.

        A step of few elements takes two thirds of the time: what does not change is not asked for.
        """
        launches = self._launches or []
        is_plain = not (self._has_scalars or self._reports or self._on_nonfinite != "allow")
        is_one = len(launches) == len(self._groups) == 1 and self._passes == 1
        if not (is_plain and is_one) or any(x is FORGOTTEN for x in self._last):
            return lambda: self.step(gradients)  # type: ignore[attr-defined]  # the Optimizer's
        inputs, (launch, _) = self._groups[0].inputs, launches[0]
        prepare, run = launch.prepare, launch.run

        def again() -> None:
            t = self.t + 1
            try:
                prepare(None, (inputs(t),))
            except BaseException:  # Ctrl-C too may leave a launch half prepared
                self._forget()  # type: ignore[attr-defined]  # the Optimizer's
                raise
            try:
                run()
            except BaseException:  # Ctrl-C: the step is done to its end, and then the loop is left
                run()
                self.t = t
                raise
            self.t = t

        return again
