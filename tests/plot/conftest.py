"""Figures of one test are closed before the next."""

import pytest
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def _no_figure_is_left_open():
    plt.switch_backend("Agg")
    yield
    plt.close("all")
