"""Where a picture is drawn, and how plain its axes are."""

from matplotlib.axes import Axes

from ..errors import PlotError


def axes_for(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """`ax`, or the axes of a new figure of this size, in inches.

    Raises PlotError for what is no Axes.
    """
    if ax is None:
        from matplotlib import pyplot as plt

        return plt.subplots(figsize=size, layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise PlotError(
            f"ax is {type(ax).__name__}, not the Axes of matplotlib.\n"
            "  Write: figure, ax = matplotlib.pyplot.subplots(), or leave ax out."
        )
    return ax


def height_of(axes: Axes) -> float:
    """The height of the axes in inches, about: what their figure leaves them."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101  (they are drawn in one)
    return float(axes.get_position().height * figure.get_figheight())


def make_plain(axes: Axes) -> None:
    """Two spines, small numbers, thin lines across, behind everything."""
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
