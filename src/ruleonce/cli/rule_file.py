"""The reader's own rules: a Python file, imported by its path."""

import sys
import traceback
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from .. import rules
from ..errors import RuleFileError
from ..language.rule import Rule


def rules_of(path: Path) -> dict[str, Rule]:
    """Import the file at `path`; the name that it gives a rule -> the rule, in its order.

    A rule counts as the file's own wherever it was decorated, as long as it is none of ours: one
    that the file imports from a module beside it races too, `from ruleonce import adam` does not.

    Raises RuleFileError, with file and line where the file itself is at fault, and RuleError for a
    rule that the language cannot hold.
    """
    if path.is_dir() or not path.exists():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise RuleFileError(
            f"the rule file {path} {what}; give the path of a Python file with a function under "
            "@rule, such as my_rule.py."
        )
    found: dict[str, Rule] = {}
    for name, value in vars(_imported(path)).items():
        known = (*rules.ALL, *found.values())
        if isinstance(value, Rule) and value not in known:
            found[name] = value
    if not found:
        raise RuleFileError(
            f"there is no rule in {path}. A rule is a function under @rule:\n"
            "  from ruleonce import rule\n\n"
            "  @rule\n"
            "  def my_rule(w, dw, *, learning_rate=1e-3):\n"
            "      return w - learning_rate * dw"
        )
    for rule in found.values():
        rule.traced()  # a mistake in it shows now, not in the middle of a race
    return found


def _imported(path: Path) -> ModuleType:
    # A name of its own: a file called numpy.py must not become the numpy of this process.
    name = f"rule_file_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise RuleFileError(f"{path} is no Python file; its name must end in .py.")
    module = module_from_spec(spec)
    sys.modules[name] = module
    # As for a script: modules beside the file can be imported. Last, so that they hide nothing.
    folder = str(path.resolve().parent)
    sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise RuleFileError(f"{_place(path, error)}: {_said(error)}") from error
    finally:
        sys.path.remove(folder)
    return module


def _place(path: Path, error: BaseException) -> str:
    """The file, and the line of it that failed; the last one, if it calls itself."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename) == path.resolve() or frame.filename == str(path):
            line = frame.lineno
    return f"{path}, line {line}" if line else str(path)


def _said(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
