"""`python -m ruleonce`: the same as the command `ruleonce`."""

from .cli import main

main()
