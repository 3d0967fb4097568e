"""The page and its API: over HTTP with a real client, and in a real browser where there is one."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from ensemble.bundle import open_bundle
from extractors.decode import MAX_BYTES
from featurestore.errors import QueryError, UsageError
from kallos.web import limits
from kallos.web.cookbook import QUERIES
from kallos.web.service import Service
from kallos.web.uploads import PREFIX, folder_of_uploads
from tests.command import kallos
from tests.conftest import Workspace
from tests.waiting import wait_for_server

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def service(workspace: Workspace):
    with Service(open_bundle(workspace.bundle), workspace.store, "# A card") as opened:
        yield opened


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory):
    """Where the server keeps temporary files, Gradio's uploads among them."""
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def address(workspace: Workspace, temporary: Path, tmp_path_factory: pytest.TempPathFactory):
    """Of a copy of the store, as people may rate its faces. Ctrl-C ends it, and leaves nothing."""
    copy = Path(shutil.copy(workspace.store, tmp_path_factory.mktemp("served")))
    with serving(replace(workspace, store=copy), temporary) as (server, found):
        yield found
        server.send_signal(signal.SIGINT)
        assert server.wait(20) in (0, 130)
    assert "photo.jpg" not in (temporary.parent / "serve.log").read_text(), "no photo is named in a log"
    assert not list(temporary.glob(f"{PREFIX}*"))


@contextlib.contextmanager
def serving(workspace: Workspace, temporary: Path):
    """`kallos serve`, as it is typed, in a process of its own; its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    typed = [sys.executable, "-m", "kallos", "serve", "--bundle", workspace.bundle, "--store", workspace.store]
    environment = os.environ | {"TMPDIR": str(temporary), "GRADIO_TEMP_DIR": str(temporary)}
    with (
        (temporary.parent / "serve.log").open("a") as out,
        subprocess.Popen([*typed, "--port", str(port)], stderr=out, env=environment) as server,
    ):
        found = f"http://127.0.0.1:{port}"
        wait_for_server(found, server)
        yield server, found


def ask(address: str, name: str, content: bytes, **fields: str) -> httpx.Response:
    return httpx.post(f"{address}/predict", files={"photo": (name, content)}, data=fields, timeout=60)


def upload(address: str, content: bytes) -> Path:
    """What the page does with a photo before anyone asks for an answer; returns where it lies."""
    answer = httpx.post(f"{address}/gradio_api/upload", files={"files": ("photo.jpg", content)}, timeout=60)
    return Path(answer.raise_for_status().json()[0])


# the API


def test_a_photo_is_answered_with_what_explain_says(address: str, workspace: Workspace, service: Service):
    answer = ask(address, "photo.jpg", workspace.portrait.read_bytes())
    assert answer.status_code == 200
    said = answer.json()
    assert said["schema"] == "kallos.report.explanation/1"
    report, _ = service.explain(workspace.portrait, None)
    assert said["score"] == pytest.approx(report.score)
    assert said["low"] < said["score"] < said["high"]
    assert len(said["regions"]) == 8


def test_trouble_is_one_sentence_with_its_exit_code(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    blank, noise = tmp_path / "blank.png", tmp_path / "noise.png"
    Image.new("RGB", (300, 300)).save(blank)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)).save(noise)
    for name, content, words in (
        ("text.txt", b"not a photo", "not a photo"),
        ("blank.png", blank.read_bytes(), "face"),
        ("noise.png", noise.read_bytes(), "face"),
        ("cut.jpg", b"\xff\xd8\xff\xe0", "photo"),
        ("../../etc/passwd", b"", "photo"),
    ):
        answer = ask(address, name, content)
        assert answer.status_code == 422
        assert answer.json()["exit_code"] == 5
        assert words in answer.json()["error"]
        assert "/" not in answer.json()["error"]
    assert ask(address, "blank.png", blank.read_bytes(), group="XX").json()["exit_code"] == 2
    assert httpx.post(f"{address}/predict").status_code == 422


def test_nothing_of_an_upload_is_left(address: str, workspace: Workspace, temporary: Path):
    ask(address, "photo.jpg", workspace.portrait.read_bytes())
    assert not [path for path in temporary.rglob("*") if path.is_file()]


def test_uploads_of_a_killed_server_go_with_the_next_that_starts_and_a_living_ones_stay(
    address: str, workspace: Workspace, temporary: Path, monkeypatch: pytest.MonkeyPatch
):
    content = workspace.portrait.read_bytes()
    with serving(workspace, temporary) as (killed, other):
        mine, others = upload(address, content), upload(other, content)
        killed.kill()
    assert mine.read_bytes() == others.read_bytes() == content
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    with folder_of_uploads() as folder:
        assert mine.exists()
        assert not others.exists()
        assert len(list(temporary.glob(f"{PREFIX}*"))) == 2
    assert not folder.exists()
    assert tempfile.gettempdir() == str(temporary)
    mine.unlink()


def test_ten_people_at_once_get_the_same_answer(address: str, workspace: Workspace):
    content = workspace.portrait.read_bytes()
    with ThreadPoolExecutor(10) as people:
        said = list(people.map(lambda _: ask(address, "p.jpg", content), range(10)))
    assert {answer.status_code for answer in said} == {200}
    assert len({answer.json()["score"] for answer in said}) == 1


def test_an_address_that_asks_too_often_is_told_to_wait(service: Service, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "PER_MINUTE", 3)
    for _ in range(3):
        service.rate_limit.admit("10.0.0.1")
    with pytest.raises(UsageError, match="a minute"):
        service.rate_limit.admit("10.0.0.1")
    service.rate_limit.admit("10.0.0.2")


# what the page is made of


def test_the_queries_of_the_page_stand_in_the_cookbook(service: Service):
    cookbook = (DOCS / "sql.md").read_text(encoding="utf-8")
    for query in QUERIES.values():
        assert query.strip() in cookbook
        assert len(service.select(query)) > 1


def test_features_can_be_explored_and_unknown_ones_are_named(service: Service):
    first, second = service.features()[:2]
    assert len(service.values(first, second)) > 50
    with pytest.raises(UsageError, match="no feature 'score\"; DROP'"):
        service.values(first, 'score"; DROP')


def test_a_bundle_alone_has_no_store_to_ask(workspace: Workspace):
    with Service(open_bundle(workspace.bundle), None, "") as alone:
        assert not alone.has_store
        assert alone.explain(workspace.portrait, None)[0].neighbours == ()
        with pytest.raises(UsageError, match="--store"):
            alone.select("SELECT 1")


# in a browser


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, address: str, tmp_path: Path):
    """The page, opened; it asks nobody else for anything and complains of nothing.

    What it looked like in the end is kept as page.png in the test's temporary folder.
    """
    opened = browser.new_page()
    elsewhere, complaints = [], []
    opened.on("request", lambda r: elsewhere.append(r.url) if "127.0.0.1" not in r.url and "://" in r.url else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(address)
    opened.get_by_role("button", name="Score this photo").wait_for()
    yield opened
    opened.screenshot(path=tmp_path / "page.png", full_page=True)
    opened.close()
    assert not [url for url in elsewhere if not url.startswith("blob:")]
    assert not complaints


def choose(page, field: str, files: object) -> None:
    """Choose files, and wait until the server has them; the page itself is never idle, as it says that it is open."""
    with page.expect_response(lambda response: "/upload" in response.url and response.request.method == "POST"):
        page.set_input_files(field, files)


def test_its_first_screen_says_what_a_score_means(page):
    assert "nothing of a person's worth" in page.inner_text("body")
    assert page.get_by_role("tab").all_inner_texts() == [
        "One photo",
        "Many photos",
        "Features",
        "SQL",
        "Your eye",
        "Model card",
    ]


def test_a_photo_is_uploaded_scored_and_deleted(page, workspace: Workspace, temporary: Path):
    choose(page, "input[type=file] >> nth=0", workspace.portrait)
    page.locator("img[src*='file=']").first.wait_for()
    page.get_by_role("button", name="Score this photo").click()
    page.get_by_text("How the score is made").wait_for()
    assert "on 1 to 5" in page.inner_text("body")
    assert page.get_by_role("link", name="Download explanation.html").get_attribute("href").startswith("data:text/html")
    assert not list(temporary.rglob("*.jpg"))


def test_trouble_is_one_sentence_on_the_page(page, tmp_path: Path):
    page.get_by_role("button", name="Score this photo").click()
    page.get_by_text("Choose a photo first.").wait_for()
    blank = tmp_path / "blank.png"
    Image.new("RGB", (300, 300)).save(blank)
    choose(page, "input[type=file] >> nth=0", blank)
    page.locator("img[src*='file=']").first.wait_for()
    page.get_by_role("button", name="Score this photo").click()
    page.get_by_text("No face was found").first.wait_for()


def test_of_two_faces_the_largest_is_taken_and_named(page, workspace: Workspace, tmp_path: Path):
    pair = Image.new("RGB", (560, 350), "grey")
    portrait = Image.open(workspace.portrait)
    pair.paste(portrait, (0, 0))
    pair.paste(portrait.resize((210, 210)), (350, 140))
    pair.save(tmp_path / "pair.png")
    choose(page, "input[type=file] >> nth=0", tmp_path / "pair.png")
    page.locator("img[src*='file=']").first.wait_for()
    page.get_by_role("button", name="Score this photo").click()
    page.get_by_text("2 faces, the largest was taken").wait_for()


def test_what_is_no_photo_or_too_large_is_refused_on_the_page(page, tmp_path: Path):
    (tmp_path / "huge.png").write_bytes(bytes(MAX_BYTES + 1))
    page.set_input_files("input[type=file] >> nth=0", tmp_path / "huge.png")
    page.get_by_text("exceed the maximum allowed size").wait_for()
    page.get_by_role("tab", name="Many photos").click()
    (tmp_path / "letter.png").write_text("dear reader")
    choose(page, "input[type=file][multiple]", tmp_path / "letter.png")
    page.get_by_text("letter").first.wait_for()
    page.get_by_role("button", name="Score them").click()
    page.get_by_role("gridcell", name="not a photo").first.wait_for()


def test_a_phone_shows_it_without_scrolling_sideways(browser, address: str):
    phone = browser.new_page(viewport={"width": 390, "height": 844})
    phone.goto(address)
    phone.get_by_role("button", name="Score this photo").wait_for()
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    phone.close()


def test_the_keyboard_reaches_the_button_and_every_field_has_a_name(page):
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == "Score this photo":
            break
    page.keyboard.press("Enter")
    page.get_by_text("Choose a photo first.").wait_for()
    unnamed = "input:not([type=file]):not([aria-label]):not([id]):visible"
    assert page.locator(unnamed).count() == 0


def test_sql_is_run_as_on_the_command_line(page):
    page.get_by_role("tab", name="SQL").click()
    page.get_by_role("button", name="Run").click()
    page.get_by_text("WF", exact=True).first.wait_for()


def test_sql_that_writes_is_refused(service: Service):
    with pytest.raises(QueryError):
        service.select("DELETE FROM scores")


def test_many_photos_become_a_table_and_a_csv(page, workspace: Workspace, tmp_path: Path):
    blank = tmp_path / "blank.png"
    Image.new("RGB", (300, 300)).save(blank)
    page.get_by_role("tab", name="Many photos").click()
    choose(page, "input[type=file][multiple]", [workspace.portrait, blank])
    page.get_by_text("blank").first.wait_for()
    page.get_by_role("button", name="Score them").click()
    link = page.get_by_role("link", name="Download scores.csv")
    link.wait_for()
    rows = base64.b64decode(link.get_attribute("href").split(",")[1]).decode("utf-8-sig").splitlines()
    assert rows[0] == "photo,own_score,own_low,own_high,remarks"
    assert rows[1].startswith("P0001.jpg,")
    assert rows[2].startswith("blank.png,,,,")
    assert "No face was found" in rows[2]
    assert "/" not in rows[2]


def test_two_features_are_shown_beside_each_other(page):
    page.get_by_role("tab", name="Features").click()
    page.get_by_role("button", name="Show").click()
    page.get_by_text("by subset; correlation").wait_for()
    plots = page.locator("svg[role=img][aria-label*=' against ']")
    assert [plot.is_visible() for plot in plots.all()] == [True] * 3


def test_a_person_agrees_rates_faces_sees_a_model_grow_and_takes_it_away(page):
    page.get_by_role("tab", name="Your eye").click()
    page.get_by_text("Your ratings are data about you").wait_for()
    begin, give = (page.get_by_role("button", name=name, exact=True) for name in ("Begin, or go on", "Rate"))
    begin.click()
    page.get_by_text("Nothing is asked before you agree").first.wait_for()
    page.get_by_label("The name that your ratings go by").fill("anna")
    page.get_by_label("I agree").check()
    begin.click()
    page.get_by_text("0 ratings of").wait_for()
    for rated in ("1 rating of", "2 ratings of", "3 ratings of"):
        give.click()
        page.get_by_text(rated).wait_for()
    assert page.locator("img[src^='data:image/jpeg']").first.is_visible()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("2 ratings of").wait_for()
    page.get_by_text("Where you differ most from the pool").wait_for()
    page.get_by_role("button", name="Export").click()
    page.get_by_role("link", name="Download eye.safetensors").wait_for()


def test_faces_of_the_store_and_ratings_of_persons_are_shown_on_this_machine_alone(workspace: Workspace):
    for store, is_private in ((workspace.store, False), (None, True)):
        with Service(open_bundle(workspace.bundle), store, "", is_private=is_private) as service:
            assert not service.shows_faces
            if store:
                with pytest.raises(QueryError, match="personal_ratings is not a table that can be queried"):
                    service.select("FROM personal_ratings")


def test_a_taken_port_is_one_sentence(workspace: Workspace):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = kallos("serve", "--bundle", workspace.bundle, "--port", taken.getsockname()[1])
    assert answer.code == 2
    assert "choose another --port" in answer.err
