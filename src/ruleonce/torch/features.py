"""What a training loop asks of a step beside the rule: gradient scaling, clipping, averaging.

Each is a combinator on the rule, so it is a part of the same kernel, and a number that arrives with
the step.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..combinators import averaged, scaled, unscaled
from ..errors import HyperparameterError, SparseGradientError
from ..language.rule import Rule
from .device_numbers import Number

_TINY = 1e-6  # as torch.nn.utils.clip_grad_norm_ has it, where the norm is 0


@dataclass(frozen=True)
class Features:
    """What an optimizer was asked for when it was made.

    max_norm   gradients are scaled down so that the norm of all together is at most this
    ema        decay of the moving average of the weights
    """

    max_norm: float | None = None
    ema: float | None = None

    def check(self) -> None:
        """Raise HyperparameterError for a value that cannot be."""
        if self.max_norm is not None and not _is_number(self.max_norm, above=0):
            raise HyperparameterError(
                f"max_norm is {self.max_norm!r}; it must be a number above 0."
            )
        if self.ema is not None and not (self.ema == 0 or _is_number(self.ema, above=0, below=1)):
            raise HyperparameterError(
                f"ema is {self.ema!r}; it is the share of the average that a step keeps, a number "
                "of at least 0 and below 1."
            )

    def kept(self, rule: Rule) -> Rule:
        """The rule with what is kept beside its own state; what is done to gradients is left out,
        and says nothing of a state.
        """
        return rule if self.ema is None else averaged(rule)

    def check_step(self, found_inf: Tensor | None, *, releases: bool) -> None:
        """Raise HyperparameterError where a step cannot be what was asked for."""
        if found_inf is not None and releases:
            raise HyperparameterError(
                "torch.amp.GradScaler has to see all gradients before a step, and "
                "release_gradients applies each, scaled as it is, as soon as it is there. Leave "
                "one of them out; bfloat16 needs no scaling."
            )

    def of_step(
        self, gradients: Sequence[Tensor], grad_scale: Tensor | None, found_inf: Tensor | None
    ) -> "Extras":
        """What they are at this step.

        grad_scale, found_inf   from torch.amp.GradScaler, or None
        """
        if found_inf is None and self == _NONE:
            return _NO_EXTRAS
        numbers: dict[str, Number] = {}
        if found_inf is not None:
            numbers["grad_scale"] = 1.0 if grad_scale is None else grad_scale
            numbers["found_inf"] = found_inf
        norm = None
        if self.max_norm is not None:
            try:
                norm = total_norm(gradients)
            except NotImplementedError as error:
                raise SparseGradientError(
                    "max_norm needs dense gradients, and one is sparse, which no rule supports: "
                    "please consider torch.optim.SparseAdam for that parameter."
                ) from error
            if grad_scale is not None:
                norm = norm / grad_scale.to(norm.device, non_blocking=True)
            numbers["gradient_scale"] = torch.clamp(self.max_norm / (norm + _TINY), max=1.0)
        if self.ema is not None:
            numbers["average_decay"] = self.ema
        return Extras(self, numbers, found_inf, norm)


@dataclass(frozen=True)
class Extras:
    """What is added to a step.

    numbers     hyperparameter of the combined rule -> its value
    found_inf   1 if the step is to change nothing
    norm        of all gradients, before clipping
    """

    features: Features = field(default_factory=Features)
    numbers: Mapping[str, Number] = field(default_factory=dict)
    found_inf: Tensor | None = None
    norm: Tensor | None = None

    @property
    def are_on_device(self) -> bool:
        """Whether some number is a tensor, and so is not to be waited for."""
        return self.found_inf is not None or self.norm is not None

    def combined(self, rule: Rule) -> Rule:
        """The rule with what is added to it."""
        if self.norm is not None:
            rule = scaled(rule)
        if self.found_inf is not None:
            rule = unscaled(rule)  # before it is clipped
        return rule if self.features.ema is None else averaged(rule)


_NONE = Features()
_NO_EXTRAS = Extras()


def total_norm(gradients: Sequence[Tensor]) -> Tensor:
    """The 2-norm of all gradients together, a number on their device; at least in float32.

    The gradients are read once, and not written to.
    """
    if not gradients:
        return torch.zeros(())
    plain: dict[tuple[object, ...], list[Tensor]] = {}
    divided: dict[object, list[Tensor]] = {}  # by mesh: torch adds up those of one mesh alone
    with torch.no_grad():
        for gradient in gradients:
            if hasattr(gradient, "full_tensor"):  # a DTensor
                divided.setdefault(gradient.device_mesh, []).append(gradient)  # type: ignore[attr-defined]
                continue
            real = (
                torch.view_as_real(gradient.resolve_conj()) if gradient.is_complex() else gradient
            )
            plain.setdefault((real.device, real.dtype), []).append(real)
        norms: list[Tensor] = []
        for some in plain.values():
            norms += torch._foreach_norm(some, 2.0, dtype=_wide(some[0].dtype))
        for some in divided.values():
            of_each = [torch.linalg.vector_norm(x, dtype=_wide(x.dtype)) for x in some]
            norms.append(torch.linalg.vector_norm(torch.stack(of_each)).full_tensor())
        first = norms[0]
        whole: Tensor = torch.linalg.vector_norm(
            torch.stack([x.to(gradients[0].device, first.dtype) for x in norms])
        )
        return whole


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype in (torch.float64, torch.complex128) else torch.float32


def _is_number(value: object, *, above: float, below: float = math.inf) -> bool:
    return (
        isinstance(value, (int, float)) and above < value and (value < below or below == math.inf)
    )
