"""Choices that were made by looking at scores of photos: the table `selections`, and whose test photos they saw."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

import polars as pl

from featurestore.runs import Run
from featurestore.store import Store


@dataclass(frozen=True)
class Rows:
    """Rows that were looked at: `count` of those with this role. `fold` is None for those of every fold."""

    protocol: str
    fold: int | None
    role: str
    count: int


@dataclass(frozen=True)
class Choice:
    """What was chosen by looking at rows, as `selections` has it.

    made_by  kallos: a default; fit: a fit of the run, by its own rows; runs: one of several was kept
    basis    decided: by figures on these rows; known: figures on them were known when others decided
    """

    choice: str
    made_by: Literal["kallos", "fit", "runs"]
    basis: Literal["decided", "known"]
    rows: Rows
    metric: str
    effect: str | None
    made_on: datetime


@dataclass(frozen=True)
class Seen:
    """A choice behind runs of `models`, and how many of their test photos it looked at.

    seen  at most, where not all rows of that role were looked at; None where the store has no such protocol, so that
          nobody can tell
    """

    models: tuple[str, ...]
    choice: str
    made_by: str
    basis: str
    protocol: str
    fold: int | None
    role: str
    row_count: int
    metric: str
    effect: str | None
    made_on: str
    seen: int | None


def record(store: Store, run: Run, choices: Iterable[Choice]) -> None:
    """Record the choices behind a finished run, and that several runs of its model have figures on its test photos."""
    if rows := [asdict(choice) | asdict(choice.rows) | {"run_id": run.run_id} for choice in choices]:
        frame = pl.DataFrame(rows, schema_overrides={"effect": pl.String, "fold": pl.Int32}).drop("rows")
        store.append("selections", frame.rename({"count": "row_count"}))
    _record_runs(store, run)


def _record_runs(store: Store, run: Run) -> None:
    """Whoever keeps one of several runs may have looked at their test figures, which every training prints."""
    same = {"model": run.model, "protocol": run.protocol, "fold": run.fold}
    store.execute(
        "DELETE FROM selections WHERE made_by = 'runs' AND run_id IN ("
        "SELECT run_id FROM runs WHERE model = $model AND protocol = $protocol AND fold = $fold)",
        **same,
    )
    statement = """
        WITH finished AS (
            SELECT run_id, n, pearson, started_at FROM runs JOIN evaluations USING (run_id)
            WHERE model = $model AND protocol = $protocol AND fold = $fold AND status = 'done' AND role = 'test')
        INSERT INTO selections BY NAME
        SELECT f.run_id, 'which of ' || runs || ' runs of ' || $model || ' to keep' AS choice, 'runs' AS made_by,
               'known' AS basis, $protocol AS protocol, $fold AS fold, 'test' AS role, f.n AS row_count, 'PC' AS metric,
               format('{:.2f} to {:.2f}', lowest, highest) AS effect, newest AS made_on
        FROM finished f, (
            SELECT count(*) AS runs, min(pearson) AS lowest, max(pearson) AS highest, max(started_at) AS newest
            FROM finished)
        WHERE runs > 1"""
    store.execute(statement, **same)


def seen_by_choices(store: Store, run_ids: Collection[str]) -> tuple[Seen, ...]:
    """The choices behind runs, those that looked at most of their test photos first. Equal photos count as one."""
    query = """
        WITH photos AS (SELECT image_id, coalesce(sha256, image_id) AS photo FROM images),
        chosen AS (SELECT s.*, model FROM selections s JOIN runs USING (run_id) WHERE list_contains($runs, run_id)),
        looked_at AS (SELECT protocol, fold, role, photo FROM splits JOIN photos USING (image_id)),
        tested AS (
            SELECT DISTINCT run_id, photo FROM predictions JOIN photos USING (image_id)
            WHERE role = 'test' AND list_contains($runs, run_id))
        SELECT list_sort(list(DISTINCT model)) AS models, choice, made_by, basis, protocol, fold, role, row_count,
               metric, effect, strftime(made_on, '%Y-%m-%d') AS made_on, max(seen)::INT AS seen
        FROM (
            SELECT c.*, if(count(l.photo) = 0, NULL, least(count(DISTINCT t.photo), any_value(c.row_count))) AS seen
            FROM chosen c
            LEFT JOIN looked_at l ON l.protocol = c.protocol AND l.role = c.role AND l.fold = coalesce(c.fold, l.fold)
            LEFT JOIN tested t ON t.run_id = c.run_id AND t.photo = l.photo
            GROUP BY ALL)
        GROUP BY ALL ORDER BY seen DESC NULLS LAST, made_on DESC, choice, protocol, fold"""
    rows = store.frame(query, runs=list(run_ids))
    return tuple(Seen(**row | {"models": tuple(row["models"])}) for row in rows.to_dicts())
