"""QR codes, read back by ZXing, which nobody here wrote, from the terminal and from the SVG."""

import io
import re
from xml.etree import ElementTree

import pytest
import zxingcpp

from scripts.cli.qr import draw, write_svg

TEXTS = [
    "BITCOIN:BCRT1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT080",
    "bitcoin:bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080?amount=0.4&label=Caf%C3%A9",
    "bitcoin:" + "x" * 700,
]
COLOURS = "\x1b[97;40m"
Rows = list[list[int]]


def scan(rows: Rows) -> list[str]:
    """What a scanner reads in rows of pixels, 0 for black and 255 for white, enlarged."""
    large = [bytes(pixel for pixel in row for _ in range(4)) for row in rows for _ in range(4)]
    image = memoryview(b"".join(large)).cast("B", (len(large), len(large[0])))
    return [found.text for found in zxingcpp.read_barcodes(image)]


def terminal_pixels(drawn: str) -> Rows:
    """Half blocks in white, as on a dark terminal."""
    lines = [line.removeprefix(COLOURS).removesuffix("\x1b[0m") for line in drawn.splitlines()]
    upper = {"█": 255, "▀": 255, "▄": 0, " ": 0}
    lower = {"█": 255, "▀": 0, "▄": 255, " ": 0}
    return [[half[c] for c in line] for line in lines for half in (upper, lower)]


def svg_pixels(page: bytes) -> Rows:
    """The dark strokes of the picture's path: `M x y`, then `m` moves and `h` draws, in modules."""
    root = ElementTree.fromstring(page)
    path = root.find(".//{*}path[@stroke]")
    assert path is not None
    (scaling,) = [e.attrib["transform"] for e in root.iter() if "transform" in e.attrib]
    scale = int(scaling.removeprefix("scale(").removesuffix(")"))
    size = int(root.attrib["width"]) // scale
    rows = [[255] * size for _ in range(size)]
    x = y = 0.0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", path.attrib["d"]):
        if command == "h":
            rows[int(y)][int(x) : int(x) + int(numbers)] = [0] * int(numbers)
            x += int(numbers)
        else:
            right, down = map(float, numbers.split())
            x, y = (right, down) if command == "M" else (x + right, y + down)
    return rows


@pytest.mark.parametrize("text", TEXTS)
def test_a_code_in_a_terminal_reads_as_what_was_written(text: str) -> None:
    assert scan(terminal_pixels(draw(text))) == [text]


def test_a_terminal_of_any_colour_shows_white_on_black() -> None:
    for line in draw(TEXTS[0]).splitlines():
        assert line.startswith(COLOURS) and line.endswith("\x1b[0m")


@pytest.mark.parametrize("text", TEXTS)
def test_a_code_on_paper_reads_as_what_was_written(text: str) -> None:
    file = io.BytesIO()
    write_svg(text, file)
    assert scan(svg_pixels(file.getvalue())) == [text]


def test_capitals_make_a_smaller_code() -> None:
    small, large = (len(draw(text)) for text in (TEXTS[0], TEXTS[0].lower()))
    assert small < large
