"""Commands that messages name work as they are printed: right words, right options, and the store that was typed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.text import Text

from kallos.cli.suggestions import complete
from tests.command import kallos
from tests.named_commands import named, trouble
from tests.synthetic_store import make_store

ROOT = Path(__file__).parent.parent
PACKAGES = ("kallos", "reports", "ensemble", "models", "extractors", "featurestore")
NO_MESSAGES = {"featurestore/schema.py", "featurestore/training_schema.py"}
"""Comments on tables, which speak of commands."""

VALUES = {"missing[0]": "a", "model": "a", "option": " --encoder resnet18", "command": "plan"}
"""What stands in a message in place of an expression, where a word would not do."""


def messages(path: Path) -> Iterator[str]:
    """The texts of a module but its docstrings, with values in place of expressions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    no_text = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    no_text |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else VALUES.get(ast.unparse(part.value), "1")
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in no_text:
            yield node.value


def test_every_command_in_a_message_is_one():
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.relative_to(ROOT).as_posix() not in NO_MESSAGES:
                found |= {command: f"{path}: {text}" for text in messages(path) for command in named(text)}
    assert len(found) > 30
    assert {command: (why, found[command]) for command in found if (why := trouble(command))} == {}


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("kallos", "NoArgsIsHelpError"),
        ("kallos ingest", "NoArgsIsHelpError"),
        ("kallos ingest --help", None),
        ("kallos extarct", "UsageError"),
        ("kallos extract --retry", "NoSuchOption"),
        ("kallos train", "MissingParameter"),
        ("kallos train everything", "BadParameter"),
        ("kallos report dataset --figures", "BadOptionUsage"),
        ('kallos sql "SELECT 1"', None),
    ],
)
def test_what_cannot_be_typed_is_found(command: str, wrong: str | None):
    assert (trouble(command) or "").partition(":")[0] == (wrong or "")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["kallos", "plan"], "run `kallos extract` or `kallos ingest --help`, `sql`"),
        (["kallos", "plan", "--store", "x.db"], "run `kallos extract --store x.db` or `kallos ingest --help`, `sql`"),
        (["kallos", "plan", "--store=a b"], "run `kallos extract --store 'a b'` or `kallos ingest --help`, `sql`"),
        (["kallos", "plan", "--store"], "run `kallos extract` or `kallos ingest --help`, `sql`"),
    ],
)
def test_commands_get_the_store_that_was_typed(argv: list[str], expected: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", argv)
    text = Text.assemble(("run `kallos extract` or ", "bold"), "`kallos ingest --help`, `sql`", style="dim")
    completed = complete(text)
    assert completed.plain == expected
    assert completed.style == "dim"
    assert any(span.style == "bold" and span.start == 0 for span in completed.spans)


def test_what_a_command_says_to_do_next_can_be_typed(tmp_path: Path):
    store = tmp_path / "my store.duckdb"
    make_store(store, 40, trained=False).close()
    for command in (("score", ROOT / "docs/images/overlay.png"), ("report", "training")):
        answer = kallos(*command, "--store", store)
        assert answer.code == 7
        (following,) = named(answer.err)
        assert re.search(r"train all --protocol made-up-2fold --fold 1 --store '.*my store.duckdb'", following)
        assert trouble(following) is None
