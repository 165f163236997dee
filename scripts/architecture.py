"""The house as data, read from the source: floors, reading order, imports, sizes.

It parses files and runs none of them, but for the list of reasons. The laws' tests
(tests/test_laws.py) and the generated parts of ARCHITECTURE.md both stand on it:
`python -m scripts.architecture --write` renews the document.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from chain.errors import Reason

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("chain", "wallet", "node", "scripts")
# Packages whose __init__ docstring lists their files in reading order.
LISTED = (
    *("chain", "chain/script", "wallet", "wallet/psbt"),
    *("node", "node/mempool", "node/peers", "node/rpc", "node/storage"),
)
# The line of node/__init__ below which files may do I/O.
IO_LINE = "--"
# What a rule's sentence says about where the rule comes from.
ORIGIN = re.compile(r"BIP \d+(?:, \d+)*|CVE-\d+-\d+")
LIST_ENTRY = re.compile(r"^ {4}(\S+?)/?\s{2,}(\S.*)$", re.MULTILINE)


@dataclass(frozen=True)
class SourceFile:
    """One Python file: its path from the root, its text, its syntax tree."""

    path: Path

    @property
    def name(self) -> str:
        """`chain/script/machine.py`."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def module(self) -> str:
        """`chain.script.machine`; a package's __init__ is the package itself."""
        return self.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def floor(self) -> str:
        """The top-level package that the file belongs to."""
        return self.name.split("/", maxsplit=1)[0]

    @cached_property
    def text(self) -> str:
        """The file's text."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The file's syntax tree."""
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        """How many lines the file has, docstrings and blank ones included."""
        return self.text.count("\n")

    @property
    def code_lines(self) -> int:
        """How many lines hold code: without blank lines, comments and docstrings.

        What a file explains must not count against what it does.
        """
        blank = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
        code: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in (*blank, tokenize.ENDMARKER):
                code.update(range(token.start[0], token.end[0] + 1))
        return len(code - self._docstring_lines())

    def _docstring_lines(self) -> set[int]:
        lines: set[int] = set()
        for node in ast.walk(self.tree):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        return lines

    def imports(self) -> Iterator[tuple[str, ast.stmt]]:
        """Each imported module by its full name, with the statement that imports it."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from self._from_import(node, node.module)

    def _from_import(self, node: ast.ImportFrom, module: str) -> Iterator[tuple[str, ast.stmt]]:
        for alias in node.names:
            inner = ROOT / module.replace(".", "/") / alias.name
            is_module = inner.with_suffix(".py").exists() or inner.is_dir()
            yield (f"{module}.{alias.name}" if is_module else module), node

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Each function and method."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def source_files(*floors: str) -> list[SourceFile]:
    """Every Python file of the named floors (all when none is named), in order of name."""
    return [
        SourceFile(path)
        for floor in floors or FLOORS
        for path in sorted((ROOT / floor).rglob("*.py"))
        if "__pycache__" not in path.parts
    ]


def reading_list(package: str) -> list[tuple[str, str]]:
    """(file, what it is) for each line of a package's list, in order; the I/O line is (`--`, …)."""
    docstring = (
        ast.get_docstring(SourceFile(ROOT / package / "__init__.py").tree, clean=False) or ""
    )
    return LIST_ENTRY.findall(docstring)


def reading_order() -> list[str]:
    """All listed modules, ground floor first, a package's own list in the place of its line."""
    order: list[str] = []

    def descend(package: str) -> None:
        for name, _ in reading_list(package):
            inner = f"{package}/{name}"
            if inner in LISTED:
                descend(inner)
            elif name != IO_LINE:
                order.append(inner.replace("/", "."))
        order.append(package.replace("/", "."))

    for floor in ("chain", "wallet", "node"):
        descend(floor)
    return order


def pure_node_modules() -> list[str]:
    """The sans-IO half of node/: the modules listed above its I/O line, and those inside them."""
    names = [name for name, _ in reading_list("node")]
    pure = {f"node.{name}" for name in names[: names.index(IO_LINE)]}
    return [name for name in reading_order() if ".".join(name.split(".")[:2]) in pure]


def floor_table() -> str:
    """A Markdown table: each floor, what it may import, its files and lines."""
    allowed = {"chain": "nothing of ours", "wallet": "chain", "node": "chain", "scripts": "all"}
    rows = ["| floor | may import | files | lines |", "|---|---|--:|--:|"]
    for floor in FLOORS:
        files = source_files(floor)
        total = sum(file.lines for file in files)
        # Rounded, so that the table changes when the house does and not at every commit.
        rows.append(f"| `{floor}/` | {allowed[floor]} | {len(files)} | {-(-total // 250) * 250} |")
    return "\n".join(rows)


def reading_tables() -> str:
    """A Markdown list of every file in reading order, with its one line."""
    parts = []
    for package in LISTED:
        rows = [f"**`{package}/`**", ""]
        for name, what in reading_list(package):
            if name == IO_LINE:
                rows.append(f"- — *{what}*")
            else:
                path = ROOT / package / name
                target = path if path.is_dir() else path.with_suffix(".py")
                rows.append(f"- [`{name}`]({target.relative_to(ROOT).as_posix()}): {what}")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def import_table() -> str:
    """A Markdown table: each listed file and the files of the same floor that it stands on."""
    rows = ["| file | stands on |", "|---|---|"]
    by_module = {file.module: file for file in source_files("chain", "wallet", "node")}
    for module in reading_order():
        file = by_module[module]
        used = sorted({name for name, _ in file.imports() if name in by_module and name != module})
        if file.path.name != "__init__.py":
            rows.append(f"| `{module}` | {', '.join(f'`{name}`' for name in used) or '–'} |")
    return "\n".join(rows)


def rule_table() -> str:
    """A Markdown table: each consensus rule, its reject string, its origin, the code that asks."""
    rows = ["| reject reason | rule | origin | asked in |", "|---|---|---|---|"]
    places = rule_places()
    for reason in Reason:
        origin = ", ".join(ORIGIN.findall(reason.sentence)) or "older than the BIPs"
        places_of = ", ".join(places[reason.name])
        rows.append(f"| `{reason.text}` | {reason.sentence} | {origin} | {places_of} |")
    return "\n".join(rows)


def rule_places() -> dict[str, list[str]]:
    """For each name of a Reason, links to the functions of chain/ that raise it."""
    places: dict[str, list[str]] = {reason.name: [] for reason in Reason}
    for file in source_files("chain"):
        for function in file.functions():
            link = f"[`{file.path.stem}.{function.name.lstrip('_')}`]({file.name})"
            for name in dict.fromkeys(_reasons_raised(function)):
                places[name].append(link)
    return places


def _reasons_raised(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for statement in ast.walk(function):
        if isinstance(statement, ast.Raise):
            for node in ast.walk(statement):
                if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Reason":
                    yield node.attr


GENERATED = {
    "floors": floor_table,
    "rules": rule_table,
    "reading order": reading_tables,
    "imports": import_table,
}


def renew(text: str) -> str:
    """The document with each part between its `<!-- generated: … -->` marks made anew."""
    for name, make in GENERATED.items():
        begin, end = f"<!-- generated: {name} -->\n", "<!-- end -->"
        head, mark, rest = text.partition(begin)
        if mark:
            text = head + begin + make() + "\n" + end + rest.partition(end)[2]
    return text


def main(document: Path = ROOT / "ARCHITECTURE.md") -> None:
    """Print the renewed ARCHITECTURE.md, or write it with --write."""
    renewed = renew(document.read_text(encoding="utf-8"))
    if "--write" in sys.argv[1:]:
        document.write_text(renewed, encoding="utf-8")
    else:
        sys.stdout.write(renewed)


if __name__ == "__main__":
    main()
