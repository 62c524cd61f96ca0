"""The command `ruleonce`. Its libraries are imported when it runs, never by `import ruleonce`."""

import sys


def main() -> None:
    """Run the command line; the entry point that the package installs as `ruleonce`.

    Without the libraries of the extra `cli` it says how to install them and exits with 1.
    """
    try:
        import typer  # noqa: F401  (asked for here, where a missing one can be explained)
    except ImportError:
        sys.stderr.write(
            "The command `ruleonce` needs libraries that are not installed here:\n"
            "  pip install 'ruleonce[cli]'\n"
        )
        sys.exit(1)
    from .app import app

    app()
