"""The ledger of vector files: which test reads each, how many cases it has, or why none reads it.

A file that appears among the vectors and stands in neither list fails here.
"""

import csv
import importlib
import inspect
import json
from pathlib import Path

import pytest

OF_ITS_TEST = -1  # of a text its test alone can tell how many cases there are, and asserts it

# File (below vectors/bips): how many cases it holds by `count`, and the tests that read it whole.
READ = {
    "bip16.txt": (OF_ITS_TEST, "vectors.test_texts"),
    "bip32.txt": (OF_ITS_TEST, "vectors.test_texts"),
    "bip65.txt": (OF_ITS_TEST, "vectors.test_texts"),
    "bip66.txt": (OF_ITS_TEST, "vectors.test_texts"),
    "bip67.txt": (OF_ITS_TEST, "vectors.test_texts"),
    "bip68.txt": (OF_ITS_TEST, "vectors.test_texts"),
    "bip69.txt": (OF_ITS_TEST, "vectors.test_texts"),
    "bip112.txt": (OF_ITS_TEST, "vectors.test_texts"),
    "bip113.txt": (OF_ITS_TEST, "vectors.test_texts"),
    "bip141.txt": (OF_ITS_TEST, "vectors.test_segwit_texts"),
    "bip143.txt": (OF_ITS_TEST, "vectors.test_segwit_texts chain.script.test_sighash "
                   "chain.script.test_interpreter"),
    "bip144.txt": (OF_ITS_TEST, "vectors.test_segwit_texts"),
    "bip147.txt": (OF_ITS_TEST, "vectors.test_segwit_texts"),
    "bip49.json": (13, "vectors.test_data wallet.test_account"),
    "bip67.json": (5, "vectors.test_data"),
    "bip84.json": (18, "vectors.test_data wallet.test_account"),
    "bip86.json": (27, "vectors.test_data wallet.test_account"),
    "bip158.json": (11, "vectors.test_data"),
    "bip173.json": (35, "chain.test_address vectors.test_data"),
    "bip322_basic.json": (15, "vectors.test_messages"),
    "bip322_generated.json": (45, "vectors.test_messages"),
    "bip340.csv": (19, "chain.test_curve"),
    "bip341.json": (8, "chain.test_curve chain.script.test_sighash chain.script.test_witness "
                    "chain.script.test_interpreter vectors.test_data"),
    "bip350.json": (44, "chain.test_address"),
    "miniscript_fixed.json": (97, "vectors.test_data"),
    "trezor_addresses.json": (9, "vectors.test_data wallet.test_account"),
    "bip32.json": (17, "wallet.test_hd"),
    "bip32_invalid.json": (16, "wallet.test_hd"),
    "bip39.json": (288, "wallet.test_mnemonic"),
    "bip39_jp.json": (24, "wallet.test_mnemonic"),
    "descriptor_checksums.json": (18, "wallet.test_account wallet.test_script_expression"),
    "bip174.json": (34, "wallet.test_psbt_packet"),
    "bip370.json": (48, "wallet.test_psbt_packet"),
    "bip371.json": (17, "wallet.test_psbt_packet"),
    "bip373.json": (24, "wallet.test_psbt_packet"),
    "bip380.json": (45, "wallet.test_script_expression"),
    "bip381.json": (21, "wallet.test_script_expression"),
    "bip382.json": (23, "wallet.test_script_expression"),
    "bip383.json": (13, "wallet.test_script_expression"),
    "bip384.json": (7, "wallet.test_script_expression"),
    "bip385.json": (10, "wallet.test_script_expression"),
    "bip386.json": (10, "wallet.test_script_expression"),
    "bip387.json": (13, "wallet.test_script_expression"),
    "../mainnet/mainnet_0_8999.hex": (9000, "chain.test_mainnet"),
    "../mainnet/mainnet_1_256.hex": (255, "chain.test_mainnet"),
    **{f"bip69/bip69-{number}.hex": (1, "chain.test_transaction vectors.test_texts")
       for number in range(1, 6)},
}  # fmt: skip
# Nothing to run in the file itself.
WORDS_ONLY = {
    "bip327.txt": "about bip327/*.json",
    "bip340.txt": "names bip340.csv and nothing else",
    "bip341.txt": "names bip341.json; the height of its deployment binds no block any more",
    "bip342.txt": "names the vectors of BIP 341 and nothing else",
}
# Formats that no part of this repository has. Whoever builds one moves its file up.
NOT_BUILT = {
    "bip85.json": "other seeds out of a seed",
    "bip152.txt": "compact blocks",
    "bip352_send_and_receive_test_vectors.json": "silent payments",
    "electrum_seeds.json": "another wallet's words",
    **{
        f"bip327/{name}_vectors.json": "MuSig2"
        for name in ("det_sign", "sign_verify", "nonce_agg", "nonce_gen", "sig_agg")
    },
    **{f"bip327/{name}_vectors.json": "MuSig2" for name in ("key_agg", "key_sort", "tweak")},
}


@pytest.fixture
def folder(shared: Path) -> Path:
    return shared / "vectors/bips"


def count(path: Path) -> int:
    """Cases: rows of a table, lines of hex; in JSON the items of the innermost named lists."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        return len(list(csv.DictReader(text.splitlines())))
    if path.suffix == ".hex":
        return len(text.split())
    vectors = json.loads(text)
    if isinstance(vectors, list):
        return len(vectors)
    if path.stem == "bip67":  # the names are numbers
        return len(vectors)
    return sum(len(cases) for cases in vectors.values() if isinstance(cases, list | dict))


def test_every_file_has_its_place(folder: Path) -> None:
    there = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    there |= {f"../mainnet/{file.name}" for file in (folder / "../mainnet").iterdir()}
    ledgers = [set(READ), set(WORDS_ONLY), set(NOT_BUILT)]
    assert sum(map(len, ledgers)) == len(set.union(*ledgers))
    assert set.union(*ledgers) == there


@pytest.mark.parametrize("name", [name for name in READ if READ[name][0] != OF_ITS_TEST])
def test_the_number_of_cases(folder: Path, name: str) -> None:
    assert count(folder / name) == READ[name][0]


@pytest.mark.parametrize("name", sorted(READ))
def test_the_tests_that_read_it_are_there(name: str) -> None:
    """Each names the file, or the folder or the proposal that it belongs to."""
    path = Path(name)
    known_as = {path.stem, path.parent.name} - {""}
    for module_name in READ[name][1].split():
        module = importlib.import_module(f"tests.{module_name}")
        assert any(word in inspect.getsource(module) for word in known_as)


@pytest.mark.parametrize("name", sorted(WORDS_ONLY))
def test_there_is_nothing_to_run_in_words(folder: Path, name: str) -> None:
    """No hex worth the name: if a page grows an example, it is noticed."""
    text = (folder / name).read_text(encoding="utf-8")
    words = [
        word for word in text.split() if len(word) >= 64 and not set(word) - set("0123456789abcdef")
    ]
    assert words == []
