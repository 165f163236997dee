"""Networks: Bitcoin's numbers restated, and what a file of one's own may say."""

from dataclasses import fields, replace

import bitcoin
import pytest
from embit.networks import NETWORKS as EMBIT

from chain.encoding import display_hash
from chain.errors import DecodeError
from chain.params import (
    CLASSROOM,
    MAIN,
    NETWORKS,
    REGTEST,
    Params,
    custom,
    network,
    with_activation_heights,
)

MERKLE_ROOT = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"


@pytest.mark.parametrize(
    ("params", "genesis", "magic", "port"),
    [
        (
            MAIN,
            "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
            "f9beb4d9",
            8332,
        ),
        (
            REGTEST,
            "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
            "fabfb5da",
            18443,
        ),
    ],
)
def test_bitcoins_own_networks(params: Params, genesis: str, magic: str, port: int) -> None:
    assert display_hash(params.genesis.hash) == genesis
    assert display_hash(params.genesis.header.merkle_root) == MERKLE_ROOT
    assert display_hash(params.genesis.transactions[0].txid) == MERKLE_ROOT
    assert params.genesis.transactions[0].outputs[0].value == 5_000_000_000
    assert (params.magic.hex(), params.default_port) == (magic, port)


@pytest.mark.parametrize(("params", "name"), [(MAIN, "MainParams"), (REGTEST, "RegTestParams")])
def test_python_bitcoinlib_has_the_same_numbers(params: Params, name: str) -> None:
    oracle = getattr(bitcoin, name)()
    assert params.magic == oracle.MESSAGE_START
    assert params.genesis.serialize() == oracle.GENESIS_BLOCK.serialize()
    assert params.halving_interval_blocks == oracle.SUBSIDY_HALVING_INTERVAL
    assert params.bech32_hrp == oracle.BECH32_HRP
    prefixes = {
        "PUBKEY_ADDR": params.p2pkh_prefix,
        "SCRIPT_ADDR": params.p2sh_prefix,
        "SECRET_KEY": params.wif_prefix,
    }
    assert prefixes == oracle.BASE58_PREFIXES


@pytest.mark.parametrize(("params", "name"), [(MAIN, "main"), (REGTEST, "regtest")])
def test_embit_has_the_same_prefixes(params: Params, name: str) -> None:
    oracle = EMBIT[name]
    assert bytes((params.p2pkh_prefix,)) == oracle["p2pkh"]
    assert bytes((params.p2sh_prefix,)) == oracle["p2sh"]
    assert bytes((params.wif_prefix,)) == oracle["wif"]
    assert (params.xpub_prefix, params.xprv_prefix) == (oracle["xpub"], oracle["xprv"])
    assert (params.bech32_hrp, params.coin_type) == (oracle["bech32"], oracle["bip32"])


def test_main_restated() -> None:
    assert MAIN.is_real_money
    assert MAIN.pow_limit == 0xFFFF << 208
    assert (MAIN.target_spacing_s, MAIN.retarget_interval_blocks) == (600, 2016)
    assert not MAIN.no_retargeting and not MAIN.allow_min_difficulty_blocks
    assert (MAIN.initial_subsidy, MAIN.coinbase_maturity_blocks) == (5_000_000_000, 100)
    assert (MAIN.coinbase_height_from, MAIN.strict_der_from) == (227931, 363725)
    assert (MAIN.locktime_verify_from, MAIN.relative_locktime_from) == (388381, 419328)
    assert MAIN.segwit_from == 481824
    assert MAIN.coinbase_height_hash is not None
    bip34_block = "000000000000024b89b42a942fe0d9fea3bb44ab7bd1b19115dd6a759c0808b8"
    assert display_hash(MAIN.coinbase_height_hash) == bip34_block
    assert {display_hash(hash_): flags for hash_, flags in MAIN.script_flag_exceptions.items()} == {
        "00000000000002dc756eebf4f49723ed8d30cc28a5f108eb94b1ba88ac4f9c22": 0,
        "0000000000000000000f14c35b2d841e986ab5441de8c585d5ffe55ea1e395ad": 0x801,
    }
    assert {display_hash(hash_) for hash_ in MAIN.bip30_exceptions} == {
        "00000000000a4d0a398161ffc163c503763b1f4360639393e0e4c8e300e0caec",
        "00000000000743f190a18c5577a3c2d2a1f610ae9601ac046a38084ccb7cd721",
    }


def test_regtest_restated() -> None:
    assert not REGTEST.is_real_money
    assert (REGTEST.pow_limit_bits, REGTEST.pow_limit) == (0x207FFFFF, 0x7FFFFF << 232)
    assert REGTEST.no_retargeting and REGTEST.allow_min_difficulty_blocks
    assert (REGTEST.target_spacing_s, REGTEST.retarget_interval_blocks) == (600, 144)
    assert (REGTEST.halving_interval_blocks, REGTEST.coinbase_maturity_blocks) == (150, 100)
    assert (REGTEST.coinbase_height_from, REGTEST.strict_der_from) == (1, 1)
    assert (REGTEST.locktime_verify_from, REGTEST.relative_locktime_from) == (1, 1)
    assert REGTEST.segwit_from == 0
    assert (REGTEST.coinbase_height_hash, REGTEST.script_flag_exceptions) == (None, {})
    assert not REGTEST.bip30_exceptions


def test_the_classroom_is_regtest_with_real_work() -> None:
    changed = {
        "name": "classroom",
        "pow_limit_bits": 0x1F00FFFF,
        "no_retargeting": False,
        "allow_min_difficulty_blocks": False,
        "target_spacing_s": 10,
        "retarget_interval_blocks": 20,
        "halving_interval_blocks": 2100,
        "coinbase_maturity_blocks": 10,
    }
    assert replace(CLASSROOM, magic=REGTEST.magic) == replace(REGTEST, **changed)
    # Restated: a node of another version must not find that its classroom is another network.
    assert CLASSROOM.magic.hex() == "5425121d"
    assert display_hash(CLASSROOM.genesis.hash).startswith("0f9188f1")


def test_networks_by_name() -> None:
    assert list(NETWORKS) == ["regtest", "classroom", "main"]
    assert network("regtest") is REGTEST
    assert repr(REGTEST) == "Params(regtest)"
    with pytest.raises(DecodeError, match="'tesnet': expected one of regtest, classroom, main"):
        network("tesnet")


def test_activation_heights_by_cores_names() -> None:
    heights = {"bip34": 2, "dersig": 3, "cltv": 4, "csv": 5, "segwit": 6}
    params = with_activation_heights(REGTEST, heights)
    assert (params.coinbase_height_from, params.strict_der_from) == (2, 3)
    assert (params.locktime_verify_from, params.relative_locktime_from) == (4, 5)
    assert (params.segwit_from, params.magic) == (6, REGTEST.magic)
    assert with_activation_heights(REGTEST, {}) == REGTEST


@pytest.mark.parametrize(
    ("heights", "why"),
    [
        ({"taproot": 1}, "unknown soft fork 'taproot': expected one of bip34, dersig, cltv, csv"),
        ({"segwit": -1}, "segwit: expected a whole number from 0 to 2147483647, not -1"),
        ({"segwit": 2**31}, "not 2147483648"),
    ],
)
def test_activation_heights_refused(heights: dict[str, int], why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        with_activation_heights(REGTEST, heights)


EVERYTHING = {
    "name": "groat",
    "base": "classroom",
    "pow_limit_bits": 0x2000FFFF,
    "no_retargeting": True,
    "allow_min_difficulty_blocks": True,
    "target_spacing_s": 3,
    "retarget_interval_blocks": 5,
    "initial_subsidy": 400,
    "halving_interval_blocks": 7,
    "coinbase_maturity_blocks": 1,
    "coinbase_height_from": 11,
    "strict_der_from": 12,
    "locktime_verify_from": 13,
    "relative_locktime_from": 14,
    "segwit_from": 15,
    "p2pkh_prefix": 17,
    "p2sh_prefix": 18,
    "wif_prefix": 19,
    "bech32_hrp": "gr",
    "xpub_prefix": "0a0b0c0d",
    "xprv_prefix": "01020304",
    "coin_type": 21,
    "default_port": 2222,
    "genesis_message": "A groat is four pence: ½ of a crown is 7½ groats",
    "genesis_time": 1_700_000_000,
}
NOT_NUMBERS = {"base", "xpub_prefix", "xprv_prefix", "genesis_message", "genesis_time"}


def test_a_file_may_say_everything() -> None:
    params = custom(EVERYTHING)
    for name in EVERYTHING.keys() - NOT_NUMBERS:
        assert getattr(params, name) == EVERYTHING[name]
    assert (params.xpub_prefix, params.xprv_prefix) == (b"\n\x0b\x0c\r", b"\1\2\3\4")
    assert not params.is_real_money
    settable = {each.name for each in fields(Params)} & EVERYTHING.keys()
    assert len(settable) == len(EVERYTHING) - 3  # base and the two of the genesis block


def test_a_genesis_block_of_ones_own() -> None:
    genesis = custom(EVERYTHING).genesis
    script_sig = genesis.transactions[0].inputs[0].script_sig
    assert script_sig[8:].decode() == EVERYTHING["genesis_message"]
    assert script_sig[:8].hex() == f"04ffff001d0104{len(script_sig) - 8:02x}"
    assert genesis.transactions[0].outputs[0].value == 400
    assert genesis.header.merkle_root == genesis.transactions[0].txid
    assert (genesis.header.time, genesis.header.bits) == (1_700_000_000, 0x2000FFFF)
    assert genesis.header.nonce == 0
    longest = custom({"name": "mine", "genesis_message": "x" * 75}).genesis
    assert longest.transactions[0].inputs[0].script_sig[7:] == b"\x4b" + b"x" * 75
    only_later = custom({"name": "later", "genesis_time": 1_700_000_000}).genesis
    assert only_later.transactions == REGTEST.genesis.transactions
    assert only_later.header.time == 1_700_000_000


def test_a_file_may_say_only_a_name() -> None:
    params = custom({"name": "mine"})
    assert replace(params, name="regtest", magic=REGTEST.magic) == REGTEST
    assert params.magic != REGTEST.magic


def test_who_changes_a_number_has_another_magic() -> None:
    magics = {custom({"name": "mine"}).magic, custom({"name": "mine", "base": "classroom"}).magic}
    free = EVERYTHING.keys() - {"name", "base", "default_port"}
    for name in free:
        magics.add(custom({"name": "mine", name: EVERYTHING[name]}).magic)
    changed = {name for name in free if EVERYTHING[name] != getattr(REGTEST, name, None)}
    assert len(magics) == 2 + len(changed)
    assert custom({"name": "mine", "default_port": 2222}).magic == custom({"name": "mine"}).magic


WRONG: list[tuple[dict[str, object], str]] = [
    ({}, "name: expected text like"),
    ({"name": "UPPER"}, "name: expected text like"),
    ({"name": "../evil"}, "name: expected text like"),
    ({"name": 7}, "name: expected text like .* not 7"),
    ({"name": "main"}, "name: 'main' is taken"),
    ({"name": "regtest"}, "name: 'regtest' is taken"),
    ({"base": "main"}, "base: expected text like regtest|classroom, not 'main'"),
    ({"colour": 1}, "unknown key 'colour': expected one of allow_min_difficulty_blocks, base,"),
    ({"magic": "00000000"}, "unknown key 'magic'"),
    ({"is_real_money": True}, "unknown key 'is_real_money'"),
    ({"no_retargeting": 1}, "no_retargeting: expected true or false, not 1"),
    ({"segwit_from": True}, "segwit_from: expected a whole number from 0 to 2147483647, not True"),
    ({"segwit_from": "0"}, "segwit_from: expected a whole number .* not '0'"),
    ({"segwit_from": 1.0}, "not 1.0"),
    ({"target_spacing_s": 0}, "target_spacing_s: expected a whole number from 1 to 86400, not 0"),
    ({"retarget_interval_blocks": 1}, "from 2 to"),
    ({"initial_subsidy": 2_100_000_000_000_001}, "from 0 to 2100000000000000"),
    ({"halving_interval_blocks": 0}, "from 1 to"),
    ({"coinbase_maturity_blocks": 0}, "from 1 to"),
    ({"p2pkh_prefix": 256}, "from 0 to 255"),
    ({"default_port": 80}, "from 1024 to 65535"),
    ({"coin_type": 0}, "from 1 to"),
    ({"genesis_time": 2**32}, "from 0 to 4294967295"),
    ({"pow_limit_bits": 0}, "from 1 to 4294967295"),
    ({"pow_limit_bits": 0x1D80FFFF}, "pow_limit_bits: 0x1d80ffff is no target in compact form"),
    ({"pow_limit_bits": 0xFF123456}, "no target"),
    ({"pow_limit_bits": 0x04000001}, "no target"),
    ({"bech32_hrp": "b1"}, "bech32_hrp: expected text like"),
    ({"bech32_hrp": "bc"}, "bech32_hrp: 'bc' is Bitcoin's own, choose another"),
    ({"p2pkh_prefix": 0}, "p2pkh_prefix: 0 is Bitcoin's own"),
    ({"p2sh_prefix": 5}, "p2sh_prefix: 5 is Bitcoin's own"),
    ({"wif_prefix": 128}, "wif_prefix: 128 is Bitcoin's own"),
    ({"xpub_prefix": "0488b21e"}, "xpub_prefix: '0488b21e' is Bitcoin's own"),
    ({"xprv_prefix": "0488ade4"}, "xprv_prefix: '0488ade4' is Bitcoin's own"),
    ({"xpub_prefix": "0488"}, "xpub_prefix: expected text like"),
    ({"genesis_message": ""}, "genesis_message: expected text like"),
    ({"genesis_message": "x" * 76}, "genesis_message: at most 75 bytes, not 76"),
    ({"genesis_message": "½" * 38}, "genesis_message: at most 75 bytes, not 76"),
    ({"genesis_message": "\ud800"}, r"genesis_message: not all of '\\ud800' can be printed"),
    ({"genesis_message": "\x1b[31m"}, "genesis_message: not all of"),
    ({"coin_type": 2**64 - 1}, "coin_type: expected a whole number .* not 18446744073709551615"),
    ({"coin_type": 2**64}, "coin_type: expected a whole number .* not a value of type int"),
    ({"segwit_from": [[0]]}, "segwit_from: expected a whole number .* not a value of type list"),
    ({"no_retargeting": {}}, "no_retargeting: expected true or false, not a value of type dict"),
    ({"x" * 1000: 1}, "unknown key 'x{79}: expected one of"),
]


@pytest.mark.parametrize(("table", "why"), WRONG, ids=lambda value: str(value)[:40])
def test_a_file_that_is_wrong_is_refused_in_one_line(table: dict[str, object], why: str) -> None:
    with pytest.raises(DecodeError, match=why) as caught:
        custom(table if not table or "name" in table else {"name": "mine", **table})
    assert "\n" not in str(caught.value)


def test_a_number_too_long_to_be_printed_is_refused_as_others_are() -> None:
    with pytest.raises(DecodeError, match="coin_type: expected a whole number"):
        custom({"name": "mine", "coin_type": 10**5000})


HEIGHTS = (0, 2_147_483_647)
RANGES = {
    "pow_limit_bits": (1, 4_294_967_295),
    "target_spacing_s": (1, 86_400),
    "retarget_interval_blocks": (2, 2_147_483_647),
    "initial_subsidy": (0, 2_100_000_000_000_000),
    "halving_interval_blocks": (1, 2_147_483_647),
    "coinbase_maturity_blocks": (1, 2_147_483_647),
    "coinbase_height_from": HEIGHTS,
    "strict_der_from": HEIGHTS,
    "locktime_verify_from": HEIGHTS,
    "relative_locktime_from": HEIGHTS,
    "segwit_from": HEIGHTS,
    "p2pkh_prefix": (0, 255),
    "p2sh_prefix": (0, 255),
    "wif_prefix": (0, 255),
    "coin_type": (1, 2_147_483_647),
    "default_port": (1_024, 65_535),
    "genesis_time": (0, 4_294_967_295),
}


@pytest.mark.parametrize("key", RANGES)
def test_a_number_has_a_range_and_its_ends_are_in_it(key: str) -> None:
    low, high = RANGES[key]
    for number in (low - 1, high + 1):
        with pytest.raises(DecodeError) as caught:
            custom({"name": "mine", key: number})
        expected = f"{key}: expected a whole number from {low} to {high}, not {number}"
        assert str(caught.value) == expected
    # Refused for another reason: no target is written so, and 0 is Bitcoin's own prefix.
    elsewhere = {("pow_limit_bits", low), ("pow_limit_bits", high), ("p2pkh_prefix", 0)}
    for number in (low, high):
        if (key, number) not in elsewhere:
            custom({"name": "mine", key: number})


def test_networks_can_be_kept_in_sets() -> None:
    assert len({MAIN, REGTEST, CLASSROOM, replace(MAIN)}) == 3
