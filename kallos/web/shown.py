"""What tabs of the page share: errors as sentences, and files as links that hold them."""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gradio as gr
from markupsafe import Markup

from extractors.errors import KallosError

P = ParamSpec("P")
R = TypeVar("R")


def with_errors_on_page(handler: Callable[P, R]) -> Callable[P, R]:
    """Show errors of kallos as one sentence on the page."""

    @functools.wraps(handler)
    def wrapper(*arguments: P.args, **named: P.kwargs) -> R:
        try:
            return handler(*arguments, **named)
        except KallosError as error:
            # the folders of uploads have meaningless names
            message = re.sub(r"\S*/([^/\s:]+)", r"\1", str(error))
            raise gr.Error(message, print_exception=False) from None

    return wrapper


def download(content: bytes, kind: str, name: str) -> Markup:
    """A link that contains the file itself, so that nothing is stored on the server."""
    data = base64.b64encode(content).decode()
    link = Markup('<p><a download="{0}" href="data:{1};base64,{2}">Download {0}</a></p>')
    return link.format(name, kind, data)
