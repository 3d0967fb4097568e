"""Rating tables as laboratories have them: each is read right, or refused with the option that decides.

Six photos, face_01.jpg to face_06.jpg; ratings are `(photo + rater) % 7 + 1` unless a case is about something else.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pyreadstat
import pytest

from extractors.errors import InputError, KallosError
from featurestore.errors import DataError, UsageError
from featurestore.ingest.columns import TableOptions
from featurestore.ingest.reading import Origin
from featurestore.ingest.recipe import Recipe
from featurestore.ingest.table import TableReading, read_table
from tests.ingest_files import write_photo, write_workbook

FACES = [f"face_0{i}" for i in range(1, 7)]
RATERS = ("p1", "p2", "p3", "p4")


def rating(face: str, rater: int) -> int:
    return (int(face[-1]) + rater) % 7 + 1


LONG = [(f"{face}.jpg", rater, rating(face, i)) for face in FACES for i, rater in enumerate(RATERS)]


def text(*rows: object, separator: str = ",") -> str:
    """Rows of cells as csv; a row may be text already."""
    lines = [row if isinstance(row, str) else separator.join(map(str, row)) for row in rows]  # type: ignore[call-overload]
    return "\n".join(lines) + "\n"


LONG_CSV = text("image,rater,rating", *LONG)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases") / "photos"
    for i, face in enumerate(FACES):
        write_photo(folder / f"{face}.jpg", i)
    return folder


def read(photos: Path, content: str | bytes, name: str = "study.csv", **stated: Any) -> TableReading:
    """Write the table beside the photos and read it, on 1-7 unless a scale is stated."""
    file = photos.parent / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    origin = stated.pop("origin", None)
    return read_table(file, photos, name="study", origin=origin, options=TableOptions(**{"scale": (1, 7), **stated}))


def ratings(reading: TableReading) -> list[tuple[str, str, float]]:
    """(photo, rater, rating) of every single rating."""
    rows = reading.data_set.ratings.sort("image_id", "rater_id").select("image_id", "rater_id", "rating").rows()
    return [(image.removeprefix("study/"), rater, value) for image, rater, value in rows]


def means(reading: TableReading) -> dict[str, float]:
    """photo -> mean."""
    rows = reading.data_set.scores.sort("image_id").select("image_id", "mean").rows()
    return {image.removeprefix("study/"): mean for image, mean in rows}


def fact(reading: TableReading, what: str) -> str:
    """What the reading says of this."""
    return dict(reading.facts).get(what, "")


def in_rows(head: str = "image,rater,rating", change: Any = lambda *row: row, separator: str = ",") -> str:
    """The long table with its cells changed."""
    return text(head, *(change(*row) for row in LONG), separator=separator)


SAME = {
    "long": LONG_CSV,
    "index column of pandas": text(",image,rater,rating", *((i, *row) for i, row in enumerate(LONG))),
    "index column of R": text('"","image","rater","rating"', *(f'"{i}","{a}","{b}",{c}' for i, (a, b, c) in enumerate(LONG))),
    "semicolons, BOM, CRLF": ("\ufeff" + in_rows("image;rater;rating", separator=";")).replace("\n", "\r\n"),
    "Excel's sep line": "sep=;\n" + in_rows("image;rater;rating", separator=";"),
    "UTF-16, tabs": in_rows("image\trater\trating", separator="\t").encode("utf-16"),
    "bars": in_rows("image|rater|rating", separator="|"),
    "a title above": "Ratings of our study,,\n\n" + LONG_CSV,
    "Windows paths": in_rows(change=lambda image, *rest: (rf"C:\Users\Anna\stimuli\{image}", *rest)),
    "a folder in front": in_rows(change=lambda image, *rest: (f"./photos/{image}", *rest)),
    "upper-case ending": in_rows(change=lambda image, *rest: (image.replace("jpg", "JPG"), *rest)),
    "upper-case name": in_rows(change=lambda image, *rest: (image.upper(), *rest)),
    "another ending": in_rows(change=lambda image, *rest: (image.replace("jpg", "png"), *rest)),
    "no ending": in_rows(change=lambda image, *rest: (image[:-4], *rest)),
    "spaces": in_rows("image, rater, rating", lambda *row: tuple(f" {cell} " for cell in row)),
    "non-breaking spaces": in_rows(change=lambda *row: tuple(f"\u00a0{cell}\u00a0" for cell in row)),
    "leading apostrophes": in_rows(change=lambda image, *rest: (f"'{image}", *rest)),
    "numbers in the names": in_rows(change=lambda image, *rest: (int(image[5:7]), *rest)),
    "HTML of the photo": in_rows(change=lambda image, *rest: (f'"<img src=""img/{image}"" width=300>"', *rest)),
    "full-width digits": in_rows(change=lambda a, b, c: (a, b, chr(0xFF10 + c))),
    "Arabic digits": in_rows(change=lambda a, b, c: (a, b, chr(0x660 + c))),
    "floats": in_rows(change=lambda a, b, c: (a, b, f"{c}.0")),
    "usual words": in_rows("Stimulus,Participant ID,Response"),
    "numbers with words": in_rows(change=lambda a, b, c: (a, b, {1: "1 - very ugly", 7: "7 (very attractive)"}.get(c, c))),
    "numbers after words": in_rows(change=lambda a, b, c: (a, b, f"level ({c})")),
    "no headings": text(*LONG),
    "empty columns at the end": text("image,rater,rating,,", *((*row, "", "") for row in LONG)),
    "two more heading rows": text(
        "image,rater,rating", "Image,Response ID,Your answer?", *('"{""ImportId"":""a""}",,',), *LONG
    ),
    "one more heading row": text("image,rater,rating", "The image,Who,Your answer?", *LONG),
    "a column a rater": text(
        ("image", *RATERS), *((face, *(rating(face, i) for i in range(4))) for face in FACES)
    ),
    "a column a rater, and their mean": text(
        ("image", *RATERS, "Mean"),
        *((f, *(r := [rating(f, i) for i in range(4)]), f"{sum(r) / 4:.2f}") for f in FACES),
        "Mean,4,4,4,4,4",
    ),
    "a column a photo": text(
        ("participant", *FACES), *((rater, *(rating(face, i) for face in FACES)) for i, rater in enumerate(RATERS))
    ),
    "reshaped": text("image,variable,value", *LONG),
    "PsychoPy": text(
        "trials.thisN,stimFile,slider.response,slider.rt,participant,date,",
        ",,,,p1,2025-03-01,",
        *(f"{i},stimuli/{a},{c}.0,0.5,{b},2025-03-01," for i, (a, b, c) in enumerate(LONG)),
    ),
    "jsPsych": text(
        "rt,stimulus,response,trial_type,subject",
        "900,Welcome,space,html-keyboard-response,p1",
        *(f"700,img/{a},{c},image-slider-response,{b}" for a, b, c in LONG),
        "800,<p>Thanks</p>,null,html-keyboard-response,p1",
    ),
    "lab.js": text(
        "sender_id,sender,participant,stimulus,response,duration",
        "0,Welcome,p1,,,1200",
        *(line for i, (a, b, c) in enumerate(LONG) for line in (f"1_{i},Rating,{b},static/{a},{c},800", f"1_{i}_x,ITI,{b},,,500")),
    ),
    "Gorilla": text(
        "Event Index,Participant Private ID,Zone Type,Response,Spreadsheet: Image",
        *(f"{i},{b},slider,{c},{a}" for i, (a, b, c) in enumerate(LONG)),
        "END OF FILE,,,,",
    ),
}  # fmt: skip
"""Every one of these is the same 24 ratings."""


@pytest.mark.parametrize("content", SAME.values(), ids=SAME.keys())
def test_the_same_ratings_in_every_dress(photos: Path, content: str | bytes):
    assert ratings(read(photos, content)) == [(a, b, float(c)) for a, b, c in sorted(LONG)]


def ods(path: Path, rows: list[tuple[object, ...]]) -> bytes:
    def cell(value: object) -> str:
        kind = (
            f'office:value-type="float" office:value="{value}"'
            if isinstance(value, int)
            else 'office:value-type="string"'
        )
        return f"<table:table-cell {kind}><text:p>{value}</text:p></table:table-cell>"

    body = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    names = " ".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for n in ("office", "table", "text"))
    with zipfile.ZipFile(path, "w") as book:
        kind = "application/vnd.oasis.opendocument.spreadsheet"
        book.writestr("mimetype", kind)
        entry = f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
        space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
        book.writestr(
            "META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="{space}">{entry}</manifest:manifest>'
        )
        book.writestr(
            "content.xml",
            f"<office:document-content {names}><office:body><office:spreadsheet>"
            f'<table:table table:name="Data">{body}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["xlsx", "ods", "sav", "dta", "parquet"])
def test_the_same_ratings_from_every_program(photos: Path, tmp_path: Path, kind: str):
    file = tmp_path / f"study.{kind}"
    frame = pl.DataFrame(LONG, schema=["image", "rater", "rating"], orient="row")
    match kind:
        case "xlsx":
            write_workbook(file, {"Data": [("image", "rater", "rating"), *LONG], "Notes": []})
        case "ods":
            ods(file, [("image", "rater", "rating"), *LONG])
        case "sav":
            labels = {"rating": {1: "very ugly", 7: "very attractive"}}
            pyreadstat.write_sav(frame, str(file), variable_value_labels=labels)
        case "dta":
            pyreadstat.write_dta(frame, str(file))
        case "parquet":
            frame.write_parquet(file)
    assert ratings(read(photos, file.read_bytes(), f"study.{kind}")) == [(a, b, float(c)) for a, b, c in sorted(LONG)]


@pytest.mark.parametrize("word", ["", "NA", "N/A", "#N/A", ".", "NaN", "null", "-", "missing"])
def test_words_for_no_answer_are_counted(photos: Path, word: str):
    reading = read(photos, text("image,rater,rating", *LONG[:-2], *((a, b, word) for a, b, _ in LONG[-2:])))
    assert len(ratings(reading)) == 22
    assert fact(reading, "missing").startswith("2 cells without an answer")


@pytest.mark.parametrize("code", ["-99", "999", "99", "-9", "9"])
def test_codes_for_no_answer_are_declared(photos: Path, code: str):
    content = text("image,rater,rating", *LONG[:-2], *((a, b, code) for a, b, _ in LONG[-2:]))
    with pytest.raises(DataError, match=rf"2 scores .*outside 1 to 7 \({code}\).*--missing {code}"):
        read(photos, content)
    reading = read(photos, content, missing=(code,))
    assert len(ratings(reading)) == 22
    assert fact(reading, "missing") == f"2 cells without an answer (blank, NA ... and {code})"


def test_a_code_is_never_offered_as_a_scale(photos: Path):
    content = text("image,rater,rating", *LONG, "face_01.jpg,p5,-99")
    with pytest.raises(UsageError, match=r"run from 1 to 7, and -99 far outside, which --missing -99 declares"):
        read(photos, content, scale=None)


@pytest.mark.parametrize(
    "content", [LONG_CSV, text("image,mean", *((face, 2 + i / 2) for i, face in enumerate(FACES)))]
)
def test_a_scale_is_stated(photos: Path, content: str):
    with pytest.raises(UsageError, match=r"scale is not guessed .*--scale 1 7"):
        read(photos, content, scale=None)


def test_scales_that_are_beyond_doubt(photos: Path):
    percent = read(photos, text("image,mean", *((face, f"{10 + i}%") for i, face in enumerate(FACES))), scale=None)
    assert fact(percent, "scale") == "0 to 100, percent"
    assert means(percent)["face_02.jpg"] == 11
    heading = read(photos, in_rows("image,rater,rating (1-9)"), scale=None)
    assert heading.recipe.scale == (1, 9)
    assert "heading" in fact(heading, "scale")


@pytest.mark.parametrize(("low", "high"), [(0, 100), (0, 1), (-3, 3), (1, 10)])
def test_any_scale(photos: Path, low: float, high: float):
    values = [low + (high - low) * i / 5 for i in range(6)]
    reading = read(photos, text("image,mean", *zip(FACES, values, strict=True)), scale=(low, high))
    assert list(means(reading).values()) == pytest.approx(values)
    assert reading.data_set.scales == {"score": (low, high)}
    assert reading.data_set.scores["score"].to_list() == pytest.approx([1, 1.8, 2.6, 3.4, 4.2, 5])


def test_decimal_commas_and_thousands(photos: Path):
    assert means(read(photos, "image;mean\nface_01.jpg;2,5\n"))["face_01.jpg"] == 2.5
    assert means(read(photos, 'image,mean\nface_01.jpg,"2,5"\n'))["face_01.jpg"] == 2.5
    assert means(read(photos, "image;mean\nface_01;1.299,5\nface_02;850,0\n", scale=(0, 2000)))["face_01.jpg"] == 1299.5
    assert means(read(photos, 'image,mean\nface_01,"1,299.5"\n', scale=(0, 2000)))["face_01.jpg"] == 1299.5
    with pytest.raises(DataError, match=r"1,299 .* may be 1\.299 or 1299: state the decimal mark with --decimal"):
        read(photos, "image;mean\nface_01;1,299\n", scale=(0, 2000))
    assert means(read(photos, "image;mean\nface_01;1,299\n", decimal=","))["face_01.jpg"] == 1.299
    assert means(read(photos, "image;mean\nface_01;1,299\n", scale=(0, 2000), decimal="."))["face_01.jpg"] == 1299


def test_levels_in_words(photos: Path):
    content = in_rows(change=lambda a, b, c: (a, b, ("Not at all", "Somewhat", "Very")[c % 3]))
    with pytest.raises(DataError, match=r"24 answers .*are not numbers.*--levels"):
        read(photos, content)
    reading = read(photos, content, scale=None, levels=("not at all", "somewhat", "very"))
    assert reading.recipe.scale == (1, 3)
    assert ratings(reading) == [(a, b, float(c % 3 + 1)) for a, b, c in sorted(LONG)]


def test_sessions_are_kept_apart(photos: Path):
    rows = [(*row, session) for row in LONG for session in (1, 2)]
    reading = read(photos, text("image,rater,rating,session", *rows))
    assert reading.data_set.ratings["session"].value_counts().sort("session").rows() == [("1", 24), ("2", 24)]
    assert fact(reading, "session") == "column 'session': 1 (24), 2 (24)"
    wide = read(photos, text("image,rater,rating_t1,rating_t2", *((a, b, c, c) for a, b, c in LONG)))
    assert wide.data_set.ratings["session"].n_unique() == 2
    assert wide.data_set.scores["raters"].to_list() == [4] * 6


@pytest.mark.parametrize("heading", ["R{}_t{}", "rater {} time {}", "attractive_R{}_session{}"])
def test_columns_of_a_rater_in_a_session(photos: Path, heading: str):
    columns = [(rater, session) for session in (1, 2) for rater in (1, 2, 3)]
    rows = [(face, *(rating(face, rater + session) for rater, session in columns)) for face in FACES]
    head = ",".join(["image", *(heading.format(rater, session) for rater, session in columns)])
    found = read(photos, text(head, *rows)).data_set.ratings
    assert (found["rater_id"].n_unique(), found["session"].unique().sort().to_list()) == (3, ["1", "2"])
    assert len(found) == 6 * 6


TRAITS = {
    "long": text("image,rater,trait,rating", *((a, b, t, c) for a, b, c in LONG for t in ("attractive", "trustworthy"))),
    "columns": text("image,rater,attractive,trustworthy", *((a, b, c, c) for a, b, c in LONG)),
    "stated": text("image,rater,nice,good", *((a, b, c, c) for a, b, c in LONG)),
    "a column a rater and trait": text(
        ("image", *(f"{t}_R{i}" for t in ("attractive", "trustworthy") for i in range(4))),
        *((face, *(rating(face, i) for i in range(4)), *(rating(face, i) for i in range(4))) for face in FACES),
    ),
    "a column a photo and trait": text(
        ("participant", *(f"{face}_{t}" for face in FACES for t in ("attractive", "trustworthy"))),
        *((rater, *(rating(face, i) for face in FACES for _ in range(2))) for i, rater in enumerate(RATERS)),
    ),
    "norms": text(
        "Target,Race,Gender,Age,NumberofRaters,Attractive,Trustworthy",
        *((face, "W", "F", 28.5, 90, 3, 4) for face in FACES),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TRAITS)
def test_traits_are_targets_of_their_own(photos: Path, kind: str):
    options = {"score_columns": ("nice", "good")} if kind == "stated" else {}
    data_set = read(photos, TRAITS[kind], **options).data_set
    names = ("good", "nice") if kind == "stated" else ("attractive", "trustworthy")
    assert data_set.scales == dict.fromkeys(names, (1, 7))
    assert data_set.scores["trait"].value_counts().sort("trait").rows() == [(name, 6) for name in names]
    assert sorted(data_set.splits["protocol"].unique()) == [f"study-{name}-5fold" for name in names]
    if kind != "norms":
        assert data_set.ratings["trait"].value_counts().sort("trait").rows() == [(name, 24) for name in names]


def test_questions_of_a_survey_name_photo_and_trait(photos: Path):
    content = text(
        "ResponseId,Q1,Q2,Q3",
        "Response ID,How attractive is face_01.jpg?,How trustworthy is face_01.jpg?,How attractive is face_02.jpg?",
        *(",".join(f'"{{""ImportId"":""{q}""}}"' for q in ("_recordId", "Q1", "Q2", "Q3")),),
        *((f"R_{i}", i, i + 1, i + 2) for i in range(1, 5)),
    )
    reading = read(photos, content)
    assert reading.data_set.ratings.group_by("image_id", "trait").len().sort("image_id", "trait").rows() == [
        ("study/face_01.jpg", "attractive", 4),
        ("study/face_01.jpg", "trustworthy", 4),
        ("study/face_02.jpg", "attractive", 4),
    ]
    assert "2 more heading rows of a survey tool" in fact(reading, "file")


def test_what_describes_photos_and_what_describes_raters(photos: Path):
    rows = [
        (a, "MF"[i % 2], "White", 30 + i, b, ("female", "male")[int(b[1]) % 2], 20 + int(b[1]), c, 0.5)
        for i, face in enumerate(FACES)
        for a, b, c in LONG
        if a == f"{face}.jpg"
    ]
    head = "image,gender,face_race,age,rater,rater_sex,rater_age,rating,rt"
    reading = read(photos, text(head, *rows))
    data_set = reading.data_set
    assert data_set.images.sort("path").select("sex", "ethnicity").rows()[:2] == [
        ("male", "White"),
        ("female", "White"),
    ]
    assert data_set.image_attributes.rows()[0] == ("study/face_01.jpg", "age", "30")
    assert data_set.rater_attributes.filter(rater_id="p1").select("attribute", "value").sort("attribute").rows() == [
        ("age", "21"),
        ("sex", "male"),
    ]
    assert fact(reading, "not used") == "rt"


def test_what_differs_within_a_photo_is_the_raters(photos: Path):
    reading = read(photos, text("image,rater,sex,rating", *((a, b, "mf"[int(b[1]) % 2], c) for a, b, c in LONG)))
    assert reading.data_set.images["sex"].null_count() == 6
    assert reading.data_set.rater_attributes["value"].to_list() == ["female", "male", "female", "male"]
    with pytest.raises(DataError, match=r"differs within the photo face_01\.jpg, so it is not the photo's"):
        read(photos, text("image,rater,face_sex,rating", *((a, b, "mf"[int(b[1]) % 2], c) for a, b, c in LONG)))
    alike = read(photos, text("image,rater,sex,rating", *((a, b, "female", c) for a, b, c in LONG)))
    assert fact(alike, "not used") == "sex"
    assert "--photo-attribute or --rater-attribute" in fact(alike, "note")
    of_photos = read(
        photos, text("image,rater,sex,rating", *((a, b, "f", c) for a, b, c in LONG)), photo_attributes=("sex",)
    )
    assert of_photos.data_set.images["sex"].to_list() == ["female"] * 6


def test_spread_and_number_stay_beside_a_mean(photos: Path):
    scores = read(photos, text("image,mean,sd,n", *((face, 3, 1.2, 25) for face in FACES))).data_set.scores
    assert scores.select("mean", "sd", "raters").unique().rows() == [(3.0, 1.2, 25)]


def test_rows_of_totals_are_counted(photos: Path):
    reading = read(photos, text("image,mean", *((face, 3) for face in FACES), "Mean,3"))
    assert len(means(reading)) == 6
    assert fact(reading, "skipped") == "1 row of totals (Mean)"
    assert reading.data_set.findings.is_empty()
    wide = read(photos, text("image,r1,r2,r3", *((face, 3, 4, 5) for face in FACES), "Mean,3,4,5"))
    assert fact(wide, "skipped") == "1 row of totals (Mean) (3 cells)"


def test_raters_are_kept_apart(photos: Path):
    reading = read(photos, text("image,rater,rating", "face_01,001,2", "face_01,1,4", "face_01,2,3"))
    assert ratings(reading) == [("face_01.jpg", "001", 2), ("face_01.jpg", "1", 4), ("face_01.jpg", "2", 3)]
    floats = read(photos, text("image,rater,rating", "face_01,1.0,2", "face_01,2.0,4"))
    assert [rater for _, rater, _ in ratings(floats)] == ["1", "2"]


def test_headings_that_differ_by_case(photos: Path):
    content = text("Image,image,rating", *((i, face, 3) for i, face in enumerate(FACES)))
    assert len(means(read(photos, content))) == 6
    assert means(read(photos, content, image_column="image"))["face_06.jpg"] == 3


REFUSED: dict[str, tuple[str, type[KallosError], str]] = {
    "two columns of scores": ("image,rating,response\nface_01,2,3\n", DataError, "rating, response.*--score-column"),
    "two columns of raters": ("image,rater,user,rating\nface_01,a,x,2\nface_01,b,x,3\nface_02,b,y,3\n", DataError, "--rater-column"),
    "two columns of photos": ("image,target,rating\nface_01,face_02,2\nface_03,face_04,1\n", DataError, "--image-column"),
    "names of raters": ("image,Anna,Ben\nface_01,2,3\nface_02,3,4\n", DataError, "--rater-columns"),
    "a mean that is none": ("image,R1,R2,mean\nface_01,2,3,6\n", DataError, "--score-column or --rater-columns"),
    "repeats without a rater": ("image,rating\nface_01,2\nface_01,3\n", DataError, "several scores.*--rater-column"),
    "repeats of a rater": ("image,rater,rating\nface_01,a,2\nface_01,a,3\n", DataError, "--session-column"),
    "photos written once": ("image,rater,rating\nface_01,a,2\n,b,3\n,c,3\n", DataError, "write it into every row"),
    "no photo": ("image,rating\nelse_01,2\n", DataError, "first label in 'image' is else_01, the first photo is face_01.jpg"),
    "another encoding": ("image,rater,rating\nface_01,J\xfcrgen,2\n", DataError, "--encoding cp1252"),
    "no scores": ("image,colour\nface_01,red\n", DataError, "no score column"),
    "an empty scale": ("image,rating\nface_01,2\n", UsageError, "is empty: give --scale"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_names_the_option_that_decides(photos: Path, case: str):
    content, error, message = REFUSED[case]
    encoded = content.encode("cp1252")
    with pytest.raises(error, match=message) as refused:
        read(photos, encoded, scale=(5, 5) if case == "an empty scale" else (1, 7))
    assert "\n" not in str(refused.value)


def test_options_decide(photos: Path):
    assert len(ratings(read(photos, REFUSED["names of raters"][0], rater_columns=("anna", "B*")))) == 4
    assert means(read(photos, REFUSED["two columns of scores"][0], score_columns=("response",)))["face_01.jpg"] == 3
    assert len(ratings(read(photos, REFUSED["another encoding"][0].encode("cp1252"), origin=Origin("cp1252")))) == 1


def test_a_workbook_of_several_sheets(photos: Path):
    file = write_workbook(photos.parent / "two.xlsx", {s: [("image", "mean"), ("face_01", 2)] for s in ("A", "B")})
    with pytest.raises(DataError, match="several sheets with rows: choose one with --sheet, of A, B"):
        read(photos, file.read_bytes(), "two.xlsx")
    assert fact(read(photos, file.read_bytes(), "two.xlsx", origin=Origin(sheet="B")), "file") == "two.xlsx, sheet B"


def test_a_recipe_reads_the_same_again(photos: Path):
    content = text(
        "image,rater,sex,rating,rt", *((a, b, "mf"[int(b[1]) % 2], f"{c},0" if c > 1 else "-99", 1) for a, b, c in LONG)
    )
    content = content.replace(",0", ".0")
    first = read(photos, content, missing=("-99",))
    file = photos.parent / "recipe.json"
    first.recipe.save(file)
    recipe = Recipe.load(file)
    assert recipe == first.recipe
    again = read_table(photos.parent / "study.csv", photos, name="study", recipe=recipe)
    for table in ("images", "ratings", "scores", "splits", "rater_attributes", "findings"):
        assert getattr(again.data_set, table).equals(getattr(first.data_set, table)), table
    (photos.parent / "more.csv").write_text(content.replace("rt", "speed", 1))
    with pytest.raises(DataError, match=r"does not know \(speed\)"):
        read_table(photos.parent / "more.csv", photos, name="study", recipe=recipe)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"format": 1, "scores": [], "scale": [1, 7]}', '{"format": 2}', "\0"]
)
def test_what_is_no_recipe(tmp_path: Path, content: str):
    file = tmp_path / "recipe.json"
    with pytest.raises(InputError, match="There is no recipe"):
        Recipe.load(file)
    file.write_text(content)
    with pytest.raises(DataError, match="is not a recipe"):
        Recipe.load(file)
