"""`kallos report shape`: components of shape, averageness, asymmetry, dimorphism, and what they tell of the score."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import RenderableType

from extractors.alignment import Shapes
from featurestore.group_differences import PERMUTATIONS
from featurestore.store import Store
from featurestore.traits import chosen_trait, traits_of
from reports.pages.groups import p_value
from reports.render.figures import Figure
from reports.render.layout import PlainTable, dim, number, page, plain_table, plural, section
from reports.render.plots import Faces, Scatter
from reports.render.table_files import write_table
from reports.stats.estimates import BRACKETS, estimate_dots, estimate_text
from reports.stats.selection import Selection, chosen_data_sets
from reports.stats.shapes.analysis import ShapeAnalysis, shape_analysis
from reports.stats.shapes.faces import edges, outlines, stored_faces, templates, tps

STEPS = (-3.0, -1.5, 0.0, 1.5, 3.0)
"""Standard deviations at which faces are drawn; for the sexes, halves of the difference of their means."""

PICTURED = 3
"""Components that the page draws; figures have all of the table."""

READING = (
    "Landmarks are fixed, none slides along its curve. A photo's landmarks hold pose and expression, too: a head "
    "turned aside looks asymmetric, and fluctuating asymmetry includes the landmarker's errors. Correlation is not "
    f"causation. {BRACKETS} They hold the mean face as it is. What chance adds to lengths of mean differences and to "
    f"shares of the score and of sex is taken off. p values are of {PERMUTATIONS} permutations, each for "
    "itself: of several, some are low by chance."
)


def data(store: Store, selection: Selection) -> ShapeAnalysis:
    """Raises PrerequisiteError before `kallos extract`, UsageError where a trait must be named."""
    names = chosen_data_sets(store, selection)
    trait = chosen_trait(store, names, selection.trait) if traits_of(store, names) else None
    return replace(shape_analysis(stored_faces(store, names, trait)), trait=trait)


def render(report: ShapeAnalysis) -> RenderableType:
    names = list(_directions(report))
    drawn = [f"pc{i + 1}" for i in range(min(PICTURED, len(report.components)))] + names[len(report.components) :]
    return page(
        "Shape",
        f"{report.landmarks} landmarks of {plural(report.images, 'face')} of {report.people:,} people, "
        "generalised Procrustes analysis",
        section("Principal components", _components(report), remark=f"the largest of {report.dimensions}"),
        section(
            "By name", _by_name(report), remark="sizes are Procrustes distances; shares are of the variance of shape"
        ),
        section("What shape tells of the score", *_predictions(report), remark=_on_trait(report))
        if report.predictions
        else None,
        *(section(_title(report, name), _wireframes(report, name)) for name in drawn),
        dim(READING),
    )


def _components(report: ShapeAnalysis) -> PlainTable:
    table = plain_table("component", "share of variance", "together", "PC with the score")
    together = np.cumsum([component.share.value for component in report.components])
    for i, (component, so_far) in enumerate(zip(report.components, together, strict=True)):
        r = component.correlation
        cells = (estimate_text(component.share), number(so_far), estimate_text(r, sign=True) if r else "–")
        table.add_row(f"pc{i + 1}", *cells)
    return table


def _by_name(report: ShapeAnalysis) -> PlainTable:
    asymmetry, sexes = report.asymmetry, report.dimorphism
    directional = number(asymmetry.of_sides), p_value(asymmetry.directional_p)
    rows = [
        ("averageness: distance from the mean face", estimate_text(report.averageness), "", ""),
        ("asymmetry: distance from the mirror image", estimate_text(asymmetry.size), "", ""),
        ("fluctuating asymmetry", estimate_text(asymmetry.fluctuating), number(asymmetry.own), ""),
        ("directional asymmetry", estimate_text(asymmetry.directional), *directional),
    ]
    if sexes:
        name = f"from women to men ({sexes.women:,} women, {sexes.men:,} men)"
        change = sexes.change
        rows.append((name, estimate_text(sexes.distance), estimate_text(change.adjusted), p_value(change.p)))
    if report.change:
        rows.append(("with the score", "", estimate_text(report.change.adjusted), p_value(report.change.p)))
    return plain_table("", "size", "share", "p", rows=rows)


def _predictions(report: ShapeAnalysis) -> list[RenderableType]:
    table = plain_table("predictor", "people", "PC", "cross-validated R²", "p")
    for name, found in report.predictions.items():
        figures = (estimate_text(found.correlation, sign=True), estimate_text(found.r2, sign=True))
        table.add_row(name, f"{found.people:,}", *figures, p_value(found.p))
    r2 = {name: found.r2 for name, found in report.predictions.items()}
    return [table, "", estimate_dots(r2, "cross-validated R² of the score")]


def _directions(report: ShapeAnalysis) -> dict[str, Shapes]:
    """What -> change of shape by one standard deviation, or from women to men."""
    found = {f"pc{i + 1}": report.space.along_component(i + 1) for i in range(len(report.components))}
    if report.change:
        found["score"] = report.space.along_score(report.faces["score"].to_numpy())
    if report.dimorphism:
        found["sex"] = report.space.along_sex(report.faces["sex"].to_list())
    return found


def _title(report: ShapeAnalysis, name: str) -> str:
    titles = {"score": f"With the score {_on_trait(report)}".strip(), "sex": "From women to men"}
    return titles.get(name, f"Along {name}")


def _on_trait(report: ShapeAnalysis) -> str:
    return f"on {report.trait}" if report.trait not in (None, "score") else ""


def _wireframes(report: ShapeAnalysis, name: str) -> Faces:
    direction, space = _directions(report)[name], report.space
    what = f"standard deviations of {name}"
    if name == "sex":
        direction, what = direction / 2, "halves of the way from women to men"
    shapes = {}
    for step in STEPS:
        shape = space.aligned.mean + step * direction
        shapes[f"{step:+g}" if step else "mean"] = np.column_stack([shape.real, shape.imag])
    return Faces(shapes, outlines(space.topology), edges(shapes["mean"]), what)


def figures(report: ShapeAnalysis) -> list[Figure]:
    moved = [Figure(f"shape_{n}", _title(report, n), [("", _wireframes(report, n))]) for n in _directions(report)]
    x, y = report.faces.select("pc1", "pc2").to_numpy().T
    groups = [sex or "unknown" for sex in report.faces["sex"]]
    first, second = (f"pc{i + 1}, {number(report.components[i].share.value)} of the variance" for i in range(2))
    plane = Scatter(x, y, first, second, groups=groups)
    return [*moved, Figure("shape_components", "Faces on the first two components of shape", [("", plane)])]


def write_tables(report: ShapeAnalysis, folder: Path) -> list[Path]:
    """faces.csv, landmarks.tps and a template a photo, in the folder, which is made if need be."""
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    write_table(folder / "faces.csv", "csv", report.faces)
    (folder / "landmarks.tps").write_text(tps(report.measured), encoding="utf-8")
    for path, text in templates(report.measured, report.space.topology):
        file = folder / "templates" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return [folder / "faces.csv", folder / "landmarks.tps", folder / "templates"]
