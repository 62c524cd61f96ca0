"""`ruleonce race`: one network, one data set, every rule; a subject a file.

`command` runs the race, `app.py` gives it its options. Everything here is imported when the race
starts, so these files import their libraries at the top.
"""
