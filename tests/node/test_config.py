"""A node's settings: what people write becomes values, or is refused in one line."""

from dataclasses import replace
from pathlib import Path

import pytest

from chain.params import CLASSROOM, REGTEST
from node.config import (
    ConfigError,
    NodeConfig,
    parse_address,
    parse_addresses,
    parse_block_time,
    split_host,
)
from node.events import NetAddress

PORT = 18443
CONFIG = NodeConfig(REGTEST, Path("data"), NetAddress("127.0.0.1", PORT))
ADDRESS = "bcrt1qnjg0jd8228aq7egyzacy8cys3knf9xvr3v5hfj"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://127.0.0.1:18445", ("127.0.0.1", 18445)),
        ("http://127.0.0.1:18445/", ("127.0.0.1", 18445)),
        ("10.1.2.3", ("10.1.2.3", PORT)),
        ("[::1]:9000", ("::1", 9000)),
        ("http://[FE80::0:1]", ("fe80::1", PORT)),
        ("localhost:7000", ("127.0.0.1", 7000)),
    ],
)
def test_addresses_as_people_write_them(text: str, address: tuple[str, int]) -> None:
    found = parse_address(text, PORT)
    assert found == address or (text.startswith("localhost") and found == ("::1", 7000))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://127.0.0.1",
        "ftp://127.0.0.1:1",
        "127.0.0.1:port",
        "127.0.0.1:70000",
        "user@127.0.0.1",
        "127.0.0.1/path",
        "127.0.0.1?query",
        "[::1",
        "höst",
        "no.such.host.invalid",
        "a" * 70 + ".invalid",
    ],
)
def test_what_is_no_address_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match="expected http://HOST:PORT") as caught:
        parse_address(text, PORT)
    assert "\n" not in str(caught.value)


def test_peers_are_named_once() -> None:
    assert parse_addresses(["10.0.0.1", "http://10.0.0.1:18443", "10.0.0.2"], PORT) == (
        NetAddress("10.0.0.1", PORT),
        NetAddress("10.0.0.2", PORT),
    )


@pytest.mark.parametrize(("text", "value"), [("auto", "auto"), ("off", "off"), ("2.5", 2.5)])
def test_block_times(text: str, value: object) -> None:
    assert parse_block_time(text) == value


@pytest.mark.parametrize("text", ["", "soon", "-1", "nan", "inf", "1e9"])
def test_what_is_no_block_time_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match="expected auto, off or a number of seconds"):
        parse_block_time(text)


def test_each_network_has_a_folder_of_its_own() -> None:
    config = replace(CONFIG, params=CLASSROOM)
    assert CONFIG.folder == Path("data/regtest")
    assert config.cookie_file == Path("data/classroom/.cookie")
    assert config.log_file == Path("data/classroom/debug.log")


def test_script_threads() -> None:
    assert replace(CONFIG, par=3).threads == 3
    assert replace(CONFIG, par=99).threads == 15
    assert 1 <= CONFIG.threads <= 15


def test_whom_mined_blocks_pay() -> None:
    assert CONFIG.mine_to_script is None
    script = replace(CONFIG, mine_to=ADDRESS).mine_to_script
    assert script is not None
    assert script[:2] == b"\x00\x14"
    assert replace(CONFIG, mine_to=ADDRESS, block_time="off").mine_to_script is None
    with pytest.raises(ConfigError, match=r"^--mine-to bc1q"):
        replace(CONFIG, mine_to="bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4").mine_to_script  # noqa: B018


@pytest.mark.parametrize(
    ("listen", "host", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1:18443", True),
        ("127.0.0.1", "LocalHost", True),
        ("127.0.0.1", "localhost.:80", True),
        ("127.0.0.1", "[::1]:18443", True),
        ("127.0.0.1", "192.168.1.5:18443", False),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", None, False),
        ("127.0.0.1", "localhost:x", False),
        ("127.0.0.1", "evil@localhost", False),
        ("192.168.1.5", "192.168.1.5:18443", True),
        ("0.0.0.0", "192.168.1.5:18443", True),
        ("0.0.0.0", "evil.example", False),
        ("::", "[2001:db8::1]", True),
    ],
)
def test_hosts_that_requests_may_name(listen: str, host: str | None, allowed: bool) -> None:
    assert replace(CONFIG, listen=NetAddress(listen, PORT)).allows_host(host) is allowed


def test_a_listed_host_is_allowed_in_any_case() -> None:
    config = replace(CONFIG, allow_hosts=("Node.Example",))
    assert config.allows_host("node.EXAMPLE:80")
    assert not config.allows_host("other.example")


def test_hosts_are_split_strictly() -> None:
    assert split_host("a.b:1", 2) == ("a.b", 1)
    assert split_host("a.b", 2) == ("a.b", 2)
    assert split_host("a.b/x", 2) is None
