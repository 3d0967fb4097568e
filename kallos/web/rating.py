"""The tab in which a person rates faces of the store, sees a model of the own eye grow, and takes it away."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
from PIL import Image
from rich.console import RenderableType

from extractors.decode import decode
from featurestore.errors import UsageError
from kallos.web.service import Service
from kallos.web.shown import download, with_errors_on_page
from kallos.workflows.one_rater import CONSENT, RatingSession
from reports.pages.one_rater import render
from reports.render.html import part
from reports.render.layout import Picture

LARGEST = 480
"""Pixels of a photo's longer side."""

WHOLE = 20
"""Points of a scale up to which whole ratings are asked for."""


@dataclass
class Sitting:
    """A person before the page: what is shown now, and what was skipped since it was opened."""

    session: RatingSession
    skipped: set[str] = field(default_factory=set)

    @property
    def shown(self) -> str | None:
        """The image_id of the face that is asked for."""
        return self.session.next_photo(self.skipped)


def rating_tab(service: Service) -> None:
    """The content of the tab."""
    sitting = gr.State(None)
    gr.Markdown(CONSENT)
    with gr.Row():
        name = gr.Textbox(label="The name that your ratings go by")
        agrees = gr.Checkbox(label="I agree")
    begin = gr.Button("Begin, or go on", variant="primary")
    with gr.Row():
        with gr.Column(min_width=280):
            photo = gr.HTML(elem_classes="answer")
            rating = gr.Slider(1, 5, step=1, label="Your rating")
            give = gr.Button("Rate", variant="primary")
            with gr.Row():
                skip, undo, export = gr.Button("Skip"), gr.Button("Undo"), gr.Button("Export")
        with gr.Column(min_width=280):
            answer = gr.HTML(elem_classes="answer")
    link = gr.HTML(elem_classes="answer")

    def opened(typed: str, agreed: bool) -> Any:
        if not agreed:
            raise UsageError("Nothing is asked before you agree.")
        with service.store_lock:
            found = Sitting(RatingSession(service.store_path, service.pool, typed))
        low, high = service.pool.scale
        step = 1 if high - low <= WHOLE else (high - low) / 100
        return found, gr.Slider(low, high, step=step, value=(low + high) / 2), *_view(found)

    def rated(now: Sitting | None, value: float) -> Any:
        now = _begun(now)
        if now.shown is None:
            raise UsageError("Every face is rated or skipped.")
        with service.store_lock:
            now.session.rate({now.shown: value})
        return _view(now)

    def skipped(now: Sitting | None) -> Any:
        now = _begun(now)
        now.skipped |= {now.shown} if now.shown else set()
        return _view(now)

    def undone(now: Sitting | None) -> Any:
        with service.store_lock:
            _begun(now).session.undo()
        return _view(_begun(now))

    def exported(now: Sitting | None) -> Any:
        with TemporaryDirectory(prefix="kallos-") as folder:
            file = _begun(now).session.export(Path(folder) / "eye.safetensors")
            return download(file.read_bytes(), "application/octet-stream", file.name)

    for button, handler, inputs, outputs in (
        (begin, opened, [name, agrees], [sitting, rating, photo, answer]),
        (give, rated, [sitting, rating], [photo, answer]),
        (skip, skipped, [sitting], [photo, answer]),
        (undo, undone, [sitting], [photo, answer]),
        (export, exported, [sitting], [link]),
    ):
        button.click(with_errors_on_page(handler), inputs, outputs, api_visibility="private")


def _begun(now: Sitting | None) -> Sitting:
    if now is None:
        raise UsageError("Give a name, agree, and begin first.")
    return now


def _view(now: Sitting) -> tuple[str, str]:
    """The face that is asked for, and what is known of the person; in the page itself, so that no file is left."""
    shown = now.shown
    face: RenderableType = "Every face is rated or skipped."
    if shown is not None:
        content = BytesIO()
        photo = Image.fromarray(decode(now.session.photo(shown)))
        photo.thumbnail((LARGEST, LARGEST))
        photo.save(content, "JPEG")
        face = Picture(content.getvalue(), "How would you rate this photograph?")
    return part(face), part(render(now.session.report))
