"""The laws of the house, as tests: floors, reading order, purity, confinement, sizes."""

import ast
import re
import statistics

import pytest

from scripts.architecture import (
    LISTED,
    ROOT,
    SourceFile,
    pure_node_modules,
    reading_list,
    reading_order,
    renew,
    rule_places,
    source_files,
)

FILES = source_files()
OURS = ("chain", "wallet", "node", "scripts")
MAY_IMPORT = {
    "chain": {"chain"},
    "wallet": {"wallet", "chain"},
    "node": {"node", "chain"},
    "scripts": {"scripts", "wallet", "node", "chain"},
}
# Lines of code: blank lines, comments and docstrings do not count; a part with a budget of its own
# does not weigh on the whole.
LINE_BUDGET = {
    "chain": 4000,
    "wallet": 4000,
    "wallet/psbt": 1000,
    "node": 6000,
    "node/mempool": 2000,
    "node/rpc": 1500,
}
IMPURE = set(
    "asyncio datetime fcntl http io logging multiprocessing os pathlib queue secrets select shutil "
    "signal socket sqlite3 subprocess tempfile threading time urllib uuid".split()
)
IMPURE_CALLS = {"open", "input", "print", "breakpoint"}
# Where each third-party library may be named.
CONFINED = {
    "plyvel": {"node/storage/leveldb.py"},
    "requests": {"node/transport.py", "wallet/client.py"},
    "urllib3": {"node/transport.py", "wallet/client.py"},
    "coincurve": {"chain/curve_libsecp.py"},
    "ecdsa": {"chain/curve_ecdsa.py"},
    "cryptography": {"wallet/sealing.py", "chain/hashes.py"},
    "mnemonic": {"wallet/mnemonic.py"},
    "waitress": {"node/server.py"},
    "platformdirs": {"scripts/cli/places.py"},
    "segno": {"scripts/cli/qr.py"},
}
CONFINED_BY_PREFIX = {
    "flask": ("node/web_", "node/app.py"),
    "werkzeug": ("node/web_", "node/app.py"),
    "click": ("scripts/cli/",),
    "rich": ("scripts/cli/",),
}


def names(files: list[SourceFile]) -> list[str]:
    return [file.name for file in files]


@pytest.mark.parametrize("file", FILES, ids=names(FILES))
def test_a_floor_imports_only_the_floors_it_may(file: SourceFile) -> None:
    for module, node in file.imports():
        floor = module.split(".")[0]
        if floor in OURS:
            assert floor in MAY_IMPORT[file.floor], f"{file.name}:{node.lineno} imports {module}"


@pytest.mark.parametrize("package", LISTED)
def test_a_packages_list_names_exactly_its_files(package: str) -> None:
    listed = {name for name, _ in reading_list(package) if name != "--"}
    folder = ROOT / package
    present = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    present |= {path.parent.name for path in folder.glob("*/__init__.py")}
    assert listed == present


def test_the_reading_order_is_the_import_order() -> None:
    place = {module: number for number, module in enumerate(reading_order())}
    wrong = []
    for file in source_files("chain", "wallet", "node"):
        for module, node in file.imports():
            if module in place and place[module] >= place[file.module]:
                wrong.append(f"{file.name}:{node.lineno} imports {module}, which is not above it")
    assert not wrong


def test_imports_stand_at_the_top_unless_they_say_that_they_are_lazy() -> None:
    wrong = []
    for file in FILES:
        lines = file.text.splitlines()
        for function in file.functions():
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    near = "\n".join(lines[max(0, node.lineno - 4) : node.lineno])
                    if "lazy" not in near:
                        wrong.append(f"{file.name}:{node.lineno}")
    assert not wrong


def pure_files() -> list[SourceFile]:
    pure = set(pure_node_modules())
    return source_files("chain") + [file for file in source_files("node") if file.module in pure]


@pytest.mark.parametrize("file", pure_files(), ids=names(pure_files()))
def test_the_core_does_no_io(file: SourceFile) -> None:
    for module, node in file.imports():
        assert module.split(".")[0] not in IMPURE, f"{file.name}:{node.lineno} imports {module}"
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in IMPURE_CALLS, (
                f"{file.name}:{node.lineno} calls {node.func.id}"
            )
        # `random.Random` is the type of the rng handed in; nothing else of the module is allowed.
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "random"
        ):
            assert node.attr == "Random", f"{file.name}:{node.lineno} uses random.{node.attr}"


@pytest.mark.parametrize("file", source_files("chain"), ids=names(source_files("chain")))
def test_chain_knows_integers_only_and_no_assert(file: SourceFile) -> None:
    for node in ast.walk(file.tree):
        where = f"{file.name}:{getattr(node, 'lineno', 0)}"
        assert not isinstance(node, ast.Div), f"{file.name} divides with /"
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), where
        assert not (isinstance(node, ast.Name) and node.id == "float"), where
        assert not isinstance(node, ast.Assert), f"{where}: an assert is gone under python -O"


@pytest.mark.parametrize("file", FILES, ids=names(FILES))
def test_third_party_libraries_are_named_in_their_one_place(file: SourceFile) -> None:
    for module, node in file.imports():
        library = module.split(".")[0]
        where = f"{file.name}:{node.lineno} names {library}"
        if library in CONFINED:
            assert file.name in CONFINED[library], where
        if library in CONFINED_BY_PREFIX:
            assert file.name.startswith(CONFINED_BY_PREFIX[library]), where


def test_sizes() -> None:
    too_long = [f"{file.name}: {file.lines} lines" for file in FILES if file.lines > 400]
    for file in FILES:
        for function in file.functions():
            length = (function.end_lineno or 0) - function.lineno + 1
            if length > 60:
                too_long.append(f"{file.name}:{function.lineno} {function.name}: {length} lines")
    assert not too_long
    median = statistics.median(file.lines for file in FILES if file.path.name != "__init__.py")
    assert 100 <= median <= 200


@pytest.mark.parametrize("floor", LINE_BUDGET)
def test_a_floor_stays_within_its_lines(floor: str) -> None:
    apart = tuple(f"{part}/" for part in LINE_BUDGET if part.startswith(f"{floor}/"))
    files = [file for file in source_files(floor) if not file.name.startswith(apart)]
    assert sum(file.code_lines for file in files) <= LINE_BUDGET[floor]


@pytest.mark.parametrize("file", FILES, ids=names(FILES))
def test_each_module_opens_with_what_it_is(file: SourceFile) -> None:
    docstring = ast.get_docstring(file.tree)
    assert docstring, f"{file.name} has no docstring"
    assert len(docstring.split()) >= 5


@pytest.mark.parametrize("file", FILES, ids=names(FILES))
def test_public_functions_say_what_they_do(file: SourceFile) -> None:
    silent = [
        f"{file.name}:{function.lineno} {function.name}"
        for node in [file.tree, *[n for n in file.tree.body if isinstance(n, ast.ClassDef)]]
        if not (isinstance(node, ast.ClassDef) and node.name.startswith("_"))
        for function in node.body
        if isinstance(function, ast.FunctionDef)
        and not function.name.startswith("_")
        and not ast.get_docstring(function)
    ]
    assert not silent


def test_every_reason_is_raised_somewhere() -> None:
    assert [name for name, places in rule_places().items() if not places] == []


def test_the_generated_parts_of_the_architecture_page_are_current() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert renew(text) == text, "run: python -m scripts.architecture --write"


def test_the_repository_names_no_place_but_itself() -> None:
    private = re.compile(r"/(work|root|home)/[a-z]")
    for file in FILES:
        assert not private.search(file.text), file.name
