"""What is said of one parser."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from chain.encoding import Reader


@dataclass(frozen=True)
class Parser:
    """A line of the table."""

    name: str
    parse: Callable[[Any], Any]
    """Bytes or text to a value."""
    write: Callable[[Any], Any] | None
    """The inverse; None where there is none: then `values` are inputs."""
    values: st.SearchStrategy[Any] | None
    """What there is to write, made up; None if only its cost is looked at."""
    refusal: type[Exception] | tuple[type[Exception], ...]
    """What it raises for anything that is not the thing, and nothing else."""
    one_spelling: bool = True
    """Whether what is accepted is exactly what would be written."""
    hostile: dict[str, Callable[[], Any]] = field(default_factory=dict)
    """Names of inputs of 4 MB that might cost much, and how to make each."""
    normal: Callable[[], Any] | None = None
    """An honest input of 4 MB, to compare with; a block of payments where there is none."""

    def __str__(self) -> str:
        return self.name


def whole(read: Callable[[Reader], Any]) -> Callable[[bytes], Any]:
    """The parser that reads one thing and demands the end behind it."""

    def parse(data: bytes) -> Any:
        reader = Reader(data)
        value = read(reader)
        reader.finish()
        return value

    return parse
