"""What was given: bytes or text, from an argument, a file or standard input.

Hex is read as bytes, wherever it comes from and with white space in it. Does not know what the
bytes are (guess).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.explain.model import ExplainError

MAX_BYTES = 4_100_000  # a block has at most 4,000,000
MAX_READ = 2 * MAX_BYTES + 100_000  # the same as hex, in lines
_HEX = re.compile(rb"[0-9a-fA-F\s]*")
EXPECTED = "give hex digits, a file, or - for standard input"


@dataclass(frozen=True)
class Given:
    """Bytes, and the text that they were if they came as text."""

    raw: bytes | None  # None: the text is not hex
    text: str  # empty for a binary file
    source: str  # "argument", "standard input" or the path

    @property
    def shown(self) -> str:
        """The beginning, for a complaint."""
        if self.source != "argument":
            return self.source
        return repr(self.text[:60] + ("…" if len(self.text) > 60 else ""))

    @property
    def is_odd_hex(self) -> bool:
        """Whether it is hex but for a digit that is missing or too many."""
        return self.raw is None and bool(_HEX.fullmatch(self.text.encode(errors="replace")))

    def bytes(self, what: str) -> bytes:
        """The bytes; ExplainError if it is text, or nothing."""
        if self.raw is None:
            raise ExplainError(f"{self._complaint()}; expected {what} as hex digits, or a file")
        if not self.raw:
            raise ExplainError(f"{self.shown} holds nothing; expected {what} as hex digits")
        return self.raw

    def _complaint(self) -> str:
        compact = "".join(self.text.split())
        if compact and self.is_odd_hex:
            return f"{len(compact)} hex digits are not whole bytes: one is missing or too many"
        for place, letter in enumerate(compact):
            if not _HEX.fullmatch(letter.encode(errors="replace")):
                rest = "" if place else f", and no file {self.text[:60]!r} is here"
                if self.source != "argument":
                    rest = ""
                name = self.shown
                return f"{name} is not hex: digit {place + 1} is {letter!r}{rest}"
        return f"{self.shown} is not hex"


def read(argument: str, read_stdin: Callable[[int], bytes]) -> Given:
    """What an argument of the command line stands for."""
    if argument == "-":
        return of_bytes(read_stdin(MAX_READ + 1), "standard input")
    text = argument.strip()
    if not text:
        raise ExplainError(f"nothing was given; {EXPECTED}")
    given = of_text(text, "argument")
    if given.raw is None:
        path = Path(argument)
        try:
            if path.is_file():
                return _of_file(path)
            if path.is_dir():
                raise ExplainError(f"{argument[:200]} is a folder; {EXPECTED}")
        except (OSError, ValueError):  # too long for a path, or not to be read
            if len(argument) < 256 and "/" in argument:
                raise ExplainError(f"can't read {argument}; {EXPECTED}") from None
        if _looks_like_path(text):
            raise ExplainError(f"there is no file {text[:200]}; {EXPECTED}")
    return given


def _looks_like_path(text: str) -> bool:
    return ("/" in text and " " not in text and len(text) < 4096) or bool(
        re.fullmatch(r"[\w.-]+\.(hex|bin|txt|dat|raw|tx|json)", text)
    )


def _of_file(path: Path) -> Given:
    with path.open("rb") as file:
        return of_bytes(file.read(MAX_READ + 1), str(path))


def of_text(text: str, source: str) -> Given:
    """Text, read as hex if it is."""
    encoded = text.encode(errors="replace")
    compact = b"".join(encoded.split())
    is_hex = bool(compact) and len(compact) % 2 == 0 and _HEX.fullmatch(compact)
    return Given(bytes.fromhex(compact.decode()) if is_hex else None, text, source)


def of_bytes(data: bytes, source: str) -> Given:
    """Bytes from a file: hex in text, other text, or binary."""
    if not data.strip():
        raise ExplainError(f"{source} is empty; {EXPECTED}")
    if len(data) > MAX_READ:
        raise ExplainError(f"{source} is longer than any block: more than {MAX_READ} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Given(data, "", source)
    if not text.isascii() or not all(c.isprintable() or c.isspace() for c in text):
        return Given(data, "", source)
    return of_text(text.strip(), source)
