"""A Hugging Face Space: the page of kallos with the bundle beside this file. Locally: `python app.py`."""

import os
from pathlib import Path

os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}

import uvicorn

from ensemble.bundle import open_bundle
from kallos.web.api import application
from kallos.web.service import Service
from kallos.web.uploads import folder_of_uploads

BUNDLE = Path(__file__).resolve().with_name("bundle")
# a Space sets both, as it must be reachable from outside its container
HOST = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
PORT = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))


def main() -> None:
    """Serve until stopped."""
    card = (BUNDLE / "MODEL_CARD.md").read_text(encoding="utf-8")
    with folder_of_uploads(), Service(open_bundle(BUNDLE), None, card) as service:
        service.warm_up()
        # no access log: it would hold the names of uploaded files
        uvicorn.run(application(service), host=HOST, port=PORT, log_level="warning")


if __name__ == "__main__":
    main()
