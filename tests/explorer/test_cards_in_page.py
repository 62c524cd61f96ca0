"""Every card, compiled by the page itself, is the rule that Python emitted, and the reference's."""

import json
from itertools import islice

import numpy as np
import pytest
from element_wise import is_element_wise
from surface_walk import steps

from ruleonce import rules, surfaces
from ruleonce.cli.explore.data import page_data, rule_data

STEPS = 50
RATE = 1e-3  # with larger ones some leave the surface, and then the last bit decides
OVER = ("rosenbrock", "rastrigin")  # without an angle in their slope, and with


DATA = {rule.name: rule_data(rule, rule.name, "") for rule in rules.ALL if is_element_wise(rule)}


@pytest.fixture(scope="module")
def walks(npm, tmp_path_factory):
    """(surface, rule) -> what Node found."""
    path = tmp_path_factory.mktemp("cards") / "data.json"
    data = page_data(list(DATA.values()), ["adam"])
    grounds = [ground for ground in data["surfaces"] if ground["name"] in OVER]
    path.write_text(json.dumps({**data, "surfaces": grounds}))
    worked, said = npm("walk", str(path), str(STEPS), str(RATE))
    assert worked, said
    return {(walk["surface"], walk["rule"]): walk for walk in json.loads(said)}


@pytest.mark.parametrize("over", OVER)
@pytest.mark.parametrize("name", DATA)
def test_a_card_of_the_page_walks_as_its_rule(walks, name, over):
    walk = walks[over, name]
    surface, rule = getattr(surfaces, over), getattr(rules, name)

    assert walk["mistakes"] == []
    card, emitted = (np.array(walk[by], np.float64) for by in ("card", "emitted"))
    assert card.shape == (STEPS, 2)
    np.testing.assert_array_equal(card, emitted)
    own = {"learning_rate": RATE} if "learning_rate" in rule.schema.hyperparameters else {}
    walked = islice(steps(rule, surface, surface.start, **own), STEPS)
    expected = [step["w_new"] for step in walked]
    np.testing.assert_allclose(card, expected, rtol=1e-9, atol=1e-12)
