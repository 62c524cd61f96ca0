"""`ruleonce pages`: a page a rule, made from the rule itself.

`words` says what names mean, `text` writes a page, `index` the list of all; `picture` draws
where a rule goes. Nothing here names a rule but the one that others are compared to.
"""
