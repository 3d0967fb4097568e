"""Which machine this is, without its name: for saying of a fit whether it was made here."""

import hashlib
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

NOT_RECORDED = "a machine that was not recorded"


def origin(device: str, computing: Mapping[str, Any]) -> dict[str, Any]:
    """Where and when a fit is made, as JSON: now, on this machine's `device`, computing like that."""
    return {
        "machine": _machine(),
        "device": f"{platform.system()} {platform.machine()}, {device}",
        "computing": dict(computing),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def elsewhere(fits: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The other machines that some of these fits were made on: what they are, and the beginning of their id."""
    others = [fit for fit in fits if fit.get("machine") != _machine()]
    names = (f"{fit.get('device')}, machine {fit['machine']}" if "machine" in fit else NOT_RECORDED for fit in others)
    return tuple(sorted(set(names)))


def _machine() -> str:
    """Eight digits of the hash of its name, which concerns nobody else."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]
