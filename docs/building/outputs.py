"""What a command prints, set below it while the docs are built.

A page holds the command, and below it a comment that GitHub does not show:

    ```console
    ruleonce show adam --as program
    ```

    <!-- output: text -->

A long text is shown in part, and as a whole in a fold below: the lines from the first that has one
text to the next that has another, or some around the first that has a text.

    <!-- output: llvm, from `%mul_1 =` to `%w_new =` -->
    <!-- output: gas, around `sqrt` -->
"""

import contextlib
import io
import re
import shlex

ASKED = re.compile(
    r"^```console\nruleonce (?P<command>.+)\n```\n\n<!-- output: (?P<language>\w+)"
    r"(?:, from `(?P<first>[^`]+)` to `(?P<last>[^`]+)`|, around `(?P<middle>[^`]+)`)? -->$",
    re.MULTILINE,
)
FENCE = "`````"
BEFORE, AFTER = 16, 8  # lines around one


def on_page_markdown(markdown: str, **_: object) -> str:
    """Run the commands of a page that are asked for their output."""
    return ASKED.sub(_answered, markdown)


def printed(command: str) -> str:
    """What `ruleonce <command>` prints. Raises ValueError, with what it says, if it fails."""
    from ruleonce.cli.app import app

    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        code = app(shlex.split(command), standalone_mode=False)
    if code:
        raise ValueError(f"ruleonce {command}: {said.getvalue()}")
    return out.getvalue().rstrip()


def between(text: str, first: str, last: str) -> str:
    """The lines from the first with `first` in it to the next with `last`.

    Raises ValueError if there are none.
    """
    lines = text.split("\n")
    begin = _place(lines, first, 0)
    return _to_the_left(lines[begin : _place(lines, last, begin) + 1])


def around(text: str, middle: str) -> str:
    """Some lines around the first with `middle` in it. Raises ValueError if there is none."""
    lines = text.split("\n")
    place = _place(lines, middle, 0)
    return _to_the_left(lines[max(0, place - BEFORE) : place + AFTER + 1])


def _place(lines: list[str], wanted: str, begin: int) -> int:
    for place in range(begin, len(lines)):
        if wanted in lines[place]:
            return place
    raise ValueError(f"no line of the output, from line {begin + 1} on, has {wanted!r}")


def _to_the_left(lines: list[str]) -> str:
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[margin:] for line in lines)


def _answered(asked: re.Match[str]) -> str:
    text = printed(asked["command"])
    parts = [f"```console\nruleonce {asked['command']}\n```"]
    if asked["first"]:
        parts.append(_block(between(text, asked["first"], asked["last"]), asked["language"]))
    elif asked["middle"]:
        parts.append(_block(around(text, asked["middle"]), asked["language"]))
    whole = _block(text, asked["language"])
    if len(parts) > 1:
        summary = f"All {len(text.splitlines())} lines"
        whole = f"<details>\n<summary>{summary}</summary>\n\n{whole}\n\n</details>"
    return "\n\n".join([*parts, whole])


def _block(text: str, language: str) -> str:
    return f"{FENCE}{{.{language} .output}}\n{text}\n{FENCE}"
