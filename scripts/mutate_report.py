"""The report: what became of each mutant, and which survivors a proof excuses.

Knows the list of equivalents (mutate_equivalents.toml) and how all is shown. Does not know how a
mutant is judged (mutate_run).
"""

import json
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.mutants import Mutant
from scripts.mutate_run import Outcome

EQUIVALENTS = "scripts/mutate_equivalents.toml"


@dataclass(frozen=True)
class Equivalent:
    """A mutant that no test can notice, and why. Found by its text, not by its line's number."""

    file: str
    function: str  # `Machine.pop`; empty outside of functions
    line: str  # as it is written, without its indent
    becomes: str  # what the mutant makes of it
    why: str

    def covers(self, mutant: Mutant) -> bool:
        """True for the mutant that is meant."""
        is_there = (self.file, self.function) == (mutant.file, mutant.function)
        return is_there and (self.line, self.becomes) == (mutant.source, mutant.becomes)


@dataclass
class Report:
    """What became of every mutant."""

    outcomes: dict[Mutant, Outcome]
    equivalents: Sequence[Equivalent]
    expected: int
    seconds: float = 0.0
    cpu_seconds: float = 0.0  # of the children: what it would take on one free core

    def is_excused(self, mutant: Mutant) -> bool:
        """True if a proof says that no test can notice it."""
        return any(equivalent.covers(mutant) for equivalent in self.equivalents)

    def is_survivor(self, mutant: Mutant) -> bool:
        """True if no test noticed it, and no proof excuses that."""
        survived = self.outcomes[mutant] in (Outcome.SURVIVED, Outcome.BROKEN)
        return survived and not self.is_excused(mutant)

    @property
    def survivors(self) -> list[Mutant]:
        """Those that no test noticed, and no proof excuses."""
        return [mutant for mutant in self.outcomes if self.is_survivor(mutant)]

    @property
    def stale(self) -> list[Equivalent]:
        """Excuses without a survivor, of the files that were looked at, if all was looked at."""
        if len(self.outcomes) < self.expected:
            return []
        files = {mutant.file for mutant in self.outcomes}
        survived = [m for m, outcome in self.outcomes.items() if outcome is Outcome.SURVIVED]
        return [
            equivalent
            for equivalent in self.equivalents
            if equivalent.file in files and not any(map(equivalent.covers, survived))
        ]

    def as_text(self) -> str:
        """The stale excuses, and one line of figures; survivors have been shown by then."""
        lines = [
            f"{EQUIVALENTS}: no survivor is like this: {e.file}: {e.becomes}" for e in self.stale
        ]
        return "\n".join([*lines, self.summary()])

    def as_json(self) -> str:
        """All of it, for programs."""
        survivors = [
            {**vars(mutant), "outcome": self.outcomes[mutant].value} for mutant in self.survivors
        ]
        figures = {
            "mutants": self.expected,
            "judged": len(self.outcomes),
            "seconds": round(self.seconds, 1),
            "cpu_seconds": round(self.cpu_seconds, 1),
            **{outcome.value: 0 for outcome in Outcome},
            **{outcome.value: count for outcome, count in Counter(self.outcomes.values()).items()},
        }
        stale = [vars(equivalent) for equivalent in self.stale]
        return json.dumps({**figures, "survivors": survivors, "stale": stale}, indent=2)

    def summary(self) -> str:
        """One line of figures."""
        counts = Counter(self.outcomes.values())
        excused = counts[Outcome.SURVIVED] + counts[Outcome.BROKEN] - len(self.survivors)
        left = self.expected - len(self.outcomes)
        unjudged = f"; no time was left for {left}" if left else ""
        time_taken = f"{self.seconds:.0f} s ({self.cpu_seconds:.0f} s of CPU)"
        return (
            f"{len(self.outcomes)} mutants in {time_taken}: "
            f"{counts[Outcome.KILLED]} killed, {counts[Outcome.TIMED_OUT]} timed out, "
            f"{excused} equivalent, {len(self.survivors)} survived{unjudged}"
        )


def read_equivalents(root: Path) -> list[Equivalent]:
    """The excuses that a project lists."""
    listed = tomllib.loads((root / EQUIVALENTS).read_text(encoding="utf-8"))
    return [Equivalent(**entry) for entry in listed.get("equivalent", [])]


def where(mutant: Mutant) -> str:
    """Place and kind of a mutant, as an editor finds it."""
    return f"{mutant.file}:{mutant.line}: {mutant.function or 'module'}: {mutant.change}"


def describe(mutant: Mutant, outcome: Outcome) -> str:
    """Place, kind, outcome, and the line before and after."""
    text = f"{where(mutant)}: {outcome.value}\n{mutant.difference}"
    return text.replace("\n", "\n    ")
