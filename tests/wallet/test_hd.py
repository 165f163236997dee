"""Extended keys: BIP 32's vectors, its list of broken keys, two other libraries' derivations."""

import bdkpython as bdk
import pytest
from embit import bip32
from hypothesis import given
from hypothesis import strategies as st

from chain.params import MAIN, REGTEST
from tests.wallet.vectors import load
from wallet.errors import BadKey
from wallet.hd import (
    ExtendedPrivateKey,
    ExtendedPublicKey,
    format_path,
    parse_extended_key,
    parse_path,
)
from wallet.mnemonic import seed

HARDENED = 2**31


def test_all_vectors() -> None:
    vectors = load("bip32.json")
    count = 0
    for hex_seed, keys in vectors.items():
        master = ExtendedPrivateKey.from_seed(bytes.fromhex(hex_seed))
        for path, xpub, xprv in keys:
            key = master.derive(parse_path(path))
            assert key.serialize(MAIN) == xprv
            assert key.public.serialize(MAIN) == xpub
            assert parse_extended_key(xprv, MAIN) == key
            assert parse_extended_key(xpub, MAIN) == key.public
            count += 1
    assert count == 17


# What our refusal says, by the words of the vector's own explanation.
COMPLAINTS = {
    "invalid public key": "no point of the curve",
    "invalid private key prefix": "zero byte",
    "invalid private key not in": "not in 1 to n-1",
    "zero depth": "depth 0",
    "unknown extended key version": "unknown version",
    "invalid checksum": "wrong checksum",
}


def test_all_broken_keys() -> None:
    vectors = load("bip32_invalid.json")
    assert len(vectors) == 16
    for text, why in vectors:
        complaint = next(ours for theirs, ours in COMPLAINTS.items() if why.startswith(theirs))
        with pytest.raises(BadKey, match=complaint) as refusal:
            parse_extended_key(text, MAIN)
        assert text not in str(refusal.value)


def test_a_key_of_another_network_or_length_is_refused() -> None:
    key = ExtendedPrivateKey.from_seed(bytes(16))
    with pytest.raises(BadKey, match="of regtest: unknown version 0488ade4"):
        parse_extended_key(key.serialize(MAIN), REGTEST)
    with pytest.raises(BadKey, match="21 bytes, expected 78"):
        parse_extended_key("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", MAIN)


paths = st.lists(st.integers(0, 2**32 - 1), max_size=5).map(tuple)


@given(st.binary(min_size=16, max_size=64), paths)
def test_any_path_is_derived_as_embit_does(entropy: bytes, path: tuple[int, ...]) -> None:
    ours = ExtendedPrivateKey.from_seed(entropy).derive(path)
    theirs = bip32.HDKey.from_seed(entropy).derive(list(path))
    assert ours.serialize(MAIN) == str(theirs)
    assert ours.public.serialize(MAIN) == str(theirs.to_public())


@given(st.binary(min_size=16, max_size=64), st.integers(0, HARDENED - 1))
def test_a_public_key_derives_what_its_private_key_derives(entropy: bytes, index: int) -> None:
    key = ExtendedPrivateKey.from_seed(entropy)
    assert key.public.derive((index,)) == key.derive((index,)).public


def test_bdk_derives_the_same() -> None:
    words = "test test test test test test test test test test test junk"
    theirs = bdk.DescriptorSecretKey(bdk.NetworkKind.TEST, bdk.Mnemonic.from_string(words), None)
    theirs = theirs.derive(bdk.DerivationPath("m/84'/1'/0'/0/7"))
    ours = ExtendedPrivateKey.from_seed(seed(words)).derive(parse_path("84h/1h/0h/0/7"))
    assert ours.secret == bytes(theirs.secret_bytes())


def test_a_hardened_child_needs_the_private_key() -> None:
    with pytest.raises(BadKey, match="needs the private key"):
        ExtendedPrivateKey.from_seed(bytes(16)).public.child(HARDENED)


def test_depth_and_index_have_ends() -> None:
    key = ExtendedPrivateKey.from_seed(bytes(16))
    with pytest.raises(BadKey, match="too long"):
        key.child(2**32)
    with pytest.raises(BadKey, match="too long"):
        key.public.child(-1)
    deepest = key.derive((0,) * 255)
    with pytest.raises(BadKey, match="too long"):
        deepest.child(0)
    assert parse_path("m" + "/1" * 255) == parse_path("1" + "/1" * 254) == (1,) * 255
    for text in ("m" + "/0" * 256, "0" + "/0" * 255, "0/" * 1000):
        with pytest.raises(BadKey, match="more than 255 steps"):
            parse_path(text)


@pytest.mark.parametrize("size", [0, 15, 65])
def test_a_seed_has_its_sizes(size: int) -> None:
    with pytest.raises(BadKey, match=f"not {size}"):
        ExtendedPrivateKey.from_seed(bytes(size))


def test_a_private_key_does_not_show_itself() -> None:
    key = ExtendedPrivateKey.from_seed(bytes(range(16)))
    for text in (repr(key), str(key), f"{key}", repr([key]), repr({"key": key})):
        assert key.secret.hex() not in text
        assert repr(key.secret) not in text
        assert key.chain_code.hex() not in text


@given(paths)
def test_paths_are_read_as_they_are_written(path: tuple[int, ...]) -> None:
    assert parse_path("m/" + format_path(path) if path else "m") == path


@pytest.mark.parametrize(
    "text", ["", "m/", "m/x", "m//0", "m/-1", "m/2147483648", "m/0''", "0/*", "m/99999999999"]
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(BadKey, match="not a derivation path"):
        parse_path(text)


def test_paths_may_be_written_in_three_ways() -> None:
    for text in ("m/84'/1'/0'/0/0", "84h/1h/0h/0/0", "m/84H/1H/0H/0/0"):
        assert parse_path(text) == (84 + HARDENED, 1 + HARDENED, HARDENED, 0, 0)


def test_public_keys_may_be_shown() -> None:
    public = ExtendedPrivateKey.from_seed(bytes(16)).public
    assert isinstance(public, ExtendedPublicKey)
    assert len(public.fingerprint) == 4
