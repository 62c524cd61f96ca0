"""The commands and their options, and nothing else: each command calls one function elsewhere.

A command is added by writing one more function here. What it imports, it imports inside, so that
`ruleonce --help` does not wait for matplotlib. A RuleonceError that it raises becomes one message
on stderr and the exit code 1.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import CommandError, RuleonceError


class Commands(TyperGroup):
    """The group of all commands: a mistake in what was asked is a message, not a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except RuleonceError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from None
        except ModuleNotFoundError as error:
            if (error.name or "ruleonce").startswith("ruleonce"):
                raise
            typer.echo(
                f"Error: this command needs {error.name}, which is not installed here:\n"
                "  pip install 'ruleonce[cli]'",
                err=True,
            )
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def ruleonce() -> None:
    """Write an update rule once; race it, read it, run it everywhere."""


@app.command()
def race(
    data: Annotated[
        Path | None,
        typer.Option(
            help="Race on your own data: a .csv file with a line of column names, or an .npz file "
            "with the arrays X and y. Without it: scikit-learn's 1797 handwritten digits."
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="The column of the CSV file, or the array of the .npz, with the labels."),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            help="The rules that race, as adam,sgd, or all. Without it: the card's seven."
        ),
    ] = None,
    learning_rates: Annotated[
        list[str] | None,
        typer.Option(help="The learning rates, as 1e-3,1e-4 or given again."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="How often a run sees all the data: 100 times; 10 in a search."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="How many seeds, counted up from --seed: 3; 1 in a search."),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="The folder for the numbers (.json) and the pictures (.png).")
    ] = Path(),
    rule_file: Annotated[
        Path | None,
        typer.Option(help="A Python file with rules of your own (@rule); they join the race."),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(help="How weights and state are stored, as float32,8bit,bfloat16+8."),
    ] = None,
    search: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Do not race: try this many learning rates and momenta a rule, drawn at random in "
            "log space, and say which are best.",
        ),
    ] = None,
) -> None:
    """Train a small network with every rule at several learning rates, and compare.

    Runs with the same seed start from the same weights and see the same batches:
    the rule alone makes the difference. Ctrl-C keeps what was finished.
    """
    from .race.command import race as run_race
    from .race.entries import DEFAULT_LEARNING_RATES, numbers

    rates = numbers(_items(learning_rates))
    names = _items(rules)
    if search is None:
        code = run_race(
            data=data,
            target=target,
            rules=names,
            learning_rates=rates or DEFAULT_LEARNING_RATES,
            epochs=epochs or 100,
            seeds=range(seed, seed + (seeds or 3)),
            out=out,
            rule_file=rule_file,
            formats=_items(formats),
        )
        raise typer.Exit(code)
    if formats:
        raise CommandError("--search is in float32; leave --formats out, or --search.")
    if rates:
        raise CommandError(
            "--search draws its own learning rates; leave --learning-rates out, or --search."
        )
    from .race.search_command import search as run_search

    code = run_search(
        data=data,
        target=target,
        rules=names,
        count=search,
        epochs=epochs or 10,
        seeds=range(seed, seed + (seeds or 1)),
        out=out,
        rule_file=rule_file,
    )
    raise typer.Exit(code)


@app.command()
def show(
    rule: Annotated[str, typer.Argument(help="The name of a rule, such as adam.")],
    form: Annotated[
        str,
        typer.Option(
            "--as",
            help="card, latex (its formulas), program (what is done once a step, and what for each "
            "element), host (the first in Python), ir (the second as LLVM IR), asm, triton, or "
            "javascript (both, in float64).",
        ),
    ] = "card",
    dtype: Annotated[
        str, typer.Option(help="For ir, asm and triton: float64, float32, float16 or bfloat16.")
    ] = "float32",
    rule_file: Annotated[
        Path | None, typer.Option(help="A Python file with rules of your own.")
    ] = None,
) -> None:
    """Print a rule: as its card, as formulas, or as the code that it becomes."""
    from .show import found, shown

    typer.echo(shown(found(rule, rule_file), form, dtype))


@app.command()
def cards(
    export: Annotated[
        str | None,
        typer.Option(
            help="Do not list them: write a deck of flash cards. anki (a package to import), "
            "markdown (a folder that Obsidian opens) or pdf (to print and to cut)."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="The folder for the deck, or its file (.apkg, .pdf).")
    ] = Path("deck"),
    names: Annotated[
        list[str] | None,
        typer.Option("--rules", help="The rules of the deck, as adam,sgd. Without it: all."),
    ] = None,
    rule_file: Annotated[
        Path | None, typer.Option(help="A Python file with rules of your own; they get cards too.")
    ] = None,
) -> None:
    """List the rules: what each is, and its hyperparameters with their defaults."""
    from .. import rules
    from .rule_file import rules_of
    from .show import found, listed

    own = tuple(rules_of(rule_file).values()) if rule_file else ()
    chosen = tuple(found(name, rule_file) for name in _items(names)) or (*rules.ALL, *own)
    if export is None:
        typer.echo(listed(chosen))
        return
    from .deck.command import export as export_deck

    typer.echo(export_deck(export, out, chosen, lambda name: typer.echo(name, err=True)))


@app.command()
def pages(
    out: Annotated[
        Path, typer.Option(help="The folder for the pages; dialects.md is read from above it.")
    ] = Path("docs/rules"),
) -> None:
    """Write a page a rule: card, formulas, defaults, state, calls, source, and a picture."""
    from .. import rules
    from .pages.command import write

    write(out, rules.ALL, lambda name: typer.echo(name, err=True))
    typer.echo(f"Written: {len(rules.ALL)} pages to {out}")


@app.command()
def explore(
    out: Annotated[
        Path, typer.Option(help="The file: one page with everything in it, which needs no network.")
    ] = Path("explorer.html"),
    rule_file: Annotated[
        Path | None,
        typer.Option(help="A Python file with rules of your own (@rule); they come first."),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--rules",
            "--rule",
            help="The rules that race when the page opens, as adam,lion, up to six. Without it: "
            "your own beside Adam, or Momentum, RMSProp and Adam.",
        ),
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Do not open the page in the browser.")
    ] = False,
) -> None:
    """Write a page where rules race on a surface, and open it.

    Every number inside a step is shown, and every rule can be edited; nothing leaves the page.
    """
    from .explore.command import opened, write

    write(out, rule_file, _items(rules), lambda text: typer.echo(text, err=True))
    typer.echo(f"Written: {out.resolve()}")
    if not no_open and not opened(out):
        typer.echo("No browser could be started here; open the file in yours.", err=True)


@app.command()
def doctor() -> None:
    """Say what this machine has, and check one step of every rule on each engine."""
    from .doctor import report

    lines, healthy = report()
    typer.echo("\n".join(lines))
    raise typer.Exit(0 if healthy else 1)


def _items(values: list[str] | None) -> list[str]:
    """`--rules adam,sgd --rules momentum` as ["adam", "sgd", "momentum"]."""
    parts = [part.strip() for value in values or () for part in value.split(",")]
    return [part for part in parts if part]
