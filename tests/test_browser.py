"""The page of `kallos export --browser` in a real browser: the scores of `kallos score`, and nothing sent."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.browser import CHROMIUM, chromium, differences, predictions, score_in, served, wait_until_ready
from ensemble.bundle import open_bundle
from ensemble.predictor import Predictor
from extractors.definitions import catalogue
from extractors.errors import InputError
from featurestore.errors import PrerequisiteError, UsageError
from kallos.workflows import browser as workflow
from kallos.workflows.browser import BUILT, export_page
from kallos.workflows.export import export
from tests.conftest import Workspace

AXE = BUILT.parent / "node_modules/axe-core/axe.min.js"
PORTRAITS = 20
IS_BUILT = (BUILT / "page.js").is_file()


@pytest.fixture(scope="module")
def folder(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not IS_BUILT:
        pytest.skip("the page is not built: make browser")
    return export_page(open_bundle(workspace.bundle), tmp_path_factory.mktemp("page") / "page")


@pytest.fixture(scope="module")
def opened(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory):
    """A browser whose camera sees a portrait."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    film = tmp_path_factory.mktemp("camera") / "film.mjpeg"
    film.write_bytes(5 * workspace.portrait.read_bytes())
    camera = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with chromium(*camera, f"--use-file-for-fake-video-capture={film}") as browser:
        yield browser


@pytest.fixture(scope="module")
def server(folder: Path):
    """The address of the page, and what ends it when closed."""
    with ExitStack() as server:
        yield server.enter_context(served(folder)), server


@pytest.fixture(scope="module")
def page(server, opened):
    """The page, loaded; it asks nobody else for anything, and complains of nothing."""
    found, (address, _) = opened.new_page(), server
    elsewhere, complaints = [], []
    found.on("pageerror", lambda error: complaints.append(str(error)))
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
    assert apart["score"].max() <= 0.01, "99 % of photos are all of 20"
    assert apart["interval"].max() < 0.03
    assert apart["landmarks"].max() < 1e-4
    assert np.quantile(apart["features"], 0.99) < 0.02
    assert apart["features"].max() < 0.5


def test_a_photo_is_turned_upright_and_laid_on_white(page, workspace: Workspace, tmp_path: Path):
    portrait, turned, clear = Image.open(workspace.portrait), tmp_path / "turned.jpg", tmp_path / "clear.png"
    orientation = Image.Exif()
    orientation[0x0112] = 6
    portrait.rotate(90, expand=True).save(turned, quality=95, exif=orientation)
    glass = portrait.convert("RGBA")
    glass.putalpha(Image.linear_gradient("L").resize(portrait.size).point(lambda value: max(value, 128)))
    glass.save(clear)
    with Predictor(open_bundle(workspace.bundle)) as predictor:
        expected = predictions(predictor, [turned, clear])
        apart = differences({photo: score_in(page, photo) for photo in expected}, expected, predictor.normalization.sd)
    assert len(apart["score"]) == 2
    assert apart["landmarks"].max() < 1e-2, "turned pixels of a JPEG and blended ones differ by a level"


def test_one_photo_is_scored_and_drawn(page, workspace: Workspace):
    page.set_input_files("#photo", workspace.portrait)
    page.get_by_text(f"Scored {workspace.portrait.name}").wait_for()
    assert "90 % interval" in page.inner_text("#answer")
    assert page.locator("#answer .bar").count() == 8
    assert page.evaluate("document.getElementById('overlay').width") > 100
    with Predictor(open_bundle(workspace.bundle)) as predictor:
        explanation = predictor.explain(workspace.portrait)
    moved = {name: f"{region.contribution - region.average:+.3f}" for name, region in explanation.regions.items()}
    rows = page.locator("#details table").first.locator("tr:has(strong)")
    points_of = {row.locator("td").nth(0).inner_text(): row.locator("td").nth(1).inner_text() for row in rows.all()}
    assert points_of.keys() == moved.keys()
    for region, points in points_of.items():
        assert float(points.replace("−", "-")) == pytest.approx(float(moved[region]), abs=0.01)
    definition = page.locator(".measurement").first.get_attribute("title")
    assert definition in {feature.summary for feature in catalogue()}


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


def test_a_folder_is_scored_without_what_is_no_picture(page, workspace: Workspace, tmp_path: Path):
    shutil.copy(workspace.portrait, tmp_path / "anna.jpg")
    (tmp_path / "notes.txt").write_text("of 12 March")
    page.set_input_files("#folder", tmp_path)
    page.get_by_text("Scored 1 of 1 photos").wait_for()
    (tmp_path / "anna.jpg").unlink()
    page.set_input_files("#folder", tmp_path)
    page.get_by_text("There is no picture among these files").wait_for()


def test_the_picture_of_a_camera_is_scored(page):
    page.click("#camera")
    page.click("#shoot")
    page.get_by_text("Scored the picture of the camera").wait_for()
    assert page.locator("#video").is_hidden()


def test_the_page_answers_while_it_scores(page, workspace: Workspace, tmp_path: Path):
    large = tmp_path / "large.png"
    Image.open(workspace.portrait).resize((3000, 3000)).save(large)
    page.evaluate(
        """() => {
          window.waits = [];
          let before = performance.now();
          setInterval(() => { waits.push(performance.now() - before); before = performance.now(); }, 5);
        }"""
    )
    answer = score_in(page, large)
    assert max(page.evaluate("waits.slice(-20)")) < answer["milliseconds"]["all"] / 2


def test_nothing_may_be_sent_even_where_no_worker_keeps_files(page, server, opened):
    alone = opened.new_context(service_workers="block").new_page()
    alone.goto(server[0])
    wait_until_ready(alone)
    assert not alone.evaluate("crossOriginIsolated")
    assert alone.get_by_role("heading", name="on 1 to 5").is_visible()
    for place in (page, alone, page.workers[0], alone.workers[0]):
        refused = place.evaluate(f"fetch('{server[0].replace('127.0.0.1', 'localhost')}').then(() => '', String)")
        assert "Failed to fetch" in refused
    policy = page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert "*" not in policy
    alone.context.close()


def test_without_webgl_it_says_so(server, opened):
    without = ["--no-sandbox", "--disable-gpu", "--disable-software-rasterizer"]
    with opened.browser_type.launch(executable_path=CHROMIUM, args=without) as browser:
        alone = browser.new_page()
        alone.goto(server[0])
        alone.locator("#status.trouble", has_text="This browser has no WebGL").wait_for()


def test_it_can_be_installed(page, folder: Path):
    problems = page.context.new_cdp_session(page).send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [problem["errorId"] for problem in problems] in ([], ["in-incognito"])
    for icon in json.loads((folder / "manifest.webmanifest").read_text())["icons"]:
        if icon["type"] == "image/png":
            with Image.open(folder / icon["src"]) as drawn:
                assert icon["sizes"] == "{}x{}".format(*drawn.size)


def test_it_has_threads_and_works_without_a_server(page, server, workspace: Workspace):
    assert page.evaluate("crossOriginIsolated"), "the worker adds the headers"
    server[1].close()
    page.context.set_offline(True)
    page.reload()
    wait_until_ready(page)
    page.set_input_files("#photo", workspace.portrait)
    page.get_by_text(f"Scored {workspace.portrait.name}").wait_for()
    page.context.set_offline(False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_a_phone_scrolls_nothing_sideways(page, scheme: str):
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.locator("summary").click()
    page.evaluate(AXE.read_text())
    violations = page.evaluate("axe.run()")["violations"]
    assert [(found["id"], [node["html"] for node in found["nodes"]]) for found in violations] == []
    page.locator("summary").click()


def test_networks_that_nobody_asks_are_left_out(folder: Path):
    with zipfile.ZipFile(folder / "model" / "face_landmarker.task") as smaller:
        assert "face_blendshapes.tflite" not in smaller.namelist()
        assert smaller.read("face_detector.tflite") == (folder / "model" / "face_detector.tflite").read_bytes()


def test_licences_of_what_it_consists_of_lie_beside_it(folder: Path):
    licences = (folder / "LICENCES.txt").read_text()
    for words in ("Apache License\n", "MIT License\n", "Copyright (c) Microsoft Corporation", "Eigen"):
        assert words in licences


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
