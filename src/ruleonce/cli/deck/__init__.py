"""`ruleonce cards --export`: the rules as a deck of flash cards, each made from the rule itself.

`contents` says what stands on a card, `lines` finds what the lines of two rules share, `pictures`
draws; `markdown`, `anki` and `printed` write a deck each, and `command` chooses.
"""
