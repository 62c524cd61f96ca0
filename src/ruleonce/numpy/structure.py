"""The nesting of parameters: one array, or lists, tuples and dicts of them, to any depth."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any  # whatever a user nests

from ..errors import StructureError
from ..language.hyperparameters import nearest

Tree = Any


@dataclass(frozen=True)
class Structure:
    """How arrays are nested.

    kind      None for one array; otherwise dict, list or tuple
    keys      the keys of a dict, the positions of a list or tuple
    children  what stands at each key
    names     the path of each array: "layers.0.weight"; "" for one array alone
    """

    kind: type | None
    keys: tuple[Any, ...] = ()
    children: tuple["Structure", ...] = ()
    names: tuple[str, ...] = ("",)

    @classmethod
    def of(cls, tree: Tree) -> "Structure":
        """The structure of `tree`."""
        if isinstance(tree, Mapping):
            keys: tuple[Any, ...] = tuple(tree)
            kind: type = dict
        elif isinstance(tree, (list, tuple)):
            keys = tuple(range(len(tree)))
            kind = list if isinstance(tree, list) else tuple
        else:
            return cls(None)
        children = tuple(cls.of(tree[key]) for key in keys)
        names = (
            f"{key}.{name}" if name else str(key)
            for key, child in zip(keys, children, strict=True)
            for name in child.names
        )
        return cls(kind, keys, children, tuple(names))

    @cached_property
    def is_flat(self) -> bool:
        """Whether every array stands at the first level."""
        return self.kind is not None and all(child.kind is None for child in self.children)

    def flatten(self, tree: Tree, what: str) -> list[Any]:
        """The leaves of a tree of this structure, in order; a list may stand for a tuple.

        Raises StructureError, naming the first place where `what` differs.
        """
        if self.kind is None:
            return [tree]
        if self.is_flat and type(tree) is self.kind:
            same: Any = tree
            if len(same) == len(self.keys):
                try:
                    return list(same) if self.kind is not dict else [same[key] for key in self.keys]
                except KeyError:
                    pass  # the walk below finds the words for it
        return list(self.walk(tree, what, ""))

    def unflatten(self, leaves: Iterator[Any]) -> Tree:
        """A tree of this structure with these leaves, in order."""
        if self.kind is None:
            return next(leaves)
        values = [child.unflatten(leaves) for child in self.children]
        if self.kind is dict:
            return dict(zip(self.keys, values, strict=True))
        return self.kind(values)

    def walk(self, tree: Tree, what: str, at: str) -> Iterator[Any]:
        """The leaves of `tree`, which stands at the path `at` of a larger one."""
        if self.kind is None:
            yield tree
            return
        matched = self._matched(tree, what, at)
        for key, structure, child in zip(self.keys, self.children, matched, strict=True):
            yield from structure.walk(child, what, f"{at}.{key}" if at else str(key))

    def _matched(self, tree: Tree, what: str, at: str) -> list[Any]:
        """The children of `tree` in the order of the keys."""
        place = f" at {at!r}" if at else ""
        if self.kind is dict:
            if not isinstance(tree, Mapping):
                raise StructureError(
                    f"the {what}{place} must be a dict with the keys of the parameters, "
                    f"{_listed(self.keys)}; found {_described(tree)}."
                )
            missing = [key for key in self.keys if key not in tree]
            extra = [key for key in tree if key not in self.keys]
            if missing:
                hint = f" (found {_listed(extra)} instead)" if extra else ""
                raise StructureError(
                    f"the {what}{place} lack {_listed(missing)}{hint}; every parameter needs one."
                )
            if extra:
                raise StructureError(
                    f"the {what}{place} have {_listed(extra)}, which is no parameter"
                    f"{nearest(str(extra[0]), map(str, self.keys))}"
                )
            return [tree[key] for key in self.keys]
        if not isinstance(tree, (list, tuple)):
            raise StructureError(
                f"the {what}{place} must be a list of {len(self.keys)}, as the parameters are; "
                f"found {_described(tree)}."
            )
        if len(tree) != len(self.keys):
            raise StructureError(
                f"there are {len(tree)} {what}{place} for {len(self.keys)} parameters; "
                "each parameter needs one."
            )
        return list(tree)


def _listed(keys: Any) -> str:
    shown = [repr(key) for key in list(keys)[:4]]
    return ", ".join(shown + (["..."] if len(keys) > 4 else []))


def _described(tree: Any) -> str:
    shape = f" of shape {tree.shape}" if hasattr(tree, "shape") else ""
    return f"{type(tree).__module__}.{type(tree).__qualname__}{shape}".removeprefix("builtins.")
