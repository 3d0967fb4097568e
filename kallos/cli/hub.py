"""`kallos hub`: bundles to and from the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

hub = typer.Typer(
    name="hub",
    help="Bundles to and from the Hugging Face Hub. Beside --download, all that uses the network.",
    no_args_is_help=True,
)

Repository = Annotated[str, typer.Argument(help="OWNER/NAME on the Hub; HF_ENDPOINT names another one.")]


@hub.command()
def push(
    bundle: Annotated[Path, typer.Argument(help="A bundle that `kallos export DIR` wrote.")],
    repository: Repository,
    public: Annotated[bool, typer.Option("--public", help="A repository made now can be seen by everyone.")] = False,
) -> None:
    """Put a bundle into a repository, which is made, private, if need be. HF_TOKEN says who you are."""
    from kallos.cli.console import note
    from kallos.workflows.extras import need

    need("hub", "huggingface_hub", "httpx2")
    from kallos.workflows.hub import push as put

    note(f"pushed {put(bundle, repository, public=public)}")


@hub.command()
def pull(
    repository: Repository,
    folder: Annotated[Path, typer.Argument(help="A new or empty folder for the bundle.")],
    revision: Annotated[str | None, typer.Option(help="A branch, tag or commit.  [default: the newest]")] = None,
) -> None:
    """Get a bundle; one that is not as it was exported is refused."""
    from kallos.cli.console import note
    from kallos.workflows.extras import need

    need("hub", "huggingface_hub", "httpx2")
    from kallos.workflows.hub import pull as get

    note(f"pulled {get(repository, folder, revision)}")
