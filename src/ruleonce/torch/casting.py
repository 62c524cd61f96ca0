"""Models in 16 bits."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

import torch

Model = TypeVar("Model", bound=torch.nn.Module)


def cast(model: Model, dtype: torch.dtype = torch.bfloat16, full: Sequence[str] = ()) -> Model:
    """Give the parameters of a model another dtype, in place, and return it.

    dtype   what they are converted to, rounded to nearest even
    full    patterns of the names of parameters that stay as they are, such as "*norm*"; * and ?
            stand for what they do in a shell

    The parameters stay the same objects; buffers, and parameters of whole or complex numbers, stay
    as they are. Nothing is kept of the old weights: to have their further bits as error bits, keep
    `copy.deepcopy(model.state_dict())`, or the file that it was loaded from, and give it to
    `optimizer.load_masters` of an optimizer with formats={"w": "bfloat16+8"}.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.is_floating_point() and not any(fnmatchcase(name, x) for x in full):
                parameter.data = parameter.data.to(dtype)
                if parameter.grad is not None:
                    parameter.grad = None
    return model
