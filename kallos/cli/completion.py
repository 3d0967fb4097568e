"""`kallos completion`: what a shell needs to complete commands, options and their choices."""

from enum import StrEnum
from typing import Annotated

import typer
from typer._completion_shared import get_completion_script


class Shell(StrEnum):
    """Shells with a script of their own."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="The shell that you type in.")]) -> None:
    """Print the script that teaches a shell to complete kallos, for its startup file.

    bash, in ~/.bashrc: eval "$(kallos completion bash)"

    zsh, in ~/.zshrc after compinit: eval "$(kallos completion zsh)"

    fish: kallos completion fish > ~/.config/fish/completions/kallos.fish
    """
    typer.echo(get_completion_script(prog_name="kallos", complete_var="_KALLOS_COMPLETE", shell=shell))
