"""Vectors that came as data: addresses and their scripts, blocks with what they spend, scripts."""

import json
import re
from pathlib import Path
from typing import Any

from chain import curve
from chain.address import address_to_script, parse_witness_address, script_to_address
from chain.block import Block, BlockHeader, witness_commitment, witness_merkle_root
from chain.block_rules import check_block
from chain.hashes import hash160, sha256, sha256d, tagged_hash
from chain.merkle import merkle_root
from chain.params import MAIN, REGTEST
from chain.script.opcodes import core_asm, disassemble, instructions
from chain.script.script import count_sigops
from chain.script.templates import (
    ScriptType,
    classify,
    multisig,
    p2pkh,
    p2sh,
    p2tr,
    p2wpkh,
    p2wsh,
    witness,
)


def load(shared: Path, name: str) -> Any:
    return json.loads((shared / "vectors/bips" / f"{name}.json").read_text(encoding="utf-8"))


def test_the_sorted_multisigs_of_bip_67(shared: Path) -> None:
    vectors = load(shared, "bip67")
    assert len(vectors) == 5
    for keys, address in vectors.values():
        redeem_script = multisig(2, sorted(bytes.fromhex(key) for key in keys))
        assert script_to_address(p2sh(hash160(redeem_script)), MAIN) == address
        assert address_to_script(address, MAIN) == p2sh(hash160(redeem_script))


def test_the_valid_addresses_of_bip_173(shared: Path) -> None:
    """Of its six addresses, version 0 is still written so; the others BIP 350 has made invalid."""
    cases = load(shared, "bip173")["valid_addresses"]
    assert len(cases) == 6
    current = {case["address"] for case in load(shared, "bip350")["valid_addresses"]}
    kept = [case for case in cases if case["address"] in current]
    assert len(kept) == 3
    for case in kept:
        _, version, program = parse_witness_address(case["address"])
        assert witness(version, program).hex() == case["script_pubkey"]
    for case in cases:
        assert (case in kept) == (case["script_pubkey"][:2] == "00")


def test_the_addresses_of_bip_341(shared: Path) -> None:
    vectors = load(shared, "bip341")
    assert (len(vectors["scriptPubKey"]), len(vectors["keyPathSpending"])) == (7, 1)
    for case in vectors["scriptPubKey"]:
        expected = case["expected"]
        script_pubkey = bytes.fromhex(expected["scriptPubKey"])
        assert script_to_address(script_pubkey, MAIN) == expected["bip350Address"]
        assert address_to_script(expected["bip350Address"], MAIN) == script_pubkey
        assert classify(script_pubkey) is ScriptType.P2TR


def test_the_key_tweaks_of_bip_341(shared: Path) -> None:
    """The steps from an internal secret to the tweak, which the signatures rest on."""
    [example] = load(shared, "bip341")["keyPathSpending"]
    assert len(example["inputSpending"]) == 7
    for case in example["inputSpending"]:
        given, steps = case["given"], case["intermediary"]
        internal = curve.public_key(bytes.fromhex(given["internalPrivkey"]))[1:]
        assert internal.hex() == steps["internalPubkey"]
        tweak = tagged_hash("TapTweak", internal + bytes.fromhex(given["merkleRoot"] or ""))
        assert tweak.hex() == steps["tweak"]
        output_key = curve.tweak_public_key(internal, tweak)[0]
        spent = example["given"]["utxosSpent"][given["txinIndex"]]["scriptPubKey"]
        assert p2tr(output_key).hex() == spent


def values(vectors: list[list[str]], name: str) -> list[str]:
    return [value for key, value in vectors if key == name]


def test_the_scripts_of_bips_49_84_and_86(shared: Path) -> None:
    """Keys to scripts to addresses, without the paths: those the wallet's tests walk."""
    nested = dict(load(shared, "bip49"))
    redeem_script = p2wpkh(hash160(bytes.fromhex(nested["account0recvPublicKeyHex"][2:])))
    assert nested["scriptSig"].endswith(f"0x{redeem_script.hex()}")
    assert nested["addressBytes"].endswith(f"0x{hash160(redeem_script).hex()}")
    [address] = re.findall(r"= (\w+) \(testnet\)", nested["address"])
    assert script_to_address(p2sh(hash160(redeem_script)), REGTEST) == address
    native = load(shared, "bip84")
    keys, addresses = values(native, "pubkey"), values(native, "address")
    assert len(keys) == len(addresses) == 3
    for key, address in zip(keys, addresses, strict=True):
        assert address_to_script(address, MAIN) == p2wpkh(hash160(bytes.fromhex(key)))
    taproot = load(shared, "bip86")
    names = ("internal_key", "output_key", "scriptPubKey", "address")
    rows = list(zip(*(values(taproot, name) for name in names), strict=True))
    assert len(rows) == 3
    for *keys, script_pubkey, address in rows:
        internal, output = map(bytes.fromhex, keys)
        assert curve.tweak_public_key(internal, tagged_hash("TapTweak", internal))[0] == output
        assert p2tr(output).hex() == script_pubkey
        assert script_to_address(p2tr(output), MAIN) == address


def test_the_addresses_of_a_hardware_wallet(shared: Path) -> None:
    """To scripts and back; which letters they begin with says what they are."""
    accounts = load(shared, "trezor_addresses")["accounts"]
    shapes = {
        "legacy": ScriptType.P2PKH,
        "p2sh-segwit": ScriptType.P2SH,
        "segwit": ScriptType.P2WPKH,
    }
    seen = 0
    for account in accounts:
        params = MAIN if account["coin"] == "Bitcoin" else REGTEST
        for each in account["addresses"]:
            address = each["address"]
            if address.startswith("tb1"):  # no network of ours writes them so
                _, version, program = parse_witness_address(address)
                script_pubkey = witness(version, program)
            else:
                script_pubkey = address_to_script(address, params)
                assert script_to_address(script_pubkey, params) == address
            assert classify(script_pubkey) is shapes[account["pathType"]]
            seen += 1
    assert (len(accounts), seen) == (9, 54)


# BIP 158: blocks of the first public test network, with the scripts that each of them spends.


def test_the_blocks_of_bip_158(shared: Path) -> None:
    _, *rows = load(shared, "bip158")
    assert len(rows) == 10
    with_witness = 0
    for _, block_hash, raw, spent_scripts, *_ in rows:
        block = Block.parse(bytes.fromhex(raw))
        assert block.serialize().hex() == raw
        assert block.hash[::-1].hex() == block_hash
        assert BlockHeader.parse(bytes.fromhex(raw[:160])) == block.header
        check_block(block, MAIN)  # its proof of work is held to the same limit
        spends = sum(len(tx.inputs) for tx in block.transactions[1:])
        assert len(spent_scripts) == spends
        assert merkle_root([tx.txid for tx in block.transactions])[0] == block.header.merkle_root
        commitment = witness_commitment(block)
        if commitment is not None:
            with_witness += 1
            [nonce] = block.transactions[0].inputs[0].witness
            assert sha256d(witness_merkle_root(block) + nonce) == commitment
    assert with_witness == 2


def test_the_scripts_in_the_blocks_of_bip_158(shared: Path) -> None:
    """What is odd about each block is odd about one script in it, which must still be readable."""
    _, *rows = load(shared, "bip158")
    found: dict[str, list[bytes]] = {}
    for *_, raw, spent_scripts, _, _, _, note in rows:
        block = Block.parse(bytes.fromhex(raw))
        paid = [output.script_pubkey for tx in block.transactions for output in tx.outputs]
        found[note] = paid + [bytes.fromhex(script) for script in spent_scripts]
        for script in found[note]:
            assert disassemble(script) == disassemble(script).strip()
            assert count_sigops(script, accurate=True) <= count_sigops(script, accurate=False)
    assert b"" in found["Tx pays to empty output script"]
    assert b"" in found["Tx spends from empty output script"]
    [odd] = [
        s for s in found["Coinbase tx has unparseable output script"] if "[error]" in core_asm(s)
    ]
    assert classify(odd) is ScriptType.NONSTANDARD


def test_the_scripts_of_miniscript(shared: Path) -> None:
    """The compiler is not here; its scripts are scripts, that fit a P2WSH and can be read."""
    vectors = load(shared, "miniscript_fixed")
    assert len(vectors) == 97
    found = [case[f"{kind}_script"] for case in vectors for kind in ("p2wsh", "tapscript")]
    scripts = [bytes.fromhex(text) for text in found if text]
    assert len(scripts) == 67
    for script in scripts:
        steps = list(instructions(script))
        assert steps[-1][2] == len(script)
        assert len(script) <= 3600  # what policy lets a witness script have
        assert "<push past end>" not in disassemble(script)
        assert "[error]" not in core_asm(script)
        assert classify(p2wsh(sha256(script))) is ScriptType.P2WSH
        pushed = sum(len(data) for _, data, _ in steps if data)
        assert sum(len(word) // 2 for word in disassemble(script).split() if word[:3] != "OP_") == (
            pushed
        )
    hashes = [script for script in scripts if classify(script) is ScriptType.P2PKH]
    assert all(script == p2pkh(script[3:23]) for script in hashes) and len(hashes) == 2
