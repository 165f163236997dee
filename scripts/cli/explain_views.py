"""How an explanation looks: lines of text for a page of any width, with colour where one is shown.

Nothing is left out for want of room but the middle of long hex, and that only in steps, in grids
and beside a field; `--json` has all of it.
"""

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

import click

from scripts.explain.debugger import Check, Run, StepRecord
from scripts.explain.flags import flags_text
from scripts.explain.model import Explanation, Field, Problem, Section, Table, Value
from scripts.explain.signatures import describe

PIPED_WIDTH, LEAST_WIDTH, GREATEST_WIDTH = 100, 60, 160  # columns
WIDE = 100  # columns from which on there is room for paths and longer hex
SHOWN_VALUE = 2_000  # characters of a value
SHOWN_ALIKE = 20  # sections of a kind
SHOWN_STACK = 8  # elements of a stack, from the top
LONGEST_WORD = 34  # columns: a place in the source
LEAST_COLUMN = 12  # columns of a grid's column that must give way


def page_width() -> int:
    """Columns of the terminal, within reason; a fixed number where there is none."""
    if not sys.stdout.isatty():
        return PIPED_WIDTH
    return min(max(shutil.get_terminal_size().columns, LEAST_WIDTH), GREATEST_WIDTH)


def bold(text: str) -> str:
    """For names and headings."""
    return click.style(text, bold=True)


def dim(text: str) -> str:
    """For what may be skipped in reading."""
    return click.style(text, dim=True)


def good(text: str) -> str:
    """For what holds."""
    return click.style(text, fg="green", bold=True)


def bad(text: str) -> str:
    """For what does not."""
    return click.style(text, fg="red", bold=True)


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width`; a word that is longer, such as a hash, is broken."""
    return textwrap.wrap(text, max(width, 8), break_on_hyphens=False) or [""]


def shorten(text: str, width: int) -> str:
    """The text, or its beginning and end."""
    if len(text) <= width:
        return text
    tail = max((width - 1) // 3, 0)
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def lines_of(explanation: Explanation, width: int) -> Iterator[str]:
    """The page, without the scripts that were run."""
    if explanation.guess:
        yield dim(explanation.guess)
    yield from (bold(line) for line in wrap(explanation.title, width))
    yield from field_lines(explanation.facts, width, with_bytes=False)
    yield from sections_lines(explanation.sections, width)
    if explanation.problems:
        yield ""
        yield bad("Broken rules")
        for problem in explanation.problems:
            yield from problem_lines(problem, width)


def sections_lines(sections: Sequence[Section], width: int) -> Iterator[str]:
    """Sections with a blank line before each; of many alike (inputs, outputs) the first few."""
    seen: Counter[str] = Counter()
    for section in sections:
        seen[section.title.split()[0]] += 1
        if seen[section.title.split()[0]] <= SHOWN_ALIKE:
            yield ""
            yield from section_lines(section, width)
    for word, count in seen.items():
        if count > SHOWN_ALIKE:
            yield ""
            yield dim(f"… and {count - SHOWN_ALIKE} more like {word} 0; --json has all of them")


def hint_lines(explanation: Explanation, width: int) -> Iterator[str]:
    """What to do to be told more."""
    for hint in explanation.hints:
        yield ""
        yield from (dim(line) for line in wrap(hint, width))


def problem_lines(problem: Problem, width: int) -> Iterator[str]:
    """Core's string, the rule, the place."""
    detail = f": {problem.detail}" if problem.detail else ""
    yield from (f"  {bad(line)}" for line in wrap(problem.code + detail, width - 2))
    yield from (f"    {line}" for line in wrap(f"rule: {problem.rule}", width - 4))
    yield f"    {dim(problem.where)}"


def section_lines(section: Section, width: int, indent: str = "") -> Iterator[str]:
    """A heading, fields, a picture, a grid, and what is inside."""
    yield from (indent + bold(line) for line in wrap(section.title, width - len(indent)))
    room = width - len(indent)
    if section.fields:
        yield from (indent + line for line in field_lines(section.fields, room))
    yield from (f"{indent}  {line}" for line in section.picture)
    if section.table is not None:
        yield from (indent + line for line in grid_lines(section.table, room))
    for inner in section.sections:
        yield from section_lines(inner, width, indent + "  ")


def shown(value: Value) -> str:
    """A value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def field_lines(fields: Sequence[Field], width: int, with_bytes: bool = True) -> Iterator[str]:
    """One field after the other: its place, its bytes, its name, its value, what it means."""
    with_bytes = with_bytes and any(each.raw is not None for each in fields)
    name_width = min(max((len(each.name) for each in fields), default=0), 22)
    byte_width = 17 if width > PIPED_WIDTH else 9
    for each in fields:
        head = "  "
        if with_bytes:
            at = "" if each.start is None else str(each.start)
            raw = shorten((each.raw or b"").hex(), byte_width)
            head += f"{at:>5} {raw:<{byte_width}} "
        room = " " * (len(head) + name_width + 1)
        value = shown(each.value)
        if " " not in value and len(room) + len(value) > width >= len(value) + 6:
            # A hash that is in one piece can be copied.
            first, *more = wrap(each.meaning, width - len(room))
            name = f"{each.name:<{name_width}} {dim(first)}" if first else each.name
            yield dim(head) + name
            yield from (room + dim(line) for line in more)
            yield value.rjust(width)
            continue
        body = value_lines(each, width - len(room))
        yield f"{dim(head)}{each.name:<{name_width}} {body[0]}"
        yield from (room + line for line in body[1:])


def value_lines(each: Field, width: int) -> list[str]:
    """The value, and its meaning beside it if there is room, else below."""
    value, meaning = shorten(shown(each.value), SHOWN_VALUE), each.meaning
    if not meaning:
        return wrap(value, width)
    if not value:
        return [dim(line) for line in wrap(meaning, width)]
    if len(value) + 2 + len(meaning) <= width:
        return [f"{value}  {dim(meaning)}"]
    return wrap(value, width) + [dim(line) for line in wrap(meaning, width)]


def grid_lines(table: Table, width: int) -> Iterator[str]:
    """A table whose text is folded, whose hex is shortened, and which fits the page."""
    names = [column.rstrip(">") for column in table.columns]
    rights = [column.endswith(">") for column in table.columns]
    rows = [
        [_cell(cell, name, width) for cell, name in zip(row, names, strict=True)]
        for row in table.rows
    ]
    widths = _column_widths([names, *rows], width - 2)

    def line(parts: Sequence[str]) -> str:
        padded = zip(parts, widths, rights, strict=True)
        return "  " + "  ".join(_padded(*part) for part in padded).rstrip()

    yield dim(line(names))
    for row in rows:
        cells = [_folded(cell, size) for cell, size in zip(row, widths, strict=True)]
        for number in range(max(map(len, cells))):
            yield line([cell[number] if number < len(cell) else "" for cell in cells])


def _cell(cell: Value, name: str, width: int) -> str:
    text = shown(cell)
    if width < WIDE and name == "where":
        return text.rpartition("/")[2]
    return text


def _folded(text: str, width: int) -> list[str]:
    """Text over several lines; hex and names on one."""
    return wrap(text, width) if " " in text else [shorten(text, width)]


def _padded(text: str, width: int, is_right: bool) -> str:
    return text.rjust(width) if is_right else text.ljust(width)


def _column_widths(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """As wide as their cells; where that is too much, what can be folded gives way first."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    longest = [
        max(len(word) for cell in column for word in cell.split() or [""]) for column in columns
    ]
    # Hex longer than that is shortened; other words stay whole as long as there is room.
    floors = [size if size <= LONGEST_WORD else LEAST_COLUMN for size in longest]
    for least in (floors, [LEAST_COLUMN] * len(widths)):
        while sum(widths) + 2 * (len(widths) - 1) > width:
            room = [wide - max(low, LEAST_COLUMN) for wide, low in zip(widths, least, strict=True)]
            if max(room) <= 0:
                break
            widths[room.index(max(room))] -= 1
    return widths


def run_lines(run: Run, width: int) -> Iterator[list[str]]:
    """The steps of a run, each as the lines that belong together, and last the verdict."""
    yield ["", bold(f"{run.title}, one step at a time"), dim(_rules(run, width))]
    for number, step in enumerate(run.steps, 1):
        yield list(step_lines(number, step, width))
    if run.skipped:
        yield [f"      … {run.skipped} more steps, which are not shown"]
    yield list(verdict_lines(run, width))


def _rules(run: Run, width: int) -> str:
    return "\n".join(wrap(f"rules: {flags_text(run.flags)}", width))


def step_lines(number: int, step: StepRecord, width: int) -> Iterator[str]:
    """Number, script, instruction, place; the rule; what was asked; the stack that it leaves."""
    place = "" if step.offset is None else f" @{step.offset}"
    where = step.where if width >= WIDE else step.where.rpartition("/")[2]
    head = f"{number:>4}  {step.script}{place}  "
    room = width - len(head) - len(step.name)
    if len(where) + 2 <= room:
        yield f"{head}{bold(step.name)}{dim(where.rjust(room))}"
    else:
        yield f"{head}{bold(step.name)}"
        yield dim(where.rjust(width))
    if not step.is_executed:
        yield dim("      not run: in a branch that is not taken")
        return
    data = f" {step.data.hex()}" if step.data else ""
    yield from (f"      {line}" for line in wrap(step.rule, width - 6))
    if data:
        yield f"      pushes{shorten(data, width - 12)}"
    for name, value in step.facts.items():
        yield f"      {name:<16} {shorten(value, width - 23)}"
    for check in step.checks:
        yield from check_lines(check, width)
    if step.offset == 0 and step.before:
        yield from stack_lines(step.before, width, "begins")
    if step.opcode is not None and step.after is not None:
        yield from stack_lines(step.after, width)
    if step.altstack:
        aside = " ".join(shorten(item.hex(), 18) for item in step.altstack[-4:])
        yield f"      put aside    {aside}"


def check_lines(check: Check, width: int) -> Iterator[str]:
    """A question to the transaction, and its answer."""
    answer = good("yes") if check.is_good else bad("no")
    yield f"      {check.question} {answer}"
    for name, value in check.facts.items():
        first, *more = wrap(value, width - 23) if " " in value else [shorten(value, width - 23)]
        yield f"        {name:<12} {first}"
        yield from (" " * 21 + line for line in more)


def stack_lines(stack: Sequence[bytes], width: int, label: str = "stack") -> Iterator[str]:
    """The elements, the top first; numbers and sizes beside them."""
    if not stack:
        yield f"      {label:<6} {dim('(empty)')}"
    for place, item in enumerate(reversed(stack[-SHOWN_STACK:])):
        mark = f"{label:<6} top" if place == 0 else " " * 10
        note = element_note(item)
        text = shorten(item.hex() or "''", width - 20 - len(note))
        yield f"      {mark}  {text}  {dim(note)}".rstrip()
    if len(stack) > SHOWN_STACK:
        yield f"                  {dim(f'and {len(stack) - SHOWN_STACK} more below')}"


def element_note(item: bytes) -> str:
    """What an element may be."""
    if not item:
        return "empty: 0, false"
    if len(item) <= 4:
        number = int.from_bytes(item, "little")
        sign = 1 << 8 * len(item) - 1
        return f"number {sign - number if number & sign else number}"
    what = describe(item)
    return f"{len(item)} bytes, {what}" if what else f"{len(item)} bytes"


def verdict_lines(run: Run, width: int) -> Iterator[str]:
    """How it ended, and if badly: Core's code and sentence, the `raise`, the stack before it."""
    yield ""
    if run.is_good:
        what = "the script ends true" if run.title == "script" else "the spend is good"
        yield f"{good('OK')}  {what}"
        return
    yield from (bad(line) for line in wrap(f"FAILS  {run.code}: {run.text}", width))
    if run.where:
        yield f"  refused at   {run.where}"
    last = run.steps[-1] if run.steps else None
    if last is not None and last.after is None and last.opcode is not None:
        yield f"  in step      {len(run.steps)}, {last.name} of {last.script}"
        yield from stack_lines(last.before, width, "before")
