"""Numbers on the stack."""

import pytest
from bitcoin.core._bignum import bn2vch
from hypothesis import given
from hypothesis import strategies as st

from chain.script.errors import ScriptError
from chain.script.numbers import decode_number, encode_number, to_bool


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, ""), (1, "01"), (-1, "81"), (127, "7f"), (128, "8000"), (-128, "8080"), (255, "ff00"),
     (256, "0001"), (-255, "ff80"), (0x7FFFFFFF, "ffffff7f"), (0x80000000, "0000008000")],
)  # fmt: skip
def test_known_numbers(number: int, encoded: str) -> None:
    assert encode_number(number).hex() == encoded
    assert decode_number(bytes.fromhex(encoded), True, 5) == number


@given(st.integers(-(2**39) + 1, 2**39 - 1))
def test_round_trip_as_python_bitcoinlib_writes_them(number: int) -> None:
    encoded = encode_number(number)
    assert encoded == bytes(bn2vch(number))
    assert decode_number(encoded, True, 5) == number


@pytest.mark.parametrize("padded", ["00", "80", "0100", "0180", "ff0000", "7f80"])
def test_padding_is_a_matter_of_the_flag(padded: str) -> None:
    decode_number(bytes.fromhex(padded), False)
    with pytest.raises(ScriptError, match="SCRIPTNUM"):
        decode_number(bytes.fromhex(padded), True)


def test_four_bytes_unless_said_otherwise() -> None:
    with pytest.raises(ScriptError, match="SCRIPTNUM"):
        decode_number(bytes(5), False)
    assert decode_number(bytes(5), False, 5) == 0


@pytest.mark.parametrize("false", ["", "00", "80", "0000", "0080"])
def test_zeros_are_false(false: str) -> None:
    assert not to_bool(bytes.fromhex(false))


@pytest.mark.parametrize("true", ["01", "81", "8000", "8080", "0001", "000100"])
def test_all_else_is_true(true: str) -> None:
    assert to_bool(bytes.fromhex(true))
