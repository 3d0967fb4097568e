"""Every command on a store in every state: done, or one sentence with a documented code and what to do next.

The commands are those of the command line itself: a new one without a row here fails.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from kallos.cli.app import EXIT_CODES
from kallos.importers.registry import IMPORTERS
from reports.registry import PAGES
from tests.command import Answer, kallos
from tests.conftest import Workspace
from tests.crossed import crossed
from tests.named_commands import leaves, named, trouble
from tests.states import STATES, States

SMALL = "--backbone squeezenet1_1 --weights none --image-size 32 --epochs 1"
ROWS: dict[str, tuple[str, ...]] = {
    "plan": ("", "--json"),
    "tables": ("", "--json", "scores", "geometric_features"),
    "report": (
        *PAGES,
        *(f"{name} --json" for name in PAGES),
        *(f"{name} --html out.html --figures figures" for name in PAGES),
        "lineage --image demo/P0001.jpg",
        "evaluation --protocol demo-5fold --fold 2",
        "study --data-set demo --folder study",
        "training --run nothing",
        "dataset --data-set demo --photos --html out.html",
        "dataset --sql",
    ),
    "check": ("", "--json", "--data-set demo"),
    "sql": (
        "'FROM images LIMIT 9'",
        "'FROM geometric_features LIMIT 2'",
        "'FROM predictions' --json",
        "'FROM splits' --csv -",
    ),
    "features": ("", "jaw_width", "averageness --json", "--region eyes"),
    "similar": (
        "demo/P0001.jpg",
        "PHOTO --by geometry",
        "P0001.jpg --by landmarks --sql",
        "demo/P0001.jpg --json --sheet sheet.png",
    ),
    "composite": ("out.png", "out.png --where 'score > 3' --along mean --by -1 --size 64"),
    "score": ("PHOTO", "PHOTO --json", "PHOTO --protocol demo-5fold --fold 2", "PHOTO --group AF", "camera"),
    "explain": ("PHOTO", "demo/P0001.jpg --json", "PHOTO --html out.html --overlay out.png"),
    "rate": ("anna --json", "anna --export eye.safetensors", "anna --protocol demo-5fold --fold 2 --json"),
    "serve": ("--port PORT",),
    "export": ("bundle --no-onnx", "FILE"),
    "completion": ("bash",),
    "doctor": ("", "--deep --json"),
    "verify": ("RUN", "nothing"),
    "evaluate": ("--data-set other", "--data-set demo", "--data-set demo --bundle nowhere", "--face-alone"),
    "validate": ("--data-set other", "--data-set demo --json", "--data-set other --bundle nowhere"),
    "preregister": ("nowhere.toml", "FILE"),
    "duplicates": ("", "--data-set other --sheet sheet.png --json"),
    "compact": ("",),
    "erase": ("demo/P0001.jpg", "nobody", "--rater nobody", "demo/P0001.jpg --receipt nowhere/receipt.json"),
    "rollback": ("geometry", "nothing"),
    "extract": ("", "--encoder nothing --weights none"),
    "train": (
        "baseline",
        f"ensemble {SMALL}",
        "baseline --protocol demo-5fold --fold 9",
        "baseline --protocol identity-disjoint",
    ),
    "benchmark": (f"--protocol demo-5fold --members ensemble {SMALL}", "--protocol nothing"),
    "demo": ("FILE",),
    **{f"ingest {name}": ("nowhere",) for name in IMPORTERS},
    "ingest table": ("nowhere.csv --images nowhere", "nowhere.csv --images nowhere --dry-run"),
    "ingest demo": ("FILE",),
    "store export": ("exported", "FILE"),
    "store import": ("nowhere",),
    "hub push": ("nowhere a/b",),
    "hub pull": ("a/b pulled", "a/b FILE"),
    "weights": ("", "--json"),
    "weights add": ("nowhere.tgz",),
}
"""Command -> what is typed after it: the first line in every run of the tests, the others with `make test-long`."""

READERS = {
    "plan",
    "tables",
    "report",
    "check",
    "sql",
    "features",
    "similar",
    "composite",
    "score",
    "explain",
    "rate",
    "doctor",
    "verify",
}
"""Commands that only read the store, and need no copy of it."""

WITHOUT_A_STORE = {"demo", "completion", "hub push", "hub pull", "weights", "weights add"}
DOCUMENTED = {int(code) for code in re.findall(r"\b(\d+) ", EXIT_CODES)} - {130, 141}


@pytest.fixture(scope="session")
def states(tmp_path_factory: pytest.TempPathFactory, workspace: Workspace) -> States:
    return States(tmp_path_factory.mktemp("states"), workspace)


@pytest.fixture(scope="session")
def taken_port() -> Iterator[int]:
    """A port that is listened at: `kallos serve` says so, where it would else go on for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_every_command_has_a_row():
    assert {" ".join(words) for words in leaves()} == set(ROWS)


@cache
def works(command: str) -> str | None:
    return trouble(command)


def check(answer: Answer, cell: str) -> None:
    output = answer.out + answer.err
    assert answer.code in DOCUMENTED, (cell, output)
    # what a column means may name a command without its arguments
    for command in [] if cell.startswith("tables") else named(output):
        assert works(command) is None, (cell, command, works(command))
    if answer.code:
        sentence = answer.err.strip().splitlines()[-1]
        assert re.fullmatch(r"kallos: .+(: .+|`.+)[.)?]", sentence), (cell, sentence)
    if answer.code in (6, 7):
        assert named(answer.err) or "--" in answer.err, (cell, answer.err)


@pytest.mark.parametrize(
    "lines", [slice(1), pytest.param(slice(1, None), marks=pytest.mark.long)], ids=["first", "others"]
)
@pytest.mark.parametrize(("command", "state"), crossed(ROWS, STATES, every=4))
def test_every_command_in_every_state(
    command: str,
    state: str,
    lines: slice,
    states: States,
    workspace: Workspace,
    taken_port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("kallos.cli.console.out.width", 2000)
    Path("FILE").touch()
    Path("EMPTY").mkdir()
    store = states.store(state)
    runs = sorted(path.name for path in store.with_suffix(".runs").glob("*-baseline-*"))
    values = {"PHOTO": str(workspace.portrait), "PORT": str(taken_port), "RUN": [*runs, "nothing"][0]}
    for number, line in enumerate(ROWS[command][lines]):
        used = store if command in READERS else states.copy(state, tmp_path / str(number))
        words = [values.get(word, word) for word in re.findall(r"'[^']*'|\S+", line)]
        options = [] if command in WITHOUT_A_STORE else ["--store", used]
        answer = kallos(*command.split(), *(word.strip("'") for word in words), *options)
        check(answer, f"{command} {line}, {state}")
