"""Witness programs: the script trees of BIP 341, opcodes that succeed, and the budget."""

import json
from pathlib import Path
from typing import Any

import pytest

from chain.script.templates import p2tr
from chain.script.witness import OP_SUCCESS, tapbranch_hash, tapleaf_hash, taproot_output_key
from tests.chain.script.cases import KEY_CHECK, X_ONLY, tapscript
from tests.chain.script.helpers import CONSENSUS, script


def merkle_root(tree: Any, leaves: dict[int, bytes]) -> bytes:
    """The root of a tree of BIP 341's vectors; the hashes of its leaves go into `leaves`."""
    if tree is None:
        return b""
    if isinstance(tree, list):
        return tapbranch_hash(merkle_root(tree[0], leaves), merkle_root(tree[1], leaves))
    leaf = tapleaf_hash(bytes.fromhex(tree["script"]), tree["leafVersion"])
    leaves[tree["id"]] = leaf
    return leaf


def scripts_of(tree: Any) -> list[tuple[bytes, int]]:
    """The leaves from left to right."""
    if isinstance(tree, list):
        return [leaf for side in tree for leaf in scripts_of(side)]
    return [(bytes.fromhex(tree["script"]), tree["leafVersion"])] if tree else []


def test_the_script_trees_of_bip_341(shared: Path) -> None:
    vectors = json.loads((shared / "vectors/bips/bip341.json").read_text(encoding="utf-8"))
    assert len(vectors["scriptPubKey"]) == 7
    for vector in vectors["scriptPubKey"]:
        given, expected = vector["given"], vector["expected"]
        internal_key = bytes.fromhex(given["internalPubkey"])
        leaves: dict[int, bytes] = {}
        root = merkle_root(given["scriptTree"], leaves)
        intermediary = vector["intermediary"]
        assert [leaves[number].hex() for number in sorted(leaves)] == intermediary.get(
            "leafHashes", []
        )
        assert root.hex() == (intermediary["merkleRoot"] or "")
        output_key, parity = taproot_output_key(internal_key, root)
        assert output_key.hex() == intermediary["tweakedPubkey"]
        assert p2tr(output_key).hex() == expected["scriptPubKey"]
        controls = [bytes.fromhex(text) for text in expected.get("scriptPathControlBlocks", [])]
        for control, (code, version) in zip(controls, scripts_of(given["scriptTree"]), strict=True):
            assert control[0] == version | parity
            node = tapleaf_hash(code, version)
            for start in range(33, len(control), 32):
                node = tapbranch_hash(node, control[start : start + 32])
            assert node == root


def test_the_opcodes_that_succeed_are_those_of_bip_342() -> None:
    listed = "80 98 126-129 131-134 137-138 141-142 149-153 187-254"
    expected = set()
    for part in listed.split():
        first, _, last = part.partition("-")
        expected |= set(range(int(first), int(last or first) + 1))
    assert expected == OP_SUCCESS


@pytest.mark.parametrize("opcode", sorted(OP_SUCCESS))
def test_success_whatever_else_there_is(opcode: int) -> None:
    code = bytes([0x6A, opcode, 0x4C])
    assert tapscript(code, [bytes(600)] * 3).ours() == "OK"
    assert tapscript(code, (), CONSENSUS | 1 << 19).ours() == "DISCOURAGE_OP_SUCCESS"
    assert tapscript(script("<" + f"{opcode:02x}" + ">") + b"\x6a").ours() == "OP_RETURN"


@pytest.mark.parametrize("often", range(1, 7))
def test_the_budget_counts_every_byte_of_the_witness(often: int) -> None:
    """50 and the size of the witness, annex included, pay for 50 a signature."""
    words = "<aabb>" + " 2DUP CHECKSIGVERIFY" * (often - 1) + " CHECKSIG"
    size = 1 + (1 + 1) + (1 + len(script(words))) + (1 + 33)
    missing = 50 * often - 50 - size
    for annex_size, code in ((missing - 1, "OK"), (missing - 2, "TAPSCRIPT_VALIDATION_WEIGHT")):
        if annex_size > 0:
            annex = b"\x50" * annex_size
            assert tapscript(script(words), [b"x"], annex=[annex]).ours() == code


def test_the_last_item_is_an_annex_only_beside_another() -> None:
    spend = tapscript(KEY_CHECK)
    tx_in = spend.tx.inputs[0]._replace(witness=(b"\x50" + bytes(63),))
    tx = type(spend.tx)(2, (tx_in,), spend.tx.outputs, 0)
    assert spend._replace(tx=tx).ours() == "SCHNORR_SIG"  # a signature that begins with 50


def test_a_merkle_root_that_no_key_can_carry() -> None:
    with pytest.raises(ValueError, match=r"."):
        taproot_output_key(b"\xff" * 32)
    assert taproot_output_key(X_ONLY)[0] != X_ONLY
