"""The proposals' own texts: their tables, conditions, constants and examples, each held to ours."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from chain import curve
from chain.address import script_to_address
from chain.block import BlockHeader
from chain.hashes import hash160
from chain.headers import HeaderTree
from chain.params import MAIN
from chain.script import checker, sighash
from chain.script.script import count_sigops, push
from chain.script.templates import multisig, multisig_keys, p2sh
from chain.transaction import SEQUENCE_FINAL, OutPoint, Transaction, TxOut
from chain.tx_rules import SEQUENCE_UNIT_S, sequence_locks
from tests.chain.script import cases
from tests.chain.script.helpers import Spend, bare, bare_tx, script, with_input

KEYS = [cases.KEY, cases.OTHER_KEY]
SECRETS = [cases.SECRET, cases.OTHER_SECRET]


def text_of(shared: Path, name: str) -> str:
    return (shared / "vectors/bips" / f"{name}.txt").read_text(encoding="utf-8")


def bits(expression: str) -> int:
    """`1 << 22`, `0x0000ffff` or a plain number."""
    left, _, right = expression.partition("<<")
    return int(left, 0) << int(right or "0")


# BIP 16: how signature operations in a redeem script count, and how much a push may hold.


def test_the_counting_examples_of_bip_16(shared: Path) -> None:
    text = text_of(shared, "bip16")
    examples = re.findall(r"\+(\d+) signature operations:\n +\{(.+)\}", text)
    assert len(examples) == 2
    for expected, words in examples:
        words = re.sub(r"\[pubkey\d\]", f"<{cases.KEY.hex()}>", words).replace("OP_", "")
        assert count_sigops(script(words), accurate=True) == int(expected)


def test_the_limit_on_redeem_scripts_of_bip_16(shared: Path) -> None:
    [limit] = re.findall(
        r"no data greater than (\d+) bytes may be pushed", text_of(shared, "bip16")
    )
    for size, verdict in ((int(limit), "OK"), (int(limit) + 1, "PUSH_SIZE")):
        redeem_script = push(bytes(size - 5)) + script("DROP 1")
        assert len(redeem_script) == size
        tx = bare_tx(push(redeem_script))
        assert Spend(tx, 0, [TxOut(1, p2sh(hash160(redeem_script)))]).ours() == verdict


# BIP 32: the page says what its vectors say as data, which the wallet's tests walk.


def test_the_keys_of_bip_32(shared: Path) -> None:
    folder = shared / "vectors/bips"
    by_seed = json.loads((folder / "bip32.json").read_text(encoding="utf-8"))
    good = {key for rows in by_seed.values() for _, *keys in rows for key in keys}
    bad = {key for key, _ in json.loads((folder / "bip32_invalid.json").read_text("utf-8"))}
    assert (len(good), len(bad)) == (2 * 17, 16)
    text = text_of(shared, "bip32")
    assert set(re.findall(r"\b(?:[xt]p(?:ub|rv)|DM)\w{50,}", text)) == good | bad
    assert all(seed in text for seed in by_seed)


# BIP 66: which signatures fail, before the rule and since.

ELSEWHERE = curve.sign_ecdsa(cases.SECRET, bytes(32))  # signs something else
SIGNATURES: dict[
    str, Callable[[bytes], list[bytes]]
] = {  # what the text's letters stand for, as changes to a good signature
    "S": lambda good: [good],
    "S'": lambda good: [cases.padded_r(good[:-1]) + good[-1:]],
    "F": lambda good: [b"", ELSEWHERE + b"\x01"],
    "F'": lambda good: [cases.padded_r(ELSEWHERE) + b"\x01", b"\x01"],
}


def spends(words: str) -> list[tuple[bytes, bytes]]:
    """scriptSig and scriptPubKey, one pair for each meaning of the letters in `words`."""
    pattern = r"^((?:0 )?(?:[SF]\d?'? )+)(.*)$"
    [(given, asked)] = re.findall(pattern, words)
    asked = re.sub(r"P(\d)", lambda found: f"<{KEYS[int(found[1]) - 1].hex()}>", asked)
    script_pubkey, pairs = script(asked), [(b"", b"")]
    digest = sighash.legacy_sighash(bare_tx(), 0, script_pubkey, 1)
    for position, letter in enumerate(given.removeprefix("0 ").split()):
        secret = SECRETS[int((re.findall(r"\d", letter) or [position + 1])[0]) - 1]
        good = curve.sign_ecdsa(secret, digest) + b"\x01"
        choices = SIGNATURES[re.sub(r"\d", "", letter)](good)
        pairs = [(sig + push(choice), b"") for sig, _ in pairs for choice in choices]
    start = script("0") if given.startswith("0") else b""
    return [(start + sig, script_pubkey) for sig, _ in pairs]


def test_the_table_of_bip_66(shared: Path) -> None:
    pattern = r"# <code>(.+?)</code> (fails|can succeed) \((?:<b>)?(\w+)(?:</b>)?\)"
    table = re.findall(pattern, text_of(shared, "bip66"))
    assert len(table) == 12
    strict, lax = cases.DERSIG, 0
    for words, verdict, change in table:
        outcomes = set()
        for script_sig, script_pubkey in spends(words):
            tx = with_input(bare_tx(), 0, script_sig, ())
            before, after = (
                Spend(tx, 0, [TxOut(1, script_pubkey)], flags).ours() for flags in (lax, strict)
            )
            assert after in ("OK", "EVAL_FALSE", "SIG_DER")
            outcomes.add((before == "OK", after == "OK"))
        expected = {
            ("fails", "changed"): (True, False),
            ("fails", "unchanged"): (False, False),
            ("can succeed", "unchanged"): (True, True),
        }[verdict, change]
        assert outcomes == {expected}, words


# BIPs 65 and 112: the conditions under which a lock time is not met.

FAILING_LOCKTIMES = {
    "the stack is empty; or": ("", {}, "INVALID_STACK_OPERATION"),
    "the top item on the stack is less than 0; or": ("-1", {}, "NEGATIVE_LOCKTIME"),
    "the lock-time type (height vs. timestamp) of the top stack item and the nLockTime field are "
    "not the same; or": ("500000000", {"locktime": 499_999_999}, "UNSATISFIED_LOCKTIME"),
    "the top stack item is greater than the transaction's nLockTime field; or": (
        "101",
        {"locktime": 100},
        "UNSATISFIED_LOCKTIME",
    ),
    "the nSequence field of the txin is 0xffffffff;": (
        "100",
        {"locktime": 100, "sequence": 0xFFFFFFFF},
        "UNSATISFIED_LOCKTIME",
    ),
}
FAILING_SEQUENCES = {
    "the stack is empty; or": ("", {}, "INVALID_STACK_OPERATION"),
    "the top item on the stack is less than 0; or": ("-1", {}, "NEGATIVE_LOCKTIME"),
    "the transaction version is less than 2; or": (
        "9",
        {"version": 1, "sequence": 9},
        "UNSATISFIED_LOCKTIME",
    ),
    "the transaction input sequence number disable flag (1 << 31) is set; or": (
        "9",
        {"sequence": 1 << 31 | 9},
        "UNSATISFIED_LOCKTIME",
    ),
    "the relative lock-time type is not the same; or": (
        "9",
        {"sequence": 1 << 22 | 9},
        "UNSATISFIED_LOCKTIME",
    ),
    "the top stack item is greater than the transaction input sequence (when masked according to "
    "the BIP68);": ("10", {"sequence": 9}, "UNSATISFIED_LOCKTIME"),
}


def conditions(text: str) -> list[str]:
    summary = text.split("==Summary==")[1].split("Otherwise")[0]
    return re.findall(r"^\*+ (.+)$", summary, re.MULTILINE)


def test_the_conditions_of_bip_65(shared: Path) -> None:
    assert conditions(text_of(shared, "bip65")) == list(FAILING_LOCKTIMES)
    for words, fields, code in FAILING_LOCKTIMES.values():
        fields = {"sequence": 0} | fields
        asked = f"{words} CHECKLOCKTIMEVERIFY 1"
        assert bare("", asked, cases.CLTV, (), **fields).ours() == code
        assert bare("", asked, 0, (), **fields).ours() == "OK"  # NOP2 it was
    met = {"sequence": 0, "locktime": 100}
    assert bare("", "100 CHECKLOCKTIMEVERIFY 1", cases.CLTV, (), **met).ours() == "OK"


def test_the_conditions_of_bip_112(shared: Path) -> None:
    found = conditions(text_of(shared, "bip112"))
    disabled = "the top item on the stack has the disable flag (1 << 31) unset; and"
    assert found.pop(2) == disabled
    assert found == list(FAILING_SEQUENCES)
    for words, fields, code in FAILING_SEQUENCES.values():
        asked = f"{words} CHECKSEQUENCEVERIFY 1"
        assert bare("", asked, cases.CSV, (), **fields).ours() == code
        assert bare("", asked, 0, (), **fields).ours() == "OK"  # NOP3 it was
        if code == "UNSATISFIED_LOCKTIME":  # with the flag set the number says nothing
            off = f"{int(words) | 1 << 31} CHECKSEQUENCEVERIFY 1"
            assert bare("", off, cases.CSV, (), **fields).ours() == "OK"
    assert bare("", "9 CHECKSEQUENCEVERIFY 1", cases.CSV, sequence=9).ours() == "OK"


@pytest.mark.parametrize(("bip", "count"), [("bip68", 5), ("bip112", 3)])
def test_the_constants_of_relative_locks(shared: Path, bip: str, count: int) -> None:
    pattern = r"static const (?:uint32_t|int) (SEQUENCE_\w+) = \(?([^;)]+)\)?;"
    stated = dict(re.findall(pattern, text_of(shared, bip)))
    ours = {
        "SEQUENCE_FINAL": SEQUENCE_FINAL,
        "SEQUENCE_LOCKTIME_DISABLE_FLAG": checker.SEQUENCE_DISABLE_FLAG,
        "SEQUENCE_LOCKTIME_TYPE_FLAG": checker.SEQUENCE_TYPE_FLAG,
        "SEQUENCE_LOCKTIME_MASK": checker.SEQUENCE_VALUE_MASK,
        "SEQUENCE_LOCKTIME_GRANULARITY": SEQUENCE_UNIT_S.bit_length() - 1,
    }
    assert len(stated) == count
    for name, expression in stated.items():
        assert bits(expression) == ours[name], name


def test_the_sums_of_bip_68(shared: Path) -> None:
    """Blocks and seconds to a sequence number and back, by the text's own expressions."""
    text = text_of(shared, "bip68")
    assert "nSequence = (1 << 22) | (nTime >> 9);" in text
    assert "nTime = (nSequence & 0x0000ffff) << 9;" in text
    [blocks] = re.findall(r"0 <= nHeight <= ([\d,]+) blocks", text)
    [seconds] = re.findall(r"0 <= nTime < ([\d,]+) seconds", text)
    last_block, last_second = (int(number.replace(",", "")) for number in (blocks, seconds))
    for height in (0, 1, 1000, last_block):
        assert locks(height) == (500 + height - 1, -1)
    for seconds_s in (0, 511, 512, 1_000_000, last_second - 1):
        sequence = 1 << 22 | seconds_s >> 9
        rounded = (sequence & 0xFFFF) << 9
        assert 0 <= seconds_s - rounded < 512
        assert locks(sequence) == (-1, 7_000 + rounded - 1)
    assert locks(1 << 31) == (-1, -1)
    assert locks(9, version=1) == (-1, -1)


def locks(sequence: int, version: int = 2) -> tuple[int, int]:
    """sequence_locks of a coin at height 500 whose parent's median time is 7,000."""
    tx = bare_tx(version=version, sequence=sequence)
    return sequence_locks(tx, [500], lambda height: {499: 7_000}[height])


def test_the_median_of_bip_113(shared: Path) -> None:
    [span] = re.findall(r"nMedianTimeSpan=(\d+)", text_of(shared, "bip113"))
    lines = (shared / "vectors/mainnet/mainnet_0_8999.hex").read_text().split()[:400]
    headers = [BlockHeader.parse(bytes.fromhex(line)) for line in lines]
    tree = HeaderTree(headers[0])
    for header in headers[1:]:
        tree.add(header)
    differ = 0
    for height, header in enumerate(headers):
        times = sorted(each.time for each in headers[max(0, height - int(span) + 1) : height + 1])
        median = tree[header.hash].median_time_past
        assert median == times[len(times) // 2]
        differ += median != headers[max(0, height - int(span) // 2)].time
    assert differ  # somewhere clocks ran backwards, so that sorting matters


# BIPs 67 and 69: orders, with real scripts and transactions.


def test_the_sorted_multisigs_of_bip_67(shared: Path) -> None:
    from_text = re.findall(
        r"\* List:?\n((?:\*\* \w+\n)+)\* Sorted:?\n((?:\*\* \w+\n)+)"
        r"\* Script\n\*\* (\w+)\n\* Address\n\*\* (\w+)",
        text_of(shared, "bip67"),
    )
    assert len(from_text) == 4
    for given, ordered, code, address in from_text:
        keys = [bytes.fromhex(word) for word in re.findall(r"\w{66}", given)]
        assert [key.hex() for key in sorted(keys)] == re.findall(r"\w{66}", ordered)
        redeem_script = multisig(2, sorted(keys))
        assert redeem_script.hex() == code
        assert multisig_keys(redeem_script) == (2, sorted(keys))
        assert script_to_address(p2sh(hash160(redeem_script)), MAIN) == address


def test_the_examples_of_bip_69(shared: Path) -> None:
    """The text lists inputs and outputs in order; the raw transactions are two of the files."""
    files = sorted((shared / "vectors/bips/bip69").glob("*.hex"))
    raw = [Transaction.parse(bytes.fromhex(file.read_text().strip())) for file in files]
    by_id = {tx.txid[::-1].hex(): tx for tx in raw}
    pattern = r"Transaction (\w{64}):?\n(.+?)(?=Transaction|==)"
    sections = re.findall(pattern, text_of(shared, "bip69"), re.DOTALL)
    assert len(sections) == 2
    for txid, section in sections:
        tx = by_id[txid]
        outpoints = re.findall(r"\d+: (\w{64})\[(\d+)\]", section)
        listed = [OutPoint(bytes.fromhex(name)[::-1], int(index)) for name, index in outpoints]
        assert sorted(tx_in.outpoint for tx_in in tx.inputs) == sorted(listed)
        assert sorted(listed, key=lambda each: (each.txid[::-1], each.index)) == listed
        outputs = re.findall(r"\d+: +(\d+) +(\w+)", section)
        amounts = [TxOut(int(value), bytes.fromhex(code)) for value, code in outputs]
        assert sorted(tx.outputs) == amounts == sorted(amounts)
        assert len(outputs) == 2
