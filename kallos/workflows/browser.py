"""`kallos export --browser`: a bundle as a static page that scores photos in the browser and sends none."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from PIL import Image

from ensemble.novelty import FEWEST_PHOTOS, LOW, TOO_FEW, Novelty
from ensemble.parts import Parts
from ensemble.predictor import NO_INTERVAL, Predictor
from extractors import decode, face_detector, landmarker
from extractors.alignment import CROP_SIZE
from extractors.averageness import DEFINITION as AVERAGENESS
from extractors.definitions import definitions
from extractors.mediapipe_tasks import MODEL as LANDMARKER
from extractors.points import REGION_CONTOURS
from extractors.regions import REGIONS
from extractors.topologies import registry
from featurestore.calibration import FEWEST
from featurestore.errors import PrerequisiteError
from featurestore.scale import MODEL_SCALE
from featurestore.staging import new_folder
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from models.encoders.spec import EncoderSpec
from models.regions import attribution
from models.registry import ENSEMBLE, MODELS
from models.serialization import GRAPH, read_description
from reports.render.meaning import MEANING
from reports.render.palette import REGION_COLOURS
from reports.render.scales import shown_on
from reports.stats.simpler_models import doubts, training_source

BUILT = Path(__file__).parents[1] / "browser" / "built"
CARDS = ("MODEL_CARD.md", "DATA_CARD.md")
EXAMPLE = 12
"""The drawn portrait of the first screen."""
LICENCES = {"onnxruntime": ("LICENSE", "ThirdPartyNotices.txt"), "mediapipe": ("LICENSE",)}
"""Python package -> its texts of licences, which are those of the same project's code in the page."""


def export_page(bundle: Parts, folder: Path) -> Path:
    """Write the page of a bundle whose networks are graphs into a new or empty folder.

    Raises InputError when the folder is not empty or the models cannot be written as graphs, and PrerequisiteError
    where the page's own files have not been built.
    """
    with new_folder(folder, "the page") as staged:
        if not (BUILT / "page.js").is_file():
            raise PrerequisiteError(
                "The files of the page are not built: run `make browser` in the folder of kallos, which needs Node.js."
            )
        shutil.copytree(BUILT, staged, dirs_exist_ok=True)
        with Predictor(bundle) as predictor:
            _write_models(bundle, predictor, staged / "model")
        for name in CARDS:
            shutil.copy(bundle.folders[ENSEMBLE].parent / name, staged)
        (staged / "LICENCES.txt").write_text(_licences(), encoding="utf-8")
        Image.fromarray(paint(draw_parameters(EXAMPLE))).save(staged / "portrait.png")
        _name_files(staged)
    return folder


def _write_models(parts: Parts, predictor: Predictor, folder: Path) -> None:
    from ensemble.as_graphs import levelling_graph, requests, scoring_graph
    from models.networks.compact import compacted

    folder.mkdir()
    encoder = EncoderSpec.read(parts.folders["encoder"])
    graphs = {"encoder": _graph(parts.folders["encoder"])}
    seeing = []
    for name in (name for name in predictor.combiner.members if MODELS[name].needs_faces):
        places = sorted(path.parent for path in parts.folders[name].rglob(GRAPH))
        names = [f"{name}-{number}" for number in range(1, len(places) + 1)]
        graphs |= {each: _graph(place) for each, place in zip(names, places, strict=True)}
        view = float(read_description(places[0])["config"]["view"])
        seeing.append({"name": name, "graphs": names, "edge": round(CROP_SIZE * (1 - view) / 2)})
    graphs["levelling"] = levelling_graph()
    graphs["scoring"] = compacted(scoring_graph(predictor, sum(encoder.networks), encoder.dim))
    for name, graph in graphs.items():
        (folder / f"{name}.onnx.gz").write_bytes(gzip.compress(graph.SerializeToString(), mtime=0))
    _write_landmarker(folder)
    about = _about(parts, predictor) | {"graphs": list(graphs), "seeing": seeing}
    about["requests"] = [vars(request) for request in requests()]
    (folder / "page.json").write_text(json.dumps(about), encoding="utf-8")


def _write_landmarker(folder: Path) -> None:
    """The landmarker without its network of expressions, which is a quarter of it and never asked, and the detector."""
    with zipfile.ZipFile(LANDMARKER) as whole, zipfile.ZipFile(folder / LANDMARKER.name, "w") as smaller:
        whole.extract("face_detector.tflite", folder)
        for member in whole.infolist():
            if member.filename != "face_blendshapes.tflite":
                smaller.writestr(member, whole.read(member))


def _graph(folder: Path) -> Any:
    import onnx

    from models.networks.compact import compacted

    return compacted(onnx.load_from_string((folder / GRAPH).read_bytes()))


def _about(parts: Parts, predictor: Predictor) -> dict[str, Any]:
    """What the page says, and what it needs to know beside the graphs."""
    topology, own, origin = registry.current(), shown_on(parts.scale), parts.origin
    names = parts.normalization.features
    model, groups = predictor.models[predictor.regions_of], (None, *predictor.groups)
    weighted_regions = zip(REGIONS, model.weights.tolist(), attribution.averages(model), strict=True)
    described = {d.name: d for d in (*definitions(), AVERAGENESS)}
    everyone = predictor.intervals.for_group(None)
    return {
        "trait": origin.trait,
        "source": training_source(origin),
        "doubts": doubts(origin),
        "meaning": MEANING,
        "no_interval": NO_INTERVAL.format(fewest=FEWEST, n=everyone.n),
        "scale": {"low": own.low, "high": own.high, "words": own.words},
        "model_scale": {"low": MODEL_SCALE.low, "high": MODEL_SCALE.high},
        "groups": [{"name": name or "", "bias": predictor.intervals.for_group(name).bias} for name in groups],
        "members": predictor.combiner.weights,
        "regions_of": predictor.regions_of,
        "regions": [
            {
                "name": region,
                "weight": weight,
                "average": average,
                "colour": REGION_COLOURS[region],
                "contours": REGION_CONTOURS[region],
                "features": attribution.seen_features(model, names, region),
            }
            for region, weight, average in weighted_regions
        ],
        "features": [
            {"name": name, "summary": described[name].summary, "unit": described[name].unit} for name in names
        ],
        "novelty": _novelty(predictor.novelty),
        "landmarks": topology.number,
        "contours": {name: [int(i) for i in indices] for name, indices in topology.contours.items()},
        "crop_size": CROP_SIZE,
        "limits": {"max_bytes": decode.MAX_BYTES, "max_pixels": decode.MAX_PIXELS},
        "landmarker": {
            "max_faces": landmarker.MAX_FACES,
            "detection": landmarker.DETECTION,
            "presence": landmarker.PRESENCE,
            "border": landmarker.BORDER,
            "detectable": landmarker.DETECTABLE,
            "nearer": landmarker.NEARER,
            "smallest": landmarker.SMALLEST,
            "confidence": face_detector.CONFIDENCE,
        },
    }


def _novelty(novelty: Novelty) -> dict[str, Any]:
    if novelty.photos < FEWEST_PHOTOS:
        return {"notes": [TOO_FEW.format(photos=novelty.photos, fewest=FEWEST_PHOTOS)], "measures": []}
    measures = [
        {"limit": limit, "is_low": name in LOW, "sentence": novelty.warning(name, _Blank())}
        for name, limit in novelty.limits.items()
    ]
    return {"notes": [], "measures": measures}


class _Blank(float):
    """Is written as how a number would be: `{.1f}`."""

    def __format__(self, spec: str) -> str:
        return f"{{{spec}}}"


def _licences() -> str:
    """What the page consists of besides kallos, and under what terms; Apache-2.0 is that of kallos itself, too."""
    parts = ["kallos: Apache-2.0, as MediaPipe below. The models: see MODEL_CARD.md."]
    for package, names in LICENCES.items():
        for file in (file for file in distribution(package).files or () if file.name in names):
            parts.append(f"{package}: {file.name}\n\n{file.read_text(encoding='utf-8')}")
    return "\n\n".join(parts)


def _name_files(folder: Path) -> None:
    """Tell the worker which files there are, and a version that changes with any of them."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "worker.js"]
    content = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    worker = folder / "worker.js"
    names = ["./", *(path.relative_to(folder).as_posix() for path in files)]
    text = worker.read_text(encoding="utf-8").replace("VERSION", content[:12])
    worker.write_text(text.replace("/* NAMES */", ", ".join(map(json.dumps, names))), encoding="utf-8")
