"""Writing scripts as words, spending them, and asking both this engine and Bitcoin Core's."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from bitcoin.core.script import OPCODES_BY_NAME

from chain.script.interpreter import ScriptError, ScriptFlag, TransactionChecker, verify_script
from chain.script.script import push, push_number
from chain.transaction import OutPoint, Transaction, TxIn, TxOut

# FARTHING_SWEEP=1 makes the comparisons with Core fifty times longer (minutes).
SWEEP = 50 if os.environ.get("FARTHING_SWEEP") else 1
STANDARD = 0x1FFFDF  # restated: every flag but SIGPUSHONLY
CONSENSUS = 0x20E15  # P2SH DERSIG NULLDUMMY CHECKLOCKTIMEVERIFY CHECKSEQUENCEVERIFY WITNESS TAPROOT
BYTES = {"CHECKSIGADD": 0xBA, "CHECKLOCKTIMEVERIFY": 0xB1, "CHECKSEQUENCEVERIFY": 0xB2}
BYTES |= {str(name).removeprefix("OP_"): int(opcode) for name, opcode in OPCODES_BY_NAME.items()}


def script(text: str) -> bytes:
    """`2 <02ab> 0x4c ADD`: a number is pushed, <hex> is pushed, 0xhex stands as it is."""
    parts = []
    for word in text.split():
        if word.startswith("<"):
            parts.append(push(bytes.fromhex(word[1:-1])))
        elif word.startswith("0x"):
            parts.append(bytes.fromhex(word[2:]))
        elif word.lstrip("-").isdigit():
            parts.append(push_number(int(word)))
        else:
            parts.append(bytes([BYTES[word]]))
    return b"".join(parts)


class Spend(NamedTuple):
    """An input about to be spent. `tx` holds its scriptSig and witness already."""

    tx: Transaction
    input_index: int
    spent_outputs: Sequence[TxOut]
    flags: int = CONSENSUS

    def ours(self) -> str:
        """The code of the error, or OK."""
        tx_in = self.tx.inputs[self.input_index]
        checker = TransactionChecker(self.tx, self.input_index, self.spent_outputs)
        script_pubkey = self.spent_outputs[self.input_index].script_pubkey
        try:
            verify_script(
                tx_in.script_sig, script_pubkey, tx_in.witness, ScriptFlag(self.flags), checker
            )
        except ScriptError as error:
            return error.code
        return "OK"


def bare_tx(
    script_sig: bytes = b"",
    witness: Sequence[bytes] = (),
    *,
    sequence: int = 0xFFFFFFFF,
    version: int = 2,
    locktime: int = 0,
) -> Transaction:
    """One input, one output."""
    tx_in = TxIn(OutPoint(bytes(32), 7), script_sig, sequence, tuple(witness))
    return Transaction(version, (tx_in,), (TxOut(1, b""),), locktime)


def bare(
    script_sig: str,
    script_pubkey: str,
    flags: int = CONSENSUS,
    witness: Sequence[bytes] = (),
    **tx_fields: int,
) -> Spend:
    """A spend of scripts in words that asks for no signature."""
    tx = bare_tx(script(script_sig), witness, **tx_fields)
    return Spend(tx, 0, (TxOut(1000, script(script_pubkey)),), flags)


def with_input(
    tx: Transaction, index: int, script_sig: bytes, witness: Sequence[bytes]
) -> Transaction:
    """`tx` with what satisfies one of its inputs put in."""
    inputs = list(tx.inputs)
    inputs[index] = inputs[index]._replace(script_sig=script_sig, witness=tuple(witness))
    return Transaction(tx.version, tuple(inputs), tx.outputs, tx.locktime)
