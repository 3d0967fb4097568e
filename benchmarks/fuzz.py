"""`make fuzz SECONDS=600`: the decoder, the csv reader and the bundle loader under a coverage-guided fuzzer.

Law: whatever the bytes are, kallos works or raises a KallosError, within 20 seconds and 3 GiB. Inputs that break it
are left in the folder `finds`; each becomes a test. The fuzzer is atheris (libFuzzer); it sees kallos, Pillow and
safetensors' Python, not what is compiled. Each door gets a process of its own, one after another.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

DOORS = ("decoder", "csv", "bundle")
LIMITS = ("-timeout=20", "-rss_limit_mb=3072", "-max_len=65536", "-print_final_stats=1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=600, help="for each door")
    parser.add_argument("--bundle", type=Path, required=True, help="a sound bundle, whose parts are changed")
    parser.add_argument("--portrait", type=Path, required=True, help="a photo that the bundle can predict")
    parser.add_argument("--finds", type=Path, default=Path("finds"))
    parser.add_argument("--door", choices=DOORS, help="one of them")
    parser.add_argument("--within", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.within:
        _fuzz(arguments)
        return
    arguments.finds.mkdir(exist_ok=True)
    for door in [arguments.door] if arguments.door else DOORS:
        with tempfile.TemporaryDirectory(prefix="kallos-fuzz-") as within:
            command = [sys.executable, "-m", "benchmarks.fuzz", *sys.argv[1:], "--door", door, "--within", within]
            run = subprocess.run(
                command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, errors="replace"
            )
        executed = re.search(r"number_of_executed_units: (\d+)", run.stderr)
        seconds = re.search(r"Done \d+ runs in (\d+) second", run.stderr)
        found = "nothing" if run.returncode == 0 else "\n".join(run.stderr.splitlines()[-40:])
        print(door, executed and executed[1], "inputs,", seconds and seconds[1], "s, found", found, flush=True)


def _fuzz(arguments: argparse.Namespace) -> None:
    import atheris

    with atheris.instrument_imports(include=["PIL", "featurestore", "extractors", "models", "ensemble", "safetensors"]):
        from PIL import Image

        Image.init()
        from extractors.errors import KallosError

        seeds, use = {"decoder": _decoder, "csv": _csv, "bundle": _bundle}[arguments.door](arguments)
    corpus = arguments.within / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / str(number)).write_bytes(seed)

    def lawful(data: bytes) -> None:
        with contextlib.suppress(KallosError):
            use(data)

    prefix = f"-artifact_prefix={arguments.finds}/{arguments.door}-"
    atheris.Setup([sys.argv[0], f"-max_total_time={arguments.seconds}", *LIMITS, prefix, str(corpus)], lawful)
    atheris.Fuzz()


_ENTERED = contextlib.ExitStack()
Door = tuple[list[bytes], Callable[[bytes], object]]


def _decoder(arguments: argparse.Namespace) -> Door:
    from extractors.decode import decode
    from featurestore.ingest.photos import scan_images
    from tests.hostile import photos

    file = arguments.within / "photo.jpg"

    def use(data: bytes) -> None:
        file.write_bytes(data)
        scan_images("x", file.parent, {file.name: file.name})
        decode(file)

    return [content for _, content in [*photos.by_pillow(), *photos.truncated()]], use


def _csv(arguments: argparse.Namespace) -> Door:
    from featurestore.ingest.columns import TableOptions
    from featurestore.ingest.table import read_table
    from tests.hostile import photos, tables

    folder, csv = arguments.within / "photos", arguments.within / "labels.csv"
    folder.mkdir()
    for name in tables.PHOTOS:
        (folder / name).write_bytes(photos.encoded(photos.face(8), "PNG"))

    def use(data: bytes) -> None:
        csv.write_bytes(data)
        read_table(csv, folder, options=TableOptions(scale=(1, 5)))

    return [content for _, content in tables.stories()], use


def _bundle(arguments: argparse.Namespace) -> Door:
    """The first byte says which file is changed, the rest is its content; of tensors only the header is."""
    import lightgbm

    from tests.hostile import bundles, once

    sound, bundle = arguments.within / "sound", arguments.within / "bundle"
    shutil.copytree(arguments.bundle, sound)
    for model in ("a", "b", "b-features", "baseline", "ridge"):
        bundles.set_json(f"{model}/model.json", "parts", value=1)(sound)
        for part in (2, 3, 4):
            shutil.rmtree(sound / model / f"part-{part}")
    trees = sound / "baseline/part-1/model.txt"
    few = lightgbm.Booster(model_file=str(trees)).model_to_string(num_iteration=5)
    bundles.put(trees, few.encode())
    bundles.right(sound)
    files = [path.relative_to(sound).as_posix() for path in sorted(sound.rglob("*.*")) if path.suffix != ".md"]
    use = _ENTERED.enter_context(once.predicting(arguments.portrait, is_hashed_once=True))

    def seed(number: int, file: str) -> bytes:
        content = (sound / file).read_bytes()
        header = int.from_bytes(content[:8], "little")
        return bytes([number]) + (content[8 : 8 + header] if file.endswith(".safetensors") else content)

    def change(data: bytes) -> None:
        file = files[data[0] % len(files)] if data else files[0]
        shutil.rmtree(bundle, ignore_errors=True)
        bundles.copy_of(sound, bundle)
        if file.endswith(".safetensors"):
            bundles.header(file.rpartition("/")[0], lambda _: data[1:])(bundle)
        else:
            bundles.put(bundle / file, data[1:])
        if file != "manifest.json":
            hashes = manifest["files"] | {file: hashlib.sha256((bundle / file).read_bytes()).hexdigest()}
            bundles.put(bundle / "manifest.json", json.dumps(manifest | {"files": hashes}).encode())
        use(bundle)

    manifest = json.loads((sound / "manifest.json").read_text())
    return [seed(number, file) for number, file in enumerate(files)], change


if __name__ == "__main__":
    main()
