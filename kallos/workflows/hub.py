"""`kallos hub`: bundles to and from the Hugging Face Hub, verified before each push and after each pull.

The README.md that the Hub shows is the bundle's model card, whose head has the Hub's metadata. It is not part of the
bundle, and is not pulled.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from ensemble.bundle import open_bundle
from featurestore.errors import HubError
from featurestore.folders import is_litter
from featurestore.staging import new_folder
from reports.cards.write import MODEL_CARD

README = "README.md"
HUB_FILES = (README, ".gitattributes")
"""Files of a repository that are not part of a bundle."""


def push(bundle: Path, repository: str, *, public: bool) -> str:
    """Push a bundle to a repository, created if necessary, as one commit; returns its URL.

    Raises InputError or BundleError for an incomplete bundle, HubError when the Hub cannot be reached or refuses.
    """
    open_bundle(bundle)
    listed = [path for path in sorted(bundle.rglob("*")) if path.is_file() and not is_litter(path)]
    files = {path.relative_to(bundle).as_posix(): path for path in listed}
    files[README] = bundle / MODEL_CARD
    operations = [CommitOperationAdd(name, path) for name, path in files.items()]
    with _translated_errors(repository):
        api = HfApi()
        api.create_repo(repository, private=not public, exist_ok=True)
        commit = api.create_commit(repository, operations, commit_message="A bundle of kallos")
    return str(commit.repo_url)


def pull(repository: str, folder: Path, revision: str | None) -> Path:
    """Download a bundle into a new or empty folder, which is filled only after verification.

    Raises InputError for a folder that holds something, HubError when the Hub cannot be reached or has no such
    repository, BundleError when the files are not as they were exported.
    """
    with new_folder(folder, "the bundle") as staged:
        with _translated_errors(repository):
            HfApi().snapshot_download(
                repository, revision=revision, local_dir=staged, ignore_patterns=list(HUB_FILES), etag_timeout=20
            )
        shutil.rmtree(staged / ".cache", ignore_errors=True)
        open_bundle(staged)
    return folder


@contextmanager
def _translated_errors(repository: str) -> Iterator[None]:
    """Turn errors of the library into HubErrors, which name the remedy."""
    try:
        yield
    except LocalTokenNotFoundError as error:
        raise HubError("The Hub needs a login: set HF_TOKEN, or run `hf auth login`.") from error
    except HFValidationError as error:
        raise HubError(f"{repository!r} is not a repository name: give OWNER/NAME.") from error
    except HfHubHTTPError as error:
        reason = error.server_message or str(error).splitlines()[0]
        raise HubError(
            f"The Hub refuses {repository}: {reason}. Does it exist, and may your token reach it?"
        ) from error
    except (httpx2.HTTPError, OSError) as error:
        raise HubError(f"The Hub cannot be reached ({error}): is HF_ENDPOINT right, and the machine online?") from error
