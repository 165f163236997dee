"""The RPC's methods for miners: templates, blocks to order, headers, how much is being mined.

Each function is a method of Core's RPC, of the same name, parameters and results; its docstring is
what `help` shows. What searches or waits holds the runtime's lock only now and then; the others are
called under it. Which transactions a block gets is for `template` to say; finished blocks are
handed in by `chain`. Read beside it: Core's rpc/mining.cpp; BIPs 22, 23 and 145.

Simplified: no soft fork is being signalled for, so that no version bits are on offer; a template is
made anew whenever it is asked for; of descriptors only `addr` and `raw` are known, and a checksum
behind them is not looked at.
"""

import threading
import time

from chain.address import address_to_script
from chain.block import Block, BlockHeader
from chain.block_rules import MAX_BLOCK_SIGOPS_COST
from chain.encoding import Reader, decode_bits, display_hash
from chain.errors import Invalid
from chain.transaction import Transaction
from chain.tx_rules import MAX_BLOCK_WEIGHT
from node.entry import MempoolEntry
from node.mempool.template import block_of, choose_next, min_time
from node.rpc.chain import getblockchaininfo
from node.rpc.values import Code, RpcError, parse_hash, parse_hex
from node.rpc.views import Json
from node.runtime import Runtime

TIP_LOOK_S, FIRST_LOOK_S, NEXT_LOOK_S = 0.05, 60.0, 10.0
"""How often a long poll looks at the tip; when at what waits: Core's minute, then its 10 s."""
POLLS = threading.BoundedSemaphore(8)
"""So many may wait at once: half of the server's threads for plain requests."""
ANYONE = b"\x51"
"""OP_TRUE: whom a template's own coinbase pays; miners make another."""


def getblocktemplate(runtime: Runtime, template_request: Json) -> Json | str | None:
    """What the next block is to be made of, or, with mode "proposal", what is wrong with `data`.

    With the `longpollid` of an earlier template the answer waits until another would differ.
    """
    mode = template_request.get("mode") or "template"
    if mode == "proposal":
        with runtime.lock:
            return _judge(runtime, template_request.get("data"))
    if mode != "template":
        raise RpcError(Code.PARAMETER, "Invalid mode")
    rules = template_request.get("rules")
    if not isinstance(rules, list) or "segwit" not in rules:
        what = 'the segwit rule set (call with {"rules": ["segwit"]})'
        raise RpcError(Code.PARAMETER, f"getblocktemplate must be called with {what}")
    if (seen := template_request.get("longpollid")) is not None:
        _wait(runtime, str(seen))
    with runtime.lock:
        return _template(runtime)


def _judge(runtime: Runtime, data: object) -> str | None:
    """What is wrong with a block that is not mined yet."""
    if not isinstance(data, str):
        raise RpcError(Code.TYPE, "Missing data String key for proposal")
    try:
        block = Block.read(Reader(parse_hex(data)))  # Core: what is behind it is ignored
    except ValueError:  # DecodeError too
        raise RpcError(Code.DECODE, "Block decode failed") from None
    chainstate = runtime.node.chainstate
    if (known := chainstate.headers.get(block.header.hash)) is not None:
        verdict = "" if known.is_connected_once else "-inconclusive"
        return "duplicate-invalid" if known.failed else f"duplicate{verdict}"
    if block.header.prev_hash != chainstate.tip.hash:
        return "inconclusive-not-best-prevblk"
    try:
        chainstate.check_candidate(block, int(runtime.now()))
    except Invalid as invalid:
        return invalid.reject_reason
    return None


def _wait(runtime: Runtime, seen: str) -> None:
    """Until there is another tip than was `seen`, or, after a while, something else to mine."""
    tip, mempool = parse_hash("longpollid", seen[:64]), runtime.node.mempool
    if not POLLS.acquire(blocking=False):
        raise RpcError(Code.MISC, "too many long polls are waiting already: try again later")
    look_at = time.monotonic() + FIRST_LOOK_S
    try:
        while runtime.node.chainstate.tip.hash == tip:
            if time.monotonic() >= look_at:
                if str(mempool.changes) != seen[64:]:
                    return
                look_at += NEXT_LOOK_S
            if runtime.stopping.wait(TIP_LOOK_S):
                raise RpcError(Code.NOT_CONNECTED, "Shutting down")
    finally:
        POLLS.release()


def _template(runtime: Runtime) -> Json:
    chainstate, mempool = runtime.node.chainstate, runtime.node.mempool
    parent, params = chainstate.tip, chainstate.params
    chosen = choose_next(chainstate, mempool.chunks())
    txs, fees = [entry.tx for entry in chosen], sum(entry.fee for entry in chosen)
    block = block_of(chainstate, txs, fees, ANYONE, int(runtime.now()))
    header, (reward, *commitment) = block.header, block.transactions[0].outputs
    scale = 1 if commitment else 4  # before segwit there is none, and the old limits hold
    view: Json = {
        "capabilities": ["proposal"],
        "version": header.version,
        "rules": ["csv", *["!segwit"] * len(commitment), "taproot"],
        "vbavailable": {},
        "vbrequired": 0,
        "previousblockhash": display_hash(parent.hash),
        "transactions": _transactions(chosen, scale),
        "coinbaseaux": {},
        "coinbasevalue": reward.value,
        "longpollid": f"{display_hash(parent.hash)}{mempool.changes}",
        "target": f"{decode_bits(header.bits):064x}",
        "mintime": min_time(parent, params),
        "mutable": ["time", "transactions", "prevblock"],
        "noncerange": "00000000ffffffff",
        "sigoplimit": MAX_BLOCK_SIGOPS_COST // scale,
        "sizelimit": MAX_BLOCK_WEIGHT // scale,
        "curtime": header.time,
        "bits": f"{header.bits:08x}",
        "height": parent.height + 1,
    }
    if commitment:
        view["weightlimit"] = MAX_BLOCK_WEIGHT
        view["default_witness_commitment"] = commitment[0].script_pubkey.hex()
    return view


def _transactions(chosen: list[MempoolEntry], scale: int) -> list[Json]:
    """Numbers in `depends` count from 1."""
    numbers = {entry: number for number, entry in enumerate(chosen, 1)}
    return [
        {
            "data": entry.tx.serialize().hex(),
            "txid": display_hash(entry.txid),
            "hash": display_hash(entry.tx.wtxid),
            "depends": sorted(numbers[parent] for parent in entry.parents),
            "fee": entry.fee,
            "sigops": entry.sigop_cost // scale,
            "weight": entry.tx.weight,
        }
        for entry in chosen
    ]


def generatetoaddress(runtime: Runtime, nblocks: int, address: str) -> list[str]:
    """Mine so many blocks at once, each paying this address; their hashes."""
    script_pubkey = _output_script(runtime, address, "address")
    try:
        return [display_hash(each) for each in runtime.generate(script_pubkey, nblocks)]
    except Invalid as error:
        raise RpcError(Code.MISC, f"ProcessNewBlock, block not accepted: {error}") from error


def generatetodescriptor(runtime: Runtime, num_blocks: int, descriptor: str) -> list[str]:
    """Mine so many blocks at once, each paying this descriptor; their hashes."""
    return generatetoaddress(runtime, num_blocks, descriptor)


def _output_script(runtime: Runtime, text: str, expected: str) -> bytes:
    """What mined coins go to. RpcError if it is nothing that we know, or they would be real."""
    params = runtime.node.params
    kind, _, inner = text.partition("#")[0].removesuffix(")").partition("(")
    try:
        address = inner if kind == "addr" else text
        is_raw = kind == "raw" and inner
        script = bytes.fromhex(inner) if is_raw else address_to_script(address, params)
    except ValueError as error:  # AddressError too
        raise RpcError(Code.NOT_FOUND, f"Error: Invalid {expected}: {error}") from error
    if params.is_real_money:
        raise RpcError(Code.MISC, "real bitcoins are not mined here")
    return script


def generateblock(
    runtime: Runtime, output: str, transactions: list[str], submit: bool = True
) -> Json:
    """Mine a block of exactly these, raw or waiting, whose fees nobody gets; its hash.

    `output` is an address or a descriptor. With `submit` false the block in hex, not handed in.
    """
    script_pubkey = _output_script(runtime, output, "address or descriptor")
    with runtime.lock:
        chainstate, now = runtime.node.chainstate, int(runtime.now())
        txs = [_transaction(runtime, text) for text in transactions]
        block = block_of(chainstate, txs, 0, script_pubkey, now)
        try:
            chainstate.check_candidate(block, now)
        except Invalid as invalid:
            raise RpcError(Code.VERIFY, f"TestBlockValidity failed: {invalid}") from invalid
    solved = runtime.search(block)
    if solved is None:
        raise RpcError(Code.MISC, "Failed to make block.")
    view: Json = {"hash": display_hash(solved.header.hash)}
    if submit:
        runtime.submit_block(solved)
        return view
    return {**view, "hex": solved.serialize().hex()}


def _transaction(runtime: Runtime, text: str) -> Transaction:
    """One that waits, by its txid, or that this hex is."""
    try:
        raw = parse_hex(text)
        if len(raw) != 32:
            return Transaction.parse(raw)
    except ValueError:  # DecodeError too
        what = f"Transaction decode failed for {text}. Make sure the tx has at least one input."
        raise RpcError(Code.DECODE, what) from None
    waiting = runtime.node.mempool.get(raw[::-1])
    if waiting is None:
        raise RpcError(Code.NOT_FOUND, f"Transaction {text} not in mempool.")
    return waiting.tx


def submitheader(runtime: Runtime, hexdata: str) -> None:
    """Hand in a header, whose block may follow."""
    try:
        header = BlockHeader.read(Reader(parse_hex(hexdata)))  # the same
    except ValueError:
        raise RpcError(Code.DECODE, "Block header decode failed") from None
    if header.prev_hash not in runtime.node.chainstate.headers:
        previous = display_hash(header.prev_hash)
        raise RpcError(Code.VERIFY, f"Must submit previous header ({previous}) first")
    try:
        runtime.submit_header(header)
    except Invalid as invalid:
        raise RpcError(Code.VERIFY, invalid.reject_reason) from invalid


def getnetworkhashps(runtime: Runtime, nblocks: int = 120, height: int = -1) -> float:
    """Hashes a second that went into the `nblocks` blocks up to `height`; -1 for the tip."""
    active = runtime.node.chainstate.active
    if nblocks < 1:
        raise RpcError(Code.PARAMETER, "Invalid nblocks. Must be a positive number.")
    if not -1 <= height <= active.height:
        raise RpcError(Code.PARAMETER, "Block does not exist at specified height")
    last = active.tip if height == -1 else active[height]
    entries = [active[each] for each in range(max(0, last.height - nblocks), last.height + 1)]
    times = [entry.header.time for entry in entries]
    work, taken_s = last.chainwork - entries[0].chainwork, max(times) - min(times)
    return work / taken_s if taken_s else 0


def getmininginfo(runtime: Runtime) -> Json:
    """What is being mined on, and how much."""
    info = getblockchaininfo(runtime)
    names = "blocks", "bits", "difficulty", "target", "chain", "warnings"
    figures = {"networkhashps": getnetworkhashps(runtime), "pooledtx": len(runtime.node.mempool)}
    return {name: info[name] for name in names} | figures


METHODS = (
    generateblock,
    generatetoaddress,
    generatetodescriptor,
    getblocktemplate,
    getmininginfo,
    getnetworkhashps,
    submitheader,
)
