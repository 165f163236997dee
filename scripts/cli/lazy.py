"""A group of commands each of which is imported when it is used, not before.

Starting a program is most of what a short command takes, and no command needs the others.
"""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """A group that knows where its commands are: `places` maps names to modules of this package.

    A command has its own name there too, or the one that follows a colon. They are listed in this
    order, in which a new user meets them.
    """

    def __init__(self, *args: Any, places: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in self.places:
            return None
        module, _, name = self.places[cmd_name].partition(":")
        found = importlib.import_module(f"scripts.cli.{module}")
        command: click.Command = getattr(found, name or cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the words begin with; NoSuchCommand knows what may have been meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand:
            raise click.exceptions.NoSuchCommand(
                args[0], possibilities=self.places, ctx=ctx
            ) from None
