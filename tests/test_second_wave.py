"""A second table of one study adds to the first: nothing goes, what contradicts the store is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from extractors.errors import KallosError
from featurestore.errors import DataError, UsageError
from featurestore.ingest.dataset import IngestSummary, write
from featurestore.ingest.further_table import added
from featurestore.ingest.unrated import read_photos
from featurestore.opening import open_store
from featurestore.store import Store
from kallos.workflows.ingest import ingest
from tests.command import kallos
from tests.conftest import Workspace
from tests.ingest_files import read_scores, write_photo

PHOTOS = 12
FIRST = "image,rater,rating,age\n" + "\n".join(
    f"p{i}.png,{rater},{1 + (i + len(rater)) % 7},3{len(rater)}" for i in range(10) for rater in ("ann", "mary")
)
COUNTED = ("ratings", "scores", "splits", "images", "rater_attributes")

Wave = Callable[..., IngestSummary]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for i in range(PHOTOS - 2):
        write_photo(tmp_path / "photos" / f"p{i}.png", i)
    return tmp_path / "photos"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "s.duckdb") as opened:
        yield opened


@pytest.fixture
def wave(store: Store, photos: Path) -> Wave:
    """Add a table to the data set `study`, on a scale from 1 to 7."""

    def add(text: str, scale: tuple[float, float] = (1, 7), folder: Path = photos, **options: object) -> IngestSummary:
        file = folder.parent / "wave.csv"
        file.write_text(text)
        return write(store, added(store, read_scores(file, folder, name="study", scale=scale, **options)))

    return add


def counts(store: Store) -> dict[str, int]:
    return {table: store.value(f"SELECT count(*) FROM {table}") for table in COUNTED}


def test_new_raters_come_in_and_the_first_stay(store: Store, wave: Wave) -> None:
    wave(FIRST)
    before = store.frame("SELECT image_id, rater_id, rating FROM ratings")
    wave("image,rater,rating,age\np0.png,zoe,7,40\np0.png,tim,6,41")
    after = store.frame("SELECT image_id, rater_id, rating FROM ratings")
    assert before.join(after, on=before.columns, how="anti").is_empty()
    assert len(after) == len(before) + 2
    own = before.filter(image_id="study/p0.png")["rating"].to_list()
    scored = store.frame("SELECT mean, raters, histogram FROM scores WHERE image_id = 'study/p0.png'").row(0)
    assert scored[:2] == (pytest.approx(sum([*own, 7, 6]) / 4), 4)
    assert sum(scored[2]) == 4
    assert counts(store)["rater_attributes"] == 4


def test_the_same_table_again_changes_nothing(store: Store, wave: Wave) -> None:
    wave(FIRST)
    before = {table: store.frame(f"FROM {table}") for table in COUNTED}
    assert set(wave(FIRST).changed.values()) == {0}
    lines = FIRST.splitlines()
    assert set(wave("\n".join([lines[0], *lines[4:8]])).changed.values()) == {0}, "a part of it neither"
    assert all(store.frame(f"FROM {table}").equals(rows) for table, rows in before.items())


def test_a_second_session_of_the_same_raters_is_kept_beside_the_first(store: Store, wave: Wave) -> None:
    wave(FIRST.replace("age", "session").replace(",33", ",1").replace(",34", ",1"))
    wave("image,rater,rating,session\np0.png,ann,1,2\np0.png,mary,1,2")
    ratings = store.frame("SELECT rater_id, session, rating FROM ratings WHERE image_id = 'study/p0.png' ORDER BY ALL")
    assert ratings.rows() == [("ann", "1", 4.0), ("ann", "2", 1.0), ("mary", "1", 5.0), ("mary", "2", 1.0)]
    mean, raters = store.frame("SELECT mean, raters FROM scores WHERE image_id = 'study/p0.png'").row(0)
    assert (mean, raters) == (pytest.approx((2.5 + 3) / 2), 2), "each rater counts once"


def test_a_split_of_another_protocol_and_drawn_parameters_stay(store: Store, wave: Wave) -> None:
    wave(FIRST)
    store.execute("INSERT INTO splits SELECT * REPLACE ('identity-disjoint' AS protocol) FROM splits")
    store.execute("INSERT INTO drawn_parameters VALUES ('study/p0.png', 'eye_width', 0.2)")
    wave("image,rater,rating,age\np0.png,zoe,7,40")
    query = "SELECT count(*) FROM splits WHERE protocol = 'identity-disjoint'"
    assert store.value(query) == counts(store)["splits"] / 2 > 0
    assert store.value("SELECT count(*) FROM drawn_parameters") == 1


def test_another_trait_comes_in_with_its_own_scale_and_protocol(store: Store, wave: Wave) -> None:
    wave(FIRST)
    before = store.frame("SELECT image_id, mean FROM scores ORDER BY ALL")
    wave(FIRST, scale=(0, 100), trait="trustworthy")
    traits = store.frame("SELECT trait, scale_low, scale_high FROM traits ORDER BY trait").rows()
    assert traits == [("score", 1, 7), ("trustworthy", 0, 100)]
    assert store.frame("SELECT image_id, mean FROM scores WHERE trait = 'score' ORDER BY ALL").equals(before)
    protocols = store.frame("SELECT DISTINCT protocol, trait FROM splits ORDER BY ALL").rows()
    assert protocols == [("study-5fold", "score"), ("study-trustworthy-5fold", "trustworthy")]


def folds_of(store: Store) -> dict[str, int]:
    return dict(store.frame("SELECT image_id, fold FROM splits WHERE role = 'test'").iter_rows())


def test_new_photos_are_dealt_and_the_others_keep_their_folds(store: Store, wave: Wave, photos: Path) -> None:
    wave(FIRST)
    before = folds_of(store)
    for i in (10, 11):
        write_photo(photos / f"p{i}.png", i)
    write_photo(photos / "copy.png", 3)
    wave("image,rater,rating\np10.png,ann,3\np11.png,ann,5\ncopy.png,ann,5")
    after = folds_of(store)
    assert {image: after[image] for image in before} == before
    assert after["study/copy.png"] == after["study/p3.png"], "the same bytes stay together"
    assert after["study/p10.png"] != after["study/p11.png"], "each goes to one of the smallest"


def test_photos_can_come_before_their_ratings(store: Store, wave: Wave, photos: Path) -> None:
    first = write(store, added(store, read_photos(photos, name="study")))
    assert (first.images, first.scored, dict(first.folds)) == (10, 0, {})
    rated = wave(FIRST)
    assert (rated.scored, dict(rated.folds), rated.changed["images"]) == (10, {"study-5fold": 5}, 0)
    again = write(store, added(store, read_photos(photos, name="study")))
    assert set(again.changed.values()) == {0}, "photos alone take nothing away"


def test_a_label_that_the_second_wave_brings_is_no_finding_any_more(store: Store, wave: Wave, photos: Path) -> None:
    write_photo(photos / "late.png", 99)
    assert wave(FIRST).findings["subject"].to_list() == ["late.png"]
    assert wave("image,rater,rating\nlate.png,ann,3").findings.is_empty()


MEANS = "image,mean\n" + "\n".join(f"p{i}.png,{1 + i / 2}" for i in range(6))


@pytest.mark.parametrize(
    ("first", "second", "scale", "error", "message"),
    [
        (FIRST, "image,rater,rating\np3.png,ann,1", (1, 7), DataError, r"first is study/p3.png, .*ann.*--replace"),
        (FIRST, "image,rater,rating\np3.png,ann,7", (1, 9), UsageError, r"score of study .* from 1 to 7.*--replace"),
        (FIRST, MEANS, (1, 7), DataError, r"mean in one table and single ratings in the other.*p0.png.*--replace"),
        (MEANS, FIRST, (1, 7), DataError, r"mean in one table and single ratings in the other.*p0.png.*--replace"),
        (MEANS, "image,mean\np3.png,1", (1, 7), DataError, r"first is study/p3.png, score: 2.5 there, 1.0 here"),
        (
            FIRST,
            "image,rater,rating,age\np3.png,ann,7,99\np3.png,mary,1,34\np4.png,ann,1,99",
            (1, 7),
            DataError,
            r"first is ann, age: 33 there, 99 here.*--replace",
        ),
    ],
    ids=["rating", "scale", "mean after ratings", "ratings after means", "mean", "attribute"],
)
def test_what_contradicts_the_store_is_refused_and_nothing_is_written(
    store: Store,
    wave: Wave,
    first: str,
    second: str,
    scale: tuple[float, float],
    error: type[KallosError],
    message: str,
) -> None:
    wave(first)
    before = counts(store)
    with pytest.raises(error, match=message) as raised:
        wave(second, scale)
    assert "\n" not in str(raised.value)
    assert counts(store) == before


def test_a_group_that_contradicts_is_refused_and_a_new_one_is_filled_in(store: Store, wave: Wave) -> None:
    wave(FIRST)
    wave("image,rater,rating,sex\np0.png,zoe,3,female\np0.png,tim,4,female\np1.png,zoe,3,male\np1.png,tim,3,male")
    assert store.value("SELECT sex FROM images WHERE image_id = 'study/p0.png'") == "female"
    with pytest.raises(DataError, match=r"first is study/p0.png, sex: female there, male here"):
        wave("image,rater,rating,sex\np0.png,eva,3,male\np0.png,kim,3,male\np1.png,eva,3,male\np2.png,kim,3,female")


def test_photos_of_another_folder_are_refused(store: Store, wave: Wave, tmp_path: Path) -> None:
    wave(FIRST)
    write_photo(tmp_path / "elsewhere" / "q.png", 50)
    with pytest.raises(UsageError, match=r"photos of study lie in .*--name"):
        wave("image,rater,rating\nq.png,ann,3", folder=tmp_path / "elsewhere")


def test_the_commands_add_and_replace(tmp_path: Path, photos: Path) -> None:
    first, second, store = tmp_path / "study.csv", tmp_path / "wave.csv", tmp_path / "c.duckdb"
    first.write_text(FIRST)
    second.write_text("image,rater,rating\np0.png,zoe,7\np1.png,zoe,2\n")

    def ingest(*arguments: object) -> object:
        place = ("--images", photos, "--name", "study", "--scale", 1, 7, "--store", store, "--json")
        answer = kallos("ingest", "table", *arguments, *place)
        assert answer.code == 0, answer.err
        return answer.json()

    assert ingest(first)["ratings"] == 20
    assert ingest(second)["ratings"] == 22
    assert ingest(first)["ratings"] == 22
    assert ingest(second, "--replace")["ratings"] == 2


def test_what_comes_next_is_to_extract_only_where_a_photo_is_new(workspace: Workspace, tmp_path: Path) -> None:
    path, images, table = tmp_path / "s.duckdb", tmp_path / "images", tmp_path / "again.csv"
    shutil.copy(workspace.store, path)
    shutil.copytree(workspace.portraits / "images", images)
    table.write_text("image,rater,rating\n" + "\n".join(f"P00{i}.jpg,zoe,{i % 5 + 1}" for i in range(10, 40)))
    # the demo's own photos again, from another folder and under another name
    rated = ingest("table", table, path, images=images, name="again", scale=(1, 5))
    assert rated.next_command == "`kallos train all --protocol again-5fold --fold 1`"
    assert ingest("photos", images, path, name="bare").next_command == "`kallos features`"
    write_photo(images / "new.png", 3)
    assert ingest("photos", images, path, name="bare").next_command == "`kallos extract`"
