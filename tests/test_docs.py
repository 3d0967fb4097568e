"""What the documents show is run: every query, the Python example, and every command is mentioned."""

import re
from importlib.metadata import requires
from pathlib import Path

import pytest

from kallos.cli.app import EXIT_CODES, app
from kallos.docs_pages.licences import markdown as licences
from tests.command import done

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "sql.md").read_text(), flags=re.DOTALL)


def test_the_cookbook_has_at_least_six_queries():
    assert len(QUERIES) >= 6


@pytest.mark.parametrize("query", QUERIES, ids=[" ".join(q.split())[:40] for q in QUERIES])
def test_every_query_of_the_cookbook_gives_rows(workspace, query):
    assert done("sql", query, "--json", "--store", workspace.store).json()
    assert done("sql", query, "--store", workspace.store).out.strip()


def test_the_python_example_runs(workspace, monkeypatch, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    monkeypatch.chdir(workspace.store.parent.parent)
    exec(compile(example, "README.md", "exec"), {})
    assert "jawline" in capsys.readouterr().out


def test_every_command_is_in_the_readme():
    commands = {c.name or c.callback.__name__ for c in app.registered_commands} | {
        g.name for g in app.registered_groups
    }
    assert {
        name for name in commands if f"kallos {name}" not in README + Path(ROOT / "docs/sql.md").read_text()
    } == set()


def test_exit_codes_in_help_and_readme_agree():
    in_help = {int(n) for n in re.findall(r"\b(\d+) \w", EXIT_CODES)}
    in_readme = {int(n) for n in re.findall(r"\| (\d+) \|", README)}
    assert in_help | {1} == in_readme


def test_links_and_pictures_of_the_documents_exist():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_package_that_kallos_asks_for_has_its_licence_listed():
    page = (ROOT / "docs" / "licences.md").read_text().lower().replace("_", "-")
    asked = [
        name for line in requires("kallos") if (name := re.match(r"[\w-]+", line)[0]) and 'extra == "dev"' not in line
    ]
    assert len(asked) > 15
    assert {name for name in asked if f"| {name.lower().replace('_', '-')} |" not in page} == set()
    assert "| duckdb | " in licences()
