"""The navigation's list of rules, family by family, as docs/rules/README.md has it."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig

LINE = re.compile(r"^## (?P<family>.+)$|^\| \[(?P<rule>\w+)\]\((?P<page>\w+\.md)\)", re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill in the tab "Rules"."""
    listed: list[object] = ["rules/README.md"]
    pages: list[object] = []
    for found in LINE.finditer((Path(config.docs_dir) / "rules" / "README.md").read_text()):
        if found["family"]:
            pages = []
            listed.append({re.split("[,:]", found["family"])[0]: pages})
        else:
            pages.append({found["rule"]: f"rules/{found['page']}"})
    tab = next(tab for tab in config.nav or [] if "Rules" in tab)
    tab["Rules"] = listed
    return config
