"""Which tensor of which parameter is stored how."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..errors import FormatError, UnknownNameError
from ..language.hyperparameters import nearest
from ..language.rule import Rule
from . import analysis, blocks, masters, stochastic
from .floating import FORMATS, Format
from .storage import Storage

SMALLEST = 4096  # elements

STORAGES: Mapping[str, Callable[[], Storage]] = {
    "int8": blocks.int8,
    "int8_linear": blocks.int8_linear,
    "uint8_sqrt": blocks.uint8_sqrt,
    "uint8_sqrt_stochastic": blocks.uint8_sqrt_stochastic,
    "uint8_linear": blocks.uint8_linear,
    "int4": blocks.int4,
    "uint4_sqrt": blocks.uint4_sqrt,
    "float8_e4m3": blocks.float8_e4m3,
    "float8_e5m2": blocks.float8_e5m2,
    "bfloat16+8": masters.bfloat16_8,
    "bfloat16+16": masters.bfloat16_16,
    "float16+8": masters.float16_8,
    "float16+16": masters.float16_16,
    "bfloat16_stochastic": stochastic.bfloat16_stochastic,
}

Formats = str | Mapping[str, str | Storage | Format]


@dataclass(frozen=True)
class Choice:
    """How the tensors of an optimizer are stored.

    formats   "8bit": every state that forgets, in 8 bits (see `eight_bits`); or tensor name ->
              format, by its name or itself, such as {"m": "int8", "w": "bfloat16+8"}
    smallest  tensors of fewer elements are not stored in blocks: they hardly count, and are often
              the ones that matter (biases, norms)
    full      patterns of the names of parameters whose state is not stored in blocks, as that of
              embeddings should not be; * and ? stand for what they do in a shell
    """

    formats: Formats = "8bit"
    smallest: int = SMALLEST
    full: Sequence[str] = ()

    def of(self, rule: Rule, switches: Mapping[str, bool]) -> dict[str, Storage | Format]:
        """Tensor name -> its format, for a large parameter.

        Raises FormatError or UnknownNameError for what there is not.
        """
        schema = rule.schema
        if isinstance(self.formats, str):
            if self.formats != "8bit":
                raise FormatError(
                    f"formats is {self.formats!r}; it must be '8bit', or say which tensor is "
                    f"stored how: {{{', '.join(f'{name!r}: ...' for name in schema.state)}}}."
                )
            return dict(eight_bits(rule, switches))
        known = (schema.weights, *schema.state)
        for name in self.formats:
            if name not in known:
                raise UnknownNameError(
                    f"{rule.name} has no tensor {name!r} to be stored{nearest(name, known)}"
                )
        return {name: named(form) for name, form in self.formats.items()}

    def of_parameter(
        self,
        chosen: Mapping[str, Storage | Format],
        weights: str,
        form: Format,
        name: str,
        size: int,
    ) -> tuple[dict[str, Storage], dict[str, Format]]:
        """How one parameter is kept: which of its tensors in parts, and which state in one format.

        chosen   what `of` says of a large one
        weights  what the rule calls them
        form     the format that they have
        size     elements

        Raises FormatError where weights are to have a format that they have not.
        """
        storages: dict[str, Storage] = {}
        formats: dict[str, Format] = {}
        is_full = self.is_full(name, size)
        for tensor, how in chosen.items():
            if isinstance(how, Format):
                if tensor == weights and form != how:
                    raise FormatError(
                        f"{tensor} is to be stored as {how.name}, and {name or 'the parameter'} is "
                        f"{form.name}: weights are updated in place, so give them that dtype."
                    )
                if tensor != weights:
                    formats[tensor] = how
            elif tensor == weights:
                if next(iter(how.parts.values())).form == form:
                    storages[tensor] = how
            elif not (is_full and how.block):
                storages[tensor] = how
        return storages, formats

    def is_full(self, name: str, size: int) -> bool:
        """Whether the state of a parameter is not to be stored in blocks."""
        return size < self.smallest or any(fnmatchcase(name, pattern) for pattern in self.full)


def named(form: str | Storage | Format) -> Storage | Format:
    """A format by its name, or itself. Raises FormatError for a name that none has."""
    if not isinstance(form, str):
        return form
    if form in STORAGES:
        return STORAGES[form]()
    if form in FORMATS:
        return FORMATS[form]
    raise FormatError(f"there is no format {form!r}{nearest(form, [*STORAGES, *FORMATS])}")


def eight_bits(rule: Rule, switches: Mapping[str, bool]) -> dict[str, Storage]:
    """The state tensors of a rule that can be stored in 8 bits, and how.

    A state that does not forget (a sum that only grows, a maximum, a copy of the weights, what does
    not start at 0) is not among them. What is never negative is stored by its root; what may be
    negative and yet something is divided by it, is left alone: it must not become 0.
    """
    program = rule.program(**switches)
    found: dict[str, Storage] = {}
    for state in rule.state:
        if state not in program.written or not analysis.forgets(program, rule.schema, state):
            continue
        if analysis.is_never_negative(program, rule.schema, state):
            found[state] = blocks.uint8_sqrt()
        elif not analysis.divides(program, state):
            found[state] = blocks.int8()
    return found
