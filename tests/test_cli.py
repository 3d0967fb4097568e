"""The command line: fast help, and one clear sentence with a documented exit code for every bad input."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from extractors import errors as errors_of_photos
from featurestore import errors
from featurestore.opening import open_store
from kallos.cli.app import EXIT_CODES
from kallos.workflows import extras
from tests.command import Answer, kallos, kallos_ok


def refused(answer: Answer, code: int, *phrases: str) -> None:
    """One sentence on stderr with the given words, the code, nothing on stdout."""
    assert answer.code == code, answer.err
    lines = [line for line in answer.err.splitlines() if line.startswith("kallos: ")]
    assert len(lines) == 1, answer.err
    for phrase in phrases:
        assert phrase in lines[0]
    assert answer.out == ""
    assert "Traceback" not in answer.err


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A csv of 30 scores and its photos, which are grey squares."""
    (tmp_path / "photos").mkdir()
    names = [f"{i}.png" for i in range(30)]
    for i, name in enumerate(names):
        Image.new("L", (64, 64), 100 + i).save(tmp_path / "photos" / name)
    pl.DataFrame({"image": names, "score": np.linspace(1, 5, 30)}).write_csv(tmp_path / "labels.csv")
    return tmp_path / "labels.csv"


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['kallos', '--help']\n"
        "from kallos.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'mediapipe', 'duckdb', 'polars', 'numpy', 'cv2', 'lightgbm'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "score" in answer.stdout


def test_every_exit_code_is_documented():
    named = {**vars(errors), **vars(errors_of_photos)}.values()
    classes = [c for c in named if isinstance(c, type) and issubclass(c, errors.KallosError)]
    codes = {c.exit_code for c in classes if c is not errors.KallosError}
    assert codes <= {int(n) for n in re.findall(r"\b(\d+) ", EXIT_CODES)}
    assert len(codes) == 14


@pytest.mark.parametrize(
    "command",
    [("ingest", "scut", "nowhere"), ("ingest", "mebeauty", "nowhere"), ("score", "nowhere.jpg", "--bundle", "b")],
)
def test_path_that_does_not_exist(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    refused(kallos(*command), 3, "n")


def test_photo_that_does_not_exist(workspace):
    refused(kallos("score", "nowhere.jpg", "--bundle", workspace.bundle), 3, "nowhere.jpg")


def test_folder_without_an_image(labels, workspace, tmp_path):
    (tmp_path / "empty").mkdir()
    options = ("--store", tmp_path / "s.duckdb")
    refused(kallos("ingest", "table", labels, "--images", tmp_path / "empty", "--scale", 1, 5, *options), 3, "no photo")
    refused(kallos("score", tmp_path / "empty", "--bundle", workspace.bundle), 3, "no photo")


def test_csv_without_the_columns(labels, tmp_path):
    labels.write_text("who,what\na,b\n")
    refused(
        kallos(
            "ingest", "table", labels, "--images", labels.parent / "photos", "--scale", 1, 5, "--store", tmp_path / "s"
        ),
        4,
        "who",
    )


def test_scores_outside_the_scale_lose_nothing(labels, tmp_path):
    options = ("--store", tmp_path / "s.duckdb")
    kallos_ok("ingest", "table", labels, "--images", labels.parent / "photos", "--scale", 1, 5, *options)
    labels.write_text(labels.read_text() + "1.png,9\n")
    refused(kallos("ingest", "table", labels, "--images", labels.parent / "photos", *options), 4, "--scale")
    assert kallos_ok("sql", "SELECT count(*) AS n FROM scores", "--json", *options).json() == [{"n": 30}]


def huge_png(path: Path) -> None:
    """20,000 x 20,000 pixels in a small file."""
    Image.new("1", (20_000, 20_000)).save(path)


@pytest.mark.parametrize(
    ("name", "make", "phrase"),
    [
        ("text.jpg", lambda p, face: p.write_text("dear reader"), "text.jpg"),
        ("empty.jpg", lambda p, face: p.write_bytes(b""), "empty"),
        ("short.jpg", lambda p, face: p.write_bytes(face.read_bytes()[:4000]), "short.jpg"),
        ("huge.png", lambda p, face: huge_png(p), "400 million pixels"),
        ("grey.png", lambda p, face: Image.new("L", (300, 300), 90).save(p), "No face"),
    ],
)
def test_photo_that_cannot_be_used(workspace, tmp_path, name, make, phrase):
    make(tmp_path / name, workspace.portrait)
    answer = kallos("score", tmp_path / name, "--bundle", workspace.bundle)
    refused(answer, 5, name)
    assert phrase in answer.err


def test_store_that_another_process_holds(tmp_path):
    path = tmp_path / "s.duckdb"
    open_store(path).connection.close()
    code = f"import duckdb; c = duckdb.connect({str(path)!r}); print('open', flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "open\n"
        refused(kallos("sql", "SELECT 1", "--store", path), 6, str(holder.pid))
    finally:
        holder.communicate("\n")


def test_store_that_does_not_exist(tmp_path):
    refused(kallos("report", "dataset", "--store", tmp_path / "s.duckdb"), 6, "kallos ingest")


def test_sql_that_writes(workspace):
    refused(kallos("sql", "DELETE FROM images", "--store", workspace.store), 10, "SELECT")


def test_sql_for_programs(workspace):
    query = "SELECT subset, count(*) AS n FROM images GROUP BY subset ORDER BY subset"
    as_json = kallos_ok("sql", query, "--json", "--store", workspace.store).json()
    as_csv = kallos_ok("sql", query, "--csv", "-", "--store", workspace.store).out
    assert as_csv.splitlines()[0] == "subset,n"
    assert [f"{row['subset']},{row['n']}" for row in as_json] == as_csv.splitlines()[1:]


def test_extract_before_ingest_and_train_before_extract(labels, tmp_path):
    options = ("--store", tmp_path / "s.duckdb")
    open_store(tmp_path / "s.duckdb").connection.close()
    refused(kallos("extract", "--weights", "none", *options), 7, "kallos ingest")
    kallos_ok("ingest", "table", labels, "--images", labels.parent / "photos", "--scale", 1, 5, *options)
    refused(kallos("train", "baseline", *options), 7, "kallos extract")


def test_predict_before_train(workspace, tmp_path):
    open_store(tmp_path / "s.duckdb").connection.close()
    refused(kallos("score", workspace.portrait, "--store", tmp_path / "s.duckdb"), 7, "kallos ingest")


def test_unknown_backbone_encoder_protocol_and_fold(workspace):
    options = ("--store", workspace.store)
    refused(
        kallos("train", "a", "--backbone", "mobilnet_v3_small", "--weights", "none", *options), 2, "mobilenet_v3_small"
    )
    refused(kallos("extract", "--encoder", "mobilnet_v3_small", "--weights", "none", *options), 2, "mobilenet_v3_small")
    refused(kallos("train", "b", "--protocol", "scut-5fold", *options), 2, "demo-5fold")
    refused(kallos("train", "b", "--fold", 7, *options), 2, "from 1 to 5")


def test_a_size_that_the_network_cannot_take_is_refused_before_the_store_is_opened(tmp_path):
    options = ("--backbone", "vit_b_32", "--weights", "none", "--image-size", 64, "--store", tmp_path / "none.duckdb")
    for command in (("train", "all"), ("benchmark", "--protocol", "x")):
        refused(kallos(*command, *options), 2, "vit_b_32 cannot take images of 64 pixels: choose 224.")


def test_weights_that_do_not_fit_are_missing_or_cannot_be_had(workspace, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    options = ("--store", workspace.store)
    mobilenet = next(workspace.store.with_suffix(".runs").glob("*-1-a-*/part-1/*.safetensors"))
    other = ("--backbone", "resnet18", "--weights", mobilenet)
    refused(kallos("train", "a", *other, *options), 8, "does not fit")
    refused(kallos("train", "a", "--weights", tmp_path / "none.safetensors", *options), 8, "none.safetensors")
    refused(kallos("train", "a", "--backbone", "efficientnet_v2_s", *options), 8, "--download", "--weights none")
    refused(
        kallos("extract", "--encoder", "mobilenet_v3_small", "--weights", "imagenet", *options),
        8,
        "--download",
        "--weights none",
    )


@pytest.mark.parametrize(
    "part", ["a", "b", "baseline", "encoder", "ensemble", "normalization.json", "MODEL_CARD.md", "DATA_CARD.md"]
)
def test_bundle_with_a_changed_byte(workspace, tmp_path, part):
    bundle = tmp_path / "bundle"
    shutil.copytree(workspace.bundle, bundle)
    chosen = bundle / part
    files = [chosen] if chosen.is_file() else [path for path in chosen.rglob("*") if path.is_file()]
    target = max(files, key=lambda path: path.stat().st_size)
    content = bytearray(target.read_bytes())
    content[len(content) // 2] ^= 1
    target.write_bytes(content)
    refused(kallos("score", workspace.portrait, "--bundle", bundle), 9, target.name, "has changed")


def test_bundle_with_a_file_more_or_less(workspace, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(workspace.bundle, bundle)
    (bundle / "extra.txt").write_text("hello")
    refused(kallos("score", workspace.portrait, "--bundle", bundle), 9, "extra.txt")
    (bundle / "extra.txt").unlink()
    (bundle / "MODEL_CARD.md").unlink()
    refused(kallos("score", workspace.portrait, "--bundle", bundle), 9, "MODEL_CARD.md")


def test_bundle_of_other_versions(workspace, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(workspace.bundle, bundle)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["uses"]["geometry"]["code_version"] = 99
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    refused(kallos("score", workspace.portrait, "--bundle", bundle), 9, "geometry: code version 99 → 1", "extract")
    (bundle / "manifest.json").write_text("{")
    refused(kallos("score", workspace.portrait, "--bundle", bundle), 9, "manifest.json")


def test_export_spares_a_folder_with_other_files(workspace, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    refused(kallos("export", tmp_path, "--store", workspace.store), 3, "other files")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_export_spares_what_is_not_an_untouched_bundle(workspace, tmp_path):
    options = ("--store", workspace.store)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "manifest.json").write_text('{"name": "a web page"}')
    refused(kallos("export", tmp_path / "app", *options), 3, "other files")
    assert (tmp_path / "app" / "manifest.json").read_text() == '{"name": "a web page"}'
    shutil.copytree(workspace.bundle, tmp_path / "bundle")
    kallos_ok("export", tmp_path / "bundle", *options)
    (tmp_path / "bundle" / "notes.txt").write_text("mine")
    refused(kallos("export", tmp_path / "bundle", *options), 3, "other files")
    assert (tmp_path / "bundle" / "notes.txt").read_text() == "mine"
    (tmp_path / "letter").write_text("dear reader")
    refused(kallos("export", tmp_path / "letter", *options), 3, "other files")


@pytest.mark.parametrize("parts", [["a"], ["a", "b", "ensemble", "encoder", "../.."]])
def test_bundle_whose_manifest_names_other_parts(workspace, tmp_path, parts):
    shutil.copytree(workspace.bundle, tmp_path / "bundle")
    path = tmp_path / "bundle" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"parts": parts}))
    refused(kallos("score", workspace.portrait, "--bundle", tmp_path / "bundle"), 9, "parts")


def test_tables_describes_every_table(workspace):
    rows = kallos_ok("tables", "--json", "--store", workspace.store).json()
    names = {row["table"] for row in rows}
    assert {"images", "scores", "landmarks", "geometric_features", "normalized_features", "embeddings"} <= names
    assert not [row for row in rows if not row["comment"] and not row["table_comment"]]
    assert "score" in kallos_ok("tables", "scores", "--store", workspace.store).out


@pytest.mark.parametrize(
    ("extra", "arguments"),
    [
        ("web", ("serve",)),
        ("ray", ("extract", "--engine", "ray")),
        ("hub", ("hub", "push", "bundle", "a/b")),
        ("hub", ("hub", "pull", "a/b", "bundle")),
    ],
)
def test_what_an_extra_brings_is_named_where_it_is_missing(extra, arguments, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda module: None)
    answer = kallos(*arguments)
    assert answer.code == 2
    assert f"pip install 'kallos[{extra}]'" in answer.err
