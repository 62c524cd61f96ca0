"""Every exception that ruleonce raises on purpose.

Each is also the builtin that a caller would catch, so `except ValueError` works for someone who
has never heard of this file.
"""


class RuleonceError(Exception):
    """The base of every error below."""


class RuleError(RuleonceError, TypeError):
    """A rule is written in a way that the language cannot hold; the message says what to write."""


class EmitError(RuleonceError, ValueError):
    """A rule uses an operation that a language of emitted code does not have."""


class HyperparameterError(RuleonceError, ValueError):
    """A hyperparameter has a value that it cannot have, or leads to one."""


class UnknownNameError(HyperparameterError, TypeError, KeyError):
    """A name that the rule does not have; the message names the nearest one that it has."""

    __str__ = Exception.__str__  # KeyError's would print the message in quotes


class TensorError(RuleonceError, ValueError):
    """A tensor or gradient that cannot be used: its shape, its layout, its place in memory."""


class TensorTypeError(TensorError, TypeError):
    """A tensor or gradient of a type or dtype that cannot be used."""


class FormatError(RuleonceError, ValueError):
    """A format that cannot be: its parts, its blocks, or which tensor it is asked for."""


class SparseGradientError(RuleonceError, RuntimeError):
    """A gradient is sparse; torch.optim raises RuntimeError for it too."""


class NonFiniteGradientError(TensorError, FloatingPointError):
    """A gradient is infinite or nan, and the optimizer was asked to refuse it."""


class StructureError(TensorError):
    """Gradients whose nesting or names differ from those of the parameters."""


class EngineError(RuleonceError, ValueError):
    """An engine, or a number of threads, that does not exist."""


class CheckpointError(RuleonceError, ValueError):
    """A saved file that does not fit the optimizer that loads it."""


class MissingLibraryError(RuleonceError, ImportError):
    """An optional library is not installed; the message holds the command that installs it."""


class CommandError(RuleonceError, ValueError):
    """A command that cannot be run as asked: an unknown rule, a folder that cannot be written."""


class PlotError(RuleonceError, ValueError):
    """A picture that cannot be drawn as asked: an unknown surface, results that are none."""


class DataError(CommandError):
    """Data that cannot be raced on; the message names file, place and way out."""


class RuleFileError(RuleonceError, ImportError):
    """A file of rules that is not there, holds no rule, or fails as it is imported."""
