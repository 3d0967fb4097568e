"""Every expected error beside those of photos, on one screen; see `extractors.errors` for what they share."""

from extractors.errors import InputError, KallosError


class UsageError(KallosError):
    """An option, name or protocol that does not exist."""

    exit_code = 2


class FolderGoneError(InputError):
    """The folder of a data set is not there, or empty, as a disk that is not mounted leaves it."""


class DataError(KallosError):
    """Labels that cannot be used: missing columns, scores outside the scale."""

    exit_code = 4


class StoreError(KallosError):
    """A store that is missing, locked by another process, or made by another version."""

    exit_code = 6


class PrerequisiteError(KallosError):
    """A step that needs an earlier one, such as `train` before `extract`."""

    exit_code = 7


class WeightsError(KallosError):
    """Network weights that are missing, do not fit, or cannot be downloaded."""

    exit_code = 8


class BundleError(KallosError):
    """A bundle that is incomplete, altered, or made by another version."""

    exit_code = 9


class ExportError(KallosError):
    """An export of a store that is incomplete, altered, or made by another version."""

    exit_code = 9


class QueryError(KallosError):
    """SQL that `user_sql` refuses or that DuckDB cannot run."""

    exit_code = 10


class CheckError(KallosError):
    """Data that a check of the store found to be wrong."""

    exit_code = 11


class LeakageError(KallosError):
    """A val or test row that training would use: in two roles, or behind the statistics of the training rows."""

    exit_code = 12


class ExtractionError(KallosError):
    """Worker processes that cannot start, or that died."""

    exit_code = 13


class HubError(KallosError):
    """The hub cannot be reached, or refuses."""

    exit_code = 14


class DiskError(KallosError):
    """A disk without room for what is written."""

    exit_code = 15
