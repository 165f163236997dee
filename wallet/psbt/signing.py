"""Signing: a signature for each key of ours, each verified before it is put into the packet.

Knows how to find our keys by their origins. ECDSA signatures are deterministic (RFC 6979), low in S
and R; Schnorr signatures take 32 random bytes, which hide the nonce from who measures or repeats.
Of taproot the key path alone is signed. The amounts signed are those of read_spend, which checked
them.

Reference: BIP 174 (Signer), 371, 341, 340.
"""

import secrets
from collections.abc import Callable, Sequence

from chain import curve
from chain.hashes import hash160, tagged_hash
from chain.params import Params
from chain.script.script import push
from chain.script.sighash import (
    SIGHASH_ALL,
    SIGHASH_ANYONECANPAY,
    SIGHASH_DEFAULT,
    SIGHASH_SINGLE,
    TAPROOT_HASH_TYPES,
    PrecomputedSighash,
    legacy_sighash,
    taproot_sighash,
    witness_v0_sighash,
)
from chain.script.templates import p2tr
from wallet.errors import PsbtIncomplete, PsbtMismatch, RealMoney, SigningFailed
from wallet.hd import ExtendedPrivateKey
from wallet.key_expression import Origin
from wallet.psbt.fields import In, field_key, of_kind, read_origin, read_tap_origin
from wallet.psbt.inputs import (
    LEGACY,
    MAX_FEE,
    TAPROOT,
    WITNESS_V0,
    Spend,
    is_final,
    read_spend,
    refuse_absurd_fee,
    spent_outputs,
    unproven,
)
from wallet.psbt.packet import Psbt, get
from wallet.script_expression import OutputDescriptor

KeyFinder = Callable[[bytes, Origin], bytes | None]
"""From a public key and its origin to the private key, if it is ours."""

SAFE_TYPES = {SIGHASH_DEFAULT, SIGHASH_ALL}  # they commit to every input and output
READABLE_BACKEND_NETWORKS = {"regtest", "classroom"}  # where timing attacks win nothing


def keys_of_master(master: ExtendedPrivateKey) -> KeyFinder:
    """Finds the keys of one seed."""

    def find(public: bytes, origin: Origin) -> bytes | None:
        if origin.fingerprint != master.public.fingerprint:
            return None
        return master.derive(origin.path).secret

    return find


def keys_of_descriptors(descriptors: Sequence[OutputDescriptor]) -> KeyFinder:
    """Finds the keys below the private keys that descriptors hold."""
    held = [key for each in descriptors for key in each.root.all_keys() if key.is_private]

    def find(public: bytes, origin: Origin) -> bytes | None:
        for key in held:
            if key.secret is not None and key.public[1:33] == public[-32:]:
                return key.secret
            if isinstance(key.extended, ExtendedPrivateKey):
                root = key.origin or Origin(key.extended.public.fingerprint, ())
                depth = len(root.path)
                if (origin.fingerprint, origin.path[:depth]) == root:
                    return key.extended.derive(origin.path[depth:]).secret
        return None

    return find


def sign(
    psbt: Psbt,
    find: KeyFinder,
    params: Params,
    *,
    any_hash_type: bool = False,
    any_amount: bool = False,
    max_fee: int | None = MAX_FEE,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[Psbt, int]:
    """The packet with our signatures, and how many were added (0: no key of ours is missing).

    RealMoney where coins are worth money; PsbtMismatch or PsbtIncomplete if an input with a key of
    ours cannot be trusted: it wants a hash type that leaves something open (unless `any_hash_type`)
    or states an amount that is not proven (unless `any_amount`). AbsurdFee above `max_fee`
    satoshis; SigningFailed if a signature does not verify.
    """
    _refuse_network(params)
    refuse_absurd_fee(psbt, max_fee)
    inputs, added = [dict(fields) for fields in psbt.inputs], 0
    ours = [n for n, each in enumerate(inputs) if not is_final(each) and _is_ours(psbt, n, find)]
    spends = [read_spend(psbt, number) for number in ours]
    has_taproot = any(spend.kind == TAPROOT for spend in spends)
    shared = PrecomputedSighash(psbt.transaction, spent_outputs(psbt) if has_taproot else ())
    doubtful = set() if any_amount else set(unproven(psbt))
    for spend in spends:
        _check_hash_type(psbt, spend, any_hash_type)
        if spend.kind == WITNESS_V0 and spend.number in doubtful:
            raise PsbtIncomplete(
                f"input {spend.number} states its amount without the transaction that it spends "
                "from: a false one could hide a fee; update the PSBT, or allow any amount if you "
                "trust who made it"
            )
        if spend.kind == TAPROOT:
            news = _sign_taproot(spend, find, shared, random_bytes)
        else:
            news = _sign_ecdsa(spend, find, shared)
        inputs[spend.number].update(news)
        added += len(news)
    return psbt.with_inputs(inputs), added


def _refuse_network(params: Params) -> None:
    if params.is_real_money:
        raise RealMoney(
            f"coins of {params.name} are real money; Farthing signs for practice networks only"
        )
    is_readable = curve.BACKEND_NAME != "libsecp256k1"
    if is_readable and params.name not in READABLE_BACKEND_NETWORKS:
        raise RealMoney(
            "the readable `ecdsa` library is open to timing attacks (CVE-2024-23342) and signs "
            "on regtest and classroom only; install coincurve"
        )


def _is_ours(psbt: Psbt, number: int, find: KeyFinder) -> bool:
    fields = psbt.inputs[number]
    return any(
        _secret(find, public, origin) is not None
        for kind, read in (
            (In.BIP32_DERIVATION, read_origin),
            (In.TAP_BIP32_DERIVATION, lambda value: read_tap_origin(value)[1]),
        )
        for public, value in of_kind(fields, kind)
        for origin in (read(value),)
    )


def _secret(find: KeyFinder, public: bytes, origin: Origin) -> bytes | None:
    """Our private key, if it is really that of the public key."""
    secret = find(public, origin)
    x_only = public if len(public) == 32 else public[1:33]
    if secret is None or curve.public_key(secret)[1:] != x_only:
        return None
    return secret


def _check_hash_type(psbt: Psbt, spend: Spend, any_hash_type: bool) -> None:
    kind = spend.hash_type
    known = TAPROOT_HASH_TYPES if spend.kind == TAPROOT else TAPROOT_HASH_TYPES - {SIGHASH_DEFAULT}
    if kind not in known:
        raise PsbtMismatch(f"input {spend.number} wants hash type {kind:#04x}, which is none")
    if kind not in SAFE_TYPES and not any_hash_type:
        raise PsbtMismatch(
            f"input {spend.number} wants hash type {kind:#04x}, which lets others change the "
            "payment after you have signed; allow it only if you know why"
        )
    is_single = kind & ~SIGHASH_ANYONECANPAY == SIGHASH_SINGLE
    if is_single and spend.number >= len(psbt.transaction.outputs):
        raise PsbtMismatch(f"input {spend.number} signs an output that is not there")


def _sign_ecdsa(spend: Spend, find: KeyFinder, shared: PrecomputedSighash) -> dict[bytes, bytes]:
    digest = ecdsa_digest(shared, spend, spend.hash_type)
    made = {}
    for public, value in of_kind(spend.fields, In.BIP32_DERIVATION):
        secret, place = _secret(find, public, read_origin(value)), field_key(In.PARTIAL_SIG, public)
        is_in = push(public) in spend.code or push(hash160(public)) in spend.code
        if secret is None or place in spend.fields or not is_in:
            continue
        signature = curve.sign_ecdsa(secret, digest)
        if not curve.verify_ecdsa(public, signature, digest):
            raise _faulty(spend.number)
        made[place] = signature + bytes([spend.hash_type])
    return made


def ecdsa_digest(shared: PrecomputedSighash, spend: Spend, hash_type: int) -> bytes:
    """What an ECDSA signature of an input signs."""
    if spend.kind == LEGACY:
        return legacy_sighash(shared.tx, spend.number, spend.code, hash_type)
    value = spend.spent.value
    return witness_v0_sighash(shared.tx, spend.number, spend.code, value, hash_type, shared)


def _sign_taproot(
    spend: Spend,
    find: KeyFinder,
    shared: PrecomputedSighash,
    random_bytes: Callable[[int], bytes],
) -> dict[bytes, bytes]:
    internal = get(spend.fields, In.TAP_INTERNAL_KEY)
    if internal is None:
        raise PsbtIncomplete(f"input {spend.number} lacks its internal key; update the PSBT first")
    value = get_origin(spend, internal)
    secret = None if value is None else _secret(find, internal, value)
    if secret is None or get(spend.fields, In.TAP_KEY_SIG) is not None:
        return {}
    root = get(spend.fields, In.TAP_MERKLE_ROOT) or b""
    tweak = tagged_hash("TapTweak", internal + root)
    output_key, _ = curve.tweak_public_key(internal, tweak)
    if spend.spent.script_pubkey != p2tr(output_key):
        raise PsbtMismatch(f"input {spend.number}: internal key and tree are not those of the coin")
    if curve.public_key(secret)[0] == 3:  # the key with an even y is meant (BIP 340)
        secret = curve.negate_secret(secret)
    digest = taproot_sighash(shared, spend.number, spend.hash_type)
    signature = curve.sign_schnorr(curve.add_to_secret(secret, tweak), digest, random_bytes(32))
    if not curve.verify_schnorr(output_key, signature, digest):
        raise _faulty(spend.number)
    hash_type = bytes([spend.hash_type]) if spend.hash_type != SIGHASH_DEFAULT else b""
    return {field_key(In.TAP_KEY_SIG): signature + hash_type}


def get_origin(spend: Spend, x_only: bytes) -> Origin | None:
    """Where a taproot key comes from, if the packet says it."""
    for public, value in of_kind(spend.fields, In.TAP_BIP32_DERIVATION):
        if public == x_only:
            return read_tap_origin(value)[1]
    return None


def _faulty(number: int) -> SigningFailed:
    return SigningFailed(
        f"the signature of input {number} does not verify; nothing was written, try again"
    )
