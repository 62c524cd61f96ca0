"""The author's own names for the values of a rule."""

import sys
from types import CodeType, FrameType
from typing import Any, Self  # what a profile hook is handed


class Locals:
    """Sees the local variables of given functions when they return, for the author's own names.

    A profile hook is the one way to a function's last values without reading its source. It is set
    only while a rule is traced. Where a profiler is at work already it is left alone, and the
    values get plain names: they make emitted code and formulas readable, and change nothing else.
    """

    def __init__(self) -> None:
        self.codes: set[CodeType] = set()
        self.found: list[dict[str, object]] = []

    def __enter__(self) -> Self:
        self._is_set = sys.getprofile() is None
        if self._is_set:
            sys.setprofile(self._hook)
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_set:
            sys.setprofile(None)

    def _hook(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code in self.codes:
            self.found.append(dict(frame.f_locals))
