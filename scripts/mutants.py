"""Mutants: small wrongs that can be written into a source file, one at a time.

A rule is taken away (its raise, its call, one of its conditions), a limit moves by one, a
comparison or an operator becomes its neighbour. Knows syntax; does not know tests (mutate_run), and
changes no file. What stands in annotations, docstrings, decorators and f-strings is left alone: it
decides nothing, or speaks to people. Read beside it: the documentation of Python's ast.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}
# Fields of syntax nodes that are not looked into.
SILENT_FIELDS = {"annotation", "returns", "decorator_list", "type_comment"}
SILENT_KEYWORDS = {"strict", "usedforsecurity"}


@dataclass(frozen=True)
class Mutant:
    """One wrong: bytes `start` to `end` of a file's text are replaced by `after`."""

    file: str  # path from the root
    line: int
    statement: tuple[int, int]  # first and last line of the statement, a compound one's head only
    function: str  # `Machine.pop`; empty outside of functions
    change: str  # `raise removed`
    source: str  # the line as it is written, without its indent
    before: str
    after: str
    column: int  # of the change in `source`, in bytes
    start: int
    end: int

    @property
    def module(self) -> str:
        """The name by which the file is imported."""
        return self.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def apply(self, text: str) -> str:
        """The file's text with this wrong in it."""
        raw = text.encode()
        return (raw[: self.start] + self.after.encode() + raw[self.end :]).decode()

    @property
    def becomes(self) -> str:
        """The line with this wrong in it; of a change over several lines, what they become."""
        if "\n" in self.before:
            return self.after
        line, end = self.source.encode(), self.column + len(self.before.encode())
        return (line[: self.column] + self.after.encode() + line[end:]).decode()

    @property
    def difference(self) -> str:
        """What was, and what takes its place, as a reader of diffs expects."""
        was = self.before if "\n" in self.before else self.source
        return f"- {was}\n+ {self.becomes}"


@dataclass(frozen=True)
class _Change:
    node: ast.expr | ast.stmt
    name: str
    after: str


def mutants(file: str, text: str) -> list[Mutant]:
    """Every mutant of a file, in the order of its text."""
    lines = text.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found = []
    for function, statement, change in _walk(ast.parse(text), "", (1, 1)):
        node = change.node
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        line = lines[node.lineno - 1]
        indent = len(line) - len(line.lstrip())
        found.append(
            Mutant(
                file,
                node.lineno,
                statement,
                function,
                change.name,
                line.decode().strip(),
                text.encode()[start:end].decode(),
                change.after,
                node.col_offset - indent,
                start,
                end,
            )
        )
    return sorted(found, key=lambda mutant: mutant.start)


def _walk(
    node: ast.AST, function: str, statement: tuple[int, int]
) -> Iterator[tuple[str, tuple[int, int], _Change]]:
    """The changes within `node`, each with the function and the statement that it stands in."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        function = f"{function}.{node.name}".lstrip(".")
    if isinstance(node, ast.stmt):
        body = getattr(node, "body", None)
        last = body[0].lineno - 1 if body else node.end_lineno or 0
        statement = node.lineno, max(node.lineno, last)
    for change in _changes(node):
        yield function, statement, change
    if isinstance(node, ast.JoinedStr) or _number(node) is not None:
        return
    for name, value in ast.iter_fields(node):
        if name in SILENT_FIELDS:
            continue
        for child in value if isinstance(value, list) else [value]:
            is_silent = isinstance(child, ast.keyword) and child.arg in SILENT_KEYWORDS
            if isinstance(child, ast.AST) and not is_silent:
                yield from _walk(child, function, statement)


def _changes(node: ast.AST) -> Iterator[_Change]:
    """The changes of `node` itself."""
    number = _number(node)
    if number is not None and isinstance(node, ast.expr):
        yield _Change(node, "one more", str(number + 1))
        yield _Change(node, "one less", str(number - 1))
        return
    match node:
        case ast.Raise():
            yield _Change(node, "raise removed", "pass")
        case ast.Expr(value=ast.Call()):
            yield _Change(node, "call removed", "pass")
        case ast.AugAssign() | ast.Continue() | ast.Break() | ast.Delete():
            yield _Change(node, "statement removed", "pass")
        case ast.Constant(value=bool(flag)):
            yield _Change(node, "truth turned", str(not flag))
        case ast.Compare():
            yield from _comparisons(node)
        case ast.BoolOp():
            yield from _conditions(node)
        case ast.UnaryOp(op=ast.Not()):
            yield _Change(node, "not removed", f"({ast.unparse(node.operand)})")
        case ast.If() | ast.IfExp() | ast.While():
            if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
                yield _Change(node.test, "condition turned", f"(not {ast.unparse(node.test)})")
        case ast.BinOp() if type(node.op) in OPERATORS:
            other = ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
            yield _Change(node, "operator", f"({ast.unparse(other)})")
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
            yield _Change(node.func, "function", FUNCTIONS[name])


def _comparisons(node: ast.Compare) -> Iterator[_Change]:
    for place, operator in enumerate(node.ops):
        operators = [*node.ops]
        operators[place] = COMPARISONS[type(operator)]()
        other = ast.Compare(node.left, operators, node.comparators)
        yield _Change(node, "comparison", f"({ast.unparse(other)})")


def _conditions(node: ast.BoolOp) -> Iterator[_Change]:
    other = ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    yield _Change(node, "connective", f"({ast.unparse(other)})")
    for place in range(len(node.values)):
        values = [*node.values[:place], *node.values[place + 1 :]]
        rest = ast.BoolOp(node.op, values) if len(values) > 1 else values[0]
        yield _Change(node, "condition removed", f"({ast.unparse(rest)})")


def _number(node: ast.AST) -> int | None:
    """The value of an expression made of written integers only: `2 * 60 * 60`."""
    match node:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))):
            return -number
        case ast.BinOp() if _number(node.left) is not None and _number(node.right) is not None:
            value: object = eval(ast.unparse(node), {})  # nothing but integers and operators
            return value if isinstance(value, int) else None
    return None
