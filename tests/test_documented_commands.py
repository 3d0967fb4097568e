"""Every command of the README and of the documents, as it is typed, on drawn portraits.

Left out: what the test of its own already runs (`serve` and `hub`, which end only when stopped or need a server), the
dated log of experiments, and docs/extending.md, which has tests/test_extending.py.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from featurestore.opening import open_store
from tests.command import kallos_ok
from tests.conftest import Workspace
from tests.ingest_files import a_release, write_photo, write_workbook

ROOT = Path(__file__).parent.parent
ELSEWHERE = {"serve", "hub"}
QUICKLY = dict.fromkeys(("train", "benchmark"), ("--epochs", "1", "--image-size", "32", "--precision", "float32"))
"""Added for the time that tests may take; `baseline`, `b` and the combiner train as they are."""


def commands(name: str) -> list[list[str]]:
    """The arguments of each line of a page's shell blocks that begins with kallos."""
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("kallos ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def run_all(steps: list[list[str]], names: dict[str, str]) -> None:
    for command in steps:
        if command[0] not in ELSEWHERE:
            kallos_ok(*(names.get(word, word) for word in command), *QUICKLY.get(command[0], ()))


def test_the_tour_on_own_photos(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    portraits = sorted((workspace.portraits / "images").iterdir())
    for name, chosen in (("scores", portraits[:40]), ("other", portraits[40:60])):
        photos = tmp_path / ("photos" if name == "scores" else name)
        photos.mkdir()
        for photo in chosen:
            shutil.copy(photo, photos)
        rows = [f"{photo.name},{1 + i % 9 / 2}" for i, photo in enumerate(chosen)]
        Path(f"{name}.csv").write_text("\n".join(["image,score", *rows]))
    shutil.copy(portraits[60], "photo.jpg")
    steps = commands("docs/own-photos.md")
    assert {command[0] for command in steps} > {"ingest", "extract", "train", "report", "score", "explain"}
    placeholder = next(i for i, command in enumerate(steps) if "IMAGE_ID" in command or "RUN" in command)
    run_all(steps[:placeholder], {})
    (row,) = kallos_ok(
        "sql", "SELECT image_id, run_id FROM predictions WHERE role = 'test' ORDER BY ALL LIMIT 1", "--json"
    ).json()
    run_all(steps[placeholder:], {"IMAGE_ID": row["image_id"], "RUN": row["run_id"]})
    for written in ("report.html", "similar.png", "bundle", "overlays/photo_overlay.png", "why.png", "space/app.py"):
        assert Path(written).exists()


def test_the_readme_shows_lines_of_that_tour_in_its_order():
    readme, tour = commands("README.md"), commands("docs/own-photos.md")
    assert 5 < len(readme) <= 10
    typed_first = [command for place, command in enumerate(tour) if command not in tour[:place]]
    assert [command for command in typed_first if command in readme] == readme


@pytest.mark.parametrize("folds", [2, pytest.param(5, marks=pytest.mark.long)])
def test_the_tour_on_scut_fbp5500(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folds: int):
    """The benchmark trains every model on each of five folds; in most runs of the tests the store has but two of them."""
    monkeypatch.chdir(tmp_path)
    names = [f"{subset}{n}" for subset in ("AF", "AM", "CF", "CM") for n in range(1, 11)]
    release = a_release(Path("SCUT-FBP5500_v2"), {name: name for name in names})
    for portrait, name in zip(sorted((workspace.portraits / "images").iterdir()), names, strict=False):
        shutil.copy(portrait, release / "Images" / f"{name}.jpg")
    torch.manual_seed(0)
    monkeypatch.setenv("KALLOS_WEIGHTS", str(tmp_path / "weights"))
    Path("weights").mkdir()
    network = timm.create_model("mobilenetv1_100", num_classes=0, pad_type="same")
    save_file(network.state_dict(), Path("weights", "vggface2-mobilenetv1_100.safetensors"))
    steps = commands("docs/scut.md") + commands("docs/lab/accuracy.md")
    assert [command[0] for command in steps][:4] == ["ingest", "extract", "train", "benchmark"]
    run_all(steps[:1], {})
    with open_store(Path("kallos.duckdb")) as store:
        store.execute("DELETE FROM splits WHERE protocol = 'scut-5fold' AND fold > $folds", folds=folds)
    run_all(steps[1:], {})


def test_the_page_on_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for i in range(6):
        write_photo(Path("photos") / f"face_{i}.png", i)
    for name, raters in (("ratings", ("r1", "r2")), ("wave2", ("r3", "r4"))):
        rows = [(f"face_{i}", rater, i % 7 + 1.0) for i in range(6) for rater in raters]
        write_workbook(Path(f"{name}.xlsx"), {"Data": [("image", "rater", "rating"), *rows]})
    run_all(commands("docs/tables.md"), {})
    (row,) = kallos_ok("sql", "SELECT count(*) AS n, count(DISTINCT rater_id) AS raters FROM ratings", "--json").json()
    assert row == {"n": 24, "raters": 4}
    Path("ratings.csv").write_text("image,rater,rating\nface_0,r1,7\n")
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/tables.md").read_text(), flags=re.DOTALL)
    exec(code, {})


def test_the_command_reference_is_that_of_the_code(tmp_path: Path):
    written = tmp_path / "commands.md"
    arguments = ("kallos.cli.app", "utils", "docs", "--name", "kallos", "--title", "Every command", "--output", written)
    subprocess.run([sys.executable, "-m", "typer", *map(str, arguments)], check=True, capture_output=True)
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert written.read_text(encoding="utf-8") == page, "run `make docs`"
