"""Words: every vector of BIP 39 in twelve languages; mistakes tell the place, not the word."""

import pytest
from embit import bip39

from chain.params import MAIN
from tests.wallet.vectors import load
from wallet.errors import BadWords
from wallet.hd import ExtendedPrivateKey
from wallet.mnemonic import check_words, new_words, seed

PHRASE = (
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
)


def test_all_vectors_in_twelve_languages() -> None:
    languages = load("bip39.json")
    assert len(languages) == 12
    count = 0
    for vectors in languages.values():
        for _, words, expected_seed, xprv in vectors:
            check_words(words)
            found = seed(words, "TREZOR")
            assert found.hex() == expected_seed
            assert ExtendedPrivateKey.from_seed(found).serialize(MAIN) == xprv
            count += 1
    assert count == 288


def test_japanese_vectors_with_a_passphrase_to_normalise() -> None:
    vectors = load("bip39_jp.json")
    assert len(vectors) == 24
    for vector in vectors:
        found = seed(check_words(vector["mnemonic"]), vector["passphrase"])
        assert found.hex() == vector["seed"]
        assert ExtendedPrivateKey.from_seed(found).serialize(MAIN) == vector["bip32_xprv"]


def test_new_words_are_twelve_and_another_library_knows_them() -> None:
    words = new_words()
    assert len(words.split()) == 12
    assert bip39.mnemonic_is_valid(words)
    assert bip39.mnemonic_to_seed(words) == seed(words)
    assert new_words() != words
    assert len(new_words(256).split()) == 24


def test_spaces_and_capitals_do_not_matter() -> None:
    assert check_words("  Abandon " + "abandon\n" * 10 + "ABOUT ") == PHRASE


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("", "12, 15, 18, 21 or 24 words, not 0"),
        ("abandon " * 13, "not 13"),
        ("abandon " * 12, "checksum"),
        (PHRASE.replace("about", "abuot"), "word 12 of the phrase is not in the english word list"),
        (PHRASE.replace("abandon about", "sesame about"), "word 11 "),
        ("的 " * 12, "checksum"),  # known to both Chinese lists
    ],
)
def test_wrong_words_are_told_by_place_and_never_repeated(words: str, complaint: str) -> None:
    with pytest.raises(BadWords, match=complaint) as refusal:
        check_words(words)
    assert "abandon" not in str(refusal.value)
    assert "abuot" not in str(refusal.value)
    assert "sesame" not in str(refusal.value)


def test_what_is_longer_than_any_phrase_is_refused_at_once() -> None:
    """Accents in an order that Unicode has to mend, one by one, past all the others."""
    with pytest.raises(BadWords, match="at most 24 words, not 2000001 characters"):
        check_words("a" + "\u0301\u0327" * 1_000_000)
