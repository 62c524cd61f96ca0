"""Every rule that works element by element, in Node: it gives the numbers of the reference engine.

A rule is here because it stands in `ruleonce.rules`; each setting of its switches is a row, each of
several settings of its numbers a run. All are run by one process of Node.

- `element`, given the host numbers of Python: equal bits, where its operations are exact
- `host`: the tolerance of tests/tolerance.py, since `**` differs in the last bit
- both, from the start on, one step after another: HOST and what 50 steps make of it
"""

import itertools
import json
import math
import struct

import node
import numpy as np
import pytest
import tolerance
from element_wise import is_element_wise

import ruleonce as ro
from ruleonce.emit import javascript, python
from ruleonce.language.graph import evaluate

STEPS = 50
SIZE = 6


def settings_of_switches(rule):
    names = rule.schema.switches
    return [
        dict(zip(names, v, strict=True)) for v in itertools.product(*[(False, True)] * len(names))
    ]


CASES = {
    "-".join([rule.name, *(k for k, v in switches.items() if v)]): (rule, switches)
    for rule in ro.rules.ALL
    for switches in settings_of_switches(rule)
    if is_element_wise(rule, **switches)
}


def settings_of_numbers(rule):
    """The defaults, and smaller and larger numbers within their ranges."""
    defaults = {name: rule.hyperparameters[name] for name in rule.schema.numbers}
    yield defaults
    yield {name: value / 2 for name, value in defaults.items()}
    highest = {name: rule.schema.ranges.get(name, (0, math.inf))[1] for name in defaults}
    yield {
        name: value * 3 if highest[name] == math.inf else (value + highest[name]) / 2
        for name, value in defaults.items()
    }


def gradients(rng):
    """Of all magnitudes, with zeros among them."""
    values = rng.normal(size=(STEPS, SIZE)) * 10.0 ** rng.integers(-4, 3, (STEPS, SIZE))
    values[rng.random((STEPS, SIZE)) < 0.1] = 0.0
    return values


def reference(rule, switches, numbers):
    """What Node is given, and what is expected of it, step by step."""
    program = rule.program(**switches)
    rng = np.random.default_rng(0)
    w = rng.normal(size=SIZE)
    optimizer = ro.Optimizer(rule, w, engine="reference", **numbers, **switches)
    host = python.load(python.emit(program))
    packed = bytearray(8 * len(program.host))
    packing = struct.Struct(f"{len(program.host)}d").pack_into
    named = javascript.named_values(program).values()
    outputs = [*program.outputs]

    given = {"inputs": [*numbers.values()], "dw": gradients(rng), "before": [], "numbers": []}
    expected = {"after": [], "named": [], "scalars": []}
    given["scalars"] = [[optimizer.state[name] for name in rule.scalars]]
    for t in range(1, STEPS + 1):
        dw = given["dw"][t - 1]
        old = {rule.schema.weights: w.copy(), rule.schema.gradient: dw}
        old |= {name: optimizer.state[name].copy() for name in rule.state}
        given["before"].append([old[name] for name in program.tensors])
        host(packing, packed, *numbers.values(), *given["scalars"][-1], t)
        given["numbers"].append(struct.unpack(f"{len(program.host)}d", packed))
        step = {**numbers, **dict(zip(rule.scalars, given["scalars"][-1], strict=True)), "t": t}
        expected["named"].append(evaluate(named, {**old, **step}, np, float))
        optimizer.step(dw)
        state = {**optimizer.state, rule.schema.weights: w}
        expected["after"].append([state[name].copy() for name in outputs])
        given["scalars"].append([state[name] for name in rule.scalars])
    expected["numbers"], expected["scalars"] = given["numbers"], given["scalars"][1:]
    return given, expected


_STEPS = """
const columns = (function_, rows, numbers) => {
  const made = rows[0].map((_, place) => function_(...rows.map((row) => row[place]), ...numbers));
  return made[0].map((_, output) => made.map((values) => values[output]));
};
const run = ({host, element, named}, gradient, outputs, given) => {
  const found = {numbers: [], single: [], named: [], chained: [], scalars: []};
  let scalars = given.scalars[0];
  let tensors = given.before[0].slice();
  given.dw.forEach((dw, step) => {
    const alike = given.numbers[step];
    found.numbers.push(host(...given.inputs, ...given.scalars[step], step + 1).numbers);
    found.single.push(columns(element, given.before[step], alike));
    found.named.push(columns(named, given.before[step], alike));
    tensors[gradient] = dw;
    const own = host(...given.inputs, ...scalars, step + 1);
    const after = columns(element, tensors, own.numbers);
    scalars = own.scalars;
    tensors = tensors.map((old, place) => place === gradient ? dw : after[outputs.indexOf(place)]);
    found.chained.push(after);
    found.scalars.push(scalars);
  });
  return found;
};
"""


@pytest.fixture(scope="module")
def runs():
    """(expected, found) of each case and setting."""
    data, all_expected, lines = {}, {}, [_STEPS, "result = {};"]
    for name, (rule, switches) in CASES.items():
        with np.errstate(all="ignore"):
            pairs = [reference(rule, switches, numbers) for numbers in settings_of_numbers(rule)]
        data[name], all_expected[name] = zip(*pairs, strict=True)
        program = rule.program(**switches)
        places = [program.tensors.index(x) for x in program.outputs]
        gradient = program.tensors.index(rule.schema.gradient)
        lines += [
            f"{{\n{javascript.emit(rule.program(**switches))}",
            f"const its = (given) => run({{host, element, named}}, {gradient}, {places}, given);",
            f"result[{json.dumps(name)}] = data[{json.dumps(name)}].map(its);\n}}",
        ]
    found = node.run("\n".join(lines), data)
    return {name: list(zip(all_expected[name], found[name], strict=True)) for name in CASES}


@pytest.mark.parametrize("case", CASES)
def test_node_gives_the_numbers_of_the_reference(runs, case):
    rule, switches = CASES[case]
    is_exact = all(x.op is None or x.op.exact for x in rule.program(**switches).body)
    close = tolerance.JAVASCRIPT
    for expected, found in runs[case]:
        after = np.array(expected["after"])
        assert np.any(after[-1] != after[0])
        np.testing.assert_allclose(found["numbers"], expected["numbers"], rtol=tolerance.HOST)
        if is_exact:
            np.testing.assert_array_equal(found["single"], after)
        np.testing.assert_allclose(found["single"], after, rtol=close)
        np.testing.assert_allclose(found["named"], expected["named"], rtol=close)
        np.testing.assert_allclose(found["chained"], after, rtol=close)
        np.testing.assert_allclose(found["scalars"], expected["scalars"], rtol=close)
