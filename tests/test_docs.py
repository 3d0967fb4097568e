"""What the documents show is run: every query, the Python example, and every command and exported name is there."""

import re
from functools import cache
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import kallos
from featurestore import user_sql
from kallos.cli.app import EXIT_CODES, app
from kallos.docs_pages.licences import markdown as licences
from reports.registry import PAGES
from tests.command import kallos_ok

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
QUERIES = re.findall(r"```sql\n(.*?)```", (DOCS / "sql.md").read_text(), flags=re.DOTALL)

SHOWN = (
    "own-photos.md",
    "score.md",
    "scut.md",
    "sql.md",
    "studies.md",
    "studies/validation.md",
    "studies/shape.md",
    "studies/one-rater.md",
)
"""Pages on which every command is shown, with the README."""


def test_the_cookbook_has_at_least_six_queries():
    assert len(QUERIES) >= 6


@pytest.mark.parametrize("query", QUERIES, ids=[" ".join(q.split())[:40] for q in QUERIES])
def test_every_query_of_the_cookbook_gives_rows(workspace, query, monkeypatch):
    # one process for both
    monkeypatch.setattr(user_sql, "select", cache(user_sql.select))
    assert kallos_ok("sql", query, "--json", "--store", workspace.store).json()
    assert kallos_ok("sql", query, "--store", workspace.store).out.strip()


def test_the_python_example_runs(workspace, monkeypatch, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), flags=re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    monkeypatch.chdir(workspace.store.parent.parent)
    exec(compile(example, "python.md", "exec"), {})
    assert "jawline" in capsys.readouterr().out


def test_every_report_is_listed_for_people_with_their_own_ratings():
    (listed,) = re.findall("`kallos report NAME` knows.*?Each is", (DOCS / "own-photos.md").read_text(), re.DOTALL)
    assert {name for name in PAGES if f"`{name}`" not in listed} == set()


def test_every_command_is_shown_in_use():
    commands = {c.name or c.callback.__name__ for c in app.registered_commands} | {
        g.name for g in app.registered_groups
    }
    pages = (ROOT / "README.md", *(DOCS / name for name in SHOWN))
    text = "".join(page.read_text() for page in pages)
    assert {name for name in commands if f"kallos {name}" not in text} == set()


def test_every_exported_name_is_in_the_api_reference():
    named = re.findall(r"^::: kallos\.(\w+)$", (DOCS / "api.md").read_text(), flags=re.MULTILINE)
    assert sorted(named) == kallos.__all__


def test_exit_codes_in_help_and_documents_agree():
    in_help = {int(n) for n in re.findall(r"\b(\d+) \w", EXIT_CODES)}
    in_documents = {int(n) for n in re.findall(r"\| (\d+) \|", (DOCS / "exit-codes.md").read_text())}
    assert in_help | {1} == in_documents


def test_every_package_that_kallos_asks_for_has_its_licence_listed():
    page = (DOCS / "licences.md").read_text().lower().replace("_", "-")
    packages = [
        requirement.name
        for requirement in map(Requirement, requires("kallos"))
        if not requirement.marker or "dev" not in str(requirement.marker)
    ]
    assert len(packages) > 15
    assert {name for name in packages if f"- **{name.lower().replace('_', '-')}** " not in page} == set()
    assert "- **duckdb** " in licences()
