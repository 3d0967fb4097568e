"""The documents as files: every link and anchor leads somewhere, every page is in the site, every line can be read."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
NOTEBOOKS = sorted(DOCS.rglob("*.ipynb"))
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), *NOTEBOOKS]
BY_TYPER = DOCS / "commands.md"
"""Its lines are as long as typer makes them."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without code, where brackets mean other things."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        return "\n\n".join("".join(cell["source"]) for cell in cells)
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


@cache
def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to headings, and the site, which has the same rule."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[tuple[str, str]]:
    """Target and anchor of every link and picture that leads to a file of kallos."""
    text = re.sub(r"`[^`]*`", "", prose(page))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [(path, anchor) for path, _, anchor in (t.partition("#") for t in targets) if ":" not in path]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files_and_anchors(page: Path):
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"
        # the site knows nothing outside docs/
        assert not page.is_relative_to(DOCS) or target.is_relative_to(DOCS), path


def test_there_are_links_with_anchors():
    assert sum(bool(anchor) for page in PAGES for _, anchor in links(page)) >= 3


def test_every_page_is_in_the_site():
    nav = re.search(r"^nav:\n(.*?)^\S", (ROOT / "mkdocs.yml").read_text(), flags=re.DOTALL | re.MULTILINE)[1]
    listed = re.findall(r"(\S+\.md)$", nav, flags=re.MULTILINE)
    pages = {path.relative_to(DOCS).with_suffix(".md").as_posix() for path in PAGES if path.is_relative_to(DOCS)}
    assert len(listed) == len(set(listed))
    assert set(listed) == pages


@pytest.mark.parametrize("page", [p for p in PAGES if p not in (BY_TYPER, *NOTEBOOKS)], ids=name)
def test_lines_are_shorter_than_120_characters(page: Path):
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)
    assert [number for number, line in lines if len(line) >= 120] == []


def test_the_readme_is_two_screens_at_most():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 90
