"""How a rule is called: one line for each door, made from its name and its learning rate."""

from collections.abc import Mapping
from importlib.util import find_spec

from ...language.rule import Rule
from .words import number

MODULES = {
    "NumPy": "ruleonce.numpy",
    "PyTorch": "ruleonce.torch",
    "SciPy": "ruleonce.scipy",
    "optax": "ruleonce.optax",
}


def calls(rule: Rule) -> Mapping[str, str]:
    """The library at the door -> a line of Python, for each door that this ruleonce has.

    The lines take as given `w` (weights), `model` (of PyTorch), `f`, `gradient` and `x0` (a
    function, its gradient, a start), and that what they name is imported.
    """
    name, rate = rule.name, rule.hyperparameters.get("learning_rate")
    given = "" if rate is None else f"learning_rate={number(rate)}"
    comma = f", {given}" if given else ""
    torch_words = f", lr={number(rate)}" if rate is not None else ""
    options = "" if rate is None else f', options={{"learning_rate": {number(rate)}}}'
    lines = {
        "NumPy": f"ruleonce.Optimizer(ruleonce.rules.{name}, w{comma})",
        "PyTorch": (
            f"ruleonce.torch.optimizer(ruleonce.rules.{name})(model.parameters(){torch_words})"
        ),
        "SciPy": (
            f"scipy.optimize.minimize(f, x0, jac=gradient, method=ruleonce.scipy.{name}{options})"
        ),
        "optax": f"ruleonce.optax.{name}({given})",
    }
    return {door: line for door, line in lines.items() if find_spec(MODULES[door])}
