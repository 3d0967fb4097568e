"""Checks of an export's rows where kallos would later trust what they hold.

Names of outputs and features are put into SQL, the queries of manifests and statistics are run again, folders of runs
are opened. In a store of one's own kallos wrote them; in a folder from elsewhere anybody may have.
"""

import json
import re
from pathlib import PurePath
from typing import Any

from extractors.outputs import EMBEDDING, table_name
from featurestore.errors import ExportError
from featurestore.schema import TABLES, VIEWS
from featurestore.sql_text import nodes
from featurestore.store import Store
from featurestore.transfer.description import NAME

_EXTRACTOR = re.compile(rf"[a-z][a-z0-9_]*|{EMBEDDING}[A-Za-z0-9_./:@+-]{{1,200}}")
"""Encoders are called as timm, torchvision and the Hub call networks, such as `hf-hub:timm/resnet50.a1_in1k`."""

_VERSION = re.compile(r"[0-9a-f]{12}")

HARMLESS = "min"
"""The function that queries of statistics call: it finds the first image of a photo."""


def check_rows(store: Store) -> None:
    """Raises ExportError when a row of the core tables, as they were loaded, holds what kallos never writes."""
    reserved = {entry.name for entry in (*TABLES, *VIEWS)}
    versions = store.frame("SELECT extractor, version, output, table_name FROM extractor_versions")
    for extractor, version, output, table in versions.iter_rows():
        is_valid = _matches(_EXTRACTOR, extractor) and _matches(_VERSION, version)
        if not is_valid or table != table_name(extractor, version):
            raise ExportError(f"extractor_versions names the table {table!r}, which kallos would not create.")
        if not _matches(NAME, output) or output in reserved:
            raise ExportError(f"extractor_versions names the output {output!r}, which kallos would not show.")
    features = store.column(
        """
        SELECT feature FROM feature_definitions UNION SELECT unnest(features) FROM statistics
        UNION SELECT unnest(features) FROM manifests
        UNION SELECT split_part(unnest(recipe ->> '$.columns[*]'), '@', 1) FROM extractor_versions ORDER BY ALL"""
    )
    for feature in features:
        if not _matches(NAME, feature):
            raise ExportError(f"{feature!r} is not the name of a feature.")
    for folder in store.column("SELECT DISTINCT folder FROM runs ORDER BY ALL"):
        if not folder or PurePath(folder).name != folder or folder == "..":
            raise ExportError(f"The folder {folder!r} of a run does not lie in the runs folder.")
    queries = store.frame("SELECT sql FROM manifests UNION SELECT sql FROM statistics ORDER BY ALL")
    for query in queries["sql"].drop_nulls():
        if not _reads_tables_only(store, query):
            raise ExportError(f"The stored query {query[:80]!r} does more than read tables.")


def _matches(pattern: re.Pattern[str], text: str | None) -> bool:
    return text is not None and pattern.fullmatch(text) is not None


def _reads_tables_only(store: Store, query: str) -> bool:
    """Whether SQL is one SELECT on tables of plain names that calls no function but HARMLESS: one may read a file."""
    tree = json.loads(store.value("SELECT json_serialize_sql($text)", text=query))
    if tree["error"] or len(tree["statements"]) != 1:
        return False
    return all(node.get("function_name", HARMLESS) == HARMLESS and _is_plain(node) for node in nodes(tree))


def _is_plain(node: dict[str, Any]) -> bool:
    is_table = node.get("type") == "BASE_TABLE"
    return not is_table or (len(node["qualified_name"]["path"]) == 1 and _matches(NAME, node["table_name"]))
