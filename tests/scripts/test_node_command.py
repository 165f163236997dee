"""`farthing node run`: each switch means what Bitcoin Core's means; what is wrong is one line."""

from dataclasses import fields
from pathlib import Path

import pytest

from chain.params import Params
from node import daemon
from node.config import NodeConfig
from node.events import NetAddress
from node.mempool.policy import PolicyOptions
from scripts import watch
from scripts.cli.node import POLICY_SWITCHES
from tests.scripts.conftest import CommandLine

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


class Runs:
    """`node run` up to the moment when the daemon would take over."""

    def __init__(self, cli: CommandLine) -> None:
        self.cli = cli
        self.config: NodeConfig | None = None

    def run(self, config: NodeConfig) -> int:
        self.config = config
        return 0

    def __call__(self, *words: str) -> NodeConfig:
        assert self.cli("node", "run", *words) == ""
        assert self.config is not None
        return self.config


@pytest.fixture
def runs(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Runs:
    runs = Runs(cli)
    monkeypatch.setattr(daemon, "run", runs.run)
    return runs


def test_nothing_said_means_regtest_on_the_usual_port(runs: Runs, home: Path) -> None:
    config = runs()
    assert (config.params.name, config.datadir) == ("regtest", home / "node")
    assert config.listen == NetAddress("127.0.0.1", 18443)
    assert (config.peers, config.block_time, config.mine_to) == ((), "auto", None)
    assert (config.par, config.engine, config.no_index) == (0, "auto", False)
    assert config.policy == PolicyOptions()


def test_the_switches_of_a_node(runs: Runs, tmp_path: Path) -> None:
    config = runs(
        *["--network", "classroom", "--datadir", str(tmp_path), "--listen", "127.0.0.1:0"],
        *["--peer", "http://127.0.0.1:5", "--peer", "127.0.0.1:6/", "--peer", "http://127.0.0.1:5"],
        *["--connect", "--allow-host", "a", "--allow-host=b", "--allow-private-peers"],
        *["--block-time", "2.5", "--mine-to", ADDRESS, "--par", "1", "--store", "sqlite"],
        *["--no-index", "--max-inbound", "7", "--mine-par", "3"],
    )
    assert (config.params.name, config.datadir) == ("classroom", tmp_path)
    assert config.listen == NetAddress("127.0.0.1", 0)
    assert config.peers == (NetAddress("127.0.0.1", 5), NetAddress("127.0.0.1", 6))
    assert (config.connect_only, config.allow_private_peers) == (True, True)
    assert config.allow_hosts == ("a", "b")
    assert (config.block_time, config.mine_to) == (2.5, ADDRESS)
    assert (config.par, config.engine, config.no_index) == (1, "sqlite", True)
    assert (config.max_inbound, config.mining_processes) == (7, 3)


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["--acceptnonstdtxn"], "accept_nonstandard", True),
        (["--acceptnonstdtxn=0"], "accept_nonstandard", False),
        (["--minrelaytxfee", "0.00001"], "min_relay_feerate", 1_000),
        (["--minrelaytxfee=1"], "min_relay_feerate", 100_000_000),
        (["--incrementalrelayfee", "0.00000001"], "incremental_relay_feerate", 1),
        (["--dustrelayfee", "0"], "dust_relay_feerate", 0),
        (["--maxmempool", "5"], "max_mempool_bytes", 5_000_000),
        (["--mempoolexpiry", "2"], "expiry_s", 7_200),
        (["--bytespersigop", "0"], "bytes_per_sigop", 0),
        (["--datacarrier=0"], "datacarrier", False),
        (["--datacarriersize", "83"], "datacarrier_size", 83),
        (["--permitbaremultisig", "0"], "permit_bare_multisig", False),
        (["--limitclustercount", "25"], "max_cluster_count", 25),
        (["--limitclustersize", "50"], "max_cluster_vsize", 50_000),
    ],
)
def test_a_policy_switch_in_cores_units(
    runs: Runs, words: list[str], field: str, value: int | bool
) -> None:
    policy = runs(*words).policy
    assert getattr(policy, field) == value
    assert type(getattr(policy, field)) is type(value)
    others = {each.name for each in fields(PolicyOptions)} - {field}
    assert all(getattr(policy, name) == getattr(PolicyOptions(), name) for name in others)


def test_the_incremental_fee_alone_lifts_the_relay_fee(runs: Runs) -> None:
    assert runs("--incrementalrelayfee", "0.00005").policy.min_relay_feerate == 5_000
    both = runs("--incrementalrelayfee", "0.00005", "--minrelaytxfee", "0.00001").policy
    assert (both.incremental_relay_feerate, both.min_relay_feerate) == (5_000, 1_000)


def test_each_policy_switch_is_one_of_policys() -> None:
    known = {each.name for each in fields(PolicyOptions)}
    assert {field for _, field, _, _, _ in POLICY_SWITCHES} <= known


def test_soft_forks_move(runs: Runs) -> None:
    params = runs("--testactivationheight=segwit@432", "--testactivationheight", "csv@20").params
    assert (params.segwit_from, params.relative_locktime_from) == (432, 20)


def test_a_network_of_ones_own(runs: Runs, tmp_path: Path) -> None:
    file = tmp_path / "penny.toml"
    file.write_text('name = "penny"\ninitial_subsidy = 100_000_000\n')
    params = runs("--network", str(file)).params
    assert (params.name, params.initial_subsidy) == ("penny", 100_000_000)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "name: expected text"),
        (b"=", "is not TOML"),
        pytest.param(b"a = " + b"9" * 5000, "is not TOML: Exceeds the limit", id="long"),
        pytest.param(b"a = " + b"[" * 5000, "is not TOML: it is nested too deeply", id="deep"),
        (b"\xff", "is not TOML"),
        (b'name = "../up"', "name: expected text"),
        (b'name = "penny"\nhalving_interval_blocks = "x"', "halving_interval_blocks: expected a"),
        (b'name = "penny"\nhalvings = 5', "halvings"),
    ],
)
def test_a_network_file_that_is_none(
    cli: CommandLine, tmp_path: Path, content: bytes, line: str
) -> None:
    file = tmp_path / "own.toml"
    file.write_bytes(content)
    said = cli.refusal("node", "run", "--network", str(file))
    assert line in said
    assert str(file) in said


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--network", "testnet9"], "expected one of regtest, classroom, main"),
        (["--network", "none.toml"], "there is no file none.toml"),
        (["--network", "FOLDER.toml"], "Is a directory"),
        (["--listen", "127.0.0.1:99999"], "--listen: expected http://HOST:PORT"),
        (["--peer", "ftp://x"], "--peer: expected http://HOST:PORT"),
        (["--block-time", "soon"], "--block-time: expected auto, off or a number of seconds"),
        (["--testactivationheight", "segwit"], "takes NAME@HEIGHT, such as segwit@100"),
        (["--testactivationheight", "segwit@-1"], "takes NAME@HEIGHT"),
        (["--testactivationheight", "taproot@1"], "unknown soft fork 'taproot'"),
    ],
)
def test_what_can_not_be_is_one_line(
    cli: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FOLDER.toml").mkdir()
    assert line in cli.refusal("node", "run", *words)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--minrelaytxfee", "1e9999999"], "'1e9999999' is not an amount in BTC/kvB"),
        (["--minrelaytxfee", "0.000000001"], "with at most 8 decimals"),
        (["--minrelaytxfee=-1"], "'-1' is not an amount"),
        (["--minrelaytxfee", "NaN"], "'NaN' is not an amount"),
        (["--acceptnonstdtxn=yes"], "'yes' is neither 0 nor 1"),
        (["--par", "-1"], "'--par': -1 is not in the range"),
        (["--mine-par", "-1"], "'--mine-par': -1 is not in the range"),
        (["--max-inbound", "-1"], "'--max-inbound': -1 is not in the range"),
        (["--maxmempool", "0"], "'--maxmempool': 0 is not in the range"),
        (["--limitclustercount", "65"], "'--limitclustercount': 65 is not in the range"),
        (["--store", "oracle"], "'oracle' is not one of 'auto', 'leveldb', 'sqlite'"),
        (["--datadir", __file__], "is a file"),
        (["--prune", "1"], "No such option '--prune'"),
    ],
)
def test_wrong_usage_is_one_line(cli: CommandLine, words: list[str], line: str) -> None:
    said = cli.refusal("node", "run", *words, code=2)
    assert line in said
    assert said.endswith("See: farthing node run --help")


def test_the_exit_code_is_the_daemons(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "run", lambda config: 1)
    assert cli.run("node", "run").code == 1


def test_watch_hands_on_where_and_which(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def run(address: NetAddress, params: Params, *, as_json: bool) -> int:
        seen.extend([address, params.name, as_json])
        return 1

    monkeypatch.setattr(watch, "run", run)
    assert (
        cli.run("node", "watch", "http://127.0.0.1:7", "--network", "classroom", "--json").code == 1
    )
    assert seen == [NetAddress("127.0.0.1", 7), "classroom", True]
    assert "expected http://HOST:PORT" in cli.refusal("node", "watch", "http://")


def test_room_for_forty_clusters(cli: CommandLine) -> None:
    line = "--maxmempool must be at least 5 (MB): 40 clusters must fit"
    assert line in cli.refusal("node", "run", "--maxmempool", "4")
    line = "--maxmempool must be at least 400 (MB)"
    assert line in cli.refusal("node", "run", "--limitclustersize", "10000")
