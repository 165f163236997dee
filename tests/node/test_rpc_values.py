"""Amounts and JSON text: exact, and never by way of a float."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.rpc.values import Amount, Code, RpcError, parse_amount, parse_hex, to_json


@pytest.mark.parametrize(
    ("satoshis", "text"),
    [
        (0, "0.00000000"),
        (1, "0.00000001"),
        (-1, "-0.00000001"),
        (100_000_000, "1.00000000"),
        (-250_000_000, "-2.50000000"),
        (2_099_999_997_690_000, "20999999.97690000"),
    ],
)
def test_amounts_have_eight_decimals(satoshis: int, text: str) -> None:
    assert str(Amount(satoshis)) == text
    assert to_json(Amount(satoshis)) == text


@pytest.mark.parametrize(
    ("value", "satoshis"),
    [(0, 0), (1, 10**8), ("0.1", 10**7), (Decimal("0.00000001"), 1), (Decimal("1e-8"), 1)],
)
def test_amounts_are_read(value: object, satoshis: int) -> None:
    assert parse_amount(value) == Amount(satoshis)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (True, "Amount is not a number or string"),
        ([], "Amount is not a number or string"),
        (None, "Amount is not a number or string"),
        ("one", "Invalid amount"),
        ("1_0", "Invalid amount"),
        (" 1", "Invalid amount"),
        ("\uff11", "Invalid amount"),
        ("", "Invalid amount"),
        ("NaN", "Invalid amount"),
        ("Infinity", "Invalid amount"),
        (Decimal("0.000000001"), "Invalid amount"),
        (-1, "Amount out of range"),
        (21_000_001, "Amount out of range"),
        ("1e999999999", "Invalid amount"),
        (Decimal("1e-999999"), "Invalid amount"),
    ],
)
def test_what_is_no_amount(value: object, why: str) -> None:
    with pytest.raises(RpcError) as caught:
        parse_amount(value)
    assert (caught.value.code, str(caught.value)) == (-3, why)


@given(st.integers(0, 21_000_000 * 10**8))
def test_an_amount_survives_json(satoshis: int) -> None:
    assert parse_amount(json.loads(to_json(Amount(satoshis)), parse_float=Decimal)) == (satoshis,)


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=40)
@given(values)
def test_json_is_json(value: Any) -> None:
    assert json.loads(to_json(value)) == value


def test_amounts_within() -> None:
    text = to_json({"a": [Amount(1), (Amount(2), None)], 'b"': {"c": Amount(3)}})
    expected = '{"a":[0.00000001,[0.00000002,null]],"b\\"":{"c":0.00000003}}'
    assert text == expected


def test_an_error_knows_its_code() -> None:
    error = RpcError(Code.METHOD, "Method not found")
    assert (error.code, str(error)) == (-32601, "Method not found")


@pytest.mark.parametrize("text", ["", "0", "00 01", " 00", "00\n", "0x00", "zz", "\uff10\uff10"])
def test_hex_is_digits_and_nothing_else(text: str) -> None:
    assert parse_hex("00fF") == b"\x00\xff"
    with pytest.raises(ValueError):
        parse_hex(text)
