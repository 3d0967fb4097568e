"""What the server counts, as text that Prometheus reads."""

import resource
from collections import Counter
from pathlib import Path

MEMORY = Path("/proc/self/statm")
BOUNDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
"""Upper ends of the histogram of seconds."""


class Metrics:
    """Photos by outcome, refused requests by status, and the seconds from a request's arrival to its answer.

    Everything is counted by the event loop alone, so there is no lock.
    """

    def __init__(self) -> None:
        self.photos, self.refused = Counter[str](), Counter[int]()
        self._buckets, self._sum, self._count = Counter[float](), 0.0, 0

    def answered(self, seconds: float) -> None:
        """Count a request whose photos were scored."""
        self._buckets.update(bound for bound in BOUNDS if seconds <= bound)
        self._sum, self._count = self._sum + seconds, self._count + 1

    def text(self, waiting: int) -> str:
        """The exposition format 0.0.4, with the photos that wait."""
        seconds: list[tuple[str, float]] = [(f'_bucket{{le="{bound:g}"}}', self._buckets[bound]) for bound in BOUNDS]
        seconds += [('_bucket{le="+Inf"}', self._count), ("_sum", round(self._sum, 6)), ("_count", self._count)]
        photos = [(f'{{outcome="{outcome}"}}', self.photos[outcome]) for outcome in ("scored", "unusable")]
        refused = [
            (f'{{status="{status}"}}', self.refused[status]) for status in sorted({413, 429, 503, *self.refused})
        ]
        memory = [("", int(MEMORY.read_text().split()[1]) * resource.getpagesize())] if MEMORY.exists() else []
        return "".join(
            f"# HELP kallos_{name} {about}\n# TYPE kallos_{name} {kind}\n"
            + "".join(f"kallos_{name}{label} {value}\n" for label, value in samples)
            for name, kind, about, samples in (
                ("photos_total", "counter", "Photos that were answered.", photos),
                ("refused_total", "counter", "Requests that were refused.", refused),
                ("photos_waiting", "gauge", "Photos that wait for the models.", [("", waiting)]),
                ("request_seconds", "histogram", "From a request's arrival to its answer.", seconds),
                ("resident_memory_bytes", "gauge", "Memory of the process.", memory),
            )
        )
