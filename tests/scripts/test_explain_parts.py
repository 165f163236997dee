"""What is said of transactions, blocks, addresses and messages, held against other sources."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from embit import script as embit_script
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.address import script_to_address
from chain.block import Block, BlockHeader
from chain.encoding import display_hash
from chain.merkle import merkle_root
from chain.params import MAIN, NETWORKS, REGTEST
from chain.script.flags import MANDATORY_FLAGS, ScriptFlag
from chain.script.opcodes import core_asm, disassemble
from chain.script.script import push
from chain.script.sighash import SigVersion
from chain.transaction import Transaction, TxIn, TxOut
from node import messages
from node.messages import InventoryItem, PeerAddress
from scripts.cli.explain_views import lines_of
from scripts.explain.address import explain_address
from scripts.explain.asm import assemble
from scripts.explain.block import explain_block, explain_header, height_of
from scripts.explain.flags import flags_text, parse_flags
from scripts.explain.message import explain_message
from scripts.explain.model import ExplainError, Explanation
from scripts.explain.node import output_of, parse_spent, spent_by
from scripts.explain.script import explain_script
from scripts.explain.times import date_of
from scripts.explain.transaction import Context, explain_transaction, locktime_meaning
from tests import builders
from tests.chain import strategies
from tests.chain.script.cases import CASES, KEY_CHECK, key_path, tapscript
from tests.chain.script.helpers import Spend, script

BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def fields(entries: Sequence[Any]) -> Iterator[Any]:
    for section in entries:
        yield from section["fields"]
        yield from fields(section.get("sections", ()))


def of(explanation: Explanation) -> dict[str, Any]:
    """An explanation as a program reads it; people's page must come out too, at any width."""
    prose = replace(explanation, sections=())  # a grid has columns that can't give way
    for shown, width in ((prose, 60), (explanation, 80), (explanation, 160)):
        plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines_of(shown, width)]
        assert max(map(len, plain)) <= width, [line for line in plain if len(line) > width]
    found: dict[str, Any] = json.loads(json.dumps(explanation.to_json()))
    return found


def named(explanation: dict[str, Any], name: str) -> Any:
    return next(each for each in fields(explanation["sections"]) if each["name"] == name)


def refusal(text: str) -> str:
    with pytest.raises(ExplainError) as refused:
        explain_address(text)
    return str(refused.value)


# Transactions


@settings(max_examples=40)
@given(strategies.transactions)
def test_each_fields_bytes_are_where_it_says_and_none_is_left_out(tx: Transaction) -> None:
    raw = tx.serialize()
    found = of(explain_transaction(tx, Context(REGTEST)))
    covered = bytearray(len(raw))
    for each in fields(found["sections"]):
        if "start" in each:
            assert raw[each["start"] : each["end"]].hex() == each["hex"], each
            covered[each["start"] : each["end"]] = b"\1" * (each["end"] - each["start"])
    missed = [place for place, is_covered in enumerate(covered) if not is_covered]
    # Only the sizes of witness items have no line of their own; of a signature, some of its tags.
    if not tx.has_witness:
        assert not missed
    assert found["facts"]["txid"] == display_hash(tx.txid)
    assert found["facts"]["weight"] == tx.weight


def payment(*, value: int = 900, locktime: int = 0, sequence: int = 0xFFFFFFFD) -> Spend:
    owner = builders.key(1)
    output = TxOut(1000, builders.p2wpkh(owner))
    spent = builders.Spendable(
        builders.make_coinbase(1, [output]).inputs[0].outpoint, output, owner
    )
    outpoint = spent.outpoint._replace(index=0)
    tx = builders.make_tx([TxIn(outpoint, b"", sequence)], [TxOut(value, output.script_pubkey)],
                          locktime=locktime)  # fmt: skip
    return Spend(builders.sign(tx, [spent._replace(outpoint=outpoint)]), 0, [output])


def test_with_the_outputs_spent_the_fee_is_known() -> None:
    spend = payment()
    explained = explain_transaction(spend.tx, Context(REGTEST, spend.spent_outputs))
    found = of(explained)
    assert found["facts"]["fee"] == 100
    assert found["facts"]["feerate"] == f"{100 / spend.tx.vsize:.2f}"
    assert found["facts"]["sigop_cost"] == 1
    assert found["facts"]["scripts"] == "1 of 1 inputs run, all good"
    assert found["runs"][0]["is_good"]
    assert not explained.hints


def test_without_them_it_says_what_is_missing() -> None:
    explained = explain_transaction(payment().tx, Context(REGTEST))
    assert "fee" not in of(explained)["facts"]
    assert "1 of 1 outputs" in explained.hints[0]
    assert not explained.runs


@pytest.mark.parametrize(
    ("tx", "spent", "code"),
    [
        (Transaction(2, [payment().tx.inputs[0]], [], 0), [], "bad-txns-vout-empty"),
        (Transaction(2, payment().tx.inputs * 2, payment().tx.outputs, 0), [],
         "bad-txns-inputs-duplicate"),
        (payment(value=2000).tx, [payment().spent_outputs[0]], "bad-txns-in-belowout"),
    ],
)  # fmt: skip
def test_a_broken_rule_has_cores_name_and_its_line(
    tx: Transaction, spent: list[TxOut], code: str
) -> None:
    (problem,) = of(explain_transaction(tx, Context(REGTEST, spent)))["problems"]
    assert problem["code"] == code
    name, number = problem["where"].split(":")
    assert (
        "raise Invalid"
        in (Path(__file__).parents[2] / name).read_text().split("\n")[int(number) - 1]
    )


def test_a_damaged_signature_names_the_rule() -> None:
    spend = payment()
    (tx_in,) = spend.tx.inputs
    signature = tx_in.witness[0]
    damaged = signature[:-5] + bytes([signature[-5] ^ 1]) + signature[-4:]
    tx = Transaction(2, [tx_in._replace(witness=(damaged, tx_in.witness[1]))], spend.tx.outputs, 0)
    for flags, code in ((None, "NULLFAIL"), (MANDATORY_FLAGS, "EVAL_FALSE")):
        context = Context(REGTEST, spend.spent_outputs)
        if flags is not None:
            context = Context(REGTEST, spend.spent_outputs, flags=flags)
        found = of(explain_transaction(tx, context))
        assert found["runs"][0]["code"] == code
        assert code in found["facts"]["scripts"]


@pytest.mark.parametrize(
    ("sequence", "version", "words"),
    [
        (0xFFFFFFFF, 2, "final: waits for nothing"),
        (0xFFFFFFFE, 2, "lets the locktime bind"),
        (0xFFFFFFFD, 2, "may be replaced (BIP 125)"),
        (5, 2, "waits until the output is 5 blocks deep (BIP 68)"),
        (1 << 22 | 2, 2, "waits until the output is 1024 s old (BIP 68)"),
        (5, 1, "may be replaced (BIP 125)"),
    ],
)
def test_what_a_sequence_says(sequence: int, version: int, words: str) -> None:
    tx_in = payment().tx.inputs[0]._replace(sequence=sequence)
    tx = Transaction(version, [tx_in], payment().tx.outputs, 0)
    found = of(explain_transaction(tx, Context(REGTEST)))
    assert named(found, "sequence")["meaning"].endswith(words)
    assert found["facts"]["replaceable"] is (sequence <= 0xFFFFFFFD)


def test_what_a_locktime_says() -> None:
    def at(locktime: int, sequence: int = 0) -> Transaction:
        return payment(locktime=locktime, sequence=sequence).tx

    assert locktime_meaning(at(0)) == "none"
    assert locktime_meaning(at(100)) == "not in a block before height 101"
    assert "2009-01-03 18:15:05 UTC" in locktime_meaning(at(1231006505))
    assert "without effect" in locktime_meaning(at(100, 0xFFFFFFFF))
    for next_height, is_final in ((100, False), (101, True)):
        facts = of(explain_transaction(at(100), Context(REGTEST, next_height=next_height)))["facts"]
        assert facts["is_final"] is is_final
    assert "is_final" not in of(explain_transaction(at(100), Context(REGTEST)))["facts"]


@pytest.mark.parametrize(("code", "spend"), CASES[::3])
def test_every_kind_of_spend_can_be_explained(code: str, spend: Spend) -> None:
    context = Context(REGTEST, spend.spent_outputs, flags=ScriptFlag(spend.flags))
    explained = explain_transaction(spend.tx, context)
    assert explained.runs[0].code == code
    if len(explained.runs[0].steps) < 100:
        of(explained)


def test_the_items_of_a_witness_have_names() -> None:
    def titles(spend: Spend, *spent: TxOut) -> str:
        found = of(explain_transaction(spend.tx, Context(REGTEST, spent)))
        witness = next(each for each in found["sections"] if each["title"].startswith("Witness"))
        return " | ".join(inner["title"] for inner in witness["sections"])

    leaf = tapscript(KEY_CHECK, sign=True, path=bytes(32), annex=[b"\x50hello"])
    for spent in ([], leaf.spent_outputs):
        assert re.fullmatch(
            r".*signature, 64 bytes \| .*tapscript leaf.* \| .*control block.* \| .*annex.*",
            titles(leaf, *spent),
        )
    assert "0: signature, 64 bytes" in titles(key_path())
    assert re.fullmatch(r".*signature, 7\d bytes \| .*public key, 33 bytes", titles(payment()))


def test_many_inputs_show_the_steps_of_one() -> None:
    spend = payment()
    inputs = [
        spend.tx.inputs[0]._replace(outpoint=spend.tx.inputs[0].outpoint._replace(index=index))
        for index in range(30)
    ]
    tx = Transaction(2, inputs, spend.tx.outputs, 0)
    spent = list(spend.spent_outputs) * 30
    explained = explain_transaction(tx, Context(REGTEST, spent))
    # The signature is of the first only, and of another transaction.
    assert [run.title for run in explained.runs] == ["input 0"]
    assert "--input" in explained.hints[0]
    page = "\n".join(lines_of(explained, 100))
    assert "and 10 more like Input 0" in page
    chosen = explain_transaction(tx, Context(REGTEST, spent, chosen=7))
    assert [run.title for run in chosen.runs] == ["input 7"]
    assert len(explain_transaction(tx, Context(REGTEST, spent, chosen="all")).runs) == 30


def test_taproot_is_run_only_if_all_outputs_are_known() -> None:
    spend = key_path()
    two = Transaction(2, [spend.tx.inputs[0], payment().tx.inputs[0]], spend.tx.outputs, 0)
    explained = explain_transaction(two, Context(REGTEST, [spend.spent_outputs[0], None]))
    assert not explained.runs
    assert "1 of 2 outputs" in explained.hints[0]


def test_outputs_spent_are_given_by_hand() -> None:
    assert parse_spent("5:51") == TxOut(5, b"\x51")
    for wrong in ("5", "x:51", "5:5", "-1:51", ":"):
        with pytest.raises(ExplainError, match="expected VALUE:SCRIPTHEX"):
            parse_spent(wrong)
    tx = payment().tx
    with pytest.raises(ExplainError, match="2 times and the transaction has 1 inputs"):
        spent_by(tx, [TxOut(1, b"")] * 2, [])
    parent = builders.make_tx(tx.inputs, [TxOut(9, b"")])
    child = builders.make_tx([builders.tx_in(builders.spendable(parent).outpoint)], tx.outputs)
    assert spent_by(child, [], [tx, parent]) == [TxOut(9, b"")]
    assert spent_by(child, [], []) == [None]
    missing = builders.spendable(parent).outpoint._replace(index=1)
    assert output_of(parent, missing) is None


# Blocks


def test_the_first_block_of_all() -> None:
    found = of(explain_block(MAIN.genesis, MAIN))
    assert found["facts"]["hash"] == (
        "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    )
    assert found["facts"]["time"] == "2009-01-03 18:15:05 UTC"
    assert found["facts"]["work"] == "4295032833"
    assert "Chancellor on brink" in named(found, "scriptSig")["meaning"]
    assert not found["problems"]


def test_a_block_with_payments(shared: Path) -> None:
    line = (shared / "vectors/mainnet/mainnet_1_256.hex").read_text().split()[169]
    block = Block.parse(bytes.fromhex(line))  # 170: the first payment ever
    found = of(explain_block(block, MAIN, [None, 0]))
    rows = next(each for each in found["sections"] if each["title"] == "Transactions")["rows"]
    assert [row["txid"] for row in rows] == [
        "b1fea52486ce0c62bb442b530a3f0132b826c74e473d1f2c220bfa78111c5082",
        "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16",
    ]
    assert rows[1]["fee"] == 0
    raw = block.serialize()
    for each in fields(found["sections"]):
        if "start" in each:
            assert raw[each["start"] : each["end"]].hex() == each["hex"], each


def test_a_damaged_block_names_the_rule() -> None:
    header = REGTEST.genesis.header
    cases = {
        "bad-txnmrklroot": Block(header, REGTEST.genesis.transactions * 2),
        "high-hash": Block(
            builders.solve(header._replace(time=5), valid=False), REGTEST.genesis.transactions
        ),
    }
    for code, block in cases.items():
        (problem,) = of(explain_block(block, REGTEST))["problems"]
        assert problem["code"] == code


@settings(max_examples=20)
@given(strategies.blocks)
def test_any_block_can_be_explained(block: Block) -> None:
    of(explain_block(block, REGTEST))


@settings(max_examples=20)
@given(strategies.headers)
def test_any_header_can_be_explained(header: BlockHeader) -> None:
    found = of(explain_header(header, REGTEST))
    assert bytes.fromhex("".join(each["hex"] for each in fields(found["sections"][:1]))) == (
        header.serialize()
    )


def test_the_commitment_is_compared() -> None:
    spend = payment()
    coinbase = builders.make_coinbase(300, [TxOut(5, b"\x51")])
    good = builders.committing(coinbase, [spend.tx])
    wrong = builders.committing(coinbase, [payment(value=800).tx])
    for made, codes in ((good, []), (wrong, ["bad-witness-merkle-match"])):
        root = display_hash(bytes(32))
        header = REGTEST.genesis.header._replace(version=4)
        body = Block(header, [made, spend.tx])
        header = header._replace(merkle_root=merkle_root([made.txid, spend.tx.txid])[0])
        block = Block(builders.solve(header), body.transactions)
        found = of(explain_block(block, REGTEST))
        assert [problem["code"] for problem in found["problems"]] == codes
        assert found["facts"]["height"] == height_of(block) == 300
        assert root not in found["title"]


# Addresses


@pytest.mark.parametrize("params", NETWORKS.values(), ids=str)
def test_the_script_of_an_address_is_the_oracles(params: Any) -> None:
    for made in (
        b"\x00\x14" + bytes(range(20)),
        b"\x00\x20" + bytes(range(32)),
        b"\x51\x20" + bytes(range(32)),
        b"\x76\xa9\x14" + bytes(range(20)) + b"\x88\xac",
        b"\xa9\x14" + bytes(range(20)) + b"\x87",
    ):
        text = script_to_address(made, params)
        assert text is not None
        found = of(explain_address(text))["facts"]
        assert found["script_pubkey"] == made.hex()
        assert embit_script.address_to_scriptpubkey(text).data == made
        assert params.name in found["networks"]


@settings(max_examples=25)
@given(st.binary(min_size=20, max_size=20), st.integers(5, 41), st.integers(1, 31))
def test_one_wrong_character_is_found(program: bytes, place: int, shift: int) -> None:
    text = script_to_address(b"\x00\x14" + program, REGTEST)
    assert text is not None
    old = text[place]
    new = BECH32[(BECH32.index(old) + shift) % 32]
    said = refusal(text[:place] + new + text[place + 1 :])
    assert f"character {place + 1} ({new!r}) is {old!r}" in said or "witness version" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt081", "character 44 ('1') is none that bech32"),
        ("bcrt1qw508d6qejxtdg4y5r3zarVary0c5xw7kygt080", "mixed, from character 28 ('V') on"),
        ("bcrt1qw508d6qejxtdg4y5r3zarvayr0c5xw7kygt080",
         "characters 30 and 31 ('yr') change places"),
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "it holds if the prefix is bcrt1"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3", "character 34 ('3') is '2'"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVNO", "character 34 ('O') is none that base58"),
        ("5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", "base58 with a good checksum"),
        ("x" * 200, "too many for an address"),
        ("", "checksum is wrong"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_address(text: str, words: str) -> None:
    assert words in refusal(text)


def test_the_vectors_of_the_address_proposals(shared: Path) -> None:
    for name in ("bip173", "bip350"):
        vectors = json.loads((shared / f"vectors/bips/{name}.json").read_text())
        for each in vectors["valid_addresses"]:
            if name == "bip350":  # the first proposal's later versions are no longer addresses
                assert (
                    of(explain_address(each["address"]))["facts"]["script_pubkey"]
                    == (each["script_pubkey"])
                )
        for each in vectors["invalid_addresses"]:
            if each["why"] != "Invalid human-readable part":  # a network that we do not know
                assert "is no address" in refusal(each["string"])


def test_a_witness_version_in_the_wrong_kind_of_bech32() -> None:
    said = refusal("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd")
    assert "is bech32, and witness version 1 wants bech32m" in said


# Messages


ADDRESS = PeerAddress.of("127.0.0.1", 8333, 9, 1231006505)
OTHER = PeerAddress(1231006505, 1, 4, bytes(32), 9050)
MESSAGES = [
    messages.Version(70016, 9, 1231006505, ADDRESS, ADDRESS, 5, "/Farthing/", 3, True),
    messages.Verack(),
    messages.Addr((ADDRESS,)),
    messages.AddrV2((ADDRESS, OTHER)),
    messages.Inv((InventoryItem(1, bytes(32)), InventoryItem(77, bytes(32))) * 40),
    messages.GetHeaders(70016, (bytes(32),), bytes(32)),
    messages.Headers((REGTEST.genesis.header,)),
    messages.Tx(payment().tx),
    messages.BlockMessage(REGTEST.genesis),
    messages.Ping(7),
    messages.FeeFilter(1000),
    messages.Unknown("alert", b"abc"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.command)
def test_a_message_is_taken_apart(message: messages.Message) -> None:
    raw = messages.encode_frame(REGTEST.magic, message)
    explained = explain_message(raw, REGTEST)
    found = of(explained)
    assert found["facts"]["command"] == message.command
    assert not found["problems"]
    for each in fields(found["sections"]):
        if "start" in each and message.command != "block":
            assert raw[each["start"] : each["end"]].hex() == each["hex"], each


def test_several_messages_and_a_strange_network() -> None:
    raw = messages.encode_frame(b"\1\2\3\4", messages.Ping(7))
    found = of(explain_message(raw * 2, REGTEST))
    assert found["facts"] == {"command": "ping", "network": "unknown", "messages": 2}


def test_what_is_wrong_with_a_message() -> None:
    raw = messages.encode_frame(REGTEST.magic, messages.Ping(7))
    damaged = of(explain_message(raw[:-1] + b"\xff", REGTEST))
    assert [each["code"] for each in damaged["problems"]] == ["wrong checksum"]
    short = messages.encode_frame(REGTEST.magic, messages.Unknown("ping", b"abc"))
    (problem,) = of(explain_message(short, REGTEST))["problems"]
    assert problem["code"] == "undecodable"
    for wrong, words in (
        (raw[:-1], "cut off: it announces a payload of 8 bytes, and 7 are there"),
        (raw[:10], "a header of 24 bytes"),
        (raw[:4] + b"\xff" * 20, "no peer message: its command"),
    ):
        with pytest.raises(ExplainError, match=re.escape(words)):
            explain_message(wrong, REGTEST)


# Scripts


@settings(max_examples=40)
@given(st.binary(max_size=60))
def test_any_script_can_be_explained(code: bytes) -> None:
    for version in SigVersion:
        of(explain_script(code, REGTEST, version))


@given(st.lists(st.sampled_from("DUP 0 16 -1 HASH160 <abcdefabcd> CHECKSIG 1000 CLTV".split())))
def test_words_make_the_script_that_they_say(words: list[str]) -> None:
    text = " ".join(words)
    code = script(text.replace("CLTV", "CHECKLOCKTIMEVERIFY"))
    assert assemble(text) == code
    assert assemble(core_asm(code)) == code
    assert assemble(disassemble(code)) == code


def test_each_way_to_write_a_script() -> None:
    assert assemble("'ab' 0x4c01 0xff <> OP_TRUE dup") == b"\x02ab\x4c\x01\xff\x00\x51\x76"
    assert assemble("OP_PUSHDATA1 abcd OP_PUSHDATA2 ab") == b"\x4c\x02\xab\xcd\x4d\x01\x00\xab"
    assert assemble("OP_PUSHDATA4 ab") == b"\x4e\x01\0\0\0\xab"
    assert assemble("abcdefabcdef") == push(bytes.fromhex("abcdefabcdef"))
    for wrong, words in (
        ("OP_NOPE", "'OP_NOPE' is no word of a script"),
        ("OP_PUSHBYTES_2 abcdef", "OP_PUSHBYTES_2 is followed by 3 bytes"),
        ("OP_PUSHBYTES_2", "stands at the end"),
        ("OP_PUSHBYTES_2 xx", "is not hex"),
        (f"OP_PUSHDATA1 {'ab' * 256}", "more than OP_PUSHDATA1 can push"),
    ):
        with pytest.raises(ExplainError, match=words):
            assemble(wrong)


def test_rules_have_names() -> None:
    assert parse_flags("mandatory") == MANDATORY_FLAGS
    assert parse_flags("p2sh, WITNESS") == ScriptFlag.P2SH | ScriptFlag.WITNESS
    assert [flags_text(parse_flags(text)) for text in ("standard", "none")] == ["standard", "none"]
    with pytest.raises(ExplainError, match="no script rule is called 'P2SHH'"):
        parse_flags("P2SHH")


def test_a_time_beyond_all_calendars_is_a_number() -> None:
    assert date_of(10**20) == "100000000000000000000 s after 1970"
