"""A Hugging Face Space: the page of kallos with the bundle beside this file. Locally: `python app.py [HOST] [PORT]`."""

import socket
import sys
from pathlib import Path

from ensemble.bundle import open_bundle
from kallos.web.running import run
from kallos.web.service import Service
from kallos.web.uploads import folder_of_uploads

BUNDLE = Path(__file__).resolve().with_name("bundle")


def main(host: str = "127.0.0.1", port: str = "7860") -> None:
    """Serve until stopped."""
    card = (BUNDLE / "MODEL_CARD.md").read_text(encoding="utf-8")
    with (
        socket.create_server((host, int(port))) as listening,
        folder_of_uploads(),
        Service(open_bundle(BUNDLE), None, card) as service,
    ):
        service.warm_up()
        run(service, listening)


if __name__ == "__main__":
    main(*sys.argv[1:])
