"""What a block of Python draws, set below it while the docs are built.

A page holds the block, and below it a comment that GitHub does not show, with what the picture is
of, for those who do not see it:

    <!-- picture: the paths of three rules -->

The picture is what the block calls `figure`, or else what it has drawn by pyplot.

The blocks of a page above it are run first, in order.
"""

import contextlib
import io
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n<!-- picture: (?P<words>.+?) -->)?",
    re.DOTALL | re.MULTILINE,
)
DPI = 160


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Draw the pictures of a page, if it asks for one."""
    if "<!-- picture: " not in markdown:
        return markdown
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    namespace = {"__name__": "__main__"}
    drawn = 0

    def with_picture(block: re.Match[str]) -> str:
        nonlocal drawn
        code = compile(block["code"], page.file.src_uri, "exec")
        with contextlib.redirect_stdout(io.StringIO()):
            exec(code, namespace)  # noqa: S102  (our own page)
        if not block["words"]:
            return block[0]
        drawn += 1
        picture = io.BytesIO()
        figure = namespace.pop("figure", None) or plt.gcf()
        figure.savefig(picture, dpi=DPI, bbox_inches="tight")
        plt.close("all")
        name = f"{page.file.name}-{drawn}.png"
        place = page.file.src_uri.rpartition("/")[0]
        uri = f"{place}/{name}" if place else name
        files.append(File.generated(config, uri, content=picture.getvalue()))
        return f"```python\n{block['code']}```\n\n![{block['words']}]({name})"

    return BLOCK.sub(with_picture, markdown)
