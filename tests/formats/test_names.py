"""Every format has a name that a user may write, and stands in the documentation with its size."""

import re
from pathlib import Path

import pytest

from ruleonce import formats
from ruleonce.errors import FormatError
from ruleonce.formats import FORMATS, Storage
from ruleonce.formats.choice import STORAGES, named

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
ROWS = re.findall(r"^\| (`.+?`) \| ([\d+/, ]+?) \| ", PAGE.read_text(), flags=re.MULTILINE)
BLOCKS = [name for name, make in STORAGES.items() if make().block]


def documented():
    """Name -> bytes an element, as the table of the page says; `1/2 + 4/128` is a sum."""
    for first, second in ROWS:
        names, sizes = re.findall(r"`(.+?)`", first), second.split(", ")
        for name, size in zip(names, sizes * (len(names) // len(sizes)), strict=True):
            terms = [term.split("/") for term in size.split(" + ")]
            yield name, sum(int(a) / (int(*b) if b else 1) for a, *b in terms)


def bytes_an_element(form):
    if not isinstance(form, Storage):
        return form.itemsize
    return sum(
        part.form.itemsize / part.form.per_item / (form.block if part.per_block else 1)
        for part in form.parts.values()
    )


def test_the_page_has_every_format_with_its_size():
    assert dict(documented()) == {
        name: bytes_an_element(named(name)) for name in {**STORAGES, **FORMATS}
    }


@pytest.mark.parametrize("block", [32, 64, 128, 256])
@pytest.mark.parametrize("name", BLOCKS)
def test_every_format_in_blocks_is_a_function_of_their_size(name, block):
    storage = getattr(formats, name)(block=block)

    assert (storage.name, storage.block) == (name, block)
    assert getattr(formats, name)(block) is storage
    assert STORAGES[name]() is getattr(formats, name)()


def test_a_family_is_refused_with_the_name_of_a_member():
    with pytest.raises(FormatError, match="no format 'uint8'; did you mean 'uint8_"):
        named("uint8")
