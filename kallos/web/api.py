"""The web application: the page, and `POST /predict`, which answers one photo with JSON.

    curl -F photo=@photo.jpg http://127.0.0.1:7860/predict

The answer is that of `kallos explain --json`; errors are {"error": sentence, "exit_code": n} with status 422, or 429
for too many photos a minute. Uploads are stored in a temporary folder during a request and deleted afterwards.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import gradio
from fastapi import FastAPI, File, Form, Request, UploadFile
from fastapi.responses import JSONResponse

from extractors.decode import MAX_BYTES
from extractors.errors import KallosError
from kallos.web.page import CSS, build
from kallos.web.service import Service
from reports.render.json import to_json


def application(service: Service) -> FastAPI:
    """Page and API over loaded models."""
    app = FastAPI(title="kallos", description=__doc__, docs_url=None, redoc_url=None)

    @app.post("/predict")
    def predict(
        request: Request, photo: Annotated[UploadFile, File()], group: Annotated[str | None, Form()] = None
    ) -> JSONResponse:
        try:
            service.rate_limit.admit(request.client.host if request.client else "")
        except KallosError as error:
            return _error_response(error, 429)
        with TemporaryDirectory(prefix="kallos-") as folder:
            # the name is untrusted and never becomes part of a path, except for its suffix
            file = Path(folder) / f"photo{Path(photo.filename or '').suffix[:8]}"
            # one byte more than allowed is enough for the decoder to refuse it
            file.write_bytes(photo.file.read(MAX_BYTES + 1))
            try:
                report, _ = service.explain(file, group or None)
            except KallosError as error:
                return _error_response(error, 422, str(file))
        return JSONResponse(json.loads(to_json("explanation", report)))

    gradio.mount_gradio_app(
        app, build(service), path="/", max_file_size=MAX_BYTES, css=CSS, footer_links=[], ssr_mode=False, pwa=False
    )
    return app


def _error_response(error: KallosError, status: int, file: str = "") -> JSONResponse:
    """An error as JSON; the message names "The photo" in place of the temporary file."""
    message = str(error).replace(file, "The photo") if file else str(error)
    content: dict[str, Any] = {"error": message, "exit_code": error.exit_code}
    return JSONResponse(content, status_code=status)
