"""Networks as frozen data: every number in which one Bitcoin differs from another.

Knows the numbers and builds the genesis blocks. Does not know what is done with them: each rule
takes its Params as an argument. Read beside it: Core's kernel/chainparams.cpp. Left out: signet,
the public test networks, checkpoints, and BIP 94, which none of these networks has.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from chain.block import Block, BlockHeader
from chain.encoding import decode_bits, encode_bits, parse_hash
from chain.errors import DecodeError
from chain.hashes import sha256
from chain.transaction import COIN, MAX_MONEY, NULL_OUTPOINT, Transaction, TxIn, TxOut

_GENESIS_MESSAGE = "The Times 03/Jan/2009 Chancellor on brink of second bailout for banks"
_GENESIS_KEY = bytes.fromhex(  # Satoshi's; nobody can spend the genesis block's coins anyway
    "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb6"
    "49f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f"
)
_OP_CHECKSIG = 0xAC
MAX_MESSAGE_SIZE = 75  # bytes that one length byte can push
_HEIGHTS = {  # Core's names for -testactivationheight
    "bip34": "coinbase_height_from",
    "dersig": "strict_der_from",
    "cltv": "locktime_verify_from",
    "csv": "relative_locktime_from",
    "segwit": "segwit_from",
}
MAX_HEIGHT = 2**31 - 1  # Core keeps heights in an int


@dataclass(frozen=True, repr=False)
class Params:
    """One network. Heights count blocks from genesis, which is 0."""

    name: str  # what people call it, and the name of its folder
    magic: bytes  # 4 bytes in front of peer messages and stored blocks (Core: pchMessageStart)
    genesis: Block  # block 0, given and not checked; its coins are in nobody's coin set
    is_real_money: bool  # Bitcoin itself: we make no keys and sign nothing there

    # Proof of work.
    pow_limit_bits: int  # the easiest target, compact, and that of block 1 (Core: powLimit)
    no_retargeting: bool  # difficulty never changes (Core: fPowNoRetargeting)
    allow_min_difficulty_blocks: bool  # a late block may be easiest (fPowAllowMinDifficultyBlocks)
    target_spacing_s: int  # seconds from block to block, aimed at (Core: nPowTargetSpacing)
    retarget_interval_blocks: int  # between changes (Core: DifficultyAdjustmentInterval)

    # Money.
    initial_subsidy: int  # satoshis that a block creates before the first halving
    halving_interval_blocks: int  # between halvings (Core: nSubsidyHalvingInterval)
    coinbase_maturity_blocks: int  # how deep a coinbase is when spent (Core: COINBASE_MATURITY)

    # Heights from which soft forks bind. (P2SH and taproot bind from genesis, with exceptions.)
    coinbase_height_from: int  # coinbases begin with their height (BIP 34; Core: BIP34Height)
    strict_der_from: int  # signatures are strict DER (BIP 66; Core: BIP66Height)
    locktime_verify_from: int  # OP_CHECKLOCKTIMEVERIFY (BIP 65; Core: BIP65Height)
    relative_locktime_from: int  # relative locks, median time (BIPs 68, 112, 113; CSVHeight)
    segwit_from: int  # witnesses, null dummy (BIPs 141, 143, 147; Core: SegwitHeight)

    # How people write addresses and keys.
    p2pkh_prefix: int  # first byte of a key hash's address (Core: PUBKEY_ADDRESS)
    p2sh_prefix: int  # first byte of a script hash's address (Core: SCRIPT_ADDRESS)
    wif_prefix: int  # first byte of a private key (Core: SECRET_KEY)
    bech32_hrp: str  # what stands before the 1 in a witness address (BIP 173)
    xpub_prefix: bytes  # first 4 bytes of an extended public key (BIP 32; EXT_PUBLIC_KEY)
    xprv_prefix: bytes  # first 4 bytes of an extended private key (BIP 32; EXT_SECRET_KEY)
    coin_type: int  # second step of a key's path: 0 real, 1 test (SLIP 44)
    default_port: int  # where a node answers HTTP unless told otherwise

    # History: what was mined before a rule was known.
    coinbase_height_hash: bytes | None = None
    """The block at coinbase_height_from; on its chain coinbases are unique (Core: BIP34Hash)."""
    script_flag_exceptions: Mapping[bytes, int] = field(default_factory=dict, hash=False)
    """Blocks that break a script rule in force since genesis: hash to the flags that hold there, as
    numbers of script.flags.ScriptFlag, a file above this one (Core: script_flag_exceptions)."""
    bip30_exceptions: frozenset[bytes] = frozenset()
    """Blocks that overwrite unspent coins (Core: IsBIP30Repeat)."""

    def __repr__(self) -> str:
        return f"Params({self.name})"

    @property
    def pow_limit(self) -> int:
        """The easiest target allowed."""
        return decode_bits(self.pow_limit_bits)


def make_genesis(message: str, time: int, nonce: int, bits: int, reward: int) -> Block:
    """A block 0 in the shape of Bitcoin's. `message`, at most 75 bytes of UTF-8, dates it."""
    tx_in = TxIn(NULL_OUTPOINT, bytes.fromhex("04ffff001d0104") + _push(message.encode()))
    tx_out = TxOut(reward, _push(_GENESIS_KEY) + bytes((_OP_CHECKSIG,)))
    coinbase = Transaction(1, (tx_in,), (tx_out,), 0)
    header = BlockHeader(1, bytes(32), coinbase.txid, time, bits, nonce)
    return Block(header, (coinbase,))


def _push(data: bytes) -> bytes:
    return bytes((len(data),)) + data


MAIN = Params(
    name="main",
    magic=bytes.fromhex("f9beb4d9"),
    genesis=make_genesis(_GENESIS_MESSAGE, 1231006505, 2083236893, 0x1D00FFFF, 50 * COIN),
    is_real_money=True,
    pow_limit_bits=0x1D00FFFF,
    no_retargeting=False,
    allow_min_difficulty_blocks=False,
    target_spacing_s=600,
    retarget_interval_blocks=2016,
    initial_subsidy=50 * COIN,
    halving_interval_blocks=210_000,
    coinbase_maturity_blocks=100,
    coinbase_height_from=227_931,
    strict_der_from=363_725,
    locktime_verify_from=388_381,
    relative_locktime_from=419_328,
    segwit_from=481_824,
    p2pkh_prefix=0,
    p2sh_prefix=5,
    wif_prefix=128,
    bech32_hrp="bc",
    xpub_prefix=bytes.fromhex("0488b21e"),
    xprv_prefix=bytes.fromhex("0488ade4"),
    coin_type=0,
    default_port=8332,
    coinbase_height_hash=parse_hash(
        "000000000000024b89b42a942fe0d9fea3bb44ab7bd1b19115dd6a759c0808b8"
    ),
    script_flag_exceptions={
        # 2012-02-29: breaks BIP 16. No flags.
        parse_hash("00000000000002dc756eebf4f49723ed8d30cc28a5f108eb94b1ba88ac4f9c22"): 0,
        # 2021-07-31: breaks BIP 341. P2SH and WITNESS.
        parse_hash("0000000000000000000f14c35b2d841e986ab5441de8c585d5ffe55ea1e395ad"): 1 | 1 << 11,
    },
    bip30_exceptions=frozenset(
        (
            parse_hash("00000000000a4d0a398161ffc163c503763b1f4360639393e0e4c8e300e0caec"),  # 91842
            parse_hash("00000000000743f190a18c5577a3c2d2a1f610ae9601ac046a38084ccb7cd721"),  # 91880
        )
    ),
)

REGTEST = Params(
    name="regtest",
    magic=bytes.fromhex("fabfb5da"),
    genesis=make_genesis(_GENESIS_MESSAGE, 1296688602, 2, 0x207FFFFF, 50 * COIN),
    is_real_money=False,
    pow_limit_bits=0x207FFFFF,
    no_retargeting=True,
    allow_min_difficulty_blocks=True,
    target_spacing_s=600,
    retarget_interval_blocks=144,
    initial_subsidy=50 * COIN,
    halving_interval_blocks=150,
    coinbase_maturity_blocks=100,
    coinbase_height_from=1,
    strict_der_from=1,
    locktime_verify_from=1,
    relative_locktime_from=1,
    segwit_from=0,
    p2pkh_prefix=111,
    p2sh_prefix=196,
    wif_prefix=239,
    bech32_hrp="bcrt",
    xpub_prefix=bytes.fromhex("043587cf"),
    xprv_prefix=bytes.fromhex("04358394"),
    coin_type=1,
    default_port=18443,
)


def _with_own_magic(params: Params) -> Params:
    """The magic follows from all the other numbers: who changed one cannot talk to who did not."""
    names = {each.name for each in fields(params)} - _NOT_IN_MAGIC
    values = {name: getattr(params, name) for name in names} | {"genesis": params.genesis.hash}
    lines = [
        f"{name}={value.hex() if isinstance(value, bytes) else value}\n"
        for name, value in sorted(values.items())
    ]
    return replace(params, magic=sha256("".join(lines).encode())[:4])


_HISTORY = {"coinbase_height_hash", "script_flag_exceptions", "bip30_exceptions"}
_NOT_IN_MAGIC = {"magic", "is_real_money", "default_port", *_HISTORY}

CLASSROOM = _with_own_magic(
    replace(
        REGTEST,
        name="classroom",
        pow_limit_bits=0x1F00FFFF,
        no_retargeting=False,
        allow_min_difficulty_blocks=False,
        target_spacing_s=10,
        retarget_interval_blocks=20,
        halving_interval_blocks=2100,
        coinbase_maturity_blocks=10,
    )
)

NETWORKS: Mapping[str, Params] = {each.name: each for each in (REGTEST, CLASSROOM, MAIN)}


def network(name: str) -> Params:
    """The network of that name. Raises DecodeError."""
    if name not in NETWORKS:
        raise DecodeError(f"unknown network {name!r}: expected one of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def with_activation_heights(params: Params, heights: Mapping[str, int]) -> Params:
    """The network with soft forks at other heights, under Core's names. Raises DecodeError."""
    for name, height in heights.items():
        if name not in _HEIGHTS:
            raise DecodeError(f"unknown soft fork {name!r}: expected one of {', '.join(_HEIGHTS)}")
        _check_range(name, height, 0, MAX_HEIGHT)
    changes = {_HEIGHTS[name]: height for name, height in heights.items()}
    return replace(params, **changes)  # type: ignore[arg-type]  # integers all


_RANGES = {  # of the whole numbers in a network's file
    "pow_limit_bits": (1, 0xFFFFFFFF),
    "target_spacing_s": (1, 86_400),
    "retarget_interval_blocks": (2, MAX_HEIGHT),
    "initial_subsidy": (0, MAX_MONEY),
    "halving_interval_blocks": (1, MAX_HEIGHT),
    "coinbase_maturity_blocks": (1, MAX_HEIGHT),
    **dict.fromkeys(_HEIGHTS.values(), (0, MAX_HEIGHT)),
    **dict.fromkeys(("p2pkh_prefix", "p2sh_prefix", "wif_prefix"), (0, 255)),
    "coin_type": (1, 2**31 - 1),
    "default_port": (1024, 65_535),
    "genesis_time": (0, 0xFFFFFFFF),
}
_PATTERNS = {  # of its texts
    "name": r"[a-z][a-z0-9-]{0,30}",
    "base": "regtest|classroom",
    "bech32_hrp": "[a-z]{1,20}",
    "xpub_prefix": "[0-9a-f]{8}",
    "xprv_prefix": "[0-9a-f]{8}",
    "genesis_message": ".+",
}
_SWITCHES = ("no_retargeting", "allow_min_difficulty_blocks")
_GENESIS_KEYS = ("genesis_message", "genesis_time")
# What must differ from Bitcoin's, so that no key or address of a toy is mistaken for real money.
_MARKS = ("p2pkh_prefix", "p2sh_prefix", "wif_prefix", "bech32_hrp", "xpub_prefix", "xprv_prefix")


def custom(table: Mapping[str, object]) -> Params:
    """A network of one's own, from a parsed TOML file. Raises DecodeError, in one line.

    `name` is required. `base` (regtest or classroom) is where all numbers not given come from. Any
    number above may be given under its name, prefixes of extended keys as 8 hex digits. With
    `genesis_message` or `genesis_time` (unix seconds) it gets a genesis block of its own.
    """
    for key in ("name", *table):
        _check_entry(key, table.get(key))
    base = network(str(table.get("base", "regtest")))
    if table["name"] in NETWORKS:
        raise DecodeError(f"name: {table['name']!r} is taken, choose another")
    changes = {key: value for key, value in table.items() if key not in ("base", *_GENESIS_KEYS)}
    for key in ("xpub_prefix", "xprv_prefix"):
        if key in changes:
            changes[key] = bytes.fromhex(str(changes[key]))
    for key in _MARKS:
        if changes.get(key) == getattr(MAIN, key):
            raise DecodeError(f"{key}: {table[key]!r} is Bitcoin's own, choose another")
    params = replace(base, **changes)  # type: ignore[arg-type]  # checked entry by entry
    if not set(_GENESIS_KEYS).isdisjoint(table):
        params = replace(params, genesis=_own_genesis(table, params))
    return _with_own_magic(params)


def _check_entry(key: str, value: object) -> None:
    """Refuse an unknown key, a value of another type, or one out of range."""
    if key in _RANGES:
        number = _check_range(key, value, *_RANGES[key])
        if key == "pow_limit_bits" and encode_bits(decode_bits(number)) != number:
            raise DecodeError(f"{key}: {number:#010x} is no target in compact form")
    elif key in _PATTERNS:
        if type(value) is not str or not re.fullmatch(_PATTERNS[key], value):
            raise DecodeError(f"{key}: expected text like {_PATTERNS[key]}, not {_shown(value)}")
        if key == "genesis_message":
            _check_message(value)
    elif key not in _SWITCHES:
        known = ", ".join(sorted((*_RANGES, *_PATTERNS, *_SWITCHES)))
        raise DecodeError(f"unknown key {_shown(key)}: expected one of {known}")
    elif type(value) is not bool:
        raise DecodeError(f"{key}: expected true or false, not {_shown(value)}")


def _check_message(text: str) -> None:
    if not text.isprintable():
        raise DecodeError(f"genesis_message: not all of {_shown(text)} can be printed")
    if len(text.encode()) > MAX_MESSAGE_SIZE:
        sizes = f"at most {MAX_MESSAGE_SIZE} bytes, not {len(text.encode())}"
        raise DecodeError(f"genesis_message: {sizes}")


def _check_range(key: str, value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        expected = f"a whole number from {low} to {high}"
        raise DecodeError(f"{key}: expected {expected}, not {_shown(value)}")
    return value


def _shown(value: object) -> str:
    """A value from outside, in a few words: Python refuses to print very long numbers."""
    is_long = isinstance(value, int) and value.bit_length() > 64
    is_nested = isinstance(value, list | dict)
    return f"a value of type {type(value).__name__}" if is_long or is_nested else repr(value)[:80]


def _own_genesis(table: Mapping[str, object], params: Params) -> Block:
    message = str(table.get("genesis_message", _GENESIS_MESSAGE))
    time = int(str(table.get("genesis_time", params.genesis.header.time)))
    return make_genesis(message, time, 0, params.pow_limit_bits, params.initial_subsidy)
