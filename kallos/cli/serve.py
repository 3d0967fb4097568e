"""`kallos serve`: the web page and its API."""

import ipaddress
import socket
from pathlib import Path
from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Fold, Protocol, StorePath


def serve(
    bundle: Annotated[Path | None, typer.Option(help="Serve this bundle; a store is not needed then.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; others can reach 0.0.0.0.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.", min=1, max=65535)] = 7860,
    protocol: Protocol = None,
    fold: Fold = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """A page to score photos, explore features and query with SQL, and a JSON API. Nothing leaves the machine."""
    from featurestore.errors import UsageError
    from kallos.workflows.extras import need

    need("web", "fastapi", "python_multipart", "uvicorn")
    from kallos.cli.console import note
    from kallos.web.running import run
    from kallos.web.service import Service
    from kallos.web.uploads import folder_of_uploads
    from kallos.workflows.trained_models import open_parts
    from models.registry import ENSEMBLE
    from reports.cards.write import MODEL_CARD

    parts = open_parts(store, bundle, protocol, fold)
    card = ((bundle or parts.folders[ENSEMBLE]) / MODEL_CARD).read_text(encoding="utf-8")
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise UsageError(f"{host}:{port} cannot be listened at ({error.strerror}): choose another --port.") from error
    is_private = ipaddress.ip_address(listening.getsockname()[0]).is_loopback
    served = Service(parts, store if store.is_file() else None, card, is_private=is_private)
    with listening, folder_of_uploads(), served as service:
        service.warm_up()
        note(f"http://{host}:{port} is ready; Ctrl-C stops it.")
        run(service, listening, host)
