"""The photos of a folder: which there are, and their headers."""

import unicodedata
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl
from PIL import Image, UnidentifiedImageError

from extractors.colour_profiles import conversion_of
from extractors.errors import ExtraError, InputError
from extractors.file_hash import sha256_of_file
from extractors.photo_files import PHOTO_SUFFIXES, open_photo
from featurestore.folders import contents
from featurestore.ingest.dataset import COLOUR_PROFILE, Finding, conform


def find_photos(root: Path) -> tuple[dict[str, str], list[Finding]]:
    """Photos below a folder as name -> path, both relative with forward slashes.

    The name is the path in Unicode's composed form, so that an archive unpacked on macOS names its photos
    as its label files do. Hidden files are no photos; a link out of the folder is reported, not followed.
    Raises InputError when the folder is missing or holds no photo.
    """
    if not root.is_dir():
        raise InputError(f"There is no folder {root}: give the folder that holds the photos.")
    inside = contents(root)
    names = dict[str, str]()
    findings = [Finding("unreadable", _shown(root, path), reason) for path, reason in inside.refused]
    for path in inside.photos:
        relative = path.relative_to(root).as_posix()
        name = unicodedata.normalize("NFC", relative)
        if _shown(root, path) != name:
            findings.append(Finding("unreadable", _shown(root, path), "its file name is not UTF-8"))
        elif name in names:
            findings.append(Finding("duplicate", name, "two files have this name, spelt with other code points"))
        else:
            names[name] = relative
    if not names and findings:
        _, first, reason = findings[0]
        more = f", and {len(findings) - 1:,} more" if len(findings) > 1 else ""
        raise InputError(f"{root} holds no photo that can be read ({first} {reason}{more}): repair that first.")
    if not names:
        raise InputError(
            f"{root} holds no photo ({', '.join(s[1:] for s in PHOTO_SUFFIXES)}): give the folder that holds them."
        )
    return names, findings


def _shown(root: Path, path: Path) -> str:
    """The name as it can be stored: what is not UTF-8 becomes question marks."""
    return unicodedata.normalize("NFC", path.relative_to(root).as_posix()).encode(errors="replace").decode()


def scan_images(name: str, root: Path, photos: Mapping[str, str]) -> tuple[pl.DataFrame, list[Finding]]:
    """Rows for the table `images` from photo name -> path, and findings: unreadable, duplicate, colour_profile.

    Only headers are read. An unreadable photo keeps its row, without width and height, so that the
    extractors record it in their ledger.
    """
    rows, findings, first_of = [], [], dict[str, str]()
    for photo, path in sorted(photos.items()):
        sha256, size, trouble, profile = _header(root / path)
        if trouble:
            findings.append(Finding("unreadable", path, trouble))
        if profile:
            detail = f"has the colour profile {profile}: its colours are converted to sRGB"
            findings.append(Finding(COLOUR_PROFILE, path, detail))
        if sha256 in first_of:
            findings.append(Finding("duplicate", path, f"has the same bytes as {first_of[sha256]}"))
        elif sha256:
            first_of[sha256] = path
        rows.append((f"{name}/{photo}", name, path, sha256, *size))
    columns = ["image_id", "data_set", "path", "sha256", "width", "height"]
    frame = pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)
    return conform("images", frame), findings


class _Header(NamedTuple):
    """What is known of a photo without decoding it: hash, (width, height), what is wrong, a profile beside sRGB's."""

    sha256: str | None
    size: tuple[int | None, int | None] = (None, None)
    trouble: str | None = None
    profile: str | None = None


def _header(path: Path) -> _Header:
    sha256 = None
    try:
        sha256 = sha256_of_file(path)
        with path.open("rb") as file, warnings.catch_warnings():
            # Pillow warns of large photos and of damaged metadata: neither matters for a header.
            warnings.simplefilter("ignore")
            with open_photo(file) as photo:
                conversion = conversion_of(photo)
                return _Header(sha256, photo.size, profile=conversion.name if conversion else None)
    except ExtraError as error:
        return _Header(sha256, trouble=str(error))
    except Image.DecompressionBombError:
        return _Header(sha256, trouble="has too many pixels to be decoded safely")
    except UnidentifiedImageError:
        return _Header(sha256, trouble="is not a photo" if path.stat().st_size else "is empty")
    except (OSError, RuntimeError, SyntaxError, ValueError) as error:
        # an OSError's own text names the whole path
        return _Header(sha256, trouble=f"cannot be read: {getattr(error, 'strerror', None) or error}")
