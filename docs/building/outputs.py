"""What a command prints, set below it while the docs are built.

A page holds the command, and below it a comment that GitHub does not show:

    ```console
    ruleonce show adam --as ir
    ```

    <!-- output: llvm -->

or, for the lines from the first that has one text to the next that has another,

    <!-- output: llvm, from `%mul_1 =` to `%w_new =` -->
"""

import contextlib
import io
import re
import shlex

ASKED = re.compile(
    r"^```console\nruleonce (?P<command>.+)\n```\n\n"
    r"<!-- output: (?P<language>\w+)(?:, from `(?P<first>[^`]+)` to `(?P<last>[^`]+)`)? -->$",
    re.MULTILINE,
)
FENCE = "`````"


def on_page_markdown(markdown: str, **_: object) -> str:
    """Run the commands of a page that are asked for their output."""
    return ASKED.sub(_answered, markdown)


def printed(command: str) -> str:
    """What `ruleonce <command>` prints."""
    from ruleonce.cli.app import app

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        app(shlex.split(command), standalone_mode=False)
    return out.getvalue()


def excerpt(text: str, first: str, last: str) -> str:
    """The lines from the first with `first` in it to the next with `last`, moved to the left.

    Raises ValueError if there are none.
    """
    lines = text.split("\n")
    begin = next((i for i, line in enumerate(lines) if first in line), None)
    if begin is None:
        raise ValueError(f"no line of the output has {first!r}")
    end = next((i for i in range(begin, len(lines)) if last in lines[i]), None)
    if end is None:
        raise ValueError(f"no line of the output after {first!r} has {last!r}")
    chosen = lines[begin : end + 1]
    margin = min(len(line) - len(line.lstrip()) for line in chosen if line.strip())
    return "\n".join(line[margin:] for line in chosen)


def _answered(asked: re.Match[str]) -> str:
    text = printed(asked["command"])
    if asked["first"]:
        text = excerpt(text, asked["first"], asked["last"])
    command = f"```console\nruleonce {asked['command']}\n```"
    output = f"{FENCE}{{.{asked['language']} .output}}\n{text.rstrip()}\n{FENCE}"
    return f"{command}\n\n{output}"
