"""What is shipped of the page is what its sources make."""

from ruleonce.cli.explore.assembly import BUNDLE

FILES = ("LICENSES.txt", "page.css", "page.js")


def test_a_fresh_build_is_the_bundle_that_is_shipped(npm, tmp_path):
    worked, said = npm("build", "--", "--out", str(tmp_path))

    assert worked, said
    assert sorted(path.name for path in tmp_path.iterdir()) == list(FILES)
    for name in FILES:
        built, shipped = tmp_path / name, BUNDLE / name
        assert built.read_bytes() == shipped.read_bytes(), f"{name} is old; run: make explorer"
