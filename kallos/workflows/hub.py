"""What `kallos hub` does: bundles to and from the Hugging Face Hub, verified before they leave and when they come.

The Hub shows a README.md; there it is the bundle's model card, which has the Hub's metadata in its head. It is no part
of the bundle, and is left behind when the bundle is pulled.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from ensemble.bundle import open_bundle
from extractors.errors import InputError
from featurestore.errors import HubError
from featurestore.folders import is_litter
from featurestore.staging import staging, take_place
from reports.cards.write import MODEL_CARD

SHOWN = "README.md"
OF_THE_HUB = (SHOWN, ".gitattributes")
"""Files of a repository that are no part of a bundle."""


def push(bundle: Path, repository: str, *, public: bool) -> str:
    """Put a bundle into a repository, made if need be, as one commit; returns where people find it.

    Raises InputError or BundleError for what is no whole bundle, HubError when the Hub cannot be reached or refuses.
    """
    open_bundle(bundle)
    listed = [path for path in sorted(bundle.rglob("*")) if path.is_file() and not is_litter(path)]
    files = {path.relative_to(bundle).as_posix(): path for path in listed}
    files[SHOWN] = bundle / MODEL_CARD
    operations = [CommitOperationAdd(name, path) for name, path in files.items()]
    with _spoken(repository):
        api = HfApi()
        api.create_repo(repository, private=not public, exist_ok=True)
        said = api.create_commit(repository, operations, commit_message="A bundle of kallos")
    return str(said.repo_url)


def pull(repository: str, folder: Path, revision: str | None) -> Path:
    """Get a bundle into a new or empty folder; nothing is there before all of it is verified.

    Raises InputError for a folder that holds something, HubError when the Hub cannot be reached or has no such
    repository, BundleError when what came is not as it was exported.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} holds other files: give a new or empty folder for the bundle.")
    with staging(folder) as made:
        with _spoken(repository):
            HfApi().snapshot_download(
                repository, revision=revision, local_dir=made, ignore_patterns=list(OF_THE_HUB), etag_timeout=20
            )
        shutil.rmtree(made / ".cache", ignore_errors=True)
        open_bundle(made)
        take_place(made, folder)
    return folder


@contextmanager
def _spoken(repository: str) -> Iterator[None]:
    """The library's errors as one sentence with a remedy."""
    try:
        yield
    except LocalTokenNotFoundError as error:
        raise HubError("The Hub asks who you are: set HF_TOKEN, or run `hf auth login`.") from error
    except HFValidationError as error:
        raise HubError(f"{repository!r} is no name of a repository: give OWNER/NAME.") from error
    except HfHubHTTPError as error:
        said = error.server_message or str(error).splitlines()[0]
        raise HubError(f"The Hub refuses {repository}: {said}. Does it exist, and may your token reach it?") from error
    except (httpx2.HTTPError, OSError) as error:
        raise HubError(f"The Hub cannot be reached ({error}): is HF_ENDPOINT right, and the machine online?") from error
