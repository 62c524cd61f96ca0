"""The language of rules: how a plain function is read as an update rule."""
