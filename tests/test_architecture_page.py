"""docs/architecture.md: every file that it names is in the room that it says."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
ROOMS = ("extractors", "featurestore", "models", "ensemble", "reports", "kallos")


def test_every_file_of_the_walks_is_there():
    named = re.findall(r"`((?:" + "|".join(ROOMS) + r")/[\w/.]+\.py)`", PAGE)
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_file_of_the_list_is_in_its_room():
    items = dict(re.findall(r"^- `(\w+)/`: (.*?)(?=^- |^$)", PAGE, flags=re.MULTILINE | re.DOTALL))
    assert set(items) == set(ROOMS)
    for room, inside in items.items():
        for name in re.findall(r"`(\w+(?:\.py|/))`", inside):
            assert (ROOT / room / name).exists(), f"{room}/{name}"
