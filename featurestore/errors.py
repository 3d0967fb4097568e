"""Every expected trouble, on one screen. The message is one sentence that names the remedy.

`kallos` is the only catcher: it prints the message on stderr and exits with `exit_code`.
Anything that is not a `KallosError` is a bug and shows its traceback (exit code 1).
"""

LONGEST = 2000
"""Letters of a message; a name or a line of a file that stands in it may have any length."""


class KallosError(Exception):
    """Trouble that a user can mend."""

    exit_code = 1

    def __str__(self) -> str:
        """The message on one line: what it repeats of files and their names must not steer a terminal."""
        said = super().__str__()
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in said)
        # the remedy stands at the end
        return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"


class UsageError(KallosError):
    """An option, name or protocol that does not exist."""

    exit_code = 2


class InputError(KallosError):
    """A file or folder that is missing, empty or not what it should be."""

    exit_code = 3


class FolderGoneError(InputError):
    """The folder of a data set is not there, or empty, as a disk that is not mounted leaves it."""


class DataError(KallosError):
    """Labels that cannot be used: missing columns, scores outside the scale."""

    exit_code = 4


class PhotoError(KallosError):
    """One photo that cannot be used. `status` is what the ledger records."""

    exit_code = 5
    status = "decode_error"


class NoFaceError(PhotoError):
    """A readable photo in which FaceMesh finds no face."""

    status = "no_face"


class ExtraError(PhotoError):
    """A photo of a kind that is read with an extra which is not installed."""

    status = "needs_extra"


class StoreError(KallosError):
    """A store that is missing, locked by another process, or made by another version."""

    exit_code = 6


class OrderError(KallosError):
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
    """SQL that the guard refuses or that DuckDB cannot run."""

    exit_code = 10


class CheckError(KallosError):
    """Data that a check of the store found to be wrong."""

    exit_code = 11


class LeakageError(KallosError):
    """A test row that would be learnt from: in both roles, or behind the statistics of the training rows."""

    exit_code = 12


class ExtractionError(KallosError):
    """Worker processes that cannot start."""

    exit_code = 13


class HubError(KallosError):
    """The hub cannot be reached, or refuses."""

    exit_code = 14


class DiskError(KallosError):
    """A disk without room for what is written."""

    exit_code = 15
