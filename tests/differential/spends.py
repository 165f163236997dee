"""Random spends: keys, signatures and scripts of every kind, most wrong in one small place."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence

from coincurve import PublicKey

from chain import curve
from chain.encoding import var_bytes
from chain.hashes import hash160, sha256, tagged_hash
from chain.script import sighash, witness
from chain.script.errors import ScriptError
from chain.script.script import push, push_number
from chain.script.templates import P2A, multisig, p2pkh, p2sh, p2tr, p2wpkh, p2wsh
from chain.transaction import OutPoint, Transaction, TxIn, TxOut
from tests.chain.script import core
from tests.chain.script.helpers import CONSENSUS, Spend, script, with_input
from tests.differential.pair import same
from tests.differential.words import random_code, random_items

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SECRETS = [hashlib.sha256(bytes([number])).digest() for number in range(6)]
HASH_TYPES = (1, 1, 1, 1, 2, 3, 0x81, 0x82, 0x83, 0, 4, 0x80, 0x41, 0x1F, 0xFF)
TAPROOT_TYPES = (0, 0, 0, 0, 1, 2, 3, 0x81, 0x82, 0x83, 4, 0x80, 0xFF)
SEPARATOR = script("CODESEPARATOR")
UNKNOWN_VERSIONS = [
    script("0 <0102>"), script("1 <0102>"), script("16 <0102>"), script(f"2 <{'11' * 40}>"),
    script(f"1 <{'00' * 32}>"), script(f"0 <{'00' * 20}>"), script(f"0 <{'01' * 31}>"), P2A,
]  # fmt: skip
SUCCESSES = (80, 98, 126, 129, 131, 134, 137, 138, 141, 142, 149, 153, 187, 254, 186, 255, 0x65)


def der(r: int, s: int, flaw: str = "") -> bytes:
    """Two numbers in DER, with a flaw of choice."""

    def integer(number: int) -> bytes:
        digits = number.to_bytes(number.bit_length() // 8 + 1, "big")
        digits = {"padded": b"\0" + digits, "negative": digits.lstrip(b"\0")}.get(flaw, digits)
        return b"\x02" + bytes([len(digits)]) + digits

    body = integer(r) + integer(s)
    if flaw == "empty r":
        body = b"\x02\x00" + integer(s)
    long_form = b"\x30\x81" if flaw == "long length" else b"\x30"
    wrong = flaw == "wrong length"
    whole = long_form + bytes([len(body) + wrong & 0xFF]) + body
    return {"cut": whole[:-1], "trailing": whole + b"\0"}.get(flaw, whole)


def numbers(signature: bytes) -> tuple[int, int]:
    """r and s of a strict DER signature."""
    size = signature[3]
    return int.from_bytes(signature[4 : 4 + size], "big"), int.from_bytes(
        signature[6 + size :], "big"
    )


class Generator:
    """Spends as a source of randomness will have them."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.kinds: tuple[Callable[[], tuple[bytes, bytes, Sequence[bytes]]], ...] = (
            self.legacy, self.pay_to_script_hash, self.key_hash, self.script_hash,
            self.key_path, self.script_path, self.script_path, self.upgradable, self.words,
        )  # fmt: skip

    def chance(self, percent: int) -> bool:
        """True so often."""
        return self.rng.random() * 100 < percent

    def flags(self) -> int:
        """Any flags that go together: Core asserts what needs what."""
        flags = self.rng.choice(
            (CONSENSUS, 0x1FFFFF, 0x1FFFFF & ~0x10121, self.rng.getrandbits(21))
        )
        if flags & 1 << 17 or flags & 1 << 8:
            flags |= 1 << 11
        return flags | (flags >> 11 & 1)

    def spend(self) -> Spend:
        """One spend."""
        rng = self.rng
        count = rng.randint(1, 3)
        sequences = (0xFFFFFFFF, 0xFFFFFFFE, 0, 10, 1 << 22 | 5, 1 << 31)
        inputs = [
            TxIn(OutPoint(rng.randbytes(32), rng.randrange(3)), b"", rng.choice(sequences), ())
            for _ in range(count)
        ]
        outputs = [TxOut(rng.randrange(10**8), rng.randbytes(5)) for _ in range(rng.randint(1, 3))]
        locktime = rng.choice((0, 0, 100, 500_000_000, 0xFFFFFFFF))
        version = rng.choice((1, 2, 2, 0xFFFFFFFF))
        tx = Transaction(version, tuple(inputs), tuple(outputs), locktime)
        others = [TxOut(rng.randrange(10**9), rng.randbytes(9)) for _ in range(count)]
        index = rng.randrange(count)
        script_pubkey, tx = self.fill(tx, index, rng.randrange(10**9), others)
        return Spend(tx, index, self.spent(script_pubkey), self.flags())

    def fill(
        self, tx: Transaction, index: int, value: int, others: Sequence[TxOut]
    ) -> tuple[bytes, Transaction]:
        """A script to spend with one input of `tx`, and `tx` with what that input needs.

        `value` is that of the output spent; `others` are those of the other inputs.
        """
        self.tx, self.index, self.value, self.others = tx, index, value, others
        script_pubkey, script_sig, stack = self.rng.choice(self.kinds)()
        script_sig, stack = self.spoil(script_sig, list(stack))
        return script_pubkey, with_input(tx, index, script_sig, stack)

    def spent(self, script_pubkey: bytes) -> list[TxOut]:
        """The outputs that the transaction spends."""
        outputs = list(self.others)
        outputs[self.index] = TxOut(self.value, script_pubkey)
        return outputs

    def spoil(self, script_sig: bytes, stack: list[bytes]) -> tuple[bytes, list[bytes]]:
        """Now and then, one thing wrong with the whole."""
        flaw = self.rng.randrange(60)
        if flaw == 0:
            stack = stack[:-1]
        elif flaw == 1:
            stack.insert(0, b"")
        elif flaw == 2:
            stack.insert(0, bytes(self.rng.choice((520, 521))))
        elif flaw == 3:
            script_sig += script(self.rng.choice(("1", "NOP", "0x4c", "0x50")))
        elif flaw == 4 and stack:
            place = self.rng.randrange(len(stack))
            stack[place] = self.flip(stack[place])
        elif flaw == 5:
            script_sig = self.flip(script_sig)
        elif flaw == 6:
            script_sig = script("1") + script_sig
        return script_sig, stack

    def flip(self, data: bytes) -> bytes:
        """One bit turned."""
        if not data:
            return data
        bits = int.from_bytes(data, "big") ^ 1 << self.rng.randrange(8 * len(data))
        return bits.to_bytes(len(data), "big")

    def public_key(self, number: int) -> bytes:
        """A key in some spelling, most often a good one."""
        short = curve.public_key(SECRETS[number])
        long = PublicKey(short).format(compressed=False)
        hybrid = bytes([6 + (long[-1] & 1)]) + long[1:]
        odd = [b"", short[:-1], short + b"\0", b"\x05" + short[1:], b"\x02" + b"\xff" * 32]
        odd += [long, long, hybrid, hybrid, bytes([hybrid[0] ^ 1]) + long[1:], long[:-1]]
        return self.rng.choice(odd) if self.chance(25) else short

    def flawed(self, signature: bytes) -> bytes:
        """A DER signature with something wrong with it."""
        r, s = numbers(signature)
        shift = self.rng.choice((8, 64, 200))
        ways = [der(r, ORDER - s), der(r + ORDER, s), der(r, s + ORDER), der(r << shift, s), b""]
        ways += [self.flip(signature), self.rng.randbytes(self.rng.choice((1, 8, 9, 71, 72, 73)))]
        flaws = "padded", "negative", "empty r", "long length", "wrong length", "cut", "trailing"
        return self.rng.choice([*ways, *(der(r, s, flaw) for flaw in flaws)])

    def ecdsa(self, number: int, code: bytes, version: int) -> bytes:
        """A signature with its hash type."""
        hash_type = self.rng.choice(HASH_TYPES)
        what = self.tx, self.index, code
        digest = sighash.legacy_sighash(*what, hash_type)
        if version == 0:
            digest = sighash.witness_v0_sighash(*what, self.value, hash_type)
        signature = curve.sign_ecdsa(SECRETS[number], digest)
        if self.chance(30):
            signature = self.flawed(signature)
        return signature + bytes([hash_type]) if signature or self.chance(20) else b""

    def code_and_stack(self, version: int) -> tuple[bytes, list[bytes]]:
        """A script before taproot and what satisfies it; `version` is -1 for legacy."""
        rng = self.rng
        keys = [rng.randrange(6) for _ in range(rng.choice((1, 2, 3, 3)))]
        public_keys = [self.public_key(number) for number in keys]
        signers, extra = keys[:1], []
        form = rng.randrange(3)
        if form == 0:
            pieces = [push(public_keys[0]), script("CHECKSIG")]
        elif form == 1:
            pieces, extra = [p2pkh(hash160(public_keys[0]))], [public_keys[0]]
        else:
            needed = rng.randint(0, len(keys))
            pieces = [multisig(needed, public_keys)]
            signers = [keys[place] for place in sorted(rng.sample(range(len(keys)), needed))]
            if self.chance(15):
                rng.shuffle(signers)
        if self.chance(10):
            limit = rng.choice((0, 5, 100, 500_000_000, -1, 1 << 31, 1 << 22 | 5, 1 << 39))
            opcode = rng.choice(("CHECKLOCKTIMEVERIFY", "CHECKSEQUENCEVERIFY"))
            pieces.insert(0, script(f"{limit} {opcode} DROP"))
        if self.chance(25):
            pieces.insert(rng.randint(0, len(pieces)), SEPARATOR)
        start = pieces.index(SEPARATOR) + 1 if SEPARATOR in pieces and self.chance(95) else 0
        signed = b"".join(pieces[start:])
        stack = [self.ecdsa(number, signed, version) for number in signers] + extra
        if form == 2:
            stack.insert(0, b"" if self.chance(85) else b"\x01")
        if self.chance(6):
            pieces = [script("IF"), *pieces, script("ENDIF")]
            stack.append(rng.choice((b"\x01", b"\x01", b"\x02", b"", b"\x01\x00", b"\x80")))
        if self.chance(6):
            pieces.append(script("NOT"))
        if self.chance(5) and stack:  # so that there is something to find and delete
            pieces.insert(0, push(rng.choice(stack)) + script("DROP"))
        return b"".join(pieces), stack

    def legacy(self) -> tuple[bytes, bytes, Sequence[bytes]]:
        """A bare script."""
        code, stack = self.code_and_stack(-1)
        sloppy = self.chance(3)
        script_sig = b"".join(
            script(f"0x4c{len(item):02x}{item.hex()}") if sloppy else push(item) for item in stack
        )
        return code, script_sig, [b"\x01"] if self.chance(5) else []

    def pay_to_script_hash(self) -> tuple[bytes, bytes, Sequence[bytes]]:
        """P2SH."""
        code, stack = self.code_and_stack(-1)
        return p2sh(hash160(code)), b"".join(push(item) for item in [*stack, code]), ()

    def maybe_nested(
        self, program: bytes, stack: Sequence[bytes]
    ) -> tuple[bytes, bytes, Sequence[bytes]]:
        """A witness program as it is or within P2SH."""
        if self.chance(60):
            return program, b"", stack
        return p2sh(hash160(program)), push(program), stack

    def key_hash(self) -> tuple[bytes, bytes, Sequence[bytes]]:
        """P2WPKH."""
        number = self.rng.randrange(6)
        key = self.public_key(number)
        signature = self.ecdsa(number, p2pkh(hash160(key)), 0)
        return self.maybe_nested(p2wpkh(hash160(key)), [signature, key])

    def script_hash(self) -> tuple[bytes, bytes, Sequence[bytes]]:
        """P2WSH."""
        code, stack = self.code_and_stack(0)
        return self.maybe_nested(p2wsh(sha256(code)), [*stack, code])

    def upgradable(self) -> tuple[bytes, bytes, Sequence[bytes]]:
        """Witness programs without a meaning, or with a wrong size."""
        stack = [self.rng.randbytes(2) for _ in range(self.rng.randrange(3))]
        return self.maybe_nested(self.rng.choice(UNKNOWN_VERSIONS), stack)

    def words(self) -> tuple[bytes, bytes, Sequence[bytes]]:
        """A script without signatures."""
        rng = self.rng
        code, stack = random_code(rng), random_items(rng)
        form = rng.randrange(4)
        if form == 0:
            return code, b"".join(map(push, stack)), ()
        if form == 1:
            return p2sh(hash160(code)), b"".join(map(push, [*stack, code])), ()
        if form == 2:
            return self.maybe_nested(p2wsh(sha256(code)), [*stack, code])
        internal = self.internal_key()[1]
        output_key, parity = witness.taproot_output_key(internal, witness.tapleaf_hash(code, 0xC0))
        return p2tr(output_key), b"", [*stack, code, bytes([0xC0 | parity]) + internal]

    def schnorr(self, secret: bytes, script_pubkey: bytes, *where: bytes | int | None) -> bytes:
        """A taproot signature; `where` is annex hash, leaf hash and OP_CODESEPARATOR."""
        hash_type = self.rng.choice(TAPROOT_TYPES)
        known = sighash.PrecomputedSighash(self.tx, self.spent(script_pubkey))
        try:
            digest = sighash.taproot_sighash(known, self.index, hash_type, *where)  # type: ignore[arg-type]
        except ScriptError:
            digest = bytes(32)
        signature = curve.sign_schnorr(secret, digest, bytes(32))
        if self.chance(10):
            signature = self.rng.choice((self.flip(signature), signature[:-1], b"", bytes(66)))
        return signature + bytes([hash_type]) if hash_type or self.chance(3) else signature

    def annex(self) -> tuple[list[bytes], bytes | None]:
        """Perhaps an annex, and its hash."""
        if self.chance(70):
            return [], None
        annex = b"\x50" + self.rng.randbytes(self.rng.randrange(9))
        return [annex], sha256(var_bytes(annex))

    def key_path(self) -> tuple[bytes, bytes, Sequence[bytes]]:
        """Taproot, spent by its key."""
        secret, internal = self.internal_key()
        root = self.rng.choice((b"", bytes(32)))
        script_pubkey = p2tr(witness.taproot_output_key(internal, root)[0])
        tweaked = curve.add_to_secret(secret, tagged_hash("TapTweak", internal + root))
        annex, annex_hash = self.annex()
        return script_pubkey, b"", [self.schnorr(tweaked, script_pubkey, annex_hash), *annex]

    def internal_key(self) -> tuple[bytes, bytes]:
        """A secret whose point has an even y, and that point's x."""
        secret = self.rng.choice(SECRETS)
        key = curve.public_key(secret)
        return (secret if key[0] == 2 else curve.negate_secret(secret)), key[1:]

    def tapscript(self) -> tuple[list[bytes], list[tuple[int, int]]]:
        """The instructions of a tapscript, and its signers, each with his OP_CODESEPARATOR."""
        rng = self.rng
        signers = [rng.randrange(6) for _ in range(rng.randint(1, 3))]
        form = rng.randrange(6)
        if form == 0:
            return [push(rng.randbytes(3)), bytes([rng.choice(SUCCESSES)]), script("0x4c")], []
        if form == 1:
            word = rng.choice(("CHECKMULTISIG", "CHECKMULTISIGVERIFY"))
            return [b"\0", b"\0", b"\0", script(word)], []
        if form == 2:  # one signature checked often: the budget
            key = push(curve.public_key(SECRETS[signers[0]])[1:])
            often = [script("DUP"), key, script("CHECKSIGVERIFY")] * rng.choice((1, 2, 5, 12))
            return [*often, key, script("CHECKSIG")], [(signers[0], 0xFFFFFFFF)]
        word = ("CHECKSIGADD", "CHECKSIGVERIFY", "CHECKSIG")[form - 3]
        pieces, plan, separator = [b"\0"] if form == 3 else [], [], 0xFFFFFFFF
        for number in signers[: 1 if form == 5 else 3]:
            if self.chance(25):
                separator = len(pieces)
                pieces.append(SEPARATOR)
            pieces += [push(self.x_only_key(number)), script(word)]
            plan.append((number, separator))
        if form == 3:
            pieces += [push_number(len(plan)), script("NUMEQUAL")]
        return pieces + [b"\x51"] * (form == 4), plan

    def x_only_key(self, number: int) -> bytes:
        """A key of tapscript, most often a good one."""
        odd = b"", self.rng.randbytes(1), self.rng.randbytes(33), b"\xff" * 32
        return self.rng.choice(odd) if self.chance(12) else curve.public_key(SECRETS[number])[1:]

    def script_path(self) -> tuple[bytes, bytes, Sequence[bytes]]:
        """Taproot, spent by a script."""
        rng = self.rng
        pieces, plan = self.tapscript()
        extra: list[bytes] = []
        if self.chance(8):
            pieces = [script("IF"), *pieces, script("ENDIF")]
            plan = [(number, at + (at != 0xFFFFFFFF)) for number, at in plan]
            extra = [rng.choice((b"\x01", b"\x01", b"\x02", b"", b"\x01\x00"))]
        code = b"".join(pieces)
        version = rng.choice((0xC0,) * 12 + (0xC2, 0x50, 0xFE))
        leaf = node = witness.tapleaf_hash(code, version)
        path = [rng.randbytes(32) for _ in range(rng.choice((0, 0, 1, 2, 5)))]
        for sibling in path:
            node = witness.tapbranch_hash(node, sibling)
        internal = self.internal_key()[1]
        output_key, parity = witness.taproot_output_key(internal, node)
        script_pubkey, (annex, annex_hash) = p2tr(output_key), self.annex()
        signed = script_pubkey, annex_hash, leaf
        signatures = [
            b"" if self.chance(10) else self.schnorr(SECRETS[number], *signed, at)
            for number, at in reversed(plan)
        ]
        control = self.control_block(bytes([version | parity]) + internal + b"".join(path))
        return script_pubkey, b"", [*signatures, *extra, code, control, *annex]

    def control_block(self, control: bytes) -> bytes:
        """Now and then, with a flaw."""
        if self.chance(92):
            return control
        cut = control[: self.rng.randrange(len(control))]
        long = control + bytes(32) * self.rng.choice((1, 129))
        return self.rng.choice((self.flip(control), cut, long, control + b"\0", b""))


def compare(spend: Spend, what: str) -> str:
    """The code on which ours and the engine agree, asked by both of its doors."""
    code = spend.ours()
    same(f"{what}: the code", code, core.code_of(spend))
    if not spend.flags & ~CONSENSUS:
        same(f"{what}: the verdict", code == "OK", core.is_valid(spend))
    return code


def run_spends(count: int, seed: int) -> Counter[str]:
    """So many spends, from so many seeds on; how often each code came. Raises Difference."""
    numbers = range(seed, seed + count)
    spends = ((number, Generator(random.Random(number)).spend()) for number in numbers)
    return Counter(compare(spend, f"spend, seed {number}") for number, spend in spends)
