"""Places in the source: the file and line of a function, of a table's row, of a `raise`.

All are read from the running code, so that none of them goes stale. Does not know what the code
there does (rules).
"""

import ast
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType, TracebackType

from chain import encoding

ROOT = Path(encoding.__file__).resolve().parent.parent


def _place(file: str, line: int) -> str:
    path = Path(file).resolve()
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else Path(path.name)
    return f"{name.as_posix()}:{line}"


def of_code(code: CodeType) -> str:
    """`chain/script/machine.py:95`: where the code of a function begins."""
    return _place(code.co_filename, code.co_firstlineno)


def of_function(function: Callable[..., object]) -> str:
    """Where a function begins."""
    return of_code(function.__code__)


def of_named(module: ModuleType, *names: str) -> str:
    """The first of these functions that a module has; the module itself if it has none."""
    for name in names:
        function = getattr(module, name, None)
        if function is not None:
            return of_function(function)
    return _place(inspect.getsourcefile(module) or "", 1)


def of_raise(trace: TracebackType | None) -> tuple[str, str]:
    """The line that raised what `trace` is the traceback of, and the function that it is in."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "", ""
    code = trace.tb_frame.f_code
    return _place(code.co_filename, trace.tb_lineno), code.co_name


@cache
def of_rows(module: ModuleType) -> dict[str, str]:
    """Where each opcode has its row in the tables of a module: `OP_DUP` to a place."""
    file, rows = inspect.getsourcefile(module) or "", {}
    try:
        source = inspect.getsource(module)
    except OSError:  # installed without its source
        return {}
    for node in ast.walk(ast.parse(source)):
        for key in node.keys if isinstance(node, ast.Dict) else ():
            if isinstance(key, ast.Attribute) and key.attr.startswith("OP_"):
                rows[key.attr] = _place(file, key.lineno)
    return rows
