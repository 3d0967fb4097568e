"""The page of `kallos export --browser` in a real browser: the scores of `kallos score`, and nothing sent."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.browser import CHROMIUM, chromium, differences, predictions, score_in, served, wait_until_ready
from ensemble.bundle import open_bundle
from ensemble.predictor import Predictor
from extractors.errors import InputError
from featurestore.errors import PrerequisiteError, UsageError
from kallos.workflows import browser as workflow
from kallos.workflows.browser import BUILT, export_page
from kallos.workflows.export import export
from tests.conftest import Workspace

PORTRAITS = 20
IS_BUILT = (BUILT / "page.js").is_file()


@pytest.fixture(scope="module")
def folder(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not IS_BUILT:
        pytest.skip("the page is not built: make browser")
    return export_page(open_bundle(workspace.bundle), tmp_path_factory.mktemp("page") / "page")


@pytest.fixture(scope="module")
def opened():
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(folder: Path, opened):
    """The page, loaded; it asks nobody else for anything, and complains of nothing."""
    found = opened.new_page()
    elsewhere, complaints = [], []
    found.on("pageerror", lambda error: complaints.append(str(error)))
    with served(folder) as address:
        found.on("request", lambda request: elsewhere.append(request.url) if address not in request.url else None)
        found.goto(address)
        wait_until_ready(found)
        yield found
    found.close()
    assert not complaints
    assert not elsewhere


def test_scores_are_those_of_predict(page, workspace: Workspace):
    photos = sorted((workspace.portraits / "images").iterdir())[:PORTRAITS]
    with Predictor(open_bundle(workspace.bundle)) as predictor:
        expected = predictions(predictor, photos)
        answers = {photo: score_in(page, photo) for photo in expected}
        apart = differences(answers, expected, predictor.normalization.sd)
    assert len(apart["score"]) == PORTRAITS
    assert np.mean(apart["score"] <= 0.01) >= 0.95, "one portrait of 20 may have a landmark on the edge of a pixel"
    assert apart["interval"].max() < 0.03
    assert apart["landmarks"].max() < 1e-3
    assert np.median(apart["features"]) < 0.1


def test_one_photo_is_scored_and_drawn(page, workspace: Workspace):
    page.set_input_files("#photo", workspace.portrait)
    page.get_by_role("heading", name="on 1 to 5").wait_for()
    assert "90 % interval" in page.inner_text("#answer")
    assert page.locator("#answer meter").count() == 8
    assert page.evaluate("document.getElementById('overlay').width") > 100


def test_trouble_is_one_sentence(page, tmp_path: Path):
    blank, letter = tmp_path / "blank.png", tmp_path / "letter.png"
    Image.new("RGB", (300, 300)).save(blank)
    letter.write_text("dear reader")
    for path, words in ((blank, "No face was found"), (letter, "letter.png is not a photo")):
        page.set_input_files("#photo", path)
        page.locator("#status.trouble", has_text=words).wait_for()
        assert page.locator("#result").is_hidden()


def test_of_two_faces_the_largest_is_taken_and_named(page, workspace: Workspace, tmp_path: Path):
    pair, portrait = Image.new("RGB", (560, 350), "grey"), Image.open(workspace.portrait)
    pair.paste(portrait.resize((210, 210)), (0, 140))
    pair.paste(portrait, (210, 0))
    pair.save(tmp_path / "pair.png")
    page.set_input_files("#photo", tmp_path / "pair.png")
    page.get_by_text("2 faces, the largest was taken: the 2nd from the left").wait_for()


def test_several_photos_become_a_table_and_a_csv(page, workspace: Workspace, tmp_path: Path):
    blank = tmp_path / "=blank.png"
    Image.new("RGB", (300, 300)).save(blank)
    page.set_input_files("#photos", [workspace.portrait, blank])
    link = page.get_by_role("link", name="Download scores.csv")
    link.wait_for()
    with page.expect_download() as download:
        link.click()
    rows = list(csv.reader(download.value.path().read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0] == ["photo", "own_score", "own_low", "own_high", "remarks"]
    assert float(rows[1][2]) < float(rows[1][1]) < float(rows[1][3])
    assert rows[2][:4] == ["'=blank.png", "", "", ""]
    assert "No face was found" in rows[2][4]


def test_nothing_may_be_sent(page):
    refused = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', problem => problem.message)")
    assert refused != "sent"
    policy = page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert "*" not in policy


def test_it_has_threads_and_works_without_a_network(page, workspace: Workspace):
    assert page.evaluate("crossOriginIsolated"), "the worker adds the headers"
    page.context.set_offline(True)
    page.reload()
    wait_until_ready(page)
    page.set_input_files("#photo", workspace.portrait)
    page.get_by_role("heading", name="on 1 to 5").wait_for()
    page.context.set_offline(False)


def test_a_phone_shows_it_without_scrolling_sideways(page):
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_folder_that_holds_something_is_left_alone(workspace: Workspace, tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other files"):
        export_page(open_bundle(workspace.bundle), tmp_path)


def test_what_is_not_built_is_one_sentence(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workflow, "BUILT", tmp_path)
    with pytest.raises(PrerequisiteError, match="`make browser`"):
        export_page(open_bundle(workspace.bundle), tmp_path / "page")
    with pytest.raises(UsageError, match="leave out --space"):
        export(workspace.store, tmp_path / "page", browser=True, space=True)
