"""The web application: `POST /predict` for programs, `/health` and `/metrics` for operators, and the page.

    curl -F photo=@anna.jpg -F photo=@berta.jpg http://127.0.0.1:7860/predict

Uploads are stored in a temporary folder during a request and deleted afterwards.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from inspect import cleandoc
from typing import Annotated, Any, get_type_hints

from fastapi import FastAPI, File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, Field, create_model
from starlette.middleware.trustedhost import TrustedHostMiddleware

from extractors.errors import KallosError
from featurestore.errors import UsageError
from kallos.web.guard import Guard, refused
from kallos.web.limits import MAX_PHOTOS, MAX_WAITING, PER_MINUTE
from kallos.web.pages import address_of, page_routes
from kallos.web.service import Service
from kallos.web.waiting_line import Scored, Unusable, WaitingLine
from reports.pages.explanation_data import ExplanationReport
from reports.render.json import to_json

LOCAL = ["localhost", "127.0.0.1", "::1", "[::1]"]
"""What a page that only this machine reaches may be called: another name is that of a site that points here."""

ABOUT = f"""Scores say how a pool of raters would rate photographs, nothing else. A request has up to {MAX_PHOTOS}
photos. Beyond {PER_MINUTE} photos a minute from one address it is answered with status 429, and with 503 while
{MAX_WAITING} photos wait; both have `Retry-After`. Errors are `{{"error": sentence, "exit_code": n}}`."""


NEVER = {"stored", "neighbours"}
"""Fields of an explanation that tell of the store's own photos, which the page names nowhere."""

hints = get_type_hints(ExplanationReport)
fields: dict[str, Any] = {name: (hint, ...) for name, hint in hints.items() if name not in NEVER}
about = (line for line in cleandoc(str(ExplanationReport.__doc__)).splitlines() if line.split(" ")[0] not in NEVER)
Explained = create_model("Explained", __doc__="\n".join(about), **fields)


class Answers(BaseModel):
    """`answers` has one a photo, in the order of the request, each under the name of the uploaded file."""

    schema_name: Annotated[str, Field(alias="schema")]
    answers: list[Explained | Unusable]  # type: ignore[valid-type]


def application(service: Service, name: str | None = None) -> FastAPI:
    """Page and API over loaded models. `name` is what this machine calls the address, where it is private."""
    line = WaitingLine(service)

    @asynccontextmanager
    async def until_stopped(_: FastAPI) -> AsyncIterator[None]:
        with line:
            yield

    app = FastAPI(title="kallos", version="1", description=ABOUT, docs_url=None, redoc_url=None, lifespan=until_stopped)
    app.add_middleware(Guard, line=line, is_private=service.is_private)
    if service.is_private:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL, *([name] if name else [])])

    _answer_errors(app, line)

    @app.post(
        "/predict",
        responses={
            200: {"model": Answers, "description": "An answer a photo, of which some may be errors."},
            422: {"model": Answers, "description": "None of the photos has a score."},
            429: {"description": "Too many photos from this address; `Retry-After` has seconds."},
            503: {"description": "Too many photos wait; `Retry-After` has seconds."},
        },
    )
    async def predict(
        request: Request,
        photo: Annotated[list[UploadFile], File(description="Photo files of one face each.")],
        group: Annotated[str, Form(description="Subset whose calibration is used, such as AF.")] = "",
    ) -> JSONResponse:
        """Score and explain photos of one face each."""
        found = await line.answers(photo, group or None, address_of(request))
        content: dict[str, Any] = {"schema": "kallos.answers/1", "answers": [_plain(answer) for answer in found]}
        return JSONResponse(content, 200 if any(isinstance(answer, Scored) for answer in found) else 422)

    _add_monitoring(app, line)
    app.include_router(page_routes(service, line, app.openapi), include_in_schema=False)
    return app


def _answer_errors(app: FastAPI, line: WaitingLine) -> None:
    @app.exception_handler(KallosError)
    async def as_sentence(_: Request, error: KallosError) -> JSONResponse:
        return refused(error, line)

    @app.exception_handler(RequestValidationError)
    async def as_usage(_: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()[0]
        return refused(UsageError(f"The field {found['loc'][-1]} is not right: {found['msg']}."), line)


def _add_monitoring(app: FastAPI, line: WaitingLine) -> None:
    @app.get("/health")
    async def health() -> dict[str, str | int]:
        """Whether requests are answered, and how many photos wait."""
        return {"status": "ok", "waiting": line.waiting}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        """Counts for Prometheus."""
        return PlainTextResponse(line.metrics.text(line.waiting), media_type="text/plain; version=0.0.4")


def _plain(answer: Scored | Unusable) -> dict[str, Any]:
    if isinstance(answer, Unusable):
        return asdict(answer)
    plain: dict[str, Any] = json.loads(to_json("explanation", answer.report))
    return {name: value for name, value in plain.items() if name not in NEVER}
