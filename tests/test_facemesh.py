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
from extractors.canonical import MIRROR
from extractors.facemesh import FaceMesh
from extractors.points import Landmarks
from featurestore.errors import NoFaceError
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters


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
    assert found.faces == 2
    assert found.landmarks[:, 0].min() > 220
    assert apart(found.landmarks - (220, 0, 0), mesh.find(portraits[0]).landmarks) < 0.02


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
