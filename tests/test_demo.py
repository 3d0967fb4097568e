"""`kallos demo`, the first command that anyone types: it ends well, asks no network, and shows commands that work."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import onnxruntime
import pytest

from tests.command import kallos

LISTENER = """
import os, sys

def heard(event, arguments):
    # between processes of this machine an address is a name, in a network it is a tuple
    over_network = event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple)
    if over_network or event == "socket.getaddrinfo":
        with open(os.environ["HEARD"], "a") as log:
            print(event, arguments, file=log)
        raise OSError("no network here")

sys.addaudithook(heard)
"""
"""Python runs this at the start of every process, worker processes among them."""
DEMO = """
import os
from pathlib import Path
from kallos.cli.app import main
from kallos.cli import demo
if __name__ == "__main__":
    from tests.conftest import exported_once
    exported_once.folder = Path(os.environ["GRAPHS"])
    demo.EPOCHS = 1
    main()
"""


def test_the_demo_runs_to_its_end_without_a_network(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "listener").mkdir()
    (tmp_path / "listener" / "sitecustomize.py").write_text(LISTENER)
    (tmp_path / "demo.py").write_text(DEMO)
    connections = tmp_path / "heard.txt"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "listener"), *sys.path]),
        "HEARD": str(connections),
        "GRAPHS": str(shared / "graphs"),
    }
    script = "import socket; socket.create_connection(('192.0.2.1', 80))"
    subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=False)
    assert "192.0.2.1" in connections.read_text(), "the listener must hear"
    connections.unlink()
    run = subprocess.run(
        [sys.executable, "demo.py", "demo", "demo", "--count", "100"], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert not connections.exists(), connections.read_text()
    assert "done in" in run.stdout
    for path in ("portraits/images/P0001.jpg", "kallos.duckdb", "bundle/MODEL_CARD.md", "figures", "overlays"):
        assert (tmp_path / "demo" / path).exists()
    commands = [line.removeprefix("$ kallos ") for line in run.stdout.splitlines() if line.startswith("$ kallos ")]
    assert len(commands) > 8
    assert kallos(*commands[-1].split()).code == 0, "a step shown is a command that can be typed"


def test_onnx_runtime_is_one_that_reports_to_nobody():
    """The listener above hears Python alone; later builds of this library have an uploader of their own."""
    library = next(Path(onnxruntime.__file__).parent.glob("capi/onnxruntime_pybind11_state*.so"))
    assert b"data.microsoft.com" not in library.read_bytes()


def test_mediapipe_is_one_that_can_call_nobody():
    """From 0.10.35 on its library holds an HTTP client and an address that it reports to, and no setting against it."""
    content = (files("mediapipe.tasks.c") / "libmediapipe.so").read_bytes()
    network_calls = [name for name in ("getaddrinfo", "socket", "connect") if f"\0{name}\0".encode() in content]
    assert not network_calls, (
        f"this MediaPipe asks the system for {', '.join(network_calls)}: install the one that pyproject.toml names"
    )
