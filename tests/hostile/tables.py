"""Label files that are not what they should be: one story each, for photos called as in PHOTOS."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.ingest_files import Row, write_workbook

PHOTOS = ("p0.png", "p1.png", "zoë.png")
PLAIN = "image,score\np0.png,2\np1.png,3.5\nzoë.png,4\n"
LONG = "image,rater,score\n" + "".join(f"{photo},{rater},{rater}\n" for photo in PHOTOS for rater in (1, 2, 5))
ODD = (
    *("nan", "NaN", "inf", "-inf", "Infinity", "1e999", "-1e999", "1e308", "9" * 400, "0x2", "2,5", "２", "٣", "1_0"),
    *("", " ", "2 ", "+2", "2.", ".2e1", "1e-400", "-0", "true", "=1+1", "NULL", "\x00", "2\x00", "é"),
)
"""What may stand where a score should."""


def stories() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each csv file."""
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "cp037", "utf-7"):
        yield f"written as {encoding}", PLAIN.encode(encoding)
    for name, separator in (("semicolons", ";"), ("tabs", "\t"), ("bars", "|"), ("spaces", " ")):
        yield f"{name} between columns", PLAIN.replace(",", separator).encode()
    for name, ending in (("CRLF", "\r\n"), ("CR", "\r"), ("LF CR", "\n\r"), ("NUL", "\0"), ("U+2028", "\u2028")):
        yield f"{name} between lines", PLAIN.replace("\n", ending).encode()
    yield "quotes", b'"image","score"\n"p0.png","2"\n"p1.png","3"\n'
    yield "quotes within quotes", b'image,score\n"p0"".png",2\np1.png,3\n'
    yield "a quote that is never closed", b'image,score\n"p0.png,2\np1.png,3\n'
    yield "a line break within quotes", b'image,score\n"p0\n.png",2\np1.png,3\n'
    yield "equal rows", (PLAIN + "p0.png,2\n").encode()
    yield "rows that contradict each other", (PLAIN + "p0.png,3\n").encode()
    yield "a rater column", LONG.encode()
    for odd in ODD:
        yield f"the score {odd[:20]!r}", f"image,score\np0.png,{odd}\np1.png,3\n".encode()
    yield "a row too long", b"image,score\np0.png,2,3,4\np1.png,3\n"
    yield "a row too short", b"image,score\np0.png\np1.png,3\n"
    yield "two columns of one name", b"image,score,score\np0.png,2,3\n"
    yield "two columns of almost one name", b"image,score,score \np0.png,2,3\n"
    yield "columns without a name", b",image,,score,\n0,p0.png,,2,\n"
    yield "columns called like kallos's own", b"image,score,text,rater,subset,image_id\np0.png,2,a,b,c,d\n"
    yield "a header alone", b"image,score\n"
    yield "a header alone and no line break", b"image,score"
    yield "a score column alone", b"score\n2\n"
    yield "ten thousand columns", b"image,score" + b",x" * 10_000 + b"\np0.png,2" + b",1" * 10_000 + b"\n"
    yield "a field of a million letters", b"image,score\n" + b"x" * 1_000_000 + b",2\np0.png,3\n"
    yield "paths that lead elsewhere", b"image,score\n../p0.png,2\n/etc/passwd,3\n..\\..\\p1.png,2\n"
    yield "formulas", b"image,score,subset\np0.png,2,=cmd|' /C calc'!A0\np1.png,3,@SUM(1)\n"
    yield "SQL", b"image,score,subset\np0.png,2,'; DROP TABLE images; --\np1.png,3,$1\n"
    yield "terminal codes", b"image,score\n\x1b[2J\x1b]0;owned\x07p0.png,2\n"
    yield "a photo", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
    yield "a gzip file", b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + bytes(range(256))
    yield "a workbook by name of csv", b"PK\x03\x04" + bytes(100)
    yield "nothing", b""
    yield "a byte order mark alone", b"\xef\xbb\xbf"
    yield "line breaks alone", b"\n\n\r\n\n"
    yield "NULs alone", bytes(2000)


HEAD: Row = ("Rater", "Filename", "Rating", "original Rating")
GOOD: Row = (1, "AF1.jpg", 2, None)


def workbooks(folder: Path) -> Iterator[tuple[str, Path]]:
    """Workbooks of single ratings in the layout of SCUT-FBP5500; the first two are sound."""
    sheets: dict[str, dict[str, list[Row]]] = {
        "a sheet of all": {"ALL": [HEAD, GOOD], "Asian_Female": [HEAD]},
        "no sheet of all": {"Asian_Female": [HEAD, GOOD], "Asian_Male": [HEAD, (1, "AM1.jpg", 3, None)]},
        "an empty sheet of all": {"ALL": []},
        "a sheet that is a header": {"ALL": [HEAD]},
        "sheets that do not go together": {"one": [HEAD, GOOD], "two": [("x", "y"), (1, 2)]},
        "a sheet without the columns": {"ALL": [("Rater", "Rating"), (1, 2)]},
        "raters that are words": {"ALL": [HEAD, ("ann", "AF1.jpg", 2, None)]},
        "ratings that are words": {"ALL": [HEAD, (1, "AF1.jpg", "two", None)]},
        "ratings beyond the scale": {"ALL": [HEAD, (1, "AF1.jpg", 1e300, None)]},
        "raters beyond all integers": {"ALL": [HEAD, (1e300, "AF1.jpg", 2, None)]},
        "raters between integers": {"ALL": [HEAD, (1.5, "AF1.jpg", 2, None)]},
        "photos that are numbers": {"ALL": [HEAD, (1, 5, 2, None)]},
        "rows without a photo": {"ALL": [HEAD, (1, None, 2, None), (None, "AF1.jpg", 3, None)]},
        "first ratings that are words": {"ALL": [HEAD, (1, "AF1.jpg", 2, "none")]},
        "columns of one name": {"ALL": [(*HEAD, "Rating"), (*GOOD, 3)]},
    }
    for name, content in sheets.items():
        yield name, write_workbook(folder / "ratings.xlsx", content)
    sound = write_workbook(folder / "ratings.xlsx", sheets["a sheet of all"]).read_bytes()
    for name, damaged in {
        "a workbook cut short": sound[: len(sound) // 2],
        "an empty workbook": b"",
        "text by name of workbook": b"Rater,Filename\n",
        "a zip of something else": b"PK\x05\x06" + bytes(18),
    }.items():
        (folder / "ratings.xlsx").write_bytes(damaged)
        yield name, folder / "ratings.xlsx"
    yield "no sheets at all", write_workbook(folder / "ratings.xlsx", {})
    yield "a sheet of a million empty rows", _inflated(folder / "ratings.xlsx")


def _inflated(path: Path) -> Path:
    """A few kilobytes that unpack to many megabytes."""
    body = '<row r="1"><c r="A1"><v>1</v></c></row>' * 1_000_000
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'
    write_workbook(path, {"ALL": [HEAD]})
    with zipfile.ZipFile(path) as sound:
        members = {name: sound.read(name) for name in sound.namelist() if "sheet1" not in name}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bomb:
        for name, content in members.items():
            bomb.writestr(name, content)
        bomb.writestr("xl/worksheets/sheet1.xml", sheet)
    return path
