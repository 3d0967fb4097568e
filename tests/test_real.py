"""On SCUT-FBP5500 itself: `KALLOS_SHARED=folder make test-real`, where the folder has data/ and weights/."""

import os
from pathlib import Path

import pytest

from tests.command import kallos_ok

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> tuple[str, Path]:
    """A store with SCUT-FBP5500 ingested and extracted; takes about two minutes."""
    if "KALLOS_SHARED" not in os.environ:
        pytest.skip("KALLOS_SHARED does not name the folder with data/ and weights/")
    shared = Path(os.environ["KALLOS_SHARED"])
    options = ("--store", tmp_path_factory.mktemp("scut") / "s.duckdb")
    kallos_ok("ingest", "scut", shared / "data" / "SCUT-FBP5500_v2", *options)
    weights = shared / "weights" / "mobilenet_v2_imagenet.safetensors"
    kallos_ok("extract", "--encoder", "mobilenet_v2", "--weights", weights, *options)
    return options


def counted(query: str, options: tuple[str, Path]) -> int:
    (row,) = kallos_ok("sql", query, "--json", *options).json()
    return int(row["n"])


@pytest.mark.parametrize("view", ["images", "scores", "landmarks", "geometric_features", "shapes", "embeddings"])
def test_every_image_has_everything(options, view):
    assert counted(f"SELECT count(*) AS n FROM {view}", options) == 5500


def test_ratings_folds_and_the_broken_landmarks(options):
    assert counted("SELECT count(*) AS n FROM ratings", options) == 285_000
    assert counted("SELECT count(DISTINCT fold) AS n FROM splits WHERE protocol = 'scut-5fold'", options) == 5
    assert counted("SELECT count(*) AS n FROM splits WHERE protocol = 'scut-60-40' AND role = 'test'", options) == 2200
    assert counted("SELECT count(*) AS n FROM findings WHERE contains(subject, 'CM152.pts')", options) == 1


def test_checks_find_nothing_wrong(options):
    report = kallos_ok("check", "--json", *options).json()
    assert (report["failed"], report["warned"]) == ([], [])


def test_geometry_alone_reaches_the_floor(options):
    kallos_ok("train", "baseline", "--protocol", "scut-5fold", "--fold", 1, *options)
    query = "SELECT pearson FROM evaluations JOIN runs USING (run_id) WHERE model = 'baseline' AND role = 'test'"
    (row,) = kallos_ok("sql", query, "--json", *options).json()
    assert row["pearson"] >= 0.70


def test_known_near_duplicates_are_found(options):
    kallos_ok("duplicates", *options)
    query = (
        "SELECT count(*) AS n FROM near_duplicates WHERE (image_id, other_id) IN (('scut/AM1019.jpg', 'scut/AM1146.jpg'), "
        "('scut/AM760.jpg', 'scut/AM980.jpg'), ('scut/CM420.jpg', 'scut/CM73.jpg'))"
    )
    assert counted(query, options) == 3
    recropped = (
        "SELECT count(*) AS n FROM near_duplicates WHERE (image_id, other_id) IN (('scut/AF1067.jpg', 'scut/AF416.jpg'), "
        "('scut/AF1155.jpg', 'scut/AF1954.jpg'), ('scut/AF1034.jpg', 'scut/AF29.jpg'), ('scut/AF344.jpg', 'scut/AF498.jpg'))"
    )
    assert counted(recropped, options) == 4, "the embedding takes these for two photos"
    strangers = (
        "SELECT count(*) AS n FROM near_duplicates WHERE (image_id, other_id) IN (('scut/CF156.jpg', 'scut/CF510.jpg'), "
        "('scut/CM28.jpg', 'scut/CM329.jpg'))"
    )
    assert counted(strangers, options) == 0, "nearest beyond the limits of hash and of shape"
    assert 20 <= counted("SELECT count(*) AS n FROM near_duplicates", options) <= 80
    assert (
        counted("SELECT count(*) AS n FROM splits WHERE protocol = 'identity-disjoint' AND role = 'test'", options)
        == 5500
    )
