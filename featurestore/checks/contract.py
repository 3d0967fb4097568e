"""What a check is, and what it gives.

    def constant_features(store: Store, data_set: str) -> list[Finding]:
        \"\"\"Every feature differs between photos.\"\"\"

The function's name is that of the check, its docstring says what holds when it passes. It queries the
stable views for one data set, writes nothing and gives its findings worst first; none means that all is well.
Limits are constants beside the check, with the reason; they are no options, so that a passed check means the
same everywhere. They were set on SCUT-FBP5500 and on the drawn portraits, none of which fails.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from featurestore.store import Store

Severity = Literal["fail", "warn", "info"]

ENOUGH = 20
"""Images below which a share, a spread or a distribution is an accident of the few photos at hand."""

EXTRACT = "run `kallos extract`"


@dataclass(frozen=True)
class Finding:
    """One thing found: `subject` has a `measure` of `value`, where `limit` is allowed.

    severity   fail: the data are wrong; warn: look at them; info: worth knowing
    images     images concerned
    remedy     what to do about it
    detail     an example or a breakdown; may be empty
    """

    severity: Severity
    subject: str
    measure: str
    value: float
    limit: float
    images: int
    remedy: str
    detail: str = ""


Check = Callable[[Store, str], list[Finding]]


class NotRunError(Exception):
    """A check that cannot be run yet; the message is the reason. The runner catches and reports it."""


def graded(value: float, warn: float, fail: float) -> tuple[Severity, float]:
    """Severity of a value that lies above `warn`, and the limit that it passed."""
    return ("fail", fail) if value > fail else ("warn", warn)


def need(store: Store, view: str, data_set: str, images: int = 1) -> int:
    """How many images of the data set the view has. Raises NotRunError when they are fewer than needed."""
    found = 0
    if store.has(view):
        query = f"SELECT count(DISTINCT image_id) FROM {view} JOIN images USING (image_id) WHERE data_set = $data_set"
        found = store.value(query, data_set=data_set)
    if not found:
        raise NotRunError(f"no {view} yet: {EXTRACT}")
    if found < images:
        raise NotRunError(f"{found} images have {view}, {images} are needed")
    return found
