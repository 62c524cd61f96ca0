"""The front end for PyTorch: `ruleonce.torch.AdamW(model.parameters())`, in torch.optim's words."""

try:
    import torch as _torch
except ImportError as missing:
    from ..errors import MissingLibraryError

    raise MissingLibraryError(
        "ruleonce.torch needs PyTorch, which is not installed here:\n"
        "  pip install 'ruleonce[torch]'"
    ) from missing

from .optimizer import RuleOptimizer as RuleOptimizer

del _torch


def __getattr__(name):
    from . import classes

    return getattr(classes, name)
