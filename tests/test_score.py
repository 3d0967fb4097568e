"""`kallos.score` and `kallos score`: whatever holds photos becomes one table, failures as rows; videos over time."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import kallos
from extractors import decode, video
from extractors.errors import InputError, PhotoError
from extractors.tracking import MEMORY, Tracker
from extractors.video import frames_of_file
from featurestore.errors import UsageError
from kallos.engines import pool
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from tests.command import kallos as kallos_command
from tests.command import kallos_ok
from tests.conftest import Workspace
from tests.test_documented_commands import ROOT, commands, run_all

EVERY, FRAMES, RATE = 10, 60, 10
SECOND_FACE = range(20, 41)
"""Frames that show a second face."""


def write_video(path: Path, frames: list[np.ndarray]) -> Path:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, (width, height))
    for frame in frames:
        writer.write(frame[:, :, ::-1])
    writer.release()
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One face that moves to the right; a second one is there for a while."""
    one, other = (paint(draw_parameters(seed), 200) for seed in (0, 3))
    frames = []
    for number in range(FRAMES):
        canvas = np.full((220, 560, 3), 255, dtype=np.uint8)
        canvas[10:210, 2 * number : 2 * number + 200] = one
        if number in SECOND_FACE:
            canvas[10:210, 350:550] = other
        frames.append(canvas)
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames)


@pytest.fixture(scope="module")
def scored(clip: Path, workspace: Workspace) -> pl.DataFrame:
    return kallos.score(clip, bundle=workspace.bundle, every=EVERY)


def test_a_photo_has_one_row_however_it_is_given_and_what_fails_has_its_reason(workspace: Workspace, tmp_path: Path):
    path = workspace.portrait
    pixels = np.asarray(Image.open(path))
    (tmp_path / "letter.jpg").write_text("dear reader")
    pattern = tmp_path / "*.jpg"
    photos = [path, str(path), Image.open(path), pixels, path.read_bytes(), tmp_path / "nowhere.jpg", 3, pattern]
    scores = kallos.score(photos, bundle=workspace.bundle)
    names = [str(path), str(path), "[2]", "[3]", "[4]", str(tmp_path / "nowhere.jpg"), "[6]"]
    assert scores["photo"].to_list() == [*names, str(tmp_path / "letter.jpg")]
    (score,) = scores["score"].drop_nulls().unique()
    reasons = scores["problem"].to_list()
    assert reasons[:5] == [None] * 5
    for reason, part in zip(reasons[5:], ("does not exist", "int is not a photo", "is not a photo"), strict=True):
        assert part in reason
    written = tmp_path / "t.parquet"
    assert kallos_command("score", path, tmp_path, "--bundle", workspace.bundle, "--parquet", written).code == 5
    alone = kallos.score([path, tmp_path], bundle=workspace.bundle)
    assert alone.equals(pl.read_parquet(written))
    assert alone["score"][0] == score
    assert list(kallos.score([], bundle=workspace.bundle)["photo"]) == []


def test_an_array_of_photos_and_a_folder_with_nothing_to_score(workspace: Workspace, tmp_path: Path):
    pixels = np.asarray(Image.open(workspace.portrait))
    two = kallos.score(np.stack([pixels, np.zeros_like(pixels)]), bundle=workspace.bundle)
    assert two["photo"].to_list() == ["[0]", "[1]"]
    assert two["score"].is_null().to_list() == [False, True]
    assert "No face was found" in two["problem"][1]
    (empty,) = kallos.score(tmp_path, bundle=workspace.bundle).rows(named=True)
    assert "holds no photo that can be read" in empty["problem"]


def test_explained_parts_add_up(workspace: Workspace):
    (row,) = kallos.score(workspace.portrait, bundle=workspace.bundle, explain=True).rows(named=True)
    _, explanation = kallos.explain(workspace.portrait, bundle=workspace.bundle)
    weighted = sum(row[f"ensemble_weight_{n}"] * row[f"model_{n}"] for n in ("a", "b", "quadratic", "ridge"))
    assert row["score"] == pytest.approx(weighted + row["correction"] - row["bias"], abs=1e-6)
    total = 0.0
    for region, parts in explanation.regions.items():
        moved = sum(row[f"moved_by_{feature}"] for feature in parts.features)
        assert row[f"contribution_{region}"] == pytest.approx(
            row[f"average_{region}"] + row[f"windows_{region}"] + moved, abs=1e-6
        )
        total += row[f"contribution_{region}"]
    assert total == pytest.approx(row[f"model_{explanation.regions_of.replace('-', '_')}"], abs=1e-6)


def test_the_faces_of_a_video_keep_their_numbers(scored: pl.DataFrame, clip: Path, workspace: Workspace):
    one, other = (scored.filter(face=face) for face in (1, 2))
    assert one["frame"].to_list() == list(range(0, FRAMES, EVERY))
    assert other["frame"].to_list() == [number for number in SECOND_FACE if number % EVERY == 0]
    assert one["seconds"].to_list() == pytest.approx([number / RATE for number in one["frame"]])
    assert len(scored) == len(one) + len(other)
    # scores of the two faces lie apart, those of one face together
    assert one["score"].std() + other["score"].std() < abs(one["score"].mean() - other["score"].mean())
    frames = {frame.number: frame.pixels for frame in frames_of_file(clip, EVERY)}
    with kallos.load_bundle(workspace.bundle) as predictor:
        largest = predictor.predict(frames[20])
    assert largest.score in scored.filter(frame=20)["score"].to_list()
    assert largest.notes[0].startswith("2 faces")


def test_a_camera_is_scored_as_a_file_is(scored, clip, workspace, monkeypatch: pytest.MonkeyPatch):
    """Where workers share the frames, too."""
    assert "Camera 0 cannot be opened" in kallos.score("camera", bundle=workspace.bundle)["problem"].item()
    opened = cv2.VideoCapture
    monkeypatch.setattr(video.cv2, "VideoCapture", lambda camera, _: opened(str(clip), cv2.CAP_FFMPEG))
    monkeypatch.setattr(pool, "WORKERS", 1)
    steps = list[tuple[int, int]]()
    table = kallos.score(
        "camera:1",
        bundle=workspace.bundle,
        every=EVERY,
        seconds=60,
        on_progress=lambda done, total, _: steps.append((done, total)),
    )
    apart = ("photo", "seconds")
    assert table.drop(apart).equals(scored.drop(apart))
    assert table["photo"].unique().item() == "camera:1"
    assert table["seconds"].is_sorted()
    assert [done for done, _ in steps] == list(range(1, FRAMES // EVERY + 1))


def test_the_command_shows_a_video_over_time(scored, clip, workspace, tmp_path):
    arguments = ("score", clip, "--every", EVERY, "--bundle", workspace.bundle)
    output = kallos_ok(*arguments).out
    assert "Over time" in output
    assert "6 frames looked at" in output
    own = scored.filter(face=1)["own_score"]
    assert [f"{figure:.2f}" for figure in (own.median(), own.min(), own.max())] == next(
        line.split()[-3:] for line in output.splitlines() if line.startswith(" face 1")
    )
    each = json.loads(kallos_ok(*arguments, "--seconds", "2.5", "--json").out)["predictions"]
    assert [(one["frame"], one["face"]) for one in each] == [(0, 1), (10, 1), (20, 1), (20, 2)]
    assert {one["problem"] for one in each} == {None}
    kallos_ok(*arguments, "--csv", tmp_path / "t.csv")
    assert pl.read_csv(tmp_path / "t.csv")["score"].to_list() == pytest.approx(scored["score"].to_list())


def test_what_is_no_video_has_its_reason(clip: Path, workspace: Workspace, tmp_path: Path, monkeypatch):
    def problem(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return str(kallos.score(tmp_path / name, bundle=workspace.bundle, every=30)["problem"][-1])

    whole = clip.read_bytes()
    assert problem("list.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n").endswith(
        "is not a video: convert it to MP4."
    )
    assert problem("none.mov", b"").endswith("is not a video: convert it to MP4.")
    assert "is no video that can be read" in problem("noise.mp4", whole[:100] + bytes(1000))
    assert "no face was found" in problem_of_black(tmp_path, workspace)
    monkeypatch.setattr(video, "MAX_FRAMES", 2)
    with pytest.raises(InputError, match=r"60 frames and more, and 2 at most are looked at: take each 30th"):
        next(frames_of_file(clip, 10))
    assert len(list(frames_of_file(clip, 30))) == 2
    monkeypatch.setattr(decode, "MAX_PIXELS", 1000)
    with pytest.raises(PhotoError, match="million pixels"):
        next(frames_of_file(clip, 30))


def problem_of_black(folder: Path, workspace: Workspace) -> str:
    black = write_video(folder / "black.mp4", [np.zeros((64, 64, 3), dtype=np.uint8)] * 3)
    answer = kallos_command("score", black, "--bundle", workspace.bundle, "--every", 2)
    assert (answer.code, answer.out) == (PhotoError.exit_code, "")
    assert "no face was found in 2 frames" in answer.err
    return str(kallos.score(black, bundle=workspace.bundle)["problem"].item())


def test_a_video_that_is_cut_short_says_so_after_its_last_frame(clip: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(video, "ALL_THERE", 1.5)
    frames = frames_of_file(clip, 30)
    assert [frame.number for frame in itertools.islice(frames, 2)] == [0, 30]
    with pytest.raises(PhotoError, match="ends after 60 of 60 frames"):
        next(frames)


def test_what_videos_are_not_asked_for(clip: Path, workspace: Workspace, tmp_path: Path):
    for options in ({"overlays": tmp_path}, {"explain": True}, {"every": 0}, {"seconds": -1}):
        with pytest.raises(UsageError):
            kallos.score(clip, bundle=workspace.bundle, **options)


def test_the_page_on_scores(clip: Path, workspace: Workspace, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    portraits = workspace.portraits / "images"
    Path("photos").mkdir()
    for number in (2, 3, 4):
        shutil.copy(portraits / f"P000{number}.jpg", "photos")
    for name, target in (("photo.jpg", workspace.portrait), ("clip.mp4", clip), ("bundle", workspace.bundle)):
        Path(name).symlink_to(target)
    run_all(commands("docs/score.md"), {})
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "docs/score.md").read_text(), flags=re.DOTALL):
        exec(code, names)
    output = capsys.readouterr().out
    assert output.count("shape: (3, 5)") == 1
    assert "nowhere.jpg does not" in output
    assert f"shape: ({len(names['rows'])}, 4)" in output


@settings(max_examples=50, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 5))
def test_faces_that_move_a_little_are_followed_in_whatever_order_they_come(random, count):
    tracker, places = Tracker(), [np.array([300.0 * place, 0.0]) for place in range(count)]
    square = np.array([[0, 0, 0], [100, 100, 0]], dtype=np.float32)

    def faces(order):
        return [square + np.append(places[place], 0).astype(np.float32) for place in order]

    order = list(range(count))
    first = dict(zip(order, tracker.follow(faces(order), 0.0), strict=True))
    for step in range(1, 6):
        places = [place + np.array([random.uniform(-30, 30), random.uniform(-30, 30)]) for place in places]
        random.shuffle(order)
        missing = order.pop() if count > 1 and step == 3 else None
        assert dict(zip(order, tracker.follow(faces(order), step / 2), strict=True)).items() <= first.items()
        if missing is not None:
            order.append(missing)
    later = tracker.follow(faces(order), step / 2 + MEMORY + 1)
    assert not set(later) & set(first.values())
