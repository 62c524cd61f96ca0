"""The front end for PyTorch: `ruleonce.torch.AdamW(model.parameters())`, in torch.optim's words.

Beside the classes of torch.optim, every rule of ruleonce.rules has one, under its name in
CamelCase: `ruleonce.torch.Lamb`.
"""

try:
    import torch as _torch
except ImportError as missing:
    from ..errors import MissingLibraryError

    raise MissingLibraryError(
        "ruleonce.torch needs PyTorch, which is not installed here:\n"
        "  pip install 'ruleonce[torch]'"
    ) from missing

from .casting import cast as cast
from .classes import ASGD as ASGD
from .classes import SGD as SGD
from .classes import Adadelta as Adadelta
from .classes import Adagrad as Adagrad
from .classes import Adam as Adam
from .classes import Adamax as Adamax
from .classes import AdamW as AdamW
from .classes import Lion as Lion
from .classes import NAdam as NAdam
from .classes import RAdam as RAdam
from .classes import RMSprop as RMSprop
from .classes import Rprop as Rprop
from .made import MadeOptimizer as MadeOptimizer
from .made import optimizer as optimizer
from .offload import Offloaded as Offloaded
from .offload import offload as offload
from .optimizer import RuleOptimizer as RuleOptimizer
from .training import release_gradients as release_gradients

del _torch


def __getattr__(name: str) -> type[MadeOptimizer]:
    """The class of a rule that torch.optim does not have; it is made when it is asked for."""
    from .made import class_called

    made = class_called(name, [key for key in globals() if key[:1].isupper()])
    globals()[name] = made
    return made
