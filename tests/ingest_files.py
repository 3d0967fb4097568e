"""Small files for the tests of ingest: photos, and workbooks written by hand so that no package is needed."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pillow_heif
from PIL import Image

from featurestore.ingest.columns import TableOptions
from featurestore.ingest.dataset import DataSet
from featurestore.ingest.table import read_table

Row = Sequence[str | float | None]


def read_scores(file: Path, photos: Path, name: str | None = None, **stated: object) -> DataSet:
    """The data set of a table of scores on 1-5, unless another scale is stated."""
    return read_table(file, photos, name=name, options=TableOptions(**{"scale": (1, 5), **stated})).data_set  # type: ignore[arg-type]


def write_photo(path: Path, shade: int) -> Path:
    """A photo of 8 x 6 pixels; another shade is another content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), (shade % 256, shade // 256, 90)).save(path, format="PNG")
    return path


def let_pillow_write_heic() -> None:
    """From here on, as kallos reads it."""
    pillow_heif.register_heif_opener()


def score(name: str) -> float:
    """Of an image of the release below."""
    return 1 + zlib.crc32(name.encode()) % 400 / 100


def a_release(folder: Path, names: dict[str, str]) -> Path:
    """SCUT-FBP5500's layout; `names` maps the new name to the one that the files use."""
    lines = {new: f"{used}.jpg {score(new)}" for new, used in names.items()}
    for i, used in enumerate(names.values()):
        write_photo(folder / "Images" / f"{used}.jpg", i)
        points = np.arange(172, dtype="<f4") + i
        landmarks = folder / "facial landmark" / f"{used}.pts"
        landmarks.parent.mkdir(exist_ok=True)
        landmarks.write_bytes(np.int32(86).tobytes() + points.tobytes())
    labels = folder / "train_test_files"
    files = {labels / "All_labels.txt": list(lines.values())}
    five, half = labels / "5_folders_cross_validations_files", labels / "split_of_60%training and 40%testing"
    for k in range(1, 6):
        is_test = [i % 5 == k - 1 for i in range(len(lines))]
        for role, wanted in (("test", True), ("train", False)):
            part = [line for line, test in zip(lines.values(), is_test, strict=True) if test == wanted]
            files[five / f"cross_validation_{k}" / f"{role}_{k}.txt"] = part
    cut = round(0.6 * len(lines))
    files[half / "train.txt"], files[half / "test.txt"] = list(lines.values())[:cut], list(lines.values())[cut:]
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(content) + "\n")
    return folder


def write_workbook(path: Path, sheets: dict[str, list[Row]]) -> Path:
    """An xlsx of plain cells."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    numbered = list(enumerate(sheets.items(), start=1))
    entries = "".join(f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, (name, _) in numbered)
    links = "".join(
        f'<Relationship Id="r{i}" Type="{rel}/worksheet" Target="worksheets/sheet{i}.xml"/>' for i, _ in numbered
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    with zipfile.ZipFile(path, "w") as book:
        book.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/></Types>',
        )
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}">'
            f'<Relationship Id="r" Type="{rel}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}">{links}</Relationships>')
        book.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{rel}"><sheets>{entries}</sheets></workbook>'
        )
        for i, (_, rows) in numbered:
            body = "".join(_row(number, row) for number, row in enumerate(rows, start=1))
            sheet = f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'
            book.writestr(f"xl/worksheets/sheet{i}.xml", sheet)
    return path


def _row(number: int, row: Row) -> str:
    cells = "".join(_cell(f"{chr(65 + column)}{number}", value) for column, value in enumerate(row))
    return f'<row r="{number}">{cells}</row>'


def _cell(place: str, value: str | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'
