"""The documentation site: it is built with no warning, leads everywhere, and asks nobody."""

import html
import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from chromium import browser
from markdown_it import MarkdownIt

from ruleonce import rules
from ruleonce.cli.show import shown

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def built_with(name):
    """A file of docs/building, as MkDocs loads it."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "building" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Contents(HTMLParser):
    """What a page has: the anchors in it, where it leads, what it loads, and how many of each."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads, self.counts = set(), [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.anchors.update(found[x] for x in ("id", "name") if found.get(x))
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        self.loads += [found[x] for x in ("src", "srcset", "data", "poster") if found.get(x)]
        if tag == "link" and found.get("href"):
            self.loads.append(found["href"])


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """The site's folder, and what was said while it was built."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stderr


@pytest.fixture(scope="module")
def site(build):
    return build[0]


@pytest.fixture(scope="module")
def pages(site):
    """Path -> contents, of every page but the explorer, which is a program of its own."""
    found = {
        path: Contents(path.read_text())
        for path in site.rglob("*.html")
        if path.parent.name != "explorer"
    }
    assert len(found) > len(rules.ALL) + 30
    return found


def written(site, document):
    name = document.relative_to(DOCS).as_posix().replace("README.md", "index.md")
    return site / Path(name).with_suffix(".html")


def article(path):
    """What a page says itself, without what surrounds it."""
    return re.search(r"<article.*?</article>", path.read_text(), re.DOTALL)[0]


def words(path):
    """What is read on a page."""
    return html.unescape(re.sub(r"<[^>]+>", "", article(path)))


def test_it_is_built_with_no_warning_and_every_page_is_in_the_navigation(build):
    site, said = build

    assert "WARNING" not in said
    assert "not included in the" not in said
    for document in DOCS.rglob("*.md"):
        assert written(site, document).exists()


def test_the_navigation_has_every_rule_and_the_page_of_each_its_neighbours(pages, site):
    for rule in rules.ALL:
        links = pages[site / "rules" / f"{rule.name}.html"].links
        assert {f"{other.name}.html" for other in rules.ALL if other is not rule} <= set(links)


def test_every_link_of_the_site_leads_somewhere_its_anchors_too(site, pages):
    checked = 0
    for page, contents in pages.items():
        for link in contents.links + contents.loads:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "data"):
                continue
            if page.name == "404.html":  # is shown at any address: its own begin at the root
                parts = parts._replace(path=parts.path.lstrip("/"))
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{page.relative_to(site)} leads to {link}"
            if parts.fragment and target in pages and parts.fragment != "__skip":
                anchors = pages[target].anchors
                assert unquote(parts.fragment) in anchors, f"{page.name} leads to {link}"
            checked += 1
    assert checked > 10_000


def test_no_page_loads_anything_from_the_network(site, pages):
    for page, contents in pages.items():
        for address in contents.loads:
            assert not urlsplit(address).netloc, f"{page.name} loads {address}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//|@import", sheet.read_text())


def test_a_browser_asks_for_nothing_that_is_not_there_and_no_page_is_too_wide(site):
    names = [
        "index",
        "start/student",
        "rules/lars",
        "dialects",
        "inside/index",
        "api/torch",
        "plot",
    ]
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 390, "height": 844})
        asked, failed = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.on("pageerror", lambda error: failed.append(str(error)))
        for name in [*names, "explorer"]:
            page.goto((site / f"{name}.html").as_uri(), wait_until="networkidle")
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wide) <= 0, f"{name} is wider than a phone"

    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    # Search is a worker, which a page from the disk may not have.
    assert [what for what in failed if "search_index" not in what] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_on_a_page_shuts_people_out(site, scheme):
    """Contrast, labels and links, as WCAG asks."""
    with browser() as chromium:
        page = chromium.new_page(color_scheme=scheme)
        for name in ("index", "start/student", "rules/lars", "inside/index", "api/torch"):
            page.goto((site / f"{name}.html").as_uri(), wait_until="networkidle")
            found = Axe().run(page).response["violations"]
            # What scrolls can be reached by keys in every browser of today, unlike axe's.
            serious = [
                (violation["id"], violation["nodes"][0]["html"])
                for violation in found
                if violation["impact"] in ("serious", "critical")
                and violation["id"] != "scrollable-region-focusable"
            ]
            assert serious == [], name


def test_the_site_reads_a_page_as_github_does(site):
    """As CommonMark: lists within lists, tables, and code within both."""
    commonmark = MarkdownIt("commonmark").enable("table")
    for document in DOCS.rglob("*.md"):
        text = document.read_text()
        if "<!-- the part" in text or ":::" in text:
            continue
        expected = Contents(commonmark.render(text)).counts
        found = Contents(article(written(site, document))).counts
        for tag in ("li", "table", "tr", "td"):
            assert found.get(tag, 0) == expected.get(tag, 0), f"{document.name}: {tag}"


def test_every_formula_is_mathml(site):
    for document in DOCS.rglob("*.md"):
        page = article(written(site, document))
        assert page.count("<math") == document.read_text().count("```math\n"), document.name
        assert "\\frac" not in page
        assert "merror" not in page
    assert article(site / "rules" / "adam.html").count("<mfrac>") == 3


@pytest.mark.parametrize(("name", "pictures"), [("plot", 4), ("cards", 2)])
def test_what_a_page_draws_is_on_it(site, name, pictures):
    asked = re.findall(r"<!-- picture: (.+?) -->", (DOCS / f"{name}.md").read_text())
    page = article(site / f"{name}.html")

    assert len(asked) == pictures
    for number, said in enumerate(asked, 1):
        assert f'<img alt="{said}" src="{name}-{number}.png" />' in page
        assert (site / f"{name}-{number}.png").stat().st_size > 10_000


def test_how_it_works_shows_what_the_commands_print(site):
    text = words(site / "inside" / "index.html")

    for form in ("card", "program", "host", "ir", "asm", "triton", "javascript"):
        printed = " ".join(shown(rules.adam, form, "float32").split())
        assert printed in " ".join(text.split()), form
    assert "fdiv float %m_new" in text.partition("All ")[0]


def test_the_benchmarks_page_quotes_the_readme(site):
    table = re.search(r"^\| torch, fused \|(.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    page = words(site / "benchmarks.html")

    quoted = page[page.index("torch, fused\n") :].split("\n")[1:]
    assert quoted[:7] == [cell.strip() for cell in table[1].split("|")[:-1]]


def test_an_output_is_shown_in_part():
    outputs = built_with("outputs")
    text = "zero\n  one\n    two\n  three\nfour"

    assert outputs.between(text, "one", "three") == "one\n  two\nthree"
    assert outputs.around(text, "three").startswith("zero\n  one")
    for missing in [("five", "one"), ("three", "one")]:
        with pytest.raises(ValueError, match="no line of the output"):
            outputs.between(text, *missing)
    with pytest.raises(ValueError, match="five"):
        outputs.around(text, "five")


def test_a_command_that_fails_stops_the_build():
    """Else a page would show nothing where a rule was renamed."""
    asked = "```console\nruleonce show adma\n```\n\n<!-- output: text -->"

    with pytest.raises(ValueError, match="there is no rule 'adma'"):
        built_with("outputs").on_page_markdown(asked)


def test_a_docstring_of_the_house_becomes_a_table():
    markdown = built_with("docstrings").markdown
    text = "What beta**t does.\n\nrule  a function,\n      or a_b\nx, y  `a|b` | c"

    assert markdown(text) == (
        "What beta\\*\\*t does.\n\n| | |\n|---|---|\n| `rule` | a function, or a\\_b |\n"
        "| `x`, `y` | `a|b` \\| c |"
    )


def test_the_reference_shows_a_schedule_as_it_is_called(site):
    assert "cosine(initial, steps, final=0.0)" in words(site / "api" / "schedules.html")
