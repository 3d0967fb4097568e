"""The nearest faces: what SQL finds is what brute force finds, for images of the store and for photo files."""

import hashlib
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from rich.console import Console

from extractors.errors import PhotoError
from extractors.outputs import Field, Output
from featurestore.errors import PrerequisiteError, UsageError
from featurestore.opening import open_store
from featurestore.outputs import active_table
from featurestore.similarity import VIEWS, Query, Search, checked, nearest, stored_image
from featurestore.store import Store
from featurestore.versions import register
from reports.pages.similar import Neighbour, SimilarReport, data, render
from reports.render.contact_sheet import CAPTION, Photo, contact_sheet
from reports.render.figures import on_paper
from tests.command import kallos, kallos_ok
from tests.synthetic_store import DATA_SET, content, make_store

ALL = 10**6


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        yield store


@pytest.fixture
def drawn(workspace) -> Iterator[Store]:
    with open_store(workspace.store, read_only=True) as opened:
        yield opened


def replace_view(store: Store, view: str, query: str) -> None:
    """Make the view show a query over `stored`, which is what it showed before."""
    store.execute(f"CREATE TABLE stored AS FROM {view}")
    store.execute(f"CREATE OR REPLACE VIEW {view} AS {query}")


def found(store: Store, name: str, by: str, k: int = ALL, **more: str) -> pl.DataFrame:
    return nearest(store, stored_image(store, name), checked(store, Search(by, k, **more))).rows


def brute_force(store: Store, image_id: str, by: str) -> pl.DataFrame:
    """image_id and distance of all other images, by NumPy."""
    if by == "geometry":
        features = store.frame("SELECT feature FROM feature_catalog WHERE extractor = 'geometry'")["feature"].to_list()
        rows = store.frame("FROM geometric_features")
        values = rows.select(features).to_numpy().astype(np.float64)
        values = values[:, np.nanmax(values, axis=0) > np.nanmin(values, axis=0)]
        scores = values / np.nanstd(values, axis=0)
        differences = scores - scores[rows["image_id"].to_list().index(image_id)]
        distances = np.sqrt(np.nanmean(differences**2, axis=1))
    else:
        rows = store.frame(f"FROM {VIEWS[by]}")
        values = np.stack(rows["vector" if by == "embedding" else "shape"].to_list()).astype(np.float64)
        one = values[rows["image_id"].to_list().index(image_id)]
        if by == "landmarks":
            distances = np.linalg.norm(values - one, axis=1)
        else:
            distances = 1 - values @ one / (np.linalg.norm(values, axis=1) * np.linalg.norm(one))
    others = pl.DataFrame({"image_id": rows["image_id"], "distance": distances})
    return others.filter(pl.col("image_id") != image_id).sort("distance", "image_id")


def assert_exact(store: Store, image_id: str, by: str) -> None:
    rows, expected = found(store, image_id, by), brute_force(store, image_id, by)
    assert rows["image_id"].to_list() == expected["image_id"].to_list()
    np.testing.assert_allclose(rows["distance"], expected["distance"], atol=1e-6)
    assert rows["rank"].to_list() == list(range(1, len(rows) + 1))


# exactness


@pytest.mark.parametrize("by", VIEWS)
def test_sql_finds_what_brute_force_finds(store, by):
    for number in (0, 3, 40):
        assert_exact(store, f"{DATA_SET}/{number:04d}.png", by)


@pytest.mark.parametrize("by", VIEWS)
def test_sql_finds_what_brute_force_finds_on_portraits(drawn, by):
    for name in ("P0001.jpg", "P0077.jpg"):
        assert_exact(drawn, stored_image(drawn, name).image_id, by)


@pytest.mark.parametrize("by", VIEWS)
def test_fewer_neighbours_are_the_first_of_all(store, by):
    everything = found(store, "0000.png", by)
    assert len(everything) == 78
    assert found(store, "0000.png", by, 5).equals(everything.head(5))


def test_neighbours_carry_score_and_subset(store):
    rows = found(store, "0000.png", "landmarks", 4)
    expected = store.frame("SELECT image_id, score, subset FROM images JOIN scores USING (image_id)")
    assert rows.select("image_id", "score", "subset").equals(
        rows.select("image_id").join(expected, on="image_id", how="left", maintain_order="left")
    )
    store.execute("DELETE FROM scores")
    assert found(store, "0000.png", "landmarks", 4)["score"].is_null().all()


def test_constant_features_do_not_count(store):
    before = found(store, "0000.png", "geometry")
    replace_view(store, "geometric_features", "SELECT * REPLACE (0.1 AS nose_width) FROM stored")
    assert_exact(store, f"{DATA_SET}/0000.png", "geometry")
    assert not found(store, "0000.png", "geometry").equals(before)


def test_skin_does_not_count_as_geometry(store):
    before = found(store, "0000.png", "geometry")
    replace_view(store, "geometric_features", "SELECT * REPLACE (random() AS skin_evenness) FROM stored")
    assert found(store, "0000.png", "geometry").equals(before)


def test_a_zero_embedding_is_never_near(store):
    zero = f"if(image_id = '{DATA_SET}/0001.png', list_transform(vector, lambda x: 0::FLOAT), vector)"
    replace_view(store, "embeddings", f"SELECT * REPLACE ({zero} AS vector) FROM stored")
    rows = found(store, "0000.png", "embedding")
    assert len(rows) == 77
    assert np.isfinite(rows["distance"].to_numpy()).all()
    assert found(store, "0001.png", "embedding").is_empty()


@pytest.mark.parametrize("by", VIEWS)
def test_ties_go_by_image_id_and_copies_are_named(store, by):
    """Seventy images have the same values, and two of them the same bytes."""
    query, copy = f"{DATA_SET}/0033.png", f"{DATA_SET}/0007.png"
    source = f"if(o.image_id < '{DATA_SET}/0070.png', '{query}', o.image_id)"
    values = f"SELECT o.image_id, v.* EXCLUDE (image_id) FROM stored v, stored o WHERE v.image_id = {source}"
    replace_view(store, VIEWS[by], values)
    store.execute(
        "UPDATE images SET sha256 = repeat('f', 64) WHERE image_id IN ($query, $copy)", query=query, copy=copy
    )
    rows = found(store, query, by)
    near, far = rows.head(69), rows.tail(9)
    assert near["image_id"].to_list() == sorted(near["image_id"])
    assert near["distance"].to_list() == pytest.approx([0] * 69, abs=1e-12)
    assert far["distance"].min() > 1e-3
    assert rows.filter("same_photo")["image_id"].to_list() == [copy]


def test_only_one_data_set(store):
    store.execute(f"UPDATE images SET data_set = 'other' WHERE image_id > '{DATA_SET}/0040.png'")
    rows = found(store, "0000.png", "landmarks", data_set="other")
    expected = brute_force(store, f"{DATA_SET}/0000.png", "landmarks")
    assert rows["image_id"].to_list() == [i for i in expected["image_id"] if i > f"{DATA_SET}/0040.png"]


def test_several_encoders_need_a_choice(store):
    alone = found(store, "0000.png", "embedding")
    other = Output("embedding:other", "embeddings", "made up", (Field("vector", "float32[3]", "made up"),), 1)
    register(store, [other])
    tiny = active_table(store, "embedding:tiny")
    store.execute(f'INSERT INTO "{other.table_name}" SELECT sha256, vector[:3] FROM "{tiny}"')
    with pytest.raises(UsageError, match="other, tiny"):
        found(store, "0000.png", "embedding")
    with pytest.raises(UsageError, match="--encoder resnet18"):
        found(store, "0000.png", "embedding", encoder="resnet18")
    with pytest.raises(UsageError, match="--by embedding"):
        found(store, "0000.png", "landmarks", encoder="other")
    assert len(found(store, "0000.png", "embedding", encoder="other")) == 78
    assert found(store, "0000.png", "embedding", encoder="tiny").equals(alone)


# which image is meant


def test_an_image_id_goes_before_an_ending(store):
    assert stored_image(store, f"{DATA_SET}/0003.png").image_id == f"{DATA_SET}/0003.png"
    assert stored_image(store, "0003.png").image_id == f"{DATA_SET}/0003.png"
    store.execute("UPDATE images SET image_id = '0003.png' WHERE image_id LIKE '%/0004.png'")
    assert stored_image(store, "0003.png").image_id == "0003.png"


def test_an_ending_that_several_images_have(store):
    store.execute("UPDATE images SET image_id = replace(image_id, '/', '/x') || '/same.png'")
    with pytest.raises(UsageError, match=r"any of 80 images .*, …\)"):
        stored_image(store, "same.png")


def test_a_name_with_quotes_is_only_a_name(store):
    with pytest.raises(UsageError, match="neither"):
        stored_image(store, "'; DROP TABLE images; --")
    strange = "it's/0000.png"
    for table in ("images", "stored"):
        if table == "stored":
            replace_view(store, "shapes", "FROM stored")
        store.execute(f"UPDATE {table} SET image_id = $new WHERE image_id LIKE '%/0000.png'", new=strange)
    assert len(found(store, strange, "landmarks")) == 78


def test_an_image_without_a_face_or_not_yet_extracted(store):
    with pytest.raises(PhotoError, match=r"0079\.png cannot be compared: no face was found"):
        found(store, "0079.png", "landmarks")
    store.execute(f"INSERT INTO images BY NAME SELECT '{DATA_SET}/new.png' AS image_id, 'new' AS sha256")
    with pytest.raises(PrerequisiteError, match="not extracted yet"):
        found(store, "new.png", "embedding")


def test_before_extraction(tmp_path):
    with make_store(tmp_path / "s.duckdb", extracted=False, trained=False) as bare:
        for by in VIEWS:
            with pytest.raises(PrerequisiteError, match="kallos extract"):
                found(bare, "0000.png", by)


# photo files and the command


@pytest.mark.parametrize("by", VIEWS)
def test_a_file_finds_what_its_stored_image_finds_and_itself_first(workspace, by):
    options = ("--by", by, "--json", "--store", workspace.store)
    stored = kallos_ok("similar", "P0001.jpg", "-k", 6, *options).json()
    of_file = kallos_ok("similar", workspace.portrait, "-k", 7, *options).json()
    first, *rest = of_file["neighbours"]
    assert (first["image_id"], first["same_photo"]) == ("demo/P0001.jpg", True)
    assert first["distance"] == pytest.approx(0, abs=1e-9)
    assert [n["image_id"] for n in rest] == [n["image_id"] for n in stored["neighbours"]]
    assert [n["distance"] for n in rest] == pytest.approx([n["distance"] for n in stored["neighbours"]], abs=1e-9)
    assert (of_file["query"], stored["query"]) == (str(workspace.portrait), "demo/P0001.jpg")


def test_a_photo_that_is_not_in_the_store(workspace, tmp_path):
    with Image.open(workspace.portrait) as portrait:
        portrait.resize((300, 300)).save(tmp_path / "P0002.jpg", quality=95)
    report = kallos_ok(
        "similar", tmp_path / "P0002.jpg", "--by", "landmarks", "--json", "--store", workspace.store
    ).json()
    assert report["neighbours"][0]["image_id"] == "demo/P0001.jpg"
    assert not any(n["same_photo"] for n in report["neighbours"])
    assert 0 < report["neighbours"][0]["distance"] < report["neighbours"][1]["distance"]


@pytest.mark.parametrize("by", VIEWS)
@pytest.mark.parametrize("is_file", [False, True])
def test_the_sql_gives_the_same_neighbours(workspace, by, is_file):
    about = (workspace.portrait if is_file else "demo/P0001.jpg", "--by", by, "-k", 9, "--store", workspace.store)
    neighbours = kallos_ok("similar", *about, "--json").json()["neighbours"]
    query = kallos_ok("similar", *about, "--sql").out
    assert kallos_ok("sql", query, "--json", "--store", workspace.store).json() == neighbours


@pytest.mark.parametrize(
    ("arguments", "code", "phrase"),
    [
        (("P9999.jpg",), 2, "neither"),
        (("P0001.jpg", "--encoder", "resnet18"), 2, "--encoder resnet18"),
        (("P0001.jpg", "--data-set", "scut"), 2, "demo"),
        (("P0001.jpg", "--sheet", "sheet.jpg"), 2, ".png or .svg"),
        (("P0001.jpg", "--by", "soul"), 2, ""),
        (("P0001.jpg", "-k", 0), 2, ""),
        (("text.jpg",), 5, "text.jpg"),
        (("grey.png", "--by", "geometry"), 5, "grey.png: No face"),
    ],
)
def test_what_cannot_be_searched(workspace, tmp_path, monkeypatch, arguments, code, phrase):
    monkeypatch.chdir(tmp_path)
    Path("text.jpg").write_text("dear reader")
    Image.new("L", (300, 300), 90).save("grey.png")
    answer = kallos("similar", *arguments, "--store", workspace.store)
    assert answer.code == code
    assert phrase in answer.err
    assert answer.out == ""


def test_a_file_needs_the_encoder_and_the_versions_of_the_store(workspace, tmp_path):
    copy = tmp_path / "s.duckdb"
    copy.write_bytes(workspace.store.read_bytes())
    answer = kallos("similar", workspace.portrait, "--store", copy)
    assert (answer.code, "put the folder s.runs back" in answer.err) == (7, True)
    with open_store(copy) as opened:
        opened.execute("UPDATE extractor_versions SET version = 'older' WHERE extractor = 'geometry'")
    answer = kallos("similar", workspace.portrait, "--by", "geometry", "--store", copy)
    assert (answer.code, "another version" in answer.err) == (7, True)
    assert kallos_ok("similar", "P0001.jpg", "--by", "geometry", "--store", copy).out


@pytest.mark.parametrize(("is_file", "spared"), [(False, {"torch", "mediapipe"}), (True, {"torch"})])
def test_nothing_is_loaded_that_is_not_needed(workspace, is_file, spared):
    name = str(workspace.portrait) if is_file else "P0001.jpg"
    code = (
        f"import sys; sys.argv = ['kallos', 'similar', {name!r}, '--by', 'geometry', '--store', {str(workspace.store)!r}]\n"
        "from kallos.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code\n"
        f"assert not {spared!r} & set(sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


# what people see


def test_the_sheet_shows_the_query_framed_then_its_neighbours(drawn):
    for by, has_contours in (("embedding", False), ("geometry", True), ("landmarks", True)):
        search = checked(drawn, Search(by, 5))
        query = stored_image(drawn, "P0001.jpg")
        report = data(drawn, search, nearest(drawn, query, search), "demo/P0001.jpg")
        assert [p.framed for p in report.photos] == [True] + 5 * [False]
        assert [p.path.name for p in report.photos] == [
            "P0001.jpg",
            *(Path(n.image_id).name for n in report.neighbours),
        ]
        assert all((p.landmarks is not None) == has_contours for p in report.photos)
        assert report.photos[2].caption.startswith("2  ")
        assert f"{report.neighbours[1].score:.2f}" in report.photos[2].caption


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_sheet_is_written(workspace, tmp_path, suffix):
    sheet = tmp_path / "new" / f"sheet.{suffix}"
    kallos_ok("similar", workspace.portrait, "--by", "landmarks", "-k", 4, "--sheet", sheet, "--store", workspace.store)
    if suffix == "png":
        with Image.open(sheet) as picture:
            assert picture.size[0] > 1000
    else:
        assert "<svg" in sheet.read_text()


def test_no_caption_is_wider_than_its_photo(store, tmp_path):
    long = f"{'holiday_' * 8}$1$_{hashlib.sha256(b'').hexdigest()}.png"
    source = Path(store.value("SELECT root FROM locations"))
    (source / "0001.png").rename(source / long)
    store.execute("UPDATE images SET path = $long WHERE image_id LIKE '%/0001.png'", long=long)
    search = Search("landmarks", 78)
    query = Query(f"{DATA_SET}/0000.png", content(f"{DATA_SET}/0001.png"))
    report = data(store, search, nearest(store, query, search), f"{DATA_SET}/0000.png")
    (photo,) = [p for p in report.photos if p.path.name == long]
    assert "same photo" in photo.caption
    assert max(map(len, photo.caption.splitlines()[:1])) <= CAPTION
    sheet = on_paper(contact_sheet([photo, *report.photos[:3]], "title", "sheet"))
    sheet.savefig(tmp_path / "sheet.png")
    for axes in sheet.axes:
        caption, picture = axes.title.get_window_extent(), axes.get_window_extent()
        assert caption.width <= picture.width


def test_the_table_fits_into_80_columns():
    neighbours = tuple(
        Neighbour(rank, f"{'long/' * 30}{rank}.jpg", 0.0123 * rank, None if rank == 2 else 3.2, None, rank == 1)
        for rank in (1, 2, 100)
    )
    report = SimilarReport("query/" * 20, "geometry", "distance", None, "a data set", None, "SELECT 1", neighbours)
    console = Console(file=io.StringIO(), width=80)
    console.print(render(report))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    (header,) = [line for line in lines if "distance" in line and "score" in line]
    names = slice(header.index("image"), header.index("distance"))
    assert "".join(line[names].strip() for line in lines).count("long/") == 90
    console.print(render(SimilarReport("q", "embedding", "distance", "tiny", None, None, "SELECT 1", ())))
    assert "no other face" in console.file.getvalue()


def test_a_framed_photo_stands_out(tmp_path):
    Image.new("RGB", (50, 50)).save(tmp_path / "p.png")
    photos = [Photo(tmp_path / "p.png", "a", framed=True), Photo(tmp_path / "p.png", "b")]
    sheet = on_paper(contact_sheet(photos, "title", "sheet"))
    assert [axes.axison for axes in sheet.axes[:2]] == [True, False]
