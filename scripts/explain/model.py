"""An explanation: named fields with their bytes, in sections, with problems and scripts run.

Knows how it is written as JSON; does not know what it explains, nor how people are shown it
(scripts/cli/explain_views.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.explain.debugger import Run

Value = str | int | bool | None
Json = dict[str, object]


class ExplainError(Exception):
    """What was given can't be explained; one line that says why and what was expected."""


@dataclass(frozen=True)
class Field:
    """One thing that is said: a name, a value, what it means, and the bytes that say it."""

    name: str
    value: Value
    meaning: str = ""
    raw: bytes | None = None
    start: int | None = None  # place of the first of the bytes

    def to_json(self) -> Json:
        """Bytes as hex, their range as `start` and `end`."""
        entry: Json = {"name": self.name, "value": self.value, "meaning": self.meaning}
        if self.raw is not None:
            entry["hex"] = self.raw.hex()
            if self.start is not None:
                entry |= {"start": self.start, "end": self.start + len(self.raw)}
        return entry


@dataclass(frozen=True)
class Table:
    """Rows under named columns; a column whose name ends in `>` holds numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]

    def to_json(self) -> list[Json]:
        """One object for each row."""
        names = [column.rstrip(">") for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Section:
    """Fields that belong together, and what is inside them."""

    title: str
    fields: Sequence[Field] = ()
    sections: Sequence["Section"] = ()
    table: Table | None = None
    picture: Sequence[str] = ()  # lines to show as they are

    def to_json(self) -> Json:
        """Without the picture, which says nothing new."""
        entry: Json = {"title": self.title, "fields": [each.to_json() for each in self.fields]}
        if self.sections:
            entry["sections"] = [section.to_json() for section in self.sections]
        if self.table is not None:
            entry["rows"] = self.table.to_json()
        return entry


@dataclass(frozen=True)
class Problem:
    """A rule that is broken: Core's name for it, the rule in a sentence, and where it is asked."""

    code: str
    rule: str
    where: str
    detail: str = ""

    def to_json(self) -> Json:
        """All four."""
        return {"code": self.code, "rule": self.rule, "where": self.where, "detail": self.detail}


@dataclass(frozen=True)
class Explanation:
    """All that is said of one thing."""

    kind: str  # script, tx, block, header, address or message
    title: str
    facts: Sequence[Field] = ()
    sections: Sequence[Section] = ()
    problems: Sequence[Problem] = ()
    runs: Sequence["Run"] = ()
    hints: Sequence[str] = ()  # what to do to be told more
    guess: str = ""  # the kind, if it was not named

    def to_json(self) -> Json:
        """`facts` as one object, so that a program finds `txid` or `fee` by name."""
        return {
            "kind": self.kind,
            "title": self.title,
            "facts": {fact.name: fact.value for fact in self.facts},
            "sections": [section.to_json() for section in self.sections],
            "problems": [problem.to_json() for problem in self.problems],
            "runs": [run.to_json() for run in self.runs],
        }
