"""The surfaces in JavaScript are those of NumPy."""

import node
import numpy as np
import pytest

from ruleonce.language import trigonometry
from ruleonce.surfaces import SURFACES, code
from ruleonce.surfaces.javascript import SPELLING


def test_the_operations_of_surfaces_are_spelled():
    assert set(trigonometry.OPS.values()) <= set(SPELLING)


@pytest.mark.parametrize("known", SURFACES, ids=lambda known: known.name)
def test_the_page_has_the_heights_and_slopes_of_numpy(known):
    rng = np.random.default_rng(0)
    left, right, bottom, top = known.window
    points = rng.uniform([left, bottom], [right, top], (200, 2))
    low, high = ([getattr(x, end) for x in known.parameters] for end in ("low", "high"))
    rows = np.hstack([points, rng.uniform(low, high, (200, len(known.parameters)))])

    calls = "result = data.map((row) => [height(...row), ...slope(...row)]);"
    found = np.array(node.run(f"{code(known)}\n{calls}", rows.tolist()))

    for row, values in zip(rows, found, strict=True):
        parameters = {x.name: value for x, value in zip(known.parameters, row[2:], strict=True)}
        expected = [known.height(row[:2], **parameters), *known.slope(row[:2], **parameters)]
        scale = np.abs(expected).max()
        np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12 * scale)


def test_the_code_has_the_names_of_the_author():
    ravine = code(SURFACES[0])

    assert "function height(x, y, condition, turn) {" in ravine
    assert "const along = " in ravine
    assert "const across = " in ravine
