"""The house: floors, imports that go down only, small files, two dependencies."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "ruleonce"
FILES = sorted(SOURCE.rglob("*.py"))

# A file imports from its own floor or below: language, cards and formats, emitters, engines, front
# ends, commands. The public face and the entry point stand above all.
FLOORS = {
    "errors": 0,
    "language": 0,
    "schedules": 0,
    "rules": 1,
    "matrices": 1,
    "formats": 1,
    "combinators": 1,
    "emit": 2,
    "surfaces": 2,
    "engines": 3,
    "numpy": 4,
    "minimization": 4,
    "torch": 4,
    "scipy": 4,
    "optax": 4,
    "plot": 4,
    "cli": 5,
}


def floor_of(parts):
    return FLOORS[parts[0]] if parts else max(FLOORS.values())


def imports_of(file):
    """The parts of ruleonce that a file imports, wherever in it the import stands."""
    package = file.relative_to(SOURCE).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            path = (*base, *(node.module.split(".") if node.module else ()))
            yield from [path] if path else [(alias.name,) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ruleonce"):
            yield tuple(node.module.split("."))[1:]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_imports_go_down_only(file):
    own = file.relative_to(SOURCE).with_suffix("").parts
    if own == ("__init__",) or own[0] == "__main__":
        return
    for imported in imports_of(file):
        if imported and imported[0] in FLOORS:
            assert floor_of(imported) <= floor_of(own), f"{file.name} imports {imported}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_no_file_is_long(file):
    assert len(file.read_text().split("\n")) <= 300


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_import_loads_nothing_but_numpy():
    """llvmlite and every optional library come when they are used."""
    code = """
import sys, numpy
before = set(sys.modules)
import ruleonce
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(new - set(sys.stdlib_module_names) - {"ruleonce"}))
"""
    assert run_python(code) == ""


def test_the_core_steps_with_numpy_and_llvmlite_alone():
    code = """
import sys
class Only:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "jax", "scipy", "ml_dtypes", "safetensors", "typer",
                                      "rich", "matplotlib", "sklearn", "optax", "tqdm"}:
            raise ImportError(name)
sys.meta_path.insert(0, Only())
import numpy as np, ruleonce as ro
w = np.ones(3)
ro.Adam(w, learning_rate=0.5).step(w * 2)
print(w.round(6).tolist())
try:
    ro.Adam(w).save("x")
except ImportError as error:
    print(error)
"""
    out = run_python(code)

    assert out.startswith("[0.5, 0.5, 0.5]")
    assert "pip install 'ruleonce[save]'" in out


def test_every_name_of_the_public_face_is_there_once():
    tree = ast.parse((SOURCE / "__init__.py").read_text())
    names = [
        a.asname or a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names
    ]

    assert len(names) == len(set(names))
    import ruleonce

    assert all(hasattr(ruleonce, name) for name in names)
