"""`kallos hub`: bundles to and from the Hugging Face Hub."""

from pathlib import Path
from typing import Annotated

import typer

hub = typer.Typer(
    name="hub",
    help="Bundles to and from the Hugging Face Hub. Only this and --download use the network.",
    no_args_is_help=True,
)

Repository = Annotated[str, typer.Argument(help="OWNER/NAME on the Hub; HF_ENDPOINT names another one.")]


@hub.command()
def push(
    bundle: Annotated[Path, typer.Argument(help="A bundle that `kallos export DIR` wrote.")],
    repository: Repository,
    public: Annotated[bool, typer.Option("--public", help="Make a newly created repository public.")] = False,
) -> None:
    """Push a bundle to a repository, which is created, private, if necessary. HF_TOKEN holds the access token."""
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
    """Download a bundle and verify that it is as it was exported."""
    from kallos.cli.console import note
    from kallos.workflows.extras import need

    need("hub", "huggingface_hub", "httpx2")
    from kallos.workflows.hub import pull as get

    note(f"pulled {get(repository, folder, revision)}")
