"""FaceMesh on drawn portraits: found, in pixels, the largest of several, quietly."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from extractors import facemesh
from extractors.errors import NoFaceError
from extractors.facemesh import FaceMesh
from extractors.points import Landmarks
from extractors.topologies.facemesh_468 import TOPOLOGY
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters

MIRROR = TOPOLOGY.mirror


@pytest.fixture(scope="module")
def mesh():
    with FaceMesh() as mesh:
        yield mesh


@pytest.fixture(scope="module")
def portraits():
    return [paint(draw_parameters(seed)) for seed in range(6)]


def apart(a, b):
    """Mean distance of two faces' landmarks, in face widths."""
    return np.linalg.norm((a - b)[:, :2], axis=1).mean() / Landmarks(b[None]).face_width[0]


def test_a_portrait_has_468_landmarks_in_pixels(mesh, portraits):
    for portrait in portraits:
        found = mesh.find(portrait)
        assert found.faces == 1
        assert found.landmarks.shape == (468, 3)
        assert found.landmarks.dtype == np.float32
        assert (np.ptp(found.landmarks[:, :2], axis=0) > 100).all()
        face = Landmarks(found.landmarks[None])
        assert face["right_eye_centre"][0, 0] < face["left_eye_centre"][0, 0]
        assert face["chin"][0, 1] > face["glabella"][0, 1]
        assert face.behind("nose_tip", "right_zygion")[0] > 0.1


def test_the_same_photo_gives_the_same_landmarks(mesh, portraits):
    first = mesh.find(portraits[0]).landmarks
    mesh.find(portraits[1])
    assert (mesh.find(portraits[0]).landmarks == first).all()


def test_coordinates_follow_size_shape_and_place_of_the_photo(mesh, portraits):
    face = mesh.find(portraits[0]).landmarks
    twice = mesh.find(cv2.resize(portraits[0], None, fx=2, fy=2)).landmarks
    assert apart(twice / 2, face) < 0.01
    assert np.abs(twice[:, 2] / 2 - face[:, 2]).max() < 12
    moved = mesh.find(cv2.copyMakeBorder(portraits[0], 0, 60, 200, 0, cv2.BORDER_REPLICATE)).landmarks
    assert apart(moved - (200, 0, 0), face) < 0.015


def test_a_mirrored_photo_gives_mirrored_landmarks(mesh, portraits):
    face = mesh.find(portraits[0]).landmarks
    mirrored = mesh.find(portraits[0][:, ::-1]).landmarks
    assert apart((mirrored * (-1, 1, 1) + (350, 0, 0))[MIRROR], face) < 0.02


def test_of_several_faces_the_largest_is_taken(mesh, portraits):
    small = cv2.resize(portraits[1], (220, 220), interpolation=cv2.INTER_AREA)
    both = np.full((350, 570, 3), 128, dtype=np.uint8)
    both[:220, :220], both[:, 220:] = small, portraits[0]
    found = mesh.find(both)
    assert (found.faces, found.place) == (2, "2nd from the left")
    assert found.landmarks[:, 0].min() > 220
    assert apart(found.landmarks - (220, 0, 0), mesh.find(portraits[0]).landmarks) < 0.02


def on_canvas(width, height, *placed):
    """Portraits, each of some pixels at some place, before a grey wall with some noise."""
    canvas = np.random.default_rng(0).normal(140, 4, (height, width, 3)).clip(0, 255).astype(np.uint8)
    for portrait, side, x, y in placed:
        how = cv2.INTER_AREA if side < 350 else cv2.INTER_CUBIC
        canvas[y : y + side, x : x + side] = cv2.resize(portrait, (side, side), interpolation=how)
    return canvas


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_faces_of_one_size_side_by_side_are_all_counted(count, mesh, portraits):
    for first in range(3):
        row = [portraits[(first + i) % 6] for i in range(count)]
        assert mesh.find(np.hstack(row)).faces == count
    above = mesh.find(np.vstack(portraits[:2]))
    assert above.faces == 2
    assert above.place.endswith(" from the top")


@pytest.mark.parametrize(("width", "height"), [(525, 350), (700, 350), (1050, 350), (700, 700), (1400, 1050)])
@pytest.mark.parametrize("share", [0.5, 0.7])
def test_a_small_face_beside_a_large_one_is_counted_wherever_it_is(width, height, share, mesh, portraits):
    side, counts = int(350 * share), []
    for number, portrait in enumerate(portraits):
        small = (portraits[number - 1], side, width - side, (0, height - side)[number % 2])
        found = mesh.find(on_canvas(width, height, (portrait, 350, 0, height - 350), small))
        assert found.landmarks[:, 0].max() < 350, "the large one is taken"
        counts.append(found.faces)
    assert counts.count(2) >= 5
    assert set(counts) <= {1, 2}


def test_one_face_is_one_whatever_is_around_it(mesh, portraits):
    for margin in (60, 150, 300, 600):
        for portrait in portraits:
            assert mesh.find(on_canvas(350 + 2 * margin, 350 + margin, (portrait, 350, margin, margin))).faces == 1


def test_a_portrait_costs_no_second_look(portraits):
    with FaceMesh() as mesh:
        for portrait in portraits:
            mesh.find(portrait)
        assert "_detector" not in vars(mesh)


@pytest.mark.parametrize("wide", [52, 64, 96, 128])
@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_a_small_face_in_a_corner_of_a_large_photo_is_found(wide, corner, mesh, portraits):
    side = round(wide * 350 / 147)
    x, y = corner[0] * (2000 - side), corner[1] * (1500 - side)
    portrait = portraits[corner[0] + 2 * corner[1]]
    found = mesh.find(on_canvas(2000, 1500, (portrait, side, x, y)))
    assert found.faces == 1
    placed = mesh.find(portrait).landmarks * (side / 350) + np.array((x, y, 0))
    assert apart(found.landmarks, placed) < 0.02


@pytest.mark.parametrize("wide", [24, 32, 40])
def test_a_face_that_is_too_small_is_told_what_size_would_do(wide, mesh, portraits):
    side = round(wide * 350 / 147)
    with pytest.raises(NoFaceError, match="at least 50 pixels wide") as caught:
        mesh.find(on_canvas(2000, 1500, (portraits[0], side, 1200, 300)))
    if wide > 24:
        assert "too small to be measured" in str(caught.value)


def test_of_several_small_faces_the_largest_is_taken(mesh, portraits):
    placed = [(portraits[0], 160, 100, 100), (portraits[1], 230, 1600, 200), (portraits[2], 190, 900, 1200)]
    found = mesh.find(on_canvas(2000, 1500, *placed))
    assert (found.faces, found.place) == (3, "3rd from the left")
    assert found.landmarks[:, 0].min() > 1600


def test_a_face_that_fills_the_photo_is_found_with_a_border(mesh, portraits):
    missed = 0
    for portrait in portraits:
        face = mesh.find(portrait).landmarks
        (left, top), (right, bottom) = face[:, :2].min(axis=0).astype(int), face[:, :2].max(axis=0).astype(int)
        tight = np.ascontiguousarray(portrait[top + 35 : bottom - 35, left + 35 : right - 35])
        if not mesh._faces(tight):
            missed += 1
            assert apart(mesh.find(tight).landmarks + np.array((left + 35, top + 35, 0)), face) < 0.08
    assert missed > 0


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("shape", [(350, 350, 3), (40, 900, 3), (1, 1, 3)])
def test_a_photo_without_a_face_is_refused(mesh, shape, value):
    with pytest.raises(NoFaceError, match="No face was found"):
        mesh.find(np.full(shape, value, dtype=np.uint8))


def test_nothing_is_written_to_stderr_and_nothing_warns():
    program = (
        "from extractors.facemesh import FaceMesh\n"
        "from kallos.portraits.painter import paint\n"
        "from kallos.portraits.parameters import draw_parameters\n"
        "with FaceMesh() as mesh:\n"
        "    print(mesh.find(paint(draw_parameters(0))).faces)\n"
    )
    run = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "1\n"
    assert run.stderr == ""


def test_matplotlib_is_imported_when_something_is_drawn():
    program = (
        "import sys\n"
        "from extractors.facemesh import FaceMesh\n"
        "FaceMesh()\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from mediapipe.python.solutions import drawing_utils\n"
        "drawn = drawing_utils.plt.figure()\n"
        "from matplotlib import pyplot\n"
        "assert isinstance(drawn, pyplot.Figure)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


def test_threads_that_are_mute_together_leave_stderr_as_it_was(capfd):
    first_is_in, first_is_out = threading.Event(), threading.Event()

    def first() -> None:
        with facemesh.muted():
            first_is_in.set()
            time.sleep(0.1)
        first_is_out.set()

    def second() -> None:
        first_is_in.wait(5)
        with facemesh.muted():
            first_is_out.wait(5)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"still heard")
    assert capfd.readouterr().err == "still heard"
