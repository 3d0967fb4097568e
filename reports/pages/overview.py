"""`kallos report`: what is in the store, how well the models do, and what to do next."""

from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from featurestore.next_step import train_all
from featurestore.store import Store
from reports.render.bars import bar
from reports.render.figures import Figure
from reports.render.layout import PlainTable, dim, number, page, plain_table, plural, section, share
from reports.render.palette import SERIES
from reports.render.plots import Dots
from reports.render.scales import ERRORS_ON
from reports.stats.selection import Selection, chosen_data_sets

MEANS = "means over the folds, on test rows; `kallos report evaluation` has intervals"
HOLDINGS = """
WITH done AS (
    SELECT image_id FROM extractions JOIN extractor_versions USING (extractor, version)
    WHERE active GROUP BY image_id
    HAVING count_if(status = 'ok') = (SELECT count(*) FROM extractor_versions WHERE active)),
single AS (SELECT image_id, count(*) AS ratings FROM ratings GROUP BY image_id)
SELECT data_set, count(*)::INT, count_if(image_id IN (SELECT image_id FROM scores))::INT,
       coalesce(sum(ratings), 0)::INT,
       count_if(image_id IN (FROM done))::INT
FROM images LEFT JOIN single USING (image_id)
WHERE list_contains($names, data_set) GROUP BY data_set ORDER BY data_set"""
RESULTS = """
WITH newest AS (
    SELECT max_by(run_id, started_at) AS run_id FROM runs WHERE status = 'done' GROUP BY protocol, model, fold),
folds AS (SELECT protocol, count(DISTINCT fold) AS folds FROM splits WHERE role = 'test' GROUP BY protocol)
SELECT protocol, model, count(*)::INT, any_value(folds)::INT, sum(n)::INT,
       coalesce(avg(pearson), 'nan'), coalesce(avg(mae), 'nan'), coalesce(avg(rmse), 'nan')
FROM newest JOIN runs USING (run_id) JOIN evaluations USING (run_id) JOIN folds USING (protocol)
WHERE role = 'test' AND protocol = coalesce($protocol, protocol) AND fold = coalesce($fold, fold)
GROUP BY protocol, model ORDER BY protocol, avg(pearson) DESC"""


@dataclass(frozen=True)
class Holding:
    """One data set: its images, those with a score, and those of which every active extractor has something."""

    data_set: str
    images: int
    scored: int
    ratings: int
    extracted: int


@dataclass(frozen=True)
class ModelResult:
    """A model on a protocol: its newest finished run of each fold; figures are means over those, on test rows.

    tested  test images of these folds together
    """

    protocol: str
    model: str
    folds: int
    total_folds: int
    tested: int
    pearson: float
    mae: float
    rmse: float


@dataclass(frozen=True)
class OverviewReport:
    """The whole store. `next_commands` are the commands that make sense next, each with what it does."""

    features: int
    holdings: tuple[Holding, ...]
    results: tuple[ModelResult, ...]
    next_commands: tuple[tuple[str, str], ...]


def data(store: Store, selection: Selection) -> OverviewReport:
    """Raises PrerequisiteError when the store is empty, UsageError for an unknown data set."""
    names = chosen_data_sets(store, selection)
    holdings = tuple(Holding(*row) for row in store.frame(HOLDINGS, names=names).iter_rows())
    newest = store.frame(RESULTS, protocol=selection.protocol, fold=selection.fold)
    results = tuple(ModelResult(*row) for row in newest.iter_rows())
    features = store.value("SELECT count(*) FROM feature_catalog") if store.has("feature_catalog") else 0
    return OverviewReport(features, holdings, results, _next_commands(store, holdings, results))


def _next_commands(
    store: Store, holdings: tuple[Holding, ...], results: tuple[ModelResult, ...]
) -> tuple[tuple[str, str], ...]:
    if any(holding.extracted == 0 for holding in holdings):
        return (("kallos extract", "landmarks, features and embeddings of every photo; other weights: --help"),)
    if not any(holding.scored for holding in holdings):
        return (("kallos features", "what was measured"), ("kallos ingest --help", "how to bring ratings in"))
    if not results:
        protocols = store.frame("SELECT trait, min(protocol) FROM splits GROUP BY trait ORDER BY ALL").rows()
        training = (
            [(train_all(store, name), f"every model on the first fold of {trait}") for trait, name in protocols]
            if len(protocols) > 1
            else [(train_all(store), "every model on the first fold")]
        )
        return (*training, ("kallos report dataset", "scores and raters"))
    return (
        ("kallos report evaluation", "errors of the newest runs, by subset"),
        ("kallos report subscores", "what Model B weighs"),
        ("kallos score PHOTO", "a score with its interval"),
        ("kallos sql 'FROM scores LIMIT 5'", "anything else; docs/sql.md has a cookbook"),
    )


def render(report: OverviewReport) -> RenderableType:
    images = sum(holding.images for holding in report.holdings)
    commands = ((Text(command, style="bold"), does) for command, does in report.next_commands)
    return page(
        "Overview",
        f"{plural(images, 'image')}, {plural(report.features, 'feature')}",
        section("Data sets", _holdings_table(report.holdings)),
        section("Models", _results_table(report.results), remark=f"{MEANS}; {ERRORS_ON}")
        if report.results
        else dim("Nothing is trained yet."),
        section("Next", plain_table("command", "what it does", rows=commands, text=(0, 1))),
    )


def _holdings_table(holdings: tuple[Holding, ...]) -> PlainTable:
    rows = (
        (h.data_set, f"{h.images:,}", share(h.scored, h.images), f"{h.ratings:,}", share(h.extracted, h.images))
        for h in holdings
    )
    return plain_table("data set", "images", "scored", "single ratings", "extracted", rows=rows)


def _results_table(results: tuple[ModelResult, ...]) -> PlainTable:
    table = plain_table("protocol and model", "folds", "images", "PC", "MAE", "RMSE", "")
    protocol = None
    for result in results:
        if result.protocol != protocol:
            protocol = result.protocol
            table.add_row(Text(protocol, style="bold"))
        metrics = (number(value, 2) for value in (result.pearson, result.mae, result.rmse))
        folds = f"{result.folds} of {result.total_folds}"
        table.add_row(f"  {result.model}", folds, f"{result.tested:,}", *metrics, bar(result.pearson, 20))
    return table


def figures(report: OverviewReport) -> list[Figure]:
    if not report.results:
        return []
    named = {f"{result.model}, {result.protocol}": result.pearson for result in report.results}
    protocols = list(dict.fromkeys(result.protocol for result in report.results))
    colours = [SERIES[protocols.index(result.protocol) % len(SERIES)] for result in report.results]
    return [
        Figure("overview", "Correlation with the raters (PC), on test rows", [("", Dots(named, "PC", colours=colours))])
    ]
