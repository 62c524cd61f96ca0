"""Blocks of ```math, which GitHub shows as formulas, as MathML: no script draws them."""

from math_core import LatexToMathML
from mkdocs.config.defaults import MkDocsConfig

_CONVERTER = LatexToMathML()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Hand blocks of the language `math` to `formula`."""
    fence = {"name": "math", "class": "formula", "format": formula}
    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = [fence]
    return config


def formula(source: str, *_: object, **__: object) -> str:
    """A block of LaTeX as MathML. Raises LatexError for what is not understood."""
    converted = _CONVERTER.convert_with_local_state(source, displaystyle=True)
    return f'<div class="formula" tabindex="0">{converted}</div>'
