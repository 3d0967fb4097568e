"""The face landmarker on drawn portraits: found, in pixels, the largest of several, quietly."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from extractors import landmarker
from extractors.errors import NoFaceError
from extractors.file_hash import sha256_of_file
from extractors.landmarker import Landmarker
from extractors.mediapipe_tasks import MODEL
from extractors.points import Landmarks
from extractors.topologies.mediapipe_478 import TOPOLOGY
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from tests.crossed import crossed

MIRROR = TOPOLOGY.mirror


@pytest.fixture(scope="module")
def finder():
    with Landmarker() as finder:
        yield finder


@pytest.fixture(scope="module")
def portraits():
    return [paint(draw_parameters(seed)) for seed in range(6)]


def distance(a, b):
    """Mean distance of two faces' landmarks, in face widths."""
    return np.linalg.norm((a - b)[:, :2], axis=1).mean() / Landmarks(b[None]).face_width[0]


def test_a_portrait_has_478_landmarks_in_pixels(finder, portraits):
    for portrait in portraits:
        found = finder.find(portrait)
        assert found.faces == 1
        assert found.landmarks.shape == (478, 3)
        assert found.landmarks.dtype == np.float32
        assert (np.ptp(found.landmarks[:, :2], axis=0) > 100).all()
        face = Landmarks(found.landmarks[None])
        assert face["right_eye_centre"][0, 0] < face["left_eye_centre"][0, 0]
        assert face["chin"][0, 1] > face["glabella"][0, 1]
        assert face.behind("nose_tip", "right_zygion")[0] > 0.1


def test_the_same_photo_gives_the_same_landmarks(finder, portraits):
    first = finder.find(portraits[0]).landmarks
    finder.find(portraits[1])
    assert (finder.find(portraits[0]).landmarks == first).all()


def test_coordinates_follow_size_shape_and_place_of_the_photo(finder, portraits):
    face = finder.find(portraits[0]).landmarks
    twice = finder.find(cv2.resize(portraits[0], None, fx=2, fy=2)).landmarks
    assert distance(twice / 2, face) < 0.01
    assert np.abs(twice[:, 2] / 2 - face[:, 2]).max() < 12
    moved = finder.find(cv2.copyMakeBorder(portraits[0], 0, 60, 200, 0, cv2.BORDER_REPLICATE)).landmarks
    assert distance(moved - (200, 0, 0), face) < 0.015


def test_a_mirrored_photo_gives_mirrored_landmarks(finder, portraits):
    face = finder.find(portraits[0]).landmarks
    mirrored = finder.find(portraits[0][:, ::-1]).landmarks
    assert distance((mirrored * (-1, 1, 1) + (350, 0, 0))[MIRROR], face) < 0.02


def test_of_several_faces_the_largest_is_taken(finder, portraits):
    small = cv2.resize(portraits[1], (220, 220), interpolation=cv2.INTER_AREA)
    both = np.full((350, 570, 3), 128, dtype=np.uint8)
    both[:220, :220], both[:, 220:] = small, portraits[0]
    found = finder.find(both)
    assert (found.faces, found.place) == (2, "2nd from the left")
    assert found.landmarks[:, 0].min() > 220
    assert distance(found.landmarks - (220, 0, 0), finder.find(portraits[0]).landmarks) < 0.02


def on_canvas(width, height, *placed):
    """Portraits, each of some pixels at some place, before a grey wall with some noise."""
    canvas = np.random.default_rng(0).normal(140, 4, (height, width, 3)).clip(0, 255).astype(np.uint8)
    for portrait, side, x, y in placed:
        how = cv2.INTER_AREA if side < 350 else cv2.INTER_CUBIC
        canvas[y : y + side, x : x + side] = cv2.resize(portrait, (side, side), interpolation=how)
    return canvas


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_faces_of_one_size_side_by_side_are_all_counted(count, finder, portraits):
    for first in range(3):
        row = [portraits[(first + i) % 6] for i in range(count)]
        assert finder.find(np.hstack(row)).faces == count
    above = finder.find(np.vstack(portraits[:2]))
    assert above.faces == 2
    assert above.place.endswith(" from the top")


@pytest.mark.parametrize(
    ("size", "share"), crossed([(525, 350), (700, 350), (1050, 350), (700, 700), (1400, 1050)], [0.5, 0.7], every=4)
)
def test_a_small_face_beside_a_large_one_is_counted_wherever_it_is(size, share, finder, portraits):
    width, height = size
    side, counts = int(350 * share), []
    for number, portrait in enumerate(portraits):
        small = (portraits[number - 1], side, width - side, (0, height - side)[number % 2])
        found = finder.find(on_canvas(width, height, (portrait, 350, 0, height - 350), small))
        assert found.landmarks[:, 0].max() < 350, "the large one is taken"
        counts.append(found.faces)
    assert counts.count(2) >= 5
    assert set(counts) <= {1, 2}


def test_one_face_is_one_whatever_is_around_it(finder, portraits):
    for margin in (60, 150, 300, 600):
        for portrait in portraits:
            assert finder.find(on_canvas(350 + 2 * margin, 350 + margin, (portrait, 350, margin, margin))).faces == 1


def test_a_portrait_costs_no_second_look(portraits):
    with Landmarker() as finder:
        for portrait in portraits:
            finder.find(portrait)
        assert "_detector" not in vars(finder)


@pytest.mark.parametrize(("corner", "wide"), crossed([(0, 0), (1, 0), (0, 1), (1, 1)], [52, 64, 96, 128], every=4))
def test_a_small_face_in_a_corner_of_a_large_photo_is_found(corner, wide, finder, portraits):
    side = round(wide * 350 / 147)
    x, y = corner[0] * (2000 - side), corner[1] * (1500 - side)
    portrait = portraits[corner[0] + 2 * corner[1]]
    found = finder.find(on_canvas(2000, 1500, (portrait, side, x, y)))
    assert found.faces == 1
    placed = finder.find(portrait).landmarks * (side / 350) + np.array((x, y, 0))
    assert distance(found.landmarks, placed) < 0.02


@pytest.mark.parametrize("wide", [24, 32, 40])
def test_a_face_that_is_too_small_is_told_what_size_would_do(wide, finder, portraits):
    side = round(wide * 350 / 147)
    with pytest.raises(NoFaceError, match="at least 48 pixels wide") as caught:
        finder.find(on_canvas(2000, 1500, (portraits[0], side, 1200, 300)))
    if wide > 24:
        assert "too small to be measured" in str(caught.value)


def test_of_several_small_faces_the_largest_is_taken(finder, portraits):
    placed = [(portraits[0], 160, 100, 100), (portraits[1], 230, 1600, 200), (portraits[2], 190, 900, 1200)]
    found = finder.find(on_canvas(2000, 1500, *placed))
    assert (found.faces, found.place) == (3, "3rd from the left")
    assert found.landmarks[:, 0].min() > 1600


def test_a_face_that_fills_the_photo_and_more_is_found(finder, portraits):
    for portrait in portraits:
        face = finder.find(portrait).landmarks
        (left, top), (right, bottom) = face[:, :2].min(axis=0).astype(int), face[:, :2].max(axis=0).astype(int)
        tight = np.ascontiguousarray(portrait[top + 35 : bottom - 35, left + 35 : right - 35])
        assert distance(finder.find(tight).landmarks + np.array((left + 35, top + 35, 0)), face) < 0.08


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("shape", [(350, 350, 3), (40, 900, 3), (1, 1, 3)])
def test_a_photo_without_a_face_is_refused(finder, shape, value):
    with pytest.raises(NoFaceError, match="No face was found"):
        finder.find(np.full(shape, value, dtype=np.uint8))


def test_nothing_is_written_to_stderr_and_nothing_warns():
    program = (
        "from extractors.landmarker import Landmarker\n"
        "from kallos.portraits.painter import paint\n"
        "from kallos.portraits.parameters import draw_parameters\n"
        "with Landmarker() as finder:\n"
        "    print(finder.find(paint(draw_parameters(0))).faces)\n"
    )
    run = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "1\n"
    assert run.stderr == ""


def test_what_mediapipe_draws_and_records_with_is_imported_when_it_is_used():
    program = (
        "import sys\n"
        "from extractors.landmarker import Landmarker\n"
        "with Landmarker():\n"
        "    assert not {'matplotlib', 'sounddevice'} & set(sys.modules)\n"
        "from mediapipe.tasks.python.vision import drawing_utils\n"
        "drawn = drawing_utils.plt.figure()\n"
        "from matplotlib import pyplot\n"
        "assert isinstance(drawn, pyplot.Figure)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


def test_one_that_is_never_closed_ends_quietly():
    program = (
        "import numpy as np\n"
        "from extractors.landmarker import Landmarker\n"
        "left_open = Landmarker()\n"
        "left_open._detector.boxes(np.zeros((64, 64, 3), dtype=np.uint8), 64)\n"
    )
    run = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


def test_irises_lie_in_their_eyes(finder, portraits):
    for portrait in portraits:
        face = Landmarks(finder.find(portrait).landmarks[None])
        for side in ("right", "left"):
            inner, outer = face[f"{side}_iris_inner"][0], face[f"{side}_iris_outer"][0]
            top, bottom = face[f"{side}_iris_top"][0], face[f"{side}_iris_bottom"][0]
            centre, eye = face[f"{side}_iris_centre"][0], face.contour(f"{side}_eye")[0]
            assert (eye.min(axis=0) < centre).all()
            assert (centre < eye.max(axis=0)).all()
            assert np.linalg.norm((inner + outer) / 2 - centre) < 0.2 * np.linalg.norm(inner - outer)
            assert top[1] < centre[1] < bottom[1]
            towards_nose = 1 if side == "right" else -1
            assert (inner[0] - outer[0]) * towards_nose > 0


def test_the_model_is_the_one_that_its_page_names():
    page = MODEL.with_suffix(".md").read_text(encoding="utf-8")
    assert sha256_of_file(MODEL) in page
    assert "Apache-2.0" in page
    assert Landmarker.parameters()["model"] == sha256_of_file(MODEL)


def test_threads_that_are_mute_together_leave_stderr_as_it_was(capfd):
    first_is_in, first_is_out = threading.Event(), threading.Event()

    def first() -> None:
        with landmarker.muted():
            first_is_in.set()
            time.sleep(0.1)
        first_is_out.set()

    def second() -> None:
        first_is_in.wait(5)
        with landmarker.muted():
            first_is_out.wait(5)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"still heard")
    assert capfd.readouterr().err == "still heard"
