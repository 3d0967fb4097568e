"""Data quality of a store: checks, near-duplicates, and verification of training sets."""

from pathlib import Path

from featurestore import normalization_statistics, verification
from featurestore.duplicates import find_near_duplicates, make_protocol
from featurestore.opening import open_store
from featurestore.verification import Verification
from kallos.workflows.stores import open_for_reading
from models.networks.known_weights import SAME_PERSON
from reports.pages import checks as checks_page
from reports.pages import duplicates as duplicates_page
from reports.pages.checks import CheckReport
from reports.pages.duplicates import DuplicatesReport
from reports.stats.selection import Selection, chosen_data_sets


def check(store: str | Path, *, data_set: str | None = None) -> CheckReport:
    """Results of the data-quality checks; `failed` names those that failed."""
    with open_for_reading(Path(store)) as opened:
        return checks_page.data(opened, Selection(data_set=data_set))


def duplicates(store: str | Path, *, data_set: str | None = None, encoder: str | None = None) -> DuplicatesReport:
    """Find near-duplicate photos, and write the protocol identity-disjoint, which keeps them in one fold."""
    with open_store(Path(store), must_exist=True) as opened:
        chosen_data_sets(opened, Selection(data_set=data_set))
        find_near_duplicates(opened, encoder, SAME_PERSON)
        make_protocol(opened, data_set)
        normalization_statistics.fit(opened)
        return duplicates_page.data(opened)


def verify(store: str | Path, run: str) -> Verification:
    """Derive the training set of a run again and compare: rows, values, versions, statistics, roles."""
    with open_for_reading(Path(store)) as opened:
        return verification.verify(opened, run)
