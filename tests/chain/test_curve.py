"""Both backends of the curve: vectors, OpenSSL as a third opinion, and each against the other."""

import csv
import json
import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import chain
from chain import curve, curve_ecdsa, curve_libsecp
from chain.hashes import sha256, tagged_hash

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
P = 2**256 - 2**32 - 977
FUNCTIONS = """
    is_valid_public_key public_key negate_secret add_to_secret add_to_public_key tweak_public_key
    verify_ecdsa sign_ecdsa verify_schnorr sign_schnorr
""".split()
GENERATOR = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
BACKENDS = [curve_ecdsa, curve_libsecp]
DIGEST = sha256(b"a message")

both = pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.BACKEND_NAME)
secrets = st.integers(1, N - 1).map(lambda number: number.to_bytes(32, "big"))
digests = st.binary(min_size=32, max_size=32)
few = settings(max_examples=15)  # the readable backend takes milliseconds


def b32(number: int) -> bytes:
    return number.to_bytes(32, "big")


def der(r: int, s: int) -> bytes:
    return encode_dss_signature(r, s)


def numbers(signature: bytes) -> tuple[int, int]:
    r_end = 4 + signature[3]
    return int.from_bytes(signature[4:r_end], "big"), int.from_bytes(signature[r_end + 2 :], "big")


def uncompressed(key: bytes, kind: int = 4) -> bytes:
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), key).public_numbers()
    return bytes([kind]) + b32(point.x) + b32(point.y)


def test_the_fast_backend_is_used_where_it_is_installed() -> None:
    assert curve.BACKEND_NAME == curve_libsecp.BACKEND_NAME == "libsecp256k1"
    assert curve.CURVE_ORDER == curve_ecdsa.CURVE_ORDER == curve_libsecp.CURVE_ORDER == N


def test_the_readable_backend_takes_over_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(chain, "curve_libsecp")
    monkeypatch.setitem(sys.modules, "chain.curve_libsecp", None)
    names = runpy.run_path(str(curve.__file__))
    assert names["BACKEND_NAME"] == "ecdsa"
    for name in FUNCTIONS:
        assert names[name] is getattr(curve_ecdsa, name)
        assert getattr(curve, name) is getattr(curve_libsecp, name)


# Schnorr signatures and taproot's tweaks.


@both
def test_the_vectors_of_bip_340(backend: ModuleType, shared: Path) -> None:
    with (shared / "vectors/bips/bip340.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 19
    signed = 0
    for row in rows:
        key, message, signature = (
            bytes.fromhex(row[name]) for name in ("public key", "message", "signature")
        )
        expected = row["verification result"] == "TRUE"
        assert backend.verify_schnorr(key, signature, message) == expected
        if row["secret key"] and len(message) == 32:
            secret, auxiliary = bytes.fromhex(row["secret key"]), bytes.fromhex(row["aux_rand"])
            assert backend.public_key(secret)[1:] == key
            assert backend.sign_schnorr(secret, message, auxiliary) == signature
            signed += 1
    assert signed == 4


@both
def test_the_tweaks_of_bip_341(backend: ModuleType, shared: Path) -> None:
    vectors = json.loads((shared / "vectors/bips/bip341.json").read_text())
    assert len(vectors["scriptPubKey"]) == 7
    for case in vectors["scriptPubKey"]:
        key = bytes.fromhex(case["given"]["internalPubkey"])
        root = bytes.fromhex(case["intermediary"]["merkleRoot"] or "")
        tweak = tagged_hash("TapTweak", key + root)
        assert tweak.hex() == case["intermediary"]["tweak"]
        tweaked, parity = backend.tweak_public_key(key, tweak)
        assert tweaked.hex() == case["intermediary"]["tweakedPubkey"]
        for block in case["expected"].get("scriptPathControlBlocks", []):
            assert bytes.fromhex(block)[0] & 1 == parity


@both
def test_the_key_path_signatures_of_bip_341(backend: ModuleType, shared: Path) -> None:
    vectors = json.loads((shared / "vectors/bips/bip341.json").read_text())
    cases = vectors["keyPathSpending"][0]["inputSpending"]
    assert len(cases) == 7
    for case in cases:
        steps = case["intermediary"]
        secret = bytes.fromhex(case["given"]["internalPrivkey"])
        if backend.public_key(secret)[0] == 3:
            secret = backend.negate_secret(secret)
        tweaked = backend.add_to_secret(secret, bytes.fromhex(steps["tweak"]))
        assert tweaked.hex() == steps["tweakedPrivkey"]
        signature = backend.sign_schnorr(tweaked, bytes.fromhex(steps["sigHash"]), bytes(32))
        assert signature.hex() == case["expected"]["witness"][0][:128]


@both
@pytest.mark.parametrize(
    ("key", "signature", "why"),
    [
        (b32(5), bytes(64), "5 is no x of a point"),
        (b32(P), bytes(64), "not below p"),
        (GENERATOR, bytes(64), "33 bytes"),
        (GENERATOR[1:], bytes(63), "a short signature"),
        (GENERATOR[1:], bytes(65), "a long signature"),
        (GENERATOR[1:], b32(1) + b32(N), "s is not below n"),
        (GENERATOR[1:], b32(P) + b32(1), "r is not below p"),
        (GENERATOR[1:], bytes(64), "zeros"),
    ],
)
def test_schnorr_refuses(backend: ModuleType, key: bytes, signature: bytes, why: str) -> None:
    assert not backend.verify_schnorr(key, signature, DIGEST), why


@both
def test_schnorr_takes_no_byte_too_many(backend: ModuleType) -> None:
    secret = b32(7)
    key, signature = backend.public_key(secret)[1:], backend.sign_schnorr(secret, DIGEST, bytes(32))
    assert backend.verify_schnorr(key, signature, DIGEST)
    assert not backend.verify_schnorr(key + b"\0", signature, DIGEST)
    assert not backend.verify_schnorr(key, signature + b"\0", DIGEST)


@both
def test_schnorr_at_infinity_is_refused(backend: ModuleType) -> None:
    """s = e·d makes the nonce's point infinity, which has no x to compare."""
    secret, r = b32(7), b32(1)
    d = 7 if backend.public_key(secret)[0] == 2 else N - 7
    key = backend.public_key(secret)[1:]
    e = int.from_bytes(tagged_hash("BIP0340/challenge", r + key + DIGEST), "big")
    assert not backend.verify_schnorr(key, r + b32(e * d % N), DIGEST)


# Keys.


@both
def test_the_simplest_keys(backend: ModuleType) -> None:
    assert backend.public_key(b32(1)) == GENERATOR
    assert backend.public_key(b32(N - 1)) == b"\x03" + GENERATOR[1:]
    assert backend.negate_secret(b32(1)) == b32(N - 1)
    assert backend.add_to_secret(b32(1), b32(0)) == b32(1)
    assert backend.add_to_secret(b32(N - 1), b32(2)) == b32(1)
    assert backend.add_to_public_key(GENERATOR, bytes(32)) == GENERATOR
    assert backend.add_to_public_key(uncompressed(GENERATOR), b32(1)) == backend.public_key(b32(2))


OUT_OF_RANGE = [b"", bytes(31), bytes(33), b32(N), b"\xff" * 32]


@both
@pytest.mark.parametrize("bad", [*OUT_OF_RANGE, bytes(32)], ids=lambda bad: bad.hex()[:8])
def test_secrets_out_of_range(backend: ModuleType, bad: bytes) -> None:
    for function in (backend.public_key, backend.negate_secret):
        with pytest.raises(ValueError):
            function(bad)
    with pytest.raises(ValueError):
        backend.add_to_secret(bad, b32(1))
    with pytest.raises(ValueError):
        backend.sign_ecdsa(bad, DIGEST)
    with pytest.raises(ValueError):
        backend.sign_schnorr(bad, DIGEST, bytes(32))


@both
@pytest.mark.parametrize("bad", OUT_OF_RANGE, ids=lambda bad: bad.hex()[:8])
def test_tweaks_out_of_range(backend: ModuleType, bad: bytes) -> None:
    with pytest.raises(ValueError):
        backend.add_to_secret(b32(1), bad)
    with pytest.raises(ValueError):
        backend.add_to_public_key(GENERATOR, bad)
    with pytest.raises(ValueError):
        backend.tweak_public_key(GENERATOR[1:], bad)


@both
def test_sums_that_are_nothing(backend: ModuleType) -> None:
    with pytest.raises(ValueError):
        backend.add_to_secret(b32(1), b32(N - 1))
    with pytest.raises(ValueError):
        backend.add_to_public_key(GENERATOR, b32(N - 1))
    with pytest.raises(ValueError):
        backend.tweak_public_key(GENERATOR[1:], b32(N - 1))


@both
@pytest.mark.parametrize("size", [31, 33])
def test_what_is_signed_has_32_bytes(backend: ModuleType, size: int) -> None:
    with pytest.raises(ValueError):
        backend.sign_ecdsa(b32(1), bytes(size))
    with pytest.raises(ValueError):
        backend.sign_schnorr(b32(1), bytes(size), bytes(32))
    with pytest.raises(ValueError):
        backend.sign_schnorr(b32(1), bytes(32), bytes(size))
    assert not backend.verify_ecdsa(GENERATOR, der(1, 1), bytes(size))


ODD = b"\x03" + GENERATOR[1:]
FULL = uncompressed(GENERATOR)  # its y is even
KEYS = {
    "even": (GENERATOR, True),
    "odd": (ODD, True),
    "uncompressed": (FULL, True),
    "uncompressed odd": (uncompressed(ODD), True),
    "hybrid even": (uncompressed(GENERATOR, 6), True),
    "hybrid odd": (uncompressed(ODD, 7), True),
    "hybrid, wrong parity": (uncompressed(GENERATOR, 7), False),
    "hybrid odd, wrong parity": (uncompressed(ODD, 6), False),
    "empty": (b"", False),
    "short": (GENERATOR[:-1], False),
    "long": (GENERATOR + b"\0", False),
    "kind 0": (b"\0" + GENERATOR[1:], False),
    "kind 4 in 33 bytes": (b"\x04" + GENERATOR[1:], False),
    "kind 2 in 65 bytes": (b"\x02" + FULL[1:], False),
    "kind 5": (b"\x05" + FULL[1:], False),
    "short uncompressed": (FULL[:-1], False),
    "long uncompressed": (FULL[:33] + b"\0" + FULL[33:], False),
    "no such x": (b"\x02" + b32(5), False),
    "x not below p": (b"\x02" + b32(P + 1), False),
    "y not on the curve": (FULL[:-1] + bytes([FULL[-1] ^ 2]), False),
    "y not below p": (b"\x04" + b32(1) + b"\xff" * 32, False),
}


@both
@pytest.mark.parametrize(("key", "is_valid"), KEYS.values(), ids=KEYS)
def test_public_keys(backend: ModuleType, key: bytes, is_valid: bool) -> None:
    assert backend.is_valid_public_key(key) == is_valid
    secret = b32(N - 1) if key[-1:] == ODD[-1:] and key[:1] == b"\x03" else b32(1)
    if len(key) == 65 and int.from_bytes(key[33:], "big") % 2:
        secret = b32(N - 1)
    signature = curve_libsecp.sign_ecdsa(secret, DIGEST)
    assert backend.verify_ecdsa(key, signature, DIGEST) == is_valid
    if not is_valid:
        with pytest.raises(ValueError):
            backend.add_to_public_key(key, b32(1))


# ECDSA.


@both
def test_the_best_known_deterministic_signature(backend: ModuleType) -> None:
    """Key 1, SHA-256 of "Satoshi Nakamoto": the vector that every RFC 6979 library carries."""
    signature = backend.sign_ecdsa(b32(1), sha256(b"Satoshi Nakamoto"), grind_low_r=False)
    r = 0x934B1EA10A4B3C1757E2B0C017D0B6143CE3C9A7E6A4A49860D7A6AB210EE3D8
    s = 0x2442CE9D2B916064108014783E923EC36B49743E2FFA1C4496F01A512AAFD9E5
    assert signature == der(r, s)
    ground = backend.sign_ecdsa(b32(1), sha256(b"Satoshi Nakamoto"))
    assert numbers(ground)[0] < 2**255


@both
def test_high_s_counts_and_numbers_out_of_range_do_not(backend: ModuleType) -> None:
    r, s = numbers(curve_libsecp.sign_ecdsa(b32(9), DIGEST))
    key = curve_libsecp.public_key(b32(9))
    assert s < N // 2
    for good in (der(r, s), der(r, N - s), der(r, s) + b"\x01\x02"):
        assert backend.verify_ecdsa(key, good, DIGEST)
    for bad in (
        der(r, 0),
        der(r, N),
        der(0, s),
        der(r, s + N),
        der(r + N, s),
        der(N, N),
        der(s, r),
        b"",
    ):
        assert not backend.verify_ecdsa(key, bad, DIGEST)
    assert not backend.verify_ecdsa(key, der(2**300, s), DIGEST)
    for digest in (b"\0" + DIGEST, DIGEST + b"\0"):
        assert not backend.verify_ecdsa(key, der(r, s), digest)
    assert not backend.verify_ecdsa(b"", der(r, s), DIGEST)
    assert not backend.verify_ecdsa(key, der(r, s), sha256(b"another message"))


@both
def test_negative_numbers_are_read_as_positive_ones(backend: ModuleType) -> None:
    """Strict DER writes a zero in front of r = 0x934b…; the first nodes did without."""
    digest = sha256(b"Satoshi Nakamoto")
    r, s = numbers(backend.sign_ecdsa(b32(1), digest, grind_low_r=False))
    lax = b"\x30\x44\x02\x20" + b32(r) + b"\x02\x20" + b32(s)
    assert r >= 2**255 and lax != der(r, s)
    assert backend.verify_ecdsa(GENERATOR, lax, digest)


@both
def test_ecdsa_at_infinity_is_refused(backend: ModuleType) -> None:
    """r = -z / d makes u1·G + u2·Q the point at infinity."""
    z = int.from_bytes(DIGEST, "big")
    r = -z * pow(3, -1, N) % N
    assert not backend.verify_ecdsa(backend.public_key(b32(3)), der(r, 1), DIGEST)


@both
def test_r_is_compared_modulo_the_order(backend: ModuleType) -> None:
    """A nonce's x between n and p: r = x - n. Such points exist, and the key can be made to fit."""
    x = next(x for x in range(N + 1, N + 100) if backend.is_valid_public_key(b"\x02" + b32(x)))
    # With s = r and z = 0 the equation u1·G + u2·Q = R says Q = R.
    assert backend.verify_ecdsa(b"\x02" + b32(x), der(x - N, x - N), bytes(32))


@both
def test_the_smallest_numbers_count(backend: ModuleType) -> None:
    """r = s = 1 and z = 0: the equation says that Q is the point at x = 1."""
    assert backend.verify_ecdsa(b"\x02" + b32(1), der(1, 1), bytes(32))


@both
def test_hybrid_keys_say_the_parity_of_y(backend: ModuleType) -> None:
    for secret in range(1, 13):
        key = curve_libsecp.public_key(b32(secret))
        for kind in (6, 7):
            is_valid = backend.is_valid_public_key(uncompressed(key, kind))
            assert is_valid == (kind - 4 == key[0])


@few
@given(secrets, digests)
def test_openssl_agrees(secret: bytes, digest: bytes) -> None:
    key = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256K1())
    how = ec.ECDSA(Prehashed(SHA256()))
    theirs = key.sign(digest, how)
    for backend in BACKENDS:
        public = backend.public_key(secret)
        assert backend.verify_ecdsa(public, theirs, digest)
        assert not backend.verify_ecdsa(public, theirs, sha256(digest))
        ours = backend.sign_ecdsa(secret, digest)
        key.public_key().verify(ours, digest, how)
        with pytest.raises(InvalidSignature):
            key.public_key().verify(ours, sha256(digest), how)


@few
@given(secrets, digests, secrets)
def test_the_backends_agree_on_everything(secret: bytes, digest: bytes, tweak: bytes) -> None:
    slow, fast = BACKENDS
    key = fast.public_key(secret)
    assert slow.public_key(secret) == key
    for grind in (True, False):
        signature = fast.sign_ecdsa(secret, digest, grind_low_r=grind)
        assert slow.sign_ecdsa(secret, digest, grind_low_r=grind) == signature
    r, s = numbers(fast.sign_ecdsa(secret, digest))
    assert r < 2**255 and s <= N // 2
    assert slow.verify_ecdsa(key, signature, digest) and fast.verify_ecdsa(key, signature, digest)
    schnorr = fast.sign_schnorr(secret, digest, tweak)
    assert slow.sign_schnorr(secret, digest, tweak) == schnorr
    for backend in BACKENDS:
        assert backend.verify_schnorr(key[1:], schnorr, digest)
        assert not backend.verify_schnorr(key[1:], schnorr, tweak)
    assert slow.negate_secret(secret) == fast.negate_secret(secret)
    assume(tweak not in (secret, fast.negate_secret(secret)))  # sums that are nothing, above
    assert slow.tweak_public_key(key[1:], tweak) == fast.tweak_public_key(key[1:], tweak)
    total = fast.add_to_secret(secret, tweak)
    assert slow.add_to_secret(secret, tweak) == total
    assert slow.add_to_public_key(key, tweak) == fast.add_to_public_key(key, tweak)
    assert fast.add_to_public_key(key, tweak) == fast.public_key(total)


junk = st.binary(max_size=80) | st.binary(max_size=70).map(lambda data: b"\x30\x44\x02\x20" + data)


@given(
    junk | st.just(GENERATOR) | st.sampled_from([key for key, _ in KEYS.values()]), junk, digests
)
def test_the_backends_agree_on_nonsense(key: bytes, signature: bytes, digest: bytes) -> None:
    slow, fast = BACKENDS
    assert slow.is_valid_public_key(key) == fast.is_valid_public_key(key)
    assert not slow.verify_ecdsa(key, signature, digest)
    assert not fast.verify_ecdsa(key, signature, digest)
    assert not slow.verify_schnorr(key, signature, digest)
    assert not fast.verify_schnorr(key, signature, digest)
