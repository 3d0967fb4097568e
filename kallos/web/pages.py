"""The pages that people see: photos, features, SQL, one's own eye, the model card, the API. Answers leave no files."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader
from markdown_it import MarkdownIt
from markupsafe import Markup

from extractors.decode import MAX_BYTES
from extractors.definitions import catalogue
from extractors.errors import KallosError
from featurestore.scale import MODEL_SCALE
from kallos.web.answer import answer_view
from kallos.web.cookbook import QUERIES
from kallos.web.own_eye import sitting
from kallos.web.service import Service, portrait
from kallos.web.waiting_line import Scored, WaitingLine
from kallos.workflows.one_rater import CONSENT
from reports.pages import feature_pair, one_rater, sql_rows
from reports.render.html import PARTS, part

TEMPLATES = Environment(loader=PackageLoader("kallos.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
TEMPLATES.globals |= {"part": part, "parts_css": Markup(PARTS)}
SCRIPT = files("kallos.web").joinpath("page.js").read_text(encoding="utf-8")


def page_routes(service: Service, line: WaitingLine, openapi: Callable[[], dict[str, Any]]) -> APIRouter:
    """The routes over loaded models; those that need a store, or nobody else at it, only where that is so."""
    router = APIRouter(default_response_class=HTMLResponse)
    pages = {"/": "One photo", "/many": "Many photos"}
    pages |= {"/features": "Features", "/sql": "SQL"} if service.has_store else {}
    pages |= {"/eye": "Your eye"} if service.shows_faces else {}
    pages |= {"/card": "Model card", "/docs": "API"}

    def shown(path: str, **values: Any) -> str:
        name = f"{path[1:] or 'one'}.html"
        return TEMPLATES.get_template(name).render(pages=pages, here=path, service=service, **values)

    _photos(router, service, line, shown)
    if service.has_store:
        _store(router, service, shown)
    if service.shows_faces:
        _own_eye(router, service, shown)

    @router.get("/card")
    def card() -> str:
        # the head between two lines of dashes is for the Hub
        text = service.card.partition("\n---\n")[2] if service.card.startswith("---\n") else service.card
        return shown("/card", card=_markdown(text))

    @router.get("/docs")
    def docs(request: Request) -> str:
        api = openapi()
        about = _markdown(api["info"]["description"])
        return shown("/docs", api=api, about=about, own_url=request.base_url)

    @router.get("/page.js")
    def script() -> Response:
        return Response(SCRIPT, media_type="text/javascript")

    return router


Shown = Callable[..., str]


def _photos(router: APIRouter, service: Service, line: WaitingLine, shown: Shown) -> None:
    def answer(report: Any, explained: Any, photo: str = "") -> str:
        return TEMPLATES.get_template("answer.html").render(answer_view(report, explained), photo=photo)

    @router.get("/")
    def one() -> str:
        _, report, explained = service.example
        example = Markup(answer(report, explained, "example.png"))
        return shown("/", example=example, max_bytes=MAX_BYTES)

    @router.post("/answer")
    async def scored(
        request: Request, photo: Annotated[UploadFile, File()], group: Annotated[str, Form()] = ""
    ) -> Response:
        found = (await line.answers([photo], group or None, address_of(request)))[0]
        if isinstance(found, Scored):
            return HTMLResponse(answer(found.report, found.explained))
        return JSONResponse({"error": found.error, "exit_code": found.exit_code}, 422)

    @router.get("/example.png")
    def example() -> Response:
        return Response(service.example[0], media_type="image/png")

    @router.get("/portrait")
    def drawn() -> Response:
        return Response(portrait(secrets.randbelow(2**31)), media_type="image/png")

    @router.get("/many")
    def many() -> str:
        return shown("/many", max_bytes=MAX_BYTES, model_scale=MODEL_SCALE)


def _store(router: APIRouter, service: Service, shown: Shown) -> None:
    @router.get("/features")
    def features(first: str = "", second: str = "") -> str:
        summaries = {feature.name: feature.summary for feature in catalogue()}
        names = {name: summaries.get(name, "") for name in service.features()}
        first, second = (chosen or name for chosen, name in zip((first, second), names, strict=False))
        try:
            found, trouble = feature_pair.render(service.values(first, second), first, second), ""
        except KallosError as error:
            found, trouble = None, str(error)
        return shown("/features", names=names, first=first, second=second, found=found, trouble=trouble)

    @router.get("/sql")
    @router.post("/sql")
    def sql(query: Annotated[str, Form()] = "") -> str:
        found, trouble = None, ""
        if query.strip():
            try:
                found = sql_rows.render(service.select(query))
            except KallosError as error:
                trouble = str(error)
        return shown("/sql", queries=QUERIES, query=query, found=found, trouble=trouble)


def _own_eye(router: APIRouter, service: Service, shown: Shown) -> None:
    @router.get("/eye")
    def begin() -> str:
        return shown("/eye", consent=CONSENT)

    @router.post("/eye")
    def go_on(
        rater: Annotated[str, Form()] = "",
        agree: Annotated[str, Form()] = "",
        do: Annotated[str, Form()] = "",
        face: Annotated[str, Form()] = "",
        rating: Annotated[float | None, Form()] = None,
        skipped: Annotated[list[str], Form()] = [],  # noqa: B006
    ) -> str:
        try:
            found = sitting(service, rater, agree, do, face, rating, skipped)
        except KallosError as error:
            return shown("/eye", consent=CONSENT, trouble=str(error), rater=rater)
        return shown("/eye", consent=CONSENT, now=found, known=one_rater.render(found.session.report))

    @router.post("/eye.safetensors")
    def export(rater: Annotated[str, Form()]) -> Response:
        with service.store_lock, TemporaryDirectory(prefix="kallos-") as folder:
            content = service.session(rater).export(Path(folder) / "eye.safetensors").read_bytes()
        headers = {"Content-Disposition": 'attachment; filename="eye.safetensors"'}
        return Response(content, media_type="application/octet-stream", headers=headers)


def _markdown(text: str) -> Markup:
    """Its HTML; a wide table scrolls in a box that the keyboard reaches."""
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    wide = html.replace("<table>", '<div class="wide" tabindex="0"><table>').replace("</table>", "</table></div>")
    return Markup(wide)


def address_of(request: Request) -> str:
    """Of whoever asks."""
    return request.client.host if request.client else ""
