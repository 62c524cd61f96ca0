"""The state of an optimizer as PyTorch's users know it, `optimizer.state[parameter]["exp_avg"]`:
dictionaries that say when someone has written to them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Self  # a state is a tensor, a number or None

from torch import Tensor


class Writes:
    """How often something was written."""

    def __init__(self) -> None:
        self.count = 0


class Entry(dict[str, Any]):
    """The state of one parameter."""

    def __init__(self, writes: Writes, items: Mapping[str, Any]) -> None:
        super().__init__(items)
        self._writes = writes

    def __setitem__(self, name: str, value: Any) -> None:
        self._writes.count += 1
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        self._writes.count += 1
        super().__delitem__(name)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As dict.update."""
        self._writes.count += 1
        super().update(*args, **kwargs)

    def pop(self, *args: Any) -> Any:
        """As dict.pop."""
        self._writes.count += 1
        return super().pop(*args)

    def clear(self) -> None:
        """As dict.clear."""
        self._writes.count += 1
        super().clear()

    def popitem(self) -> tuple[str, Any]:
        """As dict.popitem."""
        self._writes.count += 1
        return super().popitem()

    def setdefault(self, name: str, value: Any = None) -> Any:
        """As dict.setdefault."""
        self._writes.count += 1
        return super().setdefault(name, value)

    def __ior__(self, other: Any) -> Self:  # type: ignore[override, misc]  # as dict's
        self.update(other)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # a copy, or a file, holds plain dictionaries


def put(entry: dict[str, Any], name: str, value: Any) -> None:
    """Set a state without it counting as written: the optimizer's own way."""
    dict.__setitem__(entry, name, value)


def drop(entry: dict[str, Any], name: str) -> None:
    """Take a state away, if it is there, without it counting as written."""
    dict.pop(entry, name, None)


class States(defaultdict[Any, Any]):
    """Parameter -> its state.

    writes   counts what others than the optimizer have written, in any entry
    """

    def __init__(self, items: Iterable[tuple[Any, Any]] = ()) -> None:
        super().__init__()
        self.writes = Writes()
        for key, value in items:
            self[key] = value

    def __missing__(self, key: Any) -> Any:
        self[key] = self.new_entry()
        return self[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.writes.count += 1
        super().__setitem__(key, value)

    def new_entry(self) -> Entry:
        """An entry that stands in no place yet."""
        return Entry(self.writes, {})

    def quietly(self, key: Tensor, entry: dict[str, Any]) -> None:
        """Put an entry in its place without it counting as written: the optimizer's own way."""
        super().__setitem__(key, entry)

    def __delitem__(self, key: Any) -> None:
        self.writes.count += 1
        super().__delitem__(key)

    def pop(self, *args: Any) -> Any:
        """As dict.pop."""
        self.writes.count += 1
        return super().pop(*args)

    def clear(self) -> None:
        """As dict.clear."""
        self.writes.count += 1
        super().clear()

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As dict.update."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def setdefault(self, key: Any, value: Any = None) -> Any:
        """As dict.setdefault."""
        if key not in self:
            self[key] = value
        return self[key]

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc]  # as dict's
        self.update(other)
        return self

    def copy(self) -> defaultdict[Any, Any]:  # type: ignore[override]  # a plain one
        """The same entries in a plain dictionary."""
        return _restored(list(self.items()))

    __copy__ = copy  # type: ignore[assignment]  # a plain one

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (list(self.items()),)


def _restored(items: list[tuple[Any, Any]]) -> defaultdict[Any, Any]:
    found: defaultdict[Any, Any] = defaultdict(dict)
    found.update(items)
    return found
