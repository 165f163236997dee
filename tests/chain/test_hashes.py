"""Hashes against published digests, and RIPEMD-160 in Python against OpenSSL's."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import hashes

RIPEMD160 = [  # from the function's own page
    (b"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
    (b"a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe"),
    (b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
    (b"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
    (b"1234567890" * 8, "9b752e45573d4b39f4dbd3323cab82bf63326bfb"),
]


@pytest.mark.parametrize(("data", "digest"), RIPEMD160)
def test_ripemd160(data: bytes, digest: str) -> None:
    assert hashes.ripemd160(data).hex() == digest
    assert hashes.ripemd160_in_python(data).hex() == digest


@given(st.binary(max_size=300))
def test_both_forms_of_ripemd160_agree(data: bytes) -> None:
    assert hashes.ripemd160_in_python(data) == hashes.ripemd160(data)


def test_the_python_form_takes_over_where_openssl_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> object:
        raise ValueError(f"unsupported hash type {name}")

    assert hashes._openssl_has_ripemd160() is _try_ripemd160()
    assert (hashes.ripemd160 is hashes.ripemd160_in_python) is not _try_ripemd160()
    monkeypatch.setattr(hashlib, "new", refuse)
    assert not hashes._openssl_has_ripemd160()


def _try_ripemd160() -> bool:
    try:
        return hashlib.new("ripemd160", b"").digest_size == 20
    except ValueError:
        return False


def test_sha256_once_and_twice() -> None:
    once = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    twice = "4f8b42c22dd3729b519ba6f68d2da7cc5b2d606d05daed5ad5128cc03e6c6358"
    assert hashes.sha256(b"abc").hex() == once
    assert hashes.sha256d(b"abc").hex() == twice


def test_hash160_of_the_generator_is_the_best_known_key_hash() -> None:
    generator = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    expected = "751e76e8199196d454941c45d1b3a323f1433bd6"
    assert hashes.hash160(bytes.fromhex(generator)).hex() == expected


@given(st.text(max_size=10), st.binary(max_size=80))
def test_tagged_hashes_are_sha256_behind_the_tag_twice(tag: str, data: bytes) -> None:
    prefix = hashlib.sha256(tag.encode()).digest() * 2
    assert hashes.tagged_hash(tag, data) == hashlib.sha256(prefix + data).digest()
