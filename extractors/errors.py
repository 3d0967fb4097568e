"""What can be wrong with a photo, and the base of every expected error.

The message is one sentence that names the remedy. The command line prints it and exits with `exit_code`. Anything that
is not a `KallosError` is a bug and shows its traceback (exit code 1).
"""

LONGEST = 2000
"""Letters of a message; a name or a line of a file that stands in it may have any length."""


class KallosError(Exception):
    """An error that a user can fix."""

    exit_code = 1

    def __str__(self) -> str:
        """The message on one line: what it repeats of files and their names must not steer a terminal."""
        message = super().__str__()
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
        # the remedy stands at the end
        return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"


class InputError(KallosError):
    """A file or folder that is missing, empty or not what it should be."""

    exit_code = 3


class PhotoError(KallosError):
    """One photo that cannot be used. `status` is what the ledger records."""

    exit_code = 5
    status = "decode_error"


class NoFaceError(PhotoError):
    """A readable photo in which no face is found."""

    status = "no_face"


class ExtraError(PhotoError):
    """A photo of a kind that is read with an extra which is not installed."""

    status = "needs_extra"
