"""Every check, in the order of the report. A new check is one function and one line here."""

from dataclasses import dataclass
from typing import Literal

from featurestore.checks import coverage, drift, embeddings, features, identity, labels, landmarks
from featurestore.checks.contract import Check, Finding, NotRunError
from featurestore.store import Store

CHECKS: dict[str, Check] = {
    function.__name__: function
    for function in (
        coverage.coverage,
        features.missing_values,
        features.infinite_values,
        features.constant_features,
        features.exploding_features,
        features.declared_ranges,
        landmarks.landmarks_outside,
        embeddings.broken_embeddings,
        embeddings.repeated_embeddings,
        embeddings.collapsed_embeddings,
        labels.scores_off_scale,
        labels.unscored_images,
        labels.few_raters,
        identity.duplicate_photos,
        identity.split_overlap,
        identity.stale_references,
        drift.subset_drift,
        drift.data_set_drift,
        drift.embedding_drift,
    )
}

Outcome = Literal["fail", "warn", "ok", "not run"]


@dataclass(frozen=True)
class Verdict:
    """The result of one check on one data set.

    about      what holds when it passes
    findings   the gravest first
    reason     why it was not run, else empty
    """

    check: str
    about: str
    outcome: Outcome
    findings: tuple[Finding, ...]
    reason: str = ""


def run(store: Store, data_set: str) -> tuple[Verdict, ...]:
    """The verdicts of all checks on one data set."""
    return tuple(_verdict(check, store, data_set) for check in CHECKS.values())


def _verdict(check: Check, store: Store, data_set: str) -> Verdict:
    name, about = check.__name__, check.__doc__ or ""
    try:
        findings = check(store, data_set)
    except NotRunError as obstacle:
        return Verdict(name, about, "not run", (), str(obstacle))
    gravest_first = sorted(findings, key=lambda finding: ("fail", "warn", "info").index(finding.severity))
    outcome: Outcome = "ok"
    if gravest_first and gravest_first[0].severity != "info":
        outcome = gravest_first[0].severity
    return Verdict(name, about, outcome, tuple(gravest_first))
