"""Words: entropy as a recovery phrase that people can write down, and its seed (BIP 39).

The word lists are the `mnemonic` library's. This file knows nothing of keys. The seed does not
depend on the list, only on the text, so a phrase in any of the twelve languages restores. Error
texts tell the place of a wrong word and never the word.

Reference: BIP 39.
"""

import hashlib
import unicodedata
from functools import cache

from mnemonic import Mnemonic

from wallet.errors import BadWords

# Common ones first: a phrase is looked up in one list after the other.
LANGUAGES = (
    "english",
    "french",
    "spanish",
    "italian",
    "portuguese",
    "czech",
    "turkish",
    "russian",
    "japanese",
    "korean",
    "chinese_simplified",
    "chinese_traditional",
)
WORD_COUNTS = (12, 15, 18, 21, 24)
MAX_PHRASE_LENGTH = 1_000  # characters: 24 words have at most 300, and normalising is quadratic
SEED_ROUNDS = 2048  # BIP 39


def new_words(entropy_bits: int = 128) -> str:
    """A new English phrase from the system's randomness: 128 bits are 12 words, 256 are 24."""
    return str(Mnemonic("english").generate(entropy_bits))


def check_words(text: str) -> str:
    """The phrase in its plain form (NFKD, single spaces); raises BadWords if it is none."""
    if len(text) > MAX_PHRASE_LENGTH:
        raise BadWords(f"a recovery phrase has at most 24 words, not {len(text)} characters")
    words = unicodedata.normalize("NFKD", text).lower().split()
    if len(words) not in WORD_COUNTS:
        raise BadWords(f"a recovery phrase has 12, 15, 18, 21 or 24 words, not {len(words)}")
    plain = " ".join(words)
    spelt = [language for language in LANGUAGES if not _unknown(words, language)]
    if not spelt:
        raise BadWords(_where(words))
    if not any(_list(language).check(plain) for language in spelt):
        raise BadWords(
            "the words do not belong together (checksum): one is wrong or out of order; "
            "compare them with your notes"
        )
    return plain


def seed(words: str, passphrase: str = "") -> bytes:
    """The 64-byte seed of a phrase (check it first); a passphrase opens another wallet."""
    text = unicodedata.normalize("NFKD", words)
    salt = unicodedata.normalize("NFKD", "mnemonic" + passphrase)
    return hashlib.pbkdf2_hmac("sha512", text.encode(), salt.encode(), SEED_ROUNDS)


@cache
def _list(language: str) -> Mnemonic:
    """One list in NFKD: the library has Russian and Turkish in NFC, and would know no word."""
    words = Mnemonic(language).wordlist
    return Mnemonic(language, [unicodedata.normalize("NFKD", word) for word in words])


def _unknown(words: list[str], language: str) -> list[int]:
    """The places, from 1, of the words that a list lacks."""
    known = set(_list(language).wordlist)
    return [place for place, word in enumerate(words, 1) if word not in known]


def _where(words: list[str]) -> str:
    """Which words are wrong, told for the list that knows most of the others."""
    language = min(LANGUAGES, key=lambda language: len(_unknown(words, language)))
    places = ", ".join(str(place) for place in _unknown(words, language)[:4])
    name = language.replace("_", " ")
    return f"word {places} of the phrase is not in the {name} word list; check its spelling"
