"""What pages link to outside of docs/: it becomes pages too, and the links lead there.

On GitHub a link such as ../src/ruleonce/engines/reference.py leads to the file; here it leads to a
page with its lines. Such pages may link on.
"""

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

LINK = re.compile(r"(?<=\]\()(?P<path>[^()#:\s]+)(?=[#)])")
PART = re.compile(r"<!-- the part (?P<name>\w+) of (?P<path>\S+) -->")
FOLDER = "repository"  # of the site, where they are put
LANGUAGES = {".py": "python", ".sh": "bash", "": "make", ".ts": "typescript"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file that a page links to, and for those that these link to."""
    root, docs = Path(config.config_file_path).parent, Path(config.docs_dir)
    waiting = [docs / file.src_uri for file in files.documentation_pages()]
    waiting += [root / "CONTRIBUTING.md", root / "CHANGELOG.md"]
    seen = set()
    while waiting:
        path = waiting.pop().resolve()
        if path in seen or not path.is_file() or path.suffix == ".png":
            continue
        seen.add(path)
        if docs not in path.parents:
            files.append(File.generated(config, _place(path, config), content=_text(path, root)))
        if path.suffix == ".md":
            waiting += [path.parent / link["path"] for link in LINK.finditer(path.read_text())]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Lead links to where their files are on the site."""
    here = Path(page.file.src_uri)
    root = Path(config.config_file_path).parent
    inside = here.parts[0] != FOLDER
    real = (Path(config.docs_dir) / here) if inside else root / Path(*here.parts[1:])

    def led(link: re.Match[str], folder: Path = real.parent) -> str:
        target = (folder / link["path"]).resolve()
        if not target.is_file():
            return link["path"]  # MkDocs says that it leads nowhere
        return os.path.relpath(_place(target, config), here.parent)

    def part(found: re.Match[str]) -> str:
        path = real.parent / found["path"]
        between = f"<!-- {found['name']} -->(.*?)<!-- /{found['name']} -->"
        (text,) = re.findall(between, path.read_text(), re.DOTALL)
        return LINK.sub(lambda link: led(link, path.parent), text)

    return PART.sub(part, LINK.sub(led, markdown))


def _place(path: Path, config: MkDocsConfig) -> str:
    """Where a file of the repository is on the site."""
    docs = Path(config.docs_dir)
    if docs in path.parents:
        return path.relative_to(docs).as_posix()
    name = path.relative_to(Path(config.config_file_path).parent).as_posix()
    return f"{FOLDER}/{name if path.suffix == '.md' else f'{name}.md'}"


def _text(path: Path, root: Path) -> str:
    text = path.read_text()
    if path.suffix == ".md":
        return text
    fence = "`````"
    language = LANGUAGES.get(path.suffix, "text")
    return f"# {path.relative_to(root).as_posix()}\n\n{fence}{language}\n{text}{fence}\n"
