"""Label files that are not what they should be: one story each, for photos called as in PHOTOS."""

from __future__ import annotations

from collections.abc import Iterator

PHOTOS = ("p0.png", "p1.png", "zoë.png")
PLAIN = "image,score\np0.png,2\np1.png,3.5\nzoë.png,4\n"
LONG = "image,rater,score\n" + "".join(f"{photo},{rater},{rater}\n" for photo in PHOTOS for rater in (1, 2, 5))
WHOLE, SPLIT = (f"image,score\np0.png,{score}\n" for score in ("2", "2\np0.png,3"))
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
