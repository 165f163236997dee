"""`farthing completion`: what a shell needs to complete commands, options and wallets' names.

The script and the answers to the shell's questions are click's own; a shell asks by starting
`farthing` with the variable COMPLETING (main).
"""

import os

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete, shell_complete

from scripts.cli.main import COMPLETING

PROGRAM = "farthing"
SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete what you type, wallets' names too.

    \b
    Examples:
      eval "$(farthing completion bash)"      in ~/.bashrc
      eval "$(farthing completion zsh)"       in ~/.zshrc
      farthing completion fish > ~/.config/fish/completions/farthing.fish
    """
    click.echo(SHELLS[shell](click.Group(), {}, PROGRAM, COMPLETING).source())


def answer_shell(root: click.Command) -> int:
    """Print the completions that a shell asks for by COMPLETING; the exit code."""
    return shell_complete(root, {}, PROGRAM, COMPLETING, os.environ[COMPLETING])
