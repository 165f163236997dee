"""Networks as the command line names them: one of ours, or a TOML file of the user's own.

It turns words into chain.params.Params and refuses the rest in one line.
"""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.cli.common import fail

if TYPE_CHECKING:
    from chain.params import Params


def read_network(name: str, heights: tuple[str, ...]) -> "Params":
    """The named network, or the one that a TOML file describes; with soft forks moved."""
    # lazy: the help text must not wait for the chain
    from chain import params as networks
    from chain.errors import DecodeError

    if name.endswith(".toml"):
        try:
            chosen = networks.custom(tomllib.loads(Path(name).read_text(encoding="utf-8")))
        except FileNotFoundError:
            fail(f"there is no file {name}; --network takes a name or a TOML file")
        except DecodeError as error:
            fail(f"{name}: {error}")
        except RecursionError:
            fail(f"{name} is not TOML: it is nested too deeply")
        except ValueError as error:  # no text, no TOML, or a number that Python refuses to read
            fail(f"{name} is not TOML: {error}")
    else:
        chosen = networks.network(name)
    return networks.with_activation_heights(chosen, dict(map(activation, heights)))


def activation(text: str) -> tuple[str, int]:
    """`segwit@100` as (`segwit`, 100)."""
    name, at, height = text.partition("@")
    if not at or not height.isascii() or not height.isdigit():
        fail(f"--testactivationheight takes NAME@HEIGHT, such as segwit@100, not '{text}'")
    return name, int(height)
