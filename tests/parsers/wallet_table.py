"""The parsers of wallet/: amounts, words, keys, descriptors, and the wallet's file."""

import hashlib
import json
import os
import tempfile
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from mnemonic import Mnemonic

from chain import curve
from chain.params import REGTEST
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.parsers import made
from tests.parsers.chain_table import SIZE
from tests.parsers.damage import Tape
from tests.parsers.parser import Parser
from wallet import amounts, keystore, mnemonic
from wallet.account import KINDS, Account
from wallet.errors import BadAmount, BadDescriptor, BadKey, BadPsbt, BadUri, BadWords, DamagedFile
from wallet.hd import (
    ExtendedPrivateKey,
    ExtendedPublicKey,
    format_path,
    parse_extended_key,
    parse_path,
)
from wallet.keystore import WalletFile
from wallet.ledger import Ledger
from wallet.ledger_file import history_to_bytes, ledger_from_json, ledger_to_json
from wallet.psbt.fields import In, field_key
from wallet.psbt.packet import MAGIC, Psbt
from wallet.script_expression import parse_descriptor
from wallet.uri import PaymentUri, parse_uri

PLACE = Path(tempfile.gettempdir()) / f"farthing-parsers-{os.getpid()}.wallet"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def read_file(data: bytes) -> WalletFile:
    PLACE.write_bytes(data)
    try:
        return keystore.read(PLACE)
    finally:
        PLACE.unlink()


def file_of(body: bytes) -> bytes:
    """The line above the body, with a checksum that fits: what an editor of files would write."""
    digest = hashlib.sha256(b"farthing-wallet 2\n" + body).hexdigest()
    return b"farthing-wallet 2 " + digest.encode() + b"\n" + body


def write_file(file: WalletFile) -> bytes:
    whole = {
        "network": file.network,
        "descriptors": file.descriptors,
        "sealed": file.sealed,
        "state": file.state,
    }
    head = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    return file_of(head.encode() + b"\n" + file.history)


def read_body(body: str) -> WalletFile:
    """Only the body, so that damage comes to where it is understood."""
    return read_file(file_of(body.encode(errors="surrogatepass")))


def write_body(file: WalletFile) -> str:
    return write_file(file).partition(b"\n")[2].decode()


def read_ledger(text: str) -> Ledger:
    """From the JSON of a wallet's state; what is no JSON has been noticed before."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise DamagedFile("no JSON") from None
    if not isinstance(value, list) or len(value) != 3:
        raise DamagedFile("not a state, coins and a history")
    ledger = ledger_from_json(value[0], "\n".join(map(json.dumps, value[1:])).encode())
    ledger.coins()
    ledger.history()
    return ledger


def write_ledger(ledger: Ledger) -> str:
    return json.dumps(
        [ledger_to_json(ledger), *map(json.loads, history_to_bytes(ledger).split(b"\n"))]
    )


def extended(secret: int, depth: int, index: int, chain_code: bytes, private: bool) -> Any:
    parent = bytes(4) if depth == 0 else b"\1\2\3\4"
    place = (chain_code, depth, parent, index if depth else 0)
    if private:
        return ExtendedPrivateKey(*place, secret.to_bytes(32, "big"))
    return ExtendedPublicKey(*place, curve.public_key(secret.to_bytes(32, "big")))


def long_text(start: str, middle: str, end: str = "") -> Callable[[], str]:
    return lambda: start + middle * (SIZE // len(middle)) + end


secrets = st.integers(1, 1000) | st.integers(1, ORDER - 1)
indexes = st.integers(0, 2**32 - 1)
chain_codes = st.binary(min_size=32, max_size=32)
keys = st.builds(extended, secrets, st.integers(0, 255), indexes, chain_codes, st.booleans())
public_keys = st.builds(
    extended, st.integers(1, 50), st.just(3), indexes, chain_codes, st.just(False)
)
paths = st.lists(indexes, min_size=1, max_size=6).map(tuple)
seeds = st.binary(min_size=16, max_size=64).map(ExtendedPrivateKey.from_seed)
descriptors = st.builds(
    Account.of_master,
    seeds,
    st.just(REGTEST),
    st.sampled_from(sorted(KINDS)),
    st.integers(0, 2**31 - 1),
)
words = st.one_of(
    [
        st.binary(min_size=size, max_size=size).map(Mnemonic(language).to_mnemonic)
        for size, language in ((16, "english"), (32, "spanish"))
    ]
).map(lambda text: unicodedata.normalize("NFKD", text))


def json_value(tape: Tape) -> Any:
    """Anything that JSON can say, not deep."""
    plain = (None, True, tape.number(3), -1, tape.take(3).decode("latin-1"))
    choice = tape.below(8)
    if choice < 5:
        return plain[choice]
    inner = made.several(json_value, tape, most=2)
    return inner if choice < 7 else {str(number): each for number, each in enumerate(inner)}


def wallet_file(tape: Tape) -> WalletFile:
    network = ("regtest", "classroom")[tape.below(2)]
    names = tuple(tape.take(5).decode("latin-1") for _ in range(tape.below(3)))
    return WalletFile(network, names, {"n": json_value(tape)}, {"tip": json_value(tape)}, b"[]")


files = made.strategy(wallet_file, 60)
LEDGER = [
    {
        "tip": [7, "ab" * 32],
        "next": [[0, 0, 1], [0, 1, 2]],
        "scanned": [[0, 0, 21], [0, 1, 22]],
        "waiting": None,
        "frozen": [],
        "balance": [100, 1000, 0, 0, 0],
    },
    [["cd" * 32, 0, 1000, [0, 0, 3], 5, False, True]],
    [
        {
            "txid": "cd" * 32,
            "raw": "00",
            "status": [5, "ef" * 32, 1_700_000_000],
            "coinbase": False,
            "sent_here": True,
            "credits": [[0, 1000, [0, 0, 3]]],
            "debits": [["01" * 32, 1, 2000]],
            "fee": 141,
        }
    ],
]

POINT = curve.public_key(b"\1" * 32)
ANY_DESCRIPTORS = [
    parse_descriptor(text.replace("KEY", POINT.hex()), REGTEST)
    for text in (
        "wsh(sortedmulti(1,KEY,[01020304/5h/6]KEY))",
        "tr(KEY,{pk(KEY),{multi_a(1,KEY),pk(KEY)}})",
        "sh(wsh(pkh(KEY)))",
        "combo(KEY)",
        "raw(00)",
    )
]
UNSIGNED = Transaction(2, [TxIn(OutPoint(bytes(32), 0))], [TxOut(1, b"\x51")], 0)


def packet(fields: dict[bytes, bytes]) -> bytes:
    """A packet of one input with these fields."""
    return Psbt.of_transaction(UNSIGNED).with_inputs([fields]).serialize()


def many_keys() -> bytes:
    """What honest packets are full of: keys and their origins."""
    keys = (curve.public_key(number.to_bytes(32, "big")) for number in range(1, SIZE // 40))
    return packet({field_key(In.BIP32_DERIVATION, key): bytes(4) for key in keys})


PACKETS = [
    Psbt.of_transaction(UNSIGNED),
    Psbt.parse(
        packet(
            {
                field_key(In.WITNESS_UTXO): UNSIGNED.outputs[0].serialize(),
                field_key(In.SIGHASH_TYPE): b"\1\0\0\0",
                field_key(In.BIP32_DERIVATION, POINT): b"abcd\0\0\0\x80",
                field_key(In.TAP_BIP32_DERIVATION, POINT[1:]): b"\1" + bytes(32) + b"abcd",
                field_key(In.FINAL_SCRIPTWITNESS): b"\2\0\1a",
                b"\xfc\1x": b"unknown",
            }
        )
    ),
]
PARSERS = [
    Parser(
        "amount",
        amounts.parse_amount,
        amounts.format_amount,
        st.integers(0, 21 * 10**14),
        BadAmount,
        False,
        hostile={
            "digits": long_text("", "9"),
            "decimals": long_text("0.", "0"),
            "digits before a letter": long_text("", "9", "x"),
            "spaces": long_text("", " ", "1"),
        },
    ),
    Parser(
        "payment URI",
        parse_uri,
        PaymentUri.text,
        st.builds(
            PaymentUri,
            st.just("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"),
            st.none() | st.integers(0, 21 * 10**14),
            st.text("Tea & cake=5%+é", max_size=20),
            st.text("Tea & cake=5%+é", max_size=20),
        ),
        BadUri,
        False,
        hostile={
            "parameters": long_text("bitcoin:x?", "a=1&"),
            "percents": long_text("bitcoin:x?label=", "%"),
        },
    ),
    Parser(
        "fee rate",
        amounts.parse_feerate,
        str,
        st.integers(1, 10**9).map(lambda number: Decimal(number).scaleb(-3)),
        BadAmount,
        False,
        hostile={"digits": long_text("", "9"), "decimals": long_text("0.", "0")},
    ),
    Parser(
        "path",
        parse_path,
        format_path,
        paths,
        BadKey,
        False,
        hostile={
            "steps": long_text("m", "/0"),
            "digits": long_text("m/", "9"),
            "slashes": long_text("", "/"),
        },
    ),
    Parser(
        "extended key",
        lambda text: parse_extended_key(text, REGTEST),
        lambda key: key.serialize(REGTEST),
        keys,
        BadKey,
        hostile={"ones": long_text("", "1"), "z": long_text("tpub", "z")},
    ),
    Parser(
        "account",
        lambda text: Account.parse(text, REGTEST),
        lambda account: account.text(),
        descriptors,
        BadDescriptor,
        False,
        hostile={
            "brackets": long_text("", "(", "#qqqqqqqq"),
            "nested": long_text("", "sh(", "#qqqqqqqq"),
            "steps": long_text("wpkh([00000000", "/0", "]tpub/<0;1>/*)#qqqqqqqq"),
            "a key": long_text("wpkh([00000000]", "z", "/<0;1>/*)#qqqqqqqq"),
            "a checksum": long_text("wpkh()#", "q"),
        },
    ),
    Parser(
        "any descriptor",
        lambda text: parse_descriptor(text, REGTEST),
        lambda descriptor: descriptor.text(),
        st.sampled_from(ANY_DESCRIPTORS),
        BadDescriptor,
        False,
        hostile={
            "brackets": long_text("", "("),
            "branches of a tree": long_text("tr(a,", "{"),
            "a checksum": long_text("wpkh()#", "q"),
        },
    ),
    Parser(
        "partially signed transaction",
        Psbt.parse,
        Psbt.serialize,
        st.sampled_from(PACKETS),
        BadPsbt,
        hostile={
            "keys": lambda: (
                MAGIC
                + b"".join(
                    b"\x04\xfc" + number.to_bytes(3, "big") + b"\x00" for number in range(SIZE // 6)
                )
            ),
            "an origin": lambda: packet({field_key(In.BIP32_DERIVATION, POINT): bytes(SIZE)}),
            "items of a witness": lambda: packet(
                {
                    field_key(In.FINAL_SCRIPTWITNESS): b"\xfe"
                    + SIZE.to_bytes(4, "little")
                    + bytes(SIZE)
                }
            ),
        },
        normal=many_keys,
    ),
    Parser(
        "words",
        mnemonic.check_words,
        str,
        words,
        BadWords,
        False,
        hostile={
            "letters": long_text("", "a"),
            "words": long_text("", "abandon "),
            "accents in the wrong order": long_text("a", "\u0301\u0327"),
            "ligatures": long_text("", "\ufdfa"),
        },
    ),
    Parser(
        "wallet's file",
        read_file,
        write_file,
        files,
        DamagedFile,
        hostile={
            "no lines": lambda: b"farthing-wallet 2 " + bytes(SIZE),
            "brackets": lambda: file_of(b"[" * SIZE),
            "digits": lambda: file_of(b"9" * SIZE),
        },
    ),
    Parser("wallet's file, its body", read_body, write_body, files, DamagedFile, False),
    Parser(
        "wallet's history",
        read_ledger,
        write_ledger,
        st.just(json.dumps(LEDGER)).map(read_ledger),
        DamagedFile,
        False,
    ),
]
