"""QR codes: a line of text drawn for a terminal, or as SVG for paper and pages.

The only file that names segno. What the line says is not known here.
"""

import io
from typing import BinaryIO

import segno

BORDER = 4  # modules of quiet zone around it, as ISO/IEC 18004 asks
SCALE = 8  # pixels a module
WHITE_ON_BLACK, PLAIN = "\x1b[97;40m", "\x1b[0m"


def draw(text: str) -> str:
    """The code in half blocks, whose blanks are the dark modules; coloured, as terminals differ."""
    page = io.StringIO()
    _code(text).terminal(page, border=BORDER, compact=True)
    return "\n".join(f"{WHITE_ON_BLACK}{line}{PLAIN}" for line in page.getvalue().splitlines())


def write_svg(text: str, file: BinaryIO) -> None:
    """The code as an SVG image, dark on white."""
    _code(text).save(file, kind="svg", scale=SCALE, border=BORDER, light="white")


def _code(text: str) -> segno.QRCode:
    """Level M mends 15% of damage: enough for a screen or a sheet of paper."""
    return segno.make(text, error="m", micro=False)
