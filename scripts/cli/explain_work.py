"""What `farthing explain` does with its words: read what was given, and have it explained.

The command line is in explain, which imports this file only when a command is used.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace

from chain.params import network as params_of
from chain.script.sighash import SigVersion
from scripts.explain import script as scripts
from scripts.explain.debugger import debug_output, debug_script
from scripts.explain.flags import parse_flags
from scripts.explain.given import Given, read
from scripts.explain.model import ExplainError, Explanation


def given_of(what: str) -> Given:
    """What an argument stands for."""
    return read(what, sys.stdin.buffer.read)


def hex_items(words: Sequence[str], option: str) -> list[bytes]:
    """The bytes of an option that may come more than once; an empty word is an empty element."""
    try:
        return [bytes.fromhex(word) for word in words]
    except ValueError:
        expected = "expected two hex digits a byte, and '' for an empty element"
        raise ExplainError(f"{option}: not all of it is hex; {expected}") from None


def script(
    what: str,
    is_run: bool,
    stack: Sequence[bytes],
    witness: Sequence[bytes],
    script_sig: str | None,
    version: str,
    flag_names: str,
    network: str,
) -> Explanation:
    """A script, and its run if one is asked for."""
    code, generation = scripts.script_of(given_of(what)), SigVersion[version]
    explanation = scripts.explain_script(code, params_of(network), generation)
    flags = parse_flags(flag_names)
    if witness or script_sig is not None:
        unlocking = scripts.script_of(given_of(script_sig)) if script_sig else b""
        return replace(explanation, runs=[debug_output(code, unlocking, witness, flags)])
    if is_run or stack:
        return replace(explanation, runs=[debug_script(code, stack, generation, flags)])
    return explanation
