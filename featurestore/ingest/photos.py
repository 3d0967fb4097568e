"""The photos of a folder: which there are, and what their headers say."""

from __future__ import annotations

import hashlib
import unicodedata
import warnings
from collections.abc import Mapping
from pathlib import Path

import polars as pl
from PIL import Image, UnidentifiedImageError

from featurestore.errors import InputError
from featurestore.ingest.dataset import Finding, conform
from featurestore.records import PHOTO_FORMATS, PHOTO_SUFFIXES


def find_photos(root: Path) -> tuple[dict[str, str], list[Finding]]:
    """Photos below a folder as name -> path, both relative with forward slashes.

    The name is the path in Unicode's composed form, so that an archive unpacked on macOS names its photos
    as its label files do. Hidden files are no photos; a link out of the folder is reported, not followed.
    Raises InputError when the folder is missing or holds no photo.
    """
    if not root.is_dir():
        raise InputError(f"There is no folder {root}: give the folder that holds the photos.")
    names, findings = {}, []
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        is_hidden = any(part.startswith(".") for part in relative.parts)
        if is_hidden or path.suffix.lower() not in PHOTO_SUFFIXES or not path.is_file():
            continue
        name = unicodedata.normalize("NFC", relative.as_posix())
        if refusal := _refusal(root, path, name):
            findings.append(Finding("unreadable", name.encode(errors="replace").decode(), refusal))
        elif name in names:
            findings.append(Finding("duplicate", name, "two files have this name, spelt with other code points"))
        else:
            names[name] = relative.as_posix()
    if not names:
        raise InputError(
            f"{root} holds no photo ({', '.join(s[1:] for s in PHOTO_SUFFIXES)}): give the folder that holds them."
        )
    return names, findings


def _refusal(root: Path, path: Path, name: str) -> str | None:
    if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
        return "is a link that leads out of the folder"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its file name is not UTF-8"
    return None


def scan_images(name: str, root: Path, photos: Mapping[str, str]) -> tuple[pl.DataFrame, list[Finding]]:
    """Rows for the table `images` from photo name -> path, and findings: unreadable, duplicate.

    Only headers are read. An unreadable photo keeps its row, without width and height, so that the
    extractors record it in their ledger.
    """
    rows, findings, first_of = [], [], dict[str, str]()
    for photo, path in sorted(photos.items()):
        sha256, size, trouble = _header(root / path)
        if trouble:
            findings.append(Finding("unreadable", path, trouble))
        if sha256 in first_of:
            findings.append(Finding("duplicate", path, f"has the same bytes as {first_of[sha256]}"))
        elif sha256:
            first_of[sha256] = path
        rows.append((f"{name}/{photo}", name, path, sha256, *size))
    columns = ["image_id", "data_set", "path", "sha256", "width", "height"]
    frame = pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)
    return conform("images", frame), findings


def _header(path: Path) -> tuple[str | None, tuple[int | None, int | None], str | None]:
    """sha256, (width, height), and what is wrong."""
    sha256, unknown = None, (None, None)
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            # Pillow warns of large photos and of damaged metadata: neither matters for a header.
            warnings.simplefilter("ignore")
            file.seek(0)
            with Image.open(file, formats=PHOTO_FORMATS) as photo:
                return sha256, photo.size, None
    except Image.DecompressionBombError:
        return sha256, unknown, "has too many pixels to be decoded safely"
    except UnidentifiedImageError:
        return sha256, unknown, "is not a photo" if path.stat().st_size else "is empty"
    except (OSError, SyntaxError, ValueError) as error:
        # an OSError's own text names the whole path
        return sha256, unknown, f"cannot be read: {getattr(error, 'strerror', None) or error}"
