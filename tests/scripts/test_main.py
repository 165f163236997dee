"""The root command: help, exit codes, one line for whatever goes wrong."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from scripts.cli import common
from scripts.cli.common import coins, plural, print_table, run
from scripts.cli.main import root
from scripts.network import NetworkError
from tests.scripts.conftest import CommandLine

FARTHING = [sys.executable, "-m", "farthing"]


def commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


COMMANDS = dict(commands(root))


def test_these_are_the_commands() -> None:
    leaves = {" ".join(words) for words, command in COMMANDS.items() if len(words) == 2}
    assert leaves == {
        "testnet up",
        "testnet status",
        "testnet down",
        "testnet mine",
        "testnet faucet",
        "testnet logs",
        "wallet create",
        "wallet restore",
        "wallet list",
        "wallet address",
        "wallet addresses",
        "wallet label",
        "wallet balance",
        "wallet history",
        "wallet send",
        "wallet bump",
        "wallet cancel",
        "wallet coins",
        "wallet freeze",
        "wallet unfreeze",
        "wallet accounts",
        "wallet backup",
        "wallet check",
        "wallet export",
        "wallet lock",
        "wallet password",
        "wallet unlock",
        "wallet watch",
        "psbt key",
        "psbt multisig",
        "psbt descriptor",
        "psbt address",
        "psbt create",
        "psbt decode",
        "psbt sign",
        "psbt combine",
        "psbt finalize",
        "psbt extract",
        "node run",
        "node watch",
        "node import",
        "node export",
        "node reindex",
        "explain script",
        "explain refusal",
        "explain tx",
        "explain block",
        "explain address",
        "explain message",
        "explain anything",
    }


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example_and_can_print_json(
    cli: CommandLine, words: tuple[str, ...]
) -> None:
    for asked in ("--help", "-h"):
        shown = cli(*words, asked)
        assert "Example" in shown
        assert f"farthing {' '.join(words)}" in shown.replace("\n", " ")
        if len(words) == 2 and words != ("node", "run"):  # a node's facts are its API's to tell
            assert "--json" in shown


def test_no_option_goes_without_a_word_about_it() -> None:
    for words, command in COMMANDS.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{' '.join(words)} {parameter.name}"


def test_every_wallet_that_is_to_be_there_is_completed(cli: CommandLine) -> None:
    (cli.home / "wallets").mkdir()
    (cli.home / "wallets" / "alice.wallet").touch()
    for words, command in COMMANDS.items():
        for parameter in command.params:
            if isinstance(parameter, click.Argument) and parameter.name == "name":
                found = parameter.shell_complete(click.Context(command), "al")
                is_new = words[0] == "wallet" and words[1] in {"create", "restore", "watch"}
                assert [item.value for item in found] == ([] if is_new else ["alice"]), words


def test_the_root_lists_the_groups_and_the_version(cli: CommandLine) -> None:
    shown = cli("--help")
    assert [shown.index(f"\n  {name} ") for name in ("testnet", "wallet", "node", "explain")]
    assert cli("--version").startswith("farthing, version ")


def test_nothing_to_do_shows_the_help(cli: CommandLine) -> None:
    for words in ([], ["wallet"]):
        ran = cli.run(*words)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("Usage: farthing")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["wallte"], "No such command 'wallte'. Did you mean 'wallet'? See: farthing --help"),
        (
            ["wallet", "crate"],
            "No such command 'crate'. Did you mean 'create'? See: farthing wallet --help",
        ),
        (
            ["wallet", "send", "alice"],
            "Missing argument '(ADDRESS AMOUNT | URI)...'. See: farthing wallet send --help",
        ),
        (
            ["node", "watch", "a", "b"],
            "Got unexpected extra argument (b). See: farthing node watch",
        ),
        (["testnet", "mine", "0"], "'[COUNT]': 0 is not in the range 1<=x<=1000. See: farthing"),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_help(
    cli: CommandLine, words: list[str], line: str
) -> None:
    assert line in cli.refusal(*words, code=2)


def test_help_waits_for_nothing_that_it_does_not_need() -> None:
    heavy = {"chain", "wallet", "node", "flask", "requests", "rich", "cryptography", "coincurve"}
    for words, unneeded in (
        (["--help"], heavy),
        (["wallet", "send", "--help"], heavy),
        (["node", "run", "--help"], heavy),
        (["testnet", "up", "--help"], heavy - {"chain", "node"}),
        (["wallet", "list"], heavy),
        (["psbt", "sign", "--help"], heavy),
        (["explain", "tx", "--help"], heavy),
    ):
        code = (
            "import sys; from scripts.cli.common import run; from scripts.cli.main import root;"
            f"run(root, {words!r}); print(*{heavy!r} & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        loaded = set(done.stdout.splitlines()[-1].split())
        assert not loaded & unneeded, words


def raising(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (NetworkError("do  this\ninstead"), 1, "do this instead"),
        (NetworkError(), 1, "unexpected NetworkError: (FARTHING_DEBUG=1 shows where)"),
        (KeyError("x"), 1, "unexpected KeyError: 'x' (FARTHING_DEBUG=1 shows where)"),
        (
            PermissionError(13, "Permission denied", "/a/b"),
            1,
            "can't use /a/b: Permission denied; check the path, its permissions and the disk",
        ),
        (
            OSError(28, "No space left on device"),
            1,
            "can't read or write: No space left on device; check the path, its permissions and "
            "the disk",
        ),
        (click.ClickException("no"), 1, "no"),
        (click.UsageError("wrong"), 2, "wrong. See: farthing --help"),
        (click.Abort(), 130, "interrupted"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (EOFError(), 130, "interrupted"),
    ],
)
def test_whatever_is_raised_is_one_line(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    assert run(raising(error), []) == code
    assert capsys.readouterr() == ("", f"farthing: {line}\n")


def test_a_programmer_may_see_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARTHING_DEBUG", "1")
    with pytest.raises(KeyError):
        run(raising(KeyError("x")), [])


def test_a_command_may_end_with_a_code_of_its_own() -> None:
    assert run(raising(click.exceptions.Exit(7)), []) == 7


def farthing(home: Path, *words: str, **streams: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [*FARTHING, *words],
        env=os.environ | {"FARTHING_HOME": str(home)},
        text=True,
        stderr=subprocess.PIPE,
        **streams,
    )


def test_a_reader_that_has_seen_enough_is_a_good_end(tmp_path: Path) -> None:
    for words in (["--help"], ["wallet", "list", "--json"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = farthing(tmp_path, *words, stdout=writing)
        os.close(writing)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = farthing(tmp_path, "wallet", "list", stdout=full)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr.splitlines()[0]


def test_closed_streams_are_nobodys_trouble(tmp_path: Path) -> None:
    command = f"{' '.join(FARTHING)} wallet list <&- >&- 2>&-; echo $?"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_letters_that_can_not_be_shown_are_spelled_out(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    words = ["testnet", "faucet", "--help"]
    done = subprocess.run([*FARTHING, *words], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "bcrt1q\\u2026" in done.stdout


def test_amounts_and_counts() -> None:
    assert coins(250_000_000) == "2.50000000 BTC"
    assert coins(-1) == "-0.00000001 BTC"
    assert [plural(count, "node") for count in (0, 1, 2)] == ["0 nodes", "1 node", "2 nodes"]


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_table_has_no_blanks_at_its_edges(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    monkeypatch.setenv("COLUMNS", "20")
    print_table(["n>", "word"], [[1, "a" * 30], [22, "[b]"]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == " n   word"
    assert lines[-1] == "22   [b]"
    assert all(line == line.rstrip() for line in lines)
    assert max(map(len, lines)) == (20 if is_terminal else 35)


def test_main_exits_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.cli.main import main

    monkeypatch.setattr(sys, "argv", ["farthing", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


def test_a_complaint_that_nobody_can_read_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(common.click, "echo", broken)
    common.complain("anything")
