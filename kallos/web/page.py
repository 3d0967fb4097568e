"""The page: photos, features, SQL, one's own eye, the model card. Answers are HTML, so no files are left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import polars as pl
from numpy.typing import NDArray

from extractors.errors import KallosError
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from kallos.web.cookbook import QUERIES
from kallos.web.limits import MAX_PHOTOS
from kallos.web.rating import rating_tab
from kallos.web.service import Service
from kallos.web.shown import download, with_errors_on_page
from reports.pages import feature_pair
from reports.pages.explanation import render
from reports.pages.explanation_overlay import picture
from reports.pages.sql_rows import SHOWN
from reports.render.html import PARTS, part, to_html
from reports.render.layout import page as paper
from reports.render.scales import score_on, titled_interval
from reports.render.table_files import BOM, csv_text

INTRO = """# kallos
**How would a pool of raters rate this photograph?** That is all a score says. It says nothing of a person's worth,
health or character, and little about photos unlike the training photos. It must not be used to decide about people, or
on photos of people who did not agree. Sub-scores are attributions of a model, not labels.

Photos are read on the machine that serves this page, deleted after the answer, and written into no log."""
EVERYONE = "everyone"
COLUMNS = ["photo", "own_score", "own_low", "own_high", "remarks"]
"""As in the table of `kallos score`: on the raters' own scale."""

NO_PROGRESS = gr.Progress()
CSS = f""".answer {{
  --ink: var(--body-text-color); --faint: var(--neutral-500); --rule: var(--border-color-primary);
  {PARTS}
  table, tr, th, td {{ border: 0; background: none; }}
  th {{ border-bottom: 1px solid var(--rule); }}
}}"""


def build(service: Service) -> Any:
    """The page over loaded models."""
    with gr.Blocks(title="kallos", analytics_enabled=False, delete_cache=(60, 60)) as blocks:
        gr.Markdown(INTRO)
        with gr.Tab("One photo"):
            _one_photo(service)
        with gr.Tab("Many photos"):
            _many_photos(service)
        if service.has_store:
            with gr.Tab("Features"):
                _features(service)
            with gr.Tab("SQL"):
                _sql(service)
        if service.shows_faces:
            with gr.Tab("Your eye"):
                rating_tab(service)
        with gr.Tab("Model card"):
            gr.Markdown(service.card)
    blocks.queue(max_size=64, default_concurrency_limit=4)
    return blocks


def _one_photo(service: Service) -> None:
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            photo = gr.Image(type="filepath", sources=["upload", "webcam", "clipboard"], label="Photo of one face")
            draw = gr.Button("Draw me a portrait")
            group = _group(service)
            button = gr.Button("Score this photo", variant="primary")
        with gr.Column(scale=2, min_width=280):
            answer = gr.HTML("<p>The answer appears here.</p>", label="Answer", elem_classes="answer")

    def score(file: str | None, chosen: str, request: gr.Request) -> str:
        if file is None:
            raise gr.Error("Choose a photo first.", print_exception=False)
        try:
            service.rate_limit.admit(request.client.host)
            report, explained = service.explain(Path(file), _group_or_none(chosen))
            title = f"{score_on(service.scale, report.score)} on {service.scale.words}"
            subtitle = titled_interval(service.scale, report.low, report.high)
            answer_page = paper(title, subtitle, picture(explained), render(report))
        finally:
            Path(file).unlink(missing_ok=True)
        document = to_html("kallos: explanation", answer_page, "Made by `kallos serve`.")
        return part(answer_page) + download(document.encode(), "text/html", "explanation.html")

    draw.click(_portrait, None, photo, api_visibility="private")
    button.click(with_errors_on_page(score), [photo, group], answer, api_visibility="private")


def _portrait() -> NDArray[np.uint8]:
    return paint(draw_parameters(int(np.random.default_rng().integers(2**31))), 350)


def _many_photos(service: Service) -> None:
    files = gr.File(file_count="multiple", file_types=["image"], label=f"Up to {MAX_PHOTOS} photos")
    group = _group(service)
    button = gr.Button("Score them", variant="primary")
    table = gr.Dataframe(label=f"Scores on {service.scale}", headers=COLUMNS, interactive=False)
    link = gr.HTML(elem_classes="answer")

    def score(paths: list[str] | None, chosen: str, request: gr.Request, progress: gr.Progress = NO_PROGRESS) -> Any:
        photos = [Path(path) for path in paths or []]
        try:
            if not 0 < len(photos) <= MAX_PHOTOS:
                raise gr.Error(f"Choose between 1 and {MAX_PHOTOS} photos.", print_exception=False)
            lines = [
                _line(service, path, _group_or_none(chosen), request.client.host)
                for path in progress.tqdm(photos, desc="photos")
            ]
        finally:
            for path in photos:
                path.unlink(missing_ok=True)
        rows = pl.DataFrame(lines, orient="row", schema=COLUMNS)
        return rows.to_pandas(), download(BOM + csv_text(rows).encode(), "text/csv", "scores.csv")

    button.click(with_errors_on_page(score), [files, group], [table, link], api_visibility="private")


def _line(service: Service, path: Path, group: str | None, address: str) -> tuple[str, Any, Any, Any, str]:
    """A row of the table; for a photo that cannot be used, the remark has the reason."""
    try:
        service.rate_limit.admit(address)
        report, _ = service.explain(path, group)
    except KallosError as error:
        return path.name, None, None, None, str(error).replace(str(path), path.name)
    of_models = (report.score, report.low, report.high)
    score, low, high = (None if value is None else round(service.scale.from_models(value), 3) for value in of_models)
    return path.name, score, low, high, "; ".join(report.notes)


def _features(service: Service) -> None:
    names = service.features()
    with gr.Row():
        first = gr.Dropdown(names, value=names[0], label="Feature")
        second = gr.Dropdown(names, value=names[1], label="Beside it")
    button = gr.Button("Show", variant="primary")
    answer = gr.HTML(elem_classes="answer")

    def plot(x: str, y: str) -> str:
        return part(feature_pair.render(service.values(x, y), x, y))

    button.click(with_errors_on_page(plot), [first, second], answer, api_visibility="private")


def _sql(service: Service) -> None:
    examples = gr.Dropdown(list(QUERIES), label="From the cookbook")
    query = gr.Code(next(iter(QUERIES.values())).strip(), language="sql", label="One SELECT, read-only")
    button = gr.Button("Run", variant="primary")
    table = gr.Dataframe(label="Rows", interactive=False)
    examples.change(lambda name: QUERIES[name].strip(), examples, query, api_visibility="private")

    def run(statement: str) -> Any:
        return service.select(statement).head(SHOWN).to_pandas()

    button.click(with_errors_on_page(run), query, table, api_visibility="private")


def _group(service: Service) -> gr.Dropdown:
    return gr.Dropdown(
        [EVERYONE, *service.groups], value=EVERYONE, label="Calibrated for", visible=bool(service.groups)
    )


def _group_or_none(chosen: str) -> str | None:
    return None if chosen == EVERYONE else chosen
