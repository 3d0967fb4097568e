"""`kallos hub` against a stand-in for the Hub, and `kallos export --space`."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.command import kallos, kallos_ok
from tests.conftest import Workspace
from tests.waiting import wait_for_server

REPOSITORY = "somebody/faces"
SHA = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub's HTTP as one repository needs; its files are in memory."""

    files: dict[str, bytes]
    repositories: list[dict[str, object]]

    def log_message(self, *_):
        pass

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_POST(self):
        body = self.body().decode()
        if self.headers.get("Authorization") != "Bearer hf_secret":
            self.answer(401, {"error": "Who are you?"})
        elif self.path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif self.path == "/api/repos/create":
            self.repositories.append(json.loads(body))
            self.answer(200, {"url": f"http://{self.headers['Host']}/{REPOSITORY}"})
        elif self.path.startswith(f"/api/models/{REPOSITORY}/preupload/"):
            paths = [file["path"] for file in json.loads(body)["files"]]
            self.answer(200, {"files": [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in paths]})
        elif self.path.startswith(f"/api/models/{REPOSITORY}/commit/"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            found = f"http://{self.headers['Host']}/{REPOSITORY}/commit/{SHA}"
            self.answer(200, {"success": True, "commitOid": SHA, "commitUrl": found, "hookOutput": ""})
        else:
            self.answer(404, {"error": self.path})

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            tree = [{"type": "file", "path": n, "size": len(c), "oid": oid(c)} for n, c in self.files.items()]
            self.answer(200, tree)
        elif path.startswith(f"/api/models/{REPOSITORY}"):
            siblings = [{"rfilename": name} for name in self.files]
            self.answer(200, {"id": REPOSITORY, "sha": SHA, "siblings": siblings, "private": True, "tags": []})
        elif path.startswith(f"/{REPOSITORY}/resolve/") and (name := path.split("/", 5)[5]) in self.files:
            self.send(200, self.files[name], {"ETag": f'"{oid(self.files[name])}"', "X-Repo-Commit": SHA})
        else:
            self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def do_HEAD(self):
        self.do_GET()

    def answer(self, status, content):
        self.send(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def send(self, status, content, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture
def hub():
    Hub.files, Hub.repositories = {}, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def run_kallos(hub: str, *arguments: object, home: Path, token: str = "hf_secret") -> subprocess.CompletedProcess[str]:
    """`kallos hub ...` in a process of its own: the library reads its environment once."""
    environment = os.environ | {"HF_ENDPOINT": hub, "HF_TOKEN": token, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-m", "kallos", "hub", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_a_bundle_goes_and_comes_back_the_same(hub: str, workspace: Workspace, tmp_path: Path):
    pushed = run_kallos(hub, "push", workspace.bundle, REPOSITORY, home=tmp_path / "home")
    assert pushed.returncode == 0, pushed.stderr
    assert REPOSITORY in pushed.stderr
    (repository,) = Hub.repositories
    assert repository.get("private") or repository.get("visibility") == "private", "nobody sees it unless asked for"
    assert Hub.files["README.md"] == (workspace.bundle / "MODEL_CARD.md").read_bytes()
    head = Hub.files["README.md"].decode().split("---")[1]
    for key in ("license", "library_name", "tags", "metrics", "model-index"):
        assert f"\n{key}: " in head
    back = tmp_path / "back"
    pulled = run_kallos(hub, "pull", REPOSITORY, back, home=tmp_path / "home")
    assert pulled.returncode == 0, pulled.stderr
    pushed_files, pulled_files = (
        {p.relative_to(d): p.read_bytes() for p in d.rglob("*") if p.is_file()} for d in (workspace.bundle, back)
    )
    assert pushed_files == pulled_files
    assert "score" in kallos_ok("score", workspace.portrait, "--bundle", back).out


def test_a_changed_bundle_is_refused_and_leaves_nothing(hub: str, workspace: Workspace, tmp_path: Path):
    assert run_kallos(hub, "push", workspace.bundle, REPOSITORY, home=tmp_path / "home").returncode == 0
    Hub.files["normalization.json"] += b" "
    pulled = run_kallos(hub, "pull", REPOSITORY, tmp_path / "back", home=tmp_path / "home")
    assert pulled.returncode == 9
    assert "normalization.json has changed" in pulled.stderr
    assert not [path for path in tmp_path.iterdir() if path.name != "home"]


def test_what_the_hub_refuses_is_one_sentence(hub: str, workspace: Workspace, tmp_path: Path):
    home = tmp_path / "home"
    for answer in (
        run_kallos(hub, "push", workspace.bundle, REPOSITORY, home=home, token="hf_wrong"),
        run_kallos(hub, "pull", "nobody/nothing", tmp_path / "back", home=home),
        run_kallos("http://127.0.0.1:9", "pull", REPOSITORY, tmp_path / "back", home=home),
    ):
        assert answer.returncode == 14, answer.stderr
        assert answer.stderr.startswith("kallos: ")
        assert "Traceback" not in answer.stderr


def test_what_is_refused_before_the_hub_is_asked_is_one_sentence(workspace: Workspace, tmp_path: Path):
    for code, answer in (
        (14, kallos("hub", "pull", "no name", tmp_path / "back")),
        (3, kallos("hub", "push", tmp_path, REPOSITORY)),
        (3, kallos("hub", "pull", REPOSITORY, workspace.bundle)),
    ):
        assert answer.code == code, answer.err
        assert answer.err.startswith("kallos: ")


@pytest.fixture(scope="module")
def space(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub") / "space"
    kallos_ok("export", "--space", folder, "--store", workspace.store)
    return folder


def test_a_space_says_what_it_is_and_what_it_needs(space: Path):
    head = (space / "README.md").read_text(encoding="utf-8").split("---")[1]
    for line in ('sdk: "docker"', "app_port: 7860"):
        assert line in head
    needed = dict(line.split("==") for line in (space / "requirements.txt").read_text().split())
    assert {"fastapi", "uvicorn", "onnxruntime", "mediapipe", "duckdb"} <= needed.keys()
    assert "torch" not in needed
    assert not {"pytest", "playwright", "kallos"} & needed.keys()
    assert not list(space.rglob("__pycache__"))


def test_a_space_runs_from_its_folder_alone(space: Path, workspace: Workspace, tmp_path: Path):
    script = "import ensemble, kallos, models; print(ensemble.__file__, kallos.__file__, models.__file__)"
    imported = subprocess.run(
        [sys.executable, "-c", script], cwd=space, capture_output=True, text=True, check=True
    ).stdout.split()
    assert all(Path(file).is_relative_to(space) for file in imported)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    program = [sys.executable, "app.py", "127.0.0.1", str(port)]
    with subprocess.Popen(program, cwd=space, env=environment, stderr=subprocess.DEVNULL) as server:
        wait_for_server(f"http://127.0.0.1:{port}", server)
        answer = httpx.post(
            f"http://127.0.0.1:{port}/predict", files={"photo": workspace.portrait.read_bytes()}, timeout=60
        )
        server.send_signal(signal.SIGINT)
    expected = kallos_ok("score", workspace.portrait, "--bundle", workspace.bundle, "--json").json()
    assert answer.json()["answers"][0]["score"] == pytest.approx(expected["predictions"][0]["score"])


def test_a_folder_that_holds_something_is_left_alone(workspace: Workspace, space: Path):
    answer = kallos("export", "--space", space, "--store", workspace.store)
    assert answer.code == 3
    assert "new or empty" in answer.err
