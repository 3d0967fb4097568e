"""The page and its API: over HTTP with a real client, and in a real browser where there is one."""

from __future__ import annotations

import contextlib
import csv
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ensemble.bundle import open_bundle
from extractors.decode import MAX_BYTES
from featurestore.errors import QueryError, UsageError
from kallos.cli.app import STOPPED
from kallos.web import limits, waiting_line
from kallos.web.api import application
from kallos.web.cookbook import QUERIES
from kallos.web.limits import RateLimit
from kallos.web.service import Service
from kallos.web.uploads import PREFIX, folder_of_uploads
from reports.pages.explanation_overlay import labels
from tests.command import kallos
from tests.conftest import Workspace
from tests.waiting import wait_for_server

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DOCS = Path(__file__).parent.parent / "docs"
AXE = Path(__file__).parent.parent / "kallos/browser/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def service(workspace: Workspace):
    with Service(open_bundle(workspace.bundle), workspace.store, "# A card") as opened:
        yield opened


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory):
    """Where the server keeps temporary files, uploads among them."""
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def address(workspace: Workspace, temporary: Path, tmp_path_factory: pytest.TempPathFactory):
    """Of a copy of the store, as people may rate its faces. Ctrl-C ends it, and leaves nothing."""
    copy = Path(shutil.copy(workspace.store, tmp_path_factory.mktemp("served")))
    with serving(replace(workspace, store=copy), temporary) as (server, found):
        yield found
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 130
    log = (temporary.parent / "serve.log").read_text()
    assert log.splitlines()[-1] == STOPPED
    assert "Traceback" not in log
    assert "photo.jpg" not in log, "no photo is named in a log"
    assert not list(temporary.glob(f"{PREFIX}*"))


@contextlib.contextmanager
def serving(workspace: Workspace, temporary: Path):
    """`kallos serve`, as it is typed, in a process of its own; its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "kallos", "serve", "--bundle", workspace.bundle, "--store", workspace.store]
    environment = os.environ | {"TMPDIR": str(temporary)}
    with (
        (temporary.parent / "serve.log").open("a") as out,
        subprocess.Popen(
            [*command, "--port", str(port)],
            stderr=out,
            env=environment,
            # where the tests were started in the background, Ctrl-C is ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as server,
    ):
        found = f"http://127.0.0.1:{port}"
        wait_for_server(found, server)
        yield server, found


def ask(address: str, name: str, content: bytes, **fields: str) -> httpx.Response:
    return httpx.post(f"{address}/predict", files={"photo": (name, content)}, data=fields, timeout=60)


def own(service: Service, **options: object) -> TestClient:
    """The application in this process, where its limits can be changed."""
    return TestClient(application(service), base_url="http://localhost", **options)


def photos(workspace: Workspace, *names: str) -> list[tuple[str, tuple[str, bytes]]]:
    return [("photo", (name, workspace.portrait.read_bytes())) for name in names]


# the API


def test_photos_are_answered_in_order_with_what_explain_says(address: str, workspace: Workspace, service: Service):
    content = workspace.portrait.read_bytes()
    files = [("photo", ("faces/anna.jpg", content)), ("photo", ("berta.jpg", b"no photo"))]
    answer = httpx.post(f"{address}/predict", files=files, timeout=60)
    assert answer.status_code == 200
    scored, unusable = answer.json()["answers"]
    assert scored["schema"] == "kallos.report.explanation/1"
    report, _ = service.explain(content, None)
    assert scored["score"] == pytest.approx(report.score)
    assert scored["low"] < scored["score"] < scored["high"]
    assert len(scored["regions"]) == 8
    assert (scored["photo"], unusable["photo"]) == ("anna.jpg", "berta.jpg"), "as they were uploaded"
    assert unusable["exit_code"] == 5


def test_trouble_is_one_sentence_with_its_exit_code(address: str, tmp_path: Path):
    blank, noise = tmp_path / "blank.png", tmp_path / "noise.png"
    Image.new("RGB", (300, 300)).save(blank)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)).save(noise)
    for name, content, words in (
        ("text.txt", b"not a photo", "not a photo"),
        ("blank.png", blank.read_bytes(), "face"),
        ("noise.png", noise.read_bytes(), "face"),
        ("cut.jpg", b"\xff\xd8\xff\xe0", "photo"),
        ("../../etc/passwd", b"", "empty"),
    ):
        answer = ask(address, name, content)
        assert answer.status_code == 422
        [unusable] = answer.json()["answers"]
        assert unusable["exit_code"] == 5
        assert unusable["photo"] == Path(name).name
        assert words in unusable["error"]
        assert "/" not in unusable["error"]
    assert ask(address, "blank.png", blank.read_bytes(), group="XX").json()["answers"][0]["exit_code"] == 2
    missing = httpx.post(f"{address}/predict", data={"group": "WF"})
    assert missing.status_code == 422
    assert "photo" in missing.json()["error"]


def test_nothing_of_an_upload_is_left(address: str, workspace: Workspace, temporary: Path):
    ask(address, "photo.jpg", workspace.portrait.read_bytes())
    assert not [path for path in temporary.rglob("*") if path.is_file()]


def test_files_of_a_killed_server_go_with_the_next_that_starts_and_a_living_ones_stay(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    abandoned = temporary / f"{PREFIX}killed"
    abandoned.mkdir()
    (abandoned / "upload").write_bytes(b"a photo")
    with folder_of_uploads() as living:
        assert not abandoned.exists()
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        with folder_of_uploads() as other:
            assert living.exists()
        assert not other.exists()
    assert not living.exists()


def test_ten_people_at_once_get_the_same_answer(address: str, workspace: Workspace):
    content = workspace.portrait.read_bytes()
    with ThreadPoolExecutor(10) as people:
        found = list(people.map(lambda _: ask(address, "p.jpg", content), range(10)))
    assert {answer.status_code for answer in found} == {200}
    assert len({answer.json()["answers"][0]["score"] for answer in found}) == 1


def test_an_address_that_asks_too_often_is_told_to_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "PER_MINUTE", 3)
    rate = RateLimit()
    rate.admit("10.0.0.1", 2)
    with pytest.raises(UsageError, match="a minute") as refused:
        rate.admit("10.0.0.1", 2)
    assert (refused.value.status, 0 < refused.value.seconds <= 61) == (429, True)
    rate.admit("10.0.0.1")
    rate.admit("10.0.0.2", 3)


def test_a_full_line_is_answered_at_once_and_says_when_to_try_again(
    service: Service, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(waiting_line, "MAX_WAITING", 2)
    arrived, may_go_on, explain = threading.Event(), threading.Event(), service.explain

    def slow(*arguments: object):
        arrived.set()
        assert may_go_on.wait(60)
        return explain(*arguments)

    monkeypatch.setattr(service, "explain", slow)
    with own(service) as client, ThreadPoolExecutor(1) as person:
        first = person.submit(client.post, "/predict", files=photos(workspace, "a.jpg", "b.jpg"))
        assert arrived.wait(60)
        assert client.get("/health").json() == {"status": "ok", "waiting": 2}
        for path in ("/predict", "/answer"):
            refused = client.post(path, files=photos(workspace, "c.jpg"))
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) >= 1
            assert "try again" in refused.json()["error"]
        may_go_on.set()
        assert first.result().status_code == 200
        assert client.get("/health").json()["waiting"] == 0
        assert client.post("/predict", files=photos(workspace, "c.jpg")).status_code == 200
        lines = client.get("/metrics").text.splitlines()
    assert 'kallos_photos_total{outcome="scored"} 3' in lines
    assert 'kallos_refused_total{status="503"} 2' in lines
    assert "kallos_request_seconds_count 2" in lines
    assert "kallos_photos_waiting 0" in lines


def test_metrics_are_what_prometheus_reads(service: Service):
    with own(service) as client:
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    sample = re.compile(r'[a-z_]+(\{[a-z]+="[^"]+"\})? [0-9.e+]+')
    assert all(line.startswith(("# HELP ", "# TYPE ")) or sample.fullmatch(line) for line in answer.text.splitlines())
    counts = [int(n) for n in re.findall(r"_bucket.* (\d+)", answer.text)]
    assert counts == sorted(counts), "each bucket holds those below it"


def test_what_is_too_long_too_many_or_of_another_site_is_refused_before_it_is_read(
    service: Service, workspace: Workspace
):
    with own(service) as client:
        cases = (
            (403, {"files": photos(workspace, "a.jpg"), "headers": {"Sec-Fetch-Site": "cross-site"}}),
            (413, {"content": b"", "headers": {"Content-Length": str(limits.MAX_BODY + 1)}}),
            (411, {"content": iter([b"chunks"])}),
            (422, {"files": photos(workspace, *["a.jpg"] * (limits.MAX_PHOTOS + 1))}),
        )
        for status, request in cases:
            answer = client.post("/predict", **request)
            assert answer.status_code == status
            assert answer.json()["error"].endswith(".")


def test_a_name_that_points_here_opens_no_private_page(workspace: Workspace):
    with Service(open_bundle(workspace.bundle), None, "", is_private=True) as private, own(private) as client:
        assert client.get("/health", headers={"Host": "127.0.0.1:7860"}).status_code == 200
        assert client.get("/health", headers={"Host": "evil.example"}).status_code == 400
    with Service(open_bundle(workspace.bundle), None, "") as public, own(public) as client:
        assert client.get("/health", headers={"Host": "kallos.example"}).status_code == 200


def test_the_description_of_the_api_needs_no_other_server_and_holds(service: Service, workspace: Workspace):
    with own(service) as client:
        described = client.get("/openapi.json").json()
        page = client.get("/docs").text
        answer = client.post("/predict", files=photos(workspace, "a.jpg")).json()
    assert described["paths"].keys() == {"/predict", "/health", "/metrics"}
    assert all(path in page for path in described["paths"])
    assert "//" not in re.sub(r"http://localhost|data:,", "", page)
    schemas = described["components"]["schemas"]
    assert answer.keys() == schemas["Answers"]["properties"].keys()
    assert answer["answers"][0].keys() - {"schema"} == schemas["Explained"]["properties"].keys()


def test_who_stops_it_waits_for_the_answers_that_were_asked_for(
    workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
):
    folder = tmp_path_factory.mktemp("stopped") / "tmp"
    folder.mkdir()
    content = workspace.portrait.read_bytes()
    with serving(workspace, folder) as (server, found), ThreadPoolExecutor(6) as people:
        requests = [people.submit(ask, found, "p.jpg", content) for _ in range(6)]
        while httpx.get(f"{found}/health").json()["waiting"] < 2 and not any(answer.done() for answer in requests):
            time.sleep(0.02)
        server.send_signal(signal.SIGTERM)
        answered = [answer.result() for answer in requests if not answer.exception()]
        assert server.wait(30) == 0
    assert answered
    assert {answer.status_code for answer in answered} == {200}
    assert not list(folder.iterdir())


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


@given(st.lists(st.tuples(*[st.integers(0, 999)] * 2), min_size=2, max_size=8, unique=True), st.integers(0, 2**32 - 1))
def test_no_line_to_a_label_crosses_another(corners: list[tuple[int, int]], seed: int):
    # a little noise, as three points in a row have no unique answer
    anchors = np.array(corners, dtype=float) + np.random.default_rng(seed).uniform(0, 0.1, (len(corners), 2))
    heights = np.linspace(0, 1000, 2 * len(anchors) + 1)[1::2]
    ends = np.column_stack([np.full(len(anchors), 1030.0), labels(anchors, 1030, heights)])
    assert sorted(ends[:, 1]) == pytest.approx(heights)

    def side(a, b, c) -> float:
        return np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    for i, (a, b) in enumerate(zip(anchors, ends, strict=True)):
        for c, d in zip(anchors[:i], ends[:i], strict=True):
            assert side(a, b, c) == side(a, b, d) or side(c, d, a) == side(c, d, b)


def test_a_bundle_alone_has_no_store_to_ask(workspace: Workspace):
    with Service(open_bundle(workspace.bundle), None, "") as alone, own(alone) as client:
        assert not alone.has_store
        first = client.get("/").text
        assert "Raters would give this photo" in first
        assert "rated photos got" not in first
        assert client.get("/sql").status_code == 404
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
    opened.on(
        "console",
        lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None,
    )
    opened.goto(address)
    yield opened
    opened.screenshot(path=tmp_path / "page.png", full_page=True)
    opened.close()
    assert not [url for url in elsewhere if not url.startswith("blob:")]
    assert not complaints


def choose(page, photo: object) -> None:
    page.set_input_files("[name=photo]", photo)
    page.get_by_text("is chosen").wait_for()


def score(page) -> None:
    page.get_by_role("button", name="Score this photo").click()


def test_its_first_screen_has_a_scored_portrait_and_says_what_a_score_means(page):
    assert "nothing of a person's worth" in page.inner_text("body").replace("\n", " ")
    assert page.get_by_role("link").all_inner_texts() == [
        "One photo",
        "Many photos",
        "Features",
        "SQL",
        "Your eye",
        "Model card",
        "API",
    ]
    page.get_by_role("heading", name="A drawn portrait").wait_for()
    assert page.locator(".place .column").count() == 24
    for part in (".place .score", "svg.face image", "table.regions"):
        box = page.locator(part).bounding_box()
        assert box["width"] > 0
        assert box["y"] < 720, f"{part} can be seen without scrolling"


def test_a_photo_is_uploaded_scored_and_deleted(page, workspace: Workspace, temporary: Path):
    choose(page, workspace.portrait)
    score(page)
    page.get_by_role("heading", name="P0001.jpg").wait_for()
    left, right = page.locator("#preview").bounding_box(), page.locator("#answer").bounding_box()
    assert left["x"] + left["width"] < right["x"], "the chosen photo stands beside the answer"
    assert "on 1 to 5" in page.inner_text("h2")
    assert page.locator("svg.face image").get_attribute("href").startswith("blob:")
    measures = page.locator("ol.measures li")
    assert measures.count() == page.locator("svg.face text").count() == 8
    assert "_" not in page.inner_text("ol.measures")
    measures.first.get_by_role("button").focus()
    assert measures.first.get_by_role("tooltip").is_visible(), "the keyboard reaches the definition"
    assert not [path for path in temporary.rglob("*") if path.is_file()]


def test_the_answer_can_be_taken_away_as_one_file(page, workspace: Workspace):
    choose(page, workspace.portrait)
    score(page)
    page.get_by_role("heading", name="P0001.jpg").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download explanation.html").click()
    file = download.value.path().read_text(encoding="utf-8")
    assert 'href="data:image/jpeg;base64,' in file
    assert "<script" not in file


def test_a_drawn_portrait_is_scored(page):
    page.get_by_role("button", name="Draw me a portrait").click()
    page.get_by_text("drawn.png is chosen").wait_for()
    score(page)
    page.get_by_role("heading", name="drawn.png").wait_for()


def test_trouble_is_one_sentence_on_the_page(page, tmp_path: Path):
    score(page)
    page.get_by_text("Choose a photo first.").wait_for()
    blank = tmp_path / "blank.png"
    Image.new("RGB", (300, 300)).save(blank)
    choose(page, blank)
    score(page)
    page.locator(".trouble", has_text="No face was found").wait_for()


def test_of_two_faces_the_largest_is_taken_and_named(page, workspace: Workspace, tmp_path: Path):
    pair = Image.new("RGB", (560, 350), "grey")
    portrait = Image.open(workspace.portrait)
    pair.paste(portrait, (0, 0))
    pair.paste(portrait.resize((210, 210)), (350, 140))
    pair.save(tmp_path / "pair.png")
    choose(page, tmp_path / "pair.png")
    score(page)
    page.get_by_text("2 faces, the largest was taken").wait_for()


def test_what_is_too_large_is_refused_on_the_page(page, tmp_path: Path):
    (tmp_path / "huge.png").write_bytes(bytes(MAX_BYTES + 1))
    choose(page, tmp_path / "huge.png")
    score(page)
    page.locator(".trouble", has_text="larger than 64 MiB").wait_for()


PATHS = ("/", "/many", "/features", "/sql", "/eye", "/card", "/docs")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_a_phone_scrolls_no_page_sideways(browser, address: str, scheme: str):
    if not AXE.is_file():
        pytest.skip("the page is not built: make browser, which has axe-core")
    phone = {"width": 390, "height": 844}
    # axe-core is no script of the page, whose policy refuses it
    opened = browser.new_page(color_scheme=scheme, viewport=phone, bypass_csp=True)
    found = []
    for path in PATHS:
        opened.goto(f"{address}{path}")
        for details in opened.locator("summary").all():
            details.click()
        assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        opened.evaluate(AXE.read_text(encoding="utf-8"))
        violations = opened.evaluate("axe.run().then((answer) => answer.violations)")
        found += [(path, each["id"], each["nodes"][0]["html"]) for each in violations]
    opened.close()
    assert not found


def test_the_keyboard_reaches_the_button(page):
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == "Score this photo":
            break
    page.keyboard.press("Enter")
    page.get_by_text("Choose a photo first.").wait_for()


def test_sql_is_run_as_on_the_command_line(page):
    page.get_by_role("link", name="SQL").click()
    page.get_by_role("button", name="Run").click()
    page.get_by_text("WF", exact=True).first.wait_for()
    page.fill("textarea", "DROP TABLE images")
    page.get_by_role("button", name="Run").click()
    page.locator(".trouble").get_by_text("SELECT").wait_for()


def test_sql_that_writes_is_refused(service: Service):
    with pytest.raises(QueryError):
        service.select("DELETE FROM scores")


def test_many_photos_become_a_table_and_a_csv(page, workspace: Workspace, tmp_path: Path):
    blank, letter = tmp_path / "=blank.png", tmp_path / "letter.png"
    Image.new("RGB", (300, 300)).save(blank)
    letter.write_text("dear reader")
    page.get_by_role("link", name="Many photos").click()
    page.set_input_files("[name=photos]", [workspace.portrait, blank, letter])
    page.get_by_role("button", name="Score them").click()
    link = page.get_by_role("link", name="Download scores.csv")
    link.wait_for()
    with page.expect_download() as download:
        link.click()
    rows = list(csv.reader(download.value.path().read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0] == ["photo", "own_score", "own_low", "own_high", "remarks"]
    assert rows[1][0] == "P0001.jpg"
    assert float(rows[1][2]) < float(rows[1][1]) < float(rows[1][3])
    assert rows[2][:4] == ["'=blank.png", "", "", ""]
    assert "No face was found" in rows[2][4]
    assert "is not a photo" in rows[3][4]
    assert page.locator("#table tbody tr").count() == 3


def test_two_features_are_shown_beside_each_other(page):
    page.get_by_role("link", name="Features").click()
    page.get_by_label("Beside it").select_option(label="mouth width")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("by subset; correlation").wait_for()
    plots = page.locator("svg[role=img][aria-label*='mouth width']")
    assert [plot.is_visible() for plot in plots.all()] == [True] * 2


def test_a_person_agrees_rates_faces_sees_a_model_grow_and_takes_it_away(page):
    page.get_by_role("link", name="Your eye").click()
    page.get_by_text("Your ratings are data about you").wait_for()
    begin, give = (page.get_by_role("button", name=name, exact=True) for name in ("Begin, or go on", "Rate"))
    begin.click()
    page.get_by_text("Nothing is asked before you agree").first.wait_for()
    page.get_by_label("The name that your ratings go by").fill("anna")
    page.get_by_label("I agree").check()
    begin.click()
    page.get_by_text("0 ratings of").wait_for()
    face = page.locator("[name=face]")
    faces = [face.input_value()]
    for rated in ("1 rating of", "2 ratings of", "3 ratings of"):
        give.click()
        page.get_by_text(rated).wait_for()
        faces.append(face.input_value())
    page.get_by_role("button", name="Skip").click()
    page.wait_for_function("(last) => document.querySelector('[name=face]')?.value !== last", arg=faces[-1])
    assert len({*faces, face.input_value()}) == 5
    assert page.locator("img[src^='data:image/jpeg']").first.is_visible()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("2 ratings of").wait_for()
    page.get_by_text("Where you differ most from the pool").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == "eye.safetensors"


def test_faces_of_the_store_and_ratings_of_persons_are_shown_on_this_machine_alone(workspace: Workspace):
    for store, is_private in ((workspace.store, False), (None, True)):
        with Service(open_bundle(workspace.bundle), store, "", is_private=is_private) as service:
            assert not service.shows_faces
            if store:
                with pytest.raises(QueryError, match="personal_ratings is not a table that can be queried"):
                    service.select("FROM personal_ratings")


def test_a_taken_port_is_one_sentence(workspace: Workspace):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = kallos("serve", "--bundle", workspace.bundle, "--port", listener.getsockname()[1])
    assert answer.code == 2
    assert "choose another --port" in answer.err
