"""What is refused before a body is read, and the headers of every answer."""

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from extractors.errors import KallosError
from kallos.web.limits import MAX_BODY, RefusedError
from kallos.web.waiting_line import WaitingLine

PHOTOS = ("/predict", "/answer")
"""Paths that photos are sent to."""

# reports' own styles stand in their tags
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' blob: data:; "
    "media-src blob:; connect-src 'self' blob:; form-action 'self'; base-uri 'none'"
)


class Guard:
    """ASGI middleware: requests of other sites, bodies that are too long, photos when too many wait."""

    def __init__(self, app: ASGIApp, line: WaitingLine, is_private: bool) -> None:
        self._app, self._line = app, line
        # a Space stands in a frame of another site
        self._policy = POLICY + ("; frame-ancestors 'none'" if is_private else "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = self._policy
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        app = self._app
        if scope["type"] == "http" and scope["method"] == "POST":
            try:
                self._check(Headers(scope=scope), scope["path"])
            except KallosError as error:
                app = refused(error, self._line)
        await app(scope, receive, send_with_headers)

    def _check(self, headers: Headers, path: str) -> None:
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise RefusedError("Another site sent this: open the page itself.", 403, 0)
        if "content-length" not in headers:
            raise RefusedError("The length of the request is unknown: send it whole, with Content-Length.", 411, 0)
        if int(headers["content-length"]) > MAX_BODY:
            raise RefusedError(f"A request has at most {MAX_BODY // 2**20} MiB: send fewer photos at once.", 413, 0)
        if path in PHOTOS:
            self._line.check_room()


def refused(error: KallosError, line: WaitingLine) -> JSONResponse:
    """An error as one sentence, with the exit code that the command line has for it; when to try again, if later."""
    headers = {}
    status = 422
    if isinstance(error, RefusedError):
        status = error.status
        line.metrics.refused[status] += 1
        headers = {"Retry-After": str(error.seconds)} if error.seconds else {}
    return JSONResponse({"error": str(error), "exit_code": error.exit_code}, status, headers)
