"""Every rule is a method of SciPy's, and works inside of SciPy's global searches."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.optimize
from bowl import Bowl
from scipy.optimize import rosen, rosen_der

import ruleonce as ro
import ruleonce.scipy
from ruleonce.errors import RuleError

START = {"bowl": [3.0, 3.0, 3.0], "valley": [-1.2, 1.0]}


def options_of(rule, maxiter):
    rate = {"learning_rate": 1e-3} if "learning_rate" in rule.hyperparameters else {}
    return {"maxiter": maxiter, "gtol": 0.0, "return_all": True, **rate}


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
@pytest.mark.parametrize("surface", START)
def test_every_rule_goes_downhill_under_its_name(rule, surface):
    bowl = Bowl()
    fun, gradient = (rosen, rosen_der) if surface == "valley" else (bowl, bowl.gradient)
    found = scipy.optimize.minimize(
        fun,
        START[surface],
        jac=gradient,
        method=getattr(ruleonce.scipy, rule.name),
        options=options_of(rule, 300),
    )

    assert found.fun < fun(np.array(START[surface]))
    assert found.state["t"] == found.nit == found.njev - 1
    assert str(found)  # SciPy cannot print an empty dictionary


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_the_steps_of_a_run_are_those_of_the_optimizer(rule):
    """Bit for bit, whatever a rule holds; in two parts as in one."""
    method, options = ruleonce.scipy.method(rule), options_of(rule, 6)
    first = scipy.optimize.minimize(
        rosen, START["valley"], jac=rosen_der, method=method, options=options
    )
    rest = scipy.optimize.minimize(
        rosen, first.x, jac=rosen_der, method=method, options=options | {"state": first.state}
    )
    w = np.array(START["valley"])
    rate = {name: options[name] for name in options if name in rule.hyperparameters}
    optimizer = ro.Optimizer(rule, w, **rate)
    points = [w.copy()]
    for _ in range(12):
        optimizer.step(rosen_der(w))
        points.append(w.copy())

    np.testing.assert_array_equal(first.allvecs + rest.allvecs[1:], points)


@pytest.mark.parametrize("rule", ro.rules.ALL, ids=lambda rule: rule.name)
def test_a_method_is_equal_to_itself_and_can_be_pickled(rule):
    method = getattr(ruleonce.scipy, rule.name)

    assert method == ruleonce.scipy.method(rule)
    assert pickle.loads(pickle.dumps(method)) == method  # noqa: S301  (our own)
    assert rule.summary in method.__doc__
    assert rule.name in dir(ruleonce.scipy)


def test_methods_of_two_rules_differ():
    assert ruleonce.scipy.adam != ruleonce.scipy.sgd
    assert len({ruleonce.scipy.adam, ruleonce.scipy.adam, ruleonce.scipy.sgd}) == 2


def test_a_rule_of_ones_own_is_a_method():
    @ro.rule
    def halving(w, dw):
        """Half the way to 0."""
        return w / 2 + 0 * dw

    found = scipy.optimize.minimize(
        lambda x: float(x @ x),
        [8.0, 16.0],
        jac=lambda x: 2 * x,
        method=ruleonce.scipy.method(halving),
        options={"maxiter": 3},
    )

    np.testing.assert_array_equal(found.x, [1.0, 2.0])


def test_a_name_that_there_is_not_is_answered_with_the_nearest():
    with pytest.raises(AttributeError, match="did you mean 'adamax'"):
        ruleonce.scipy.adamaxx  # noqa: B018
    with pytest.raises(RuleError, match="takes a rule"):
        ruleonce.scipy.method("adam")


def hills(x):
    return float(x @ x + 3 * np.sin(3 * x).sum())


@pytest.mark.parametrize("search", ["basinhopping", "dual_annealing"])
def test_it_works_inside_of_scipys_global_searches(search):
    options = {"learning_rate": 0.05, "maxiter": 1000, "gtol": 1e-3}
    local = {"method": ruleonce.scipy.adam, "options": options}
    if search == "basinhopping":
        found = scipy.optimize.basinhopping(
            hills, [2.0], niter=10, stepsize=2.0, minimizer_kwargs=local, rng=0
        )
        assert found.minimization_failures == 0
    else:
        found = scipy.optimize.dual_annealing(
            hills, [(-3.0, 3.0)], maxiter=10, minimizer_kwargs=local, rng=0
        )
    lowest = min(hills(np.array([x])) for x in np.linspace(-3.0, 3.0, 20_001))

    assert found.fun == pytest.approx(lowest, abs=1e-3)


def test_without_scipy_the_command_that_installs_it_is_named(tmp_path):
    (tmp_path / "scipy.py").write_text("raise ImportError('none here')")
    code = """
try:
    import ruleonce.scipy
except ImportError as error:
    print(error)
import ruleonce
print(ruleonce.minimize(lambda x: 0.0, [1.0], jac=lambda x: 2 * x, maxiter=2).nit)
try:
    ruleonce.minimize(lambda x: 0.0, [1.0])
except ImportError as error:
    print(error)
"""
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.count("pip install 'ruleonce[scipy]'") == 2
    assert "\n2\n" in done.stdout
