"""The RPC's methods for miners: templates, blocks to order, headers, how much is being mined.

Each function is a method of Core's RPC, of the same name, parameters and results; its docstring is
what `help` shows. What searches or waits holds the runtime's lock only now and then; the others are
called under it. Which transactions a block gets is for `template` to say; finished blocks are
handed in by `rpc_chain`. Read beside it: Core's rpc/mining.cpp; BIPs 22, 23 and 145.

Simplified: no soft fork is being signalled for, so that no version bits are on offer; a template is
made anew whenever it is asked for.
"""

import threading
import time

from chain.address import AddressError, address_to_script
from chain.block import Block, BlockHeader
from chain.block_rules import MAX_BLOCK_SIGOPS_COST
from chain.encoding import decode_bits, display_hash
from chain.errors import Invalid
from chain.hashes import hash160
from chain.params import Params
from chain.script.templates import p2pk, p2pkh, p2wpkh
from chain.transaction import Transaction
from chain.tx_rules import MAX_BLOCK_WEIGHT
from chain.work import next_bits
from node.entry import MempoolEntry
from node.events import BlockConnected, BlockDisconnected
from node.rpc_values import Amount, Code, RpcError, parse_hash
from node.rpc_views import Json
from node.runtime import Notification, Runtime
from node.template import MIN_FEERATE, block_of, choose_next, min_time
from node.views import difficulty

FIRST_LOOK_S, NEXT_LOOK_S = 60.0, 10.0
"""When a long poll looks whether other transactions wait: Core's minute, then every 10 seconds."""
STOP_LOOK_S = 0.2
"""How often it looks whether the node stops."""
MAX_POLLS = 8
"""So many may wait at once: half of the server's threads for plain requests."""
_polls = threading.BoundedSemaphore(MAX_POLLS)
ANYONE = b"\x51"
"""OP_TRUE: whom a template's own coinbase pays; miners make another."""
HASH_RATE_BLOCKS = 120


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
    if runtime.node.params.is_real_money and not runtime.node.peers:
        raise RpcError(Code.NOT_CONNECTED, "Farthing is not connected!")
    rules = template_request.get("rules")
    if not isinstance(rules, list) or "segwit" not in rules:
        what = 'the segwit rule set (call with {"rules": ["segwit"]})'
        raise RpcError(Code.PARAMETER, f"getblocktemplate must be called with {what}")
    if (seen := template_request.get("longpollid")) is not None:
        _wait(runtime, seen)
    with runtime.lock:
        return _template(runtime)


def _judge(runtime: Runtime, data: object) -> str | None:
    """What is wrong with a block that is not mined yet."""
    if not isinstance(data, str):
        raise RpcError(Code.TYPE, "Missing data String key for proposal")
    try:
        block = Block.parse(bytes.fromhex(data))
    except ValueError:  # DecodeError too
        raise RpcError(Code.DECODE, "Block decode failed") from None
    chainstate = runtime.node.chainstate
    if (known := chainstate.headers.get(block.header.hash)) is not None:
        if known.failed:
            return "duplicate-invalid"
        return "duplicate" if known.is_connected_once else "duplicate-inconclusive"
    if block.header.prev_hash != chainstate.tip.hash:
        return "inconclusive-not-best-prevblk"
    try:
        chainstate.check_candidate(block, int(runtime.now()))
    except Invalid as invalid:
        return invalid.reject_reason
    return None


def _wait(runtime: Runtime, seen: object) -> None:
    """Until there is another tip, or, after a while, something else to mine on it."""
    node = runtime.node
    tip, changes = node.chainstate.tip.hash, node.mempool.changes
    if isinstance(seen, str):
        tip = parse_hash("longpollid", seen[:64])
        changes = int(seen[64:]) if seen[64:].isdecimal() else 0
    if not _polls.acquire(blocking=False):
        raise RpcError(Code.MISC, f"{MAX_POLLS} long polls are waiting already: try again later")
    moved = threading.Event()

    def told(notification: Notification) -> None:
        if isinstance(notification, BlockConnected | BlockDisconnected):
            moved.set()

    runtime.subscribe(told)
    try:
        look_at = time.monotonic() + FIRST_LOOK_S
        while node.chainstate.tip.hash == tip and not runtime.stopping.is_set():
            if time.monotonic() >= look_at:
                if node.mempool.changes != changes:
                    break
                look_at += NEXT_LOOK_S
            moved.wait(STOP_LOOK_S)
    finally:
        runtime.unsubscribe(told)
        _polls.release()
    if runtime.stopping.is_set():
        raise RpcError(Code.NOT_CONNECTED, "Shutting down")


def _template(runtime: Runtime) -> Json:
    chainstate, mempool = runtime.node.chainstate, runtime.node.mempool
    parent, params = chainstate.tip, chainstate.params
    chosen = choose_next(chainstate, mempool.chunks())
    txs, fees = [entry.tx for entry in chosen], sum(entry.fee for entry in chosen)
    block = block_of(chainstate, txs, fees, ANYONE, int(runtime.now()))
    header, (reward, *commitment) = block.header, block.transactions[0].outputs
    is_segwit = parent.height + 1 >= params.segwit_from
    scale = 1 if is_segwit else 4
    view: Json = {
        "capabilities": ["proposal"],
        "version": header.version,
        "rules": ["csv", "!segwit", "taproot"] if is_segwit else ["csv", "taproot"],
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
    if is_segwit:
        view["weightlimit"] = MAX_BLOCK_WEIGHT
        view["default_witness_commitment"] = commitment[0].script_pubkey.hex()
    return view


def _transactions(chosen: list[MempoolEntry], scale: int) -> list[Json]:
    """Numbers in `depends` count from 1."""
    numbers = {entry.txid: number for number, entry in enumerate(chosen, 1)}
    return [
        {
            "data": entry.tx.serialize().hex(),
            "txid": display_hash(entry.txid),
            "hash": display_hash(entry.tx.wtxid),
            "depends": sorted(numbers[parent.txid] for parent in entry.parents),
            "fee": entry.fee,
            "sigops": entry.sigop_cost // scale,
            "weight": entry.tx.weight,
        }
        for entry in chosen
    ]


def generatetoaddress(
    runtime: Runtime, nblocks: int, address: str, maxtries: int | None = None
) -> list[str]:
    """Mine so many blocks at once, each paying this address; their hashes.

    The search goes on until it succeeds, whatever `maxtries` says.
    """
    try:
        script_pubkey = address_to_script(address, runtime.node.params)
    except AddressError as error:
        raise RpcError(Code.NOT_FOUND, f"Error: Invalid address: {error}") from error
    return _generate(runtime, nblocks, script_pubkey)


def generatetodescriptor(
    runtime: Runtime, num_blocks: int, descriptor: str, maxtries: int | None = None
) -> list[str]:
    """The same, paying a descriptor: addr, raw, pk, pkh, wpkh or combo, of a key in hex."""
    return _generate(runtime, num_blocks, _output_script(descriptor, runtime.node.params))


def _generate(runtime: Runtime, count: int, script_pubkey: bytes) -> list[str]:
    _refuse_real_money(runtime)
    try:
        return [display_hash(each) for each in runtime.generate(script_pubkey, count)]
    except Invalid as error:
        raise RpcError(Code.MISC, f"ProcessNewBlock, block not accepted: {error}") from error


def _refuse_real_money(runtime: Runtime) -> None:
    if runtime.node.params.is_real_money:
        raise RpcError(Code.MISC, "real bitcoins are not mined here")


def generateblock(
    runtime: Runtime, output: str, transactions: list[str], submit: bool = True
) -> Json:
    """Mine a block of exactly these, raw or waiting, whose fees nobody gets; its hash.

    `output` is an address or a descriptor. With `submit` false the block in hex, not handed in.
    """
    _refuse_real_money(runtime)
    script_pubkey = _output_script(output, runtime.node.params)
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
    else:
        view["hex"] = solved.serialize().hex()
    return view


def _transaction(runtime: Runtime, text: str) -> Transaction:
    """One that waits, by its txid, or that this hex is."""
    try:
        raw = bytes.fromhex(text)
        if len(raw) != 32:
            return Transaction.parse(raw)
    except ValueError:  # DecodeError too
        what = f"Transaction decode failed for {text}. Make sure the tx has at least one input."
        raise RpcError(Code.DECODE, what) from None
    waiting = runtime.node.mempool.get(raw[::-1])
    if waiting is None:
        raise RpcError(Code.NOT_FOUND, f"Transaction {text} not in mempool.")
    return waiting.tx


def _output_script(text: str, params: Params) -> bytes:
    """What an address or a simple descriptor pays to; its checksum is not looked at."""
    kind, _, rest = text.partition("#")[0].partition("(")
    inner = rest.removesuffix(")")
    try:
        if kind == "addr" or not rest:
            return address_to_script(inner or text, params)
        raw = bytes.fromhex(inner)
    except ValueError:  # AddressError too
        kind, raw = "", b""
    is_key = len(raw) == 33 and raw[0] in (2, 3)
    match kind:
        case "raw":
            return raw
        case "pk" if is_key:
            return p2pk(raw)
        case "pkh" if is_key:
            return p2pkh(hash160(raw))
        case "wpkh" | "combo" if is_key:
            return p2wpkh(hash160(raw))
    raise RpcError(Code.NOT_FOUND, "Error: Invalid address or descriptor")


def submitheader(runtime: Runtime, hexdata: str) -> None:
    """Hand in a header, whose block may follow."""
    try:
        header = BlockHeader.parse(bytes.fromhex(hexdata))
    except ValueError:
        raise RpcError(Code.DECODE, "Block header decode failed") from None
    if header.prev_hash not in runtime.node.chainstate.headers:
        previous = display_hash(header.prev_hash)
        raise RpcError(Code.VERIFY, f"Must submit previous header ({previous}) first")
    try:
        runtime.submit_header(header)
    except Invalid as invalid:
        raise RpcError(Code.VERIFY, invalid.reject_reason) from invalid


def getnetworkhashps(runtime: Runtime, nblocks: int = HASH_RATE_BLOCKS, height: int = -1) -> float:
    """Hashes a second that went into the last `nblocks` before `height`; -1: since the difficulty
    changed, and the tip."""
    active, params = runtime.node.chainstate.active, runtime.node.params
    if nblocks < -1 or nblocks == 0:
        what = "Invalid nblocks. Must be a positive number or -1."
        raise RpcError(Code.PARAMETER, what)
    if not -1 <= height <= active.height:
        raise RpcError(Code.PARAMETER, "Block does not exist at specified height")
    last = active.tip if height == -1 else active[height]
    if nblocks == -1:
        nblocks = last.height % params.retarget_interval_blocks + 1
    entries = [active[each] for each in range(max(0, last.height - nblocks), last.height + 1)]
    times = [entry.header.time for entry in entries]
    taken_s = max(times) - min(times)
    return (last.chainwork - entries[0].chainwork) / taken_s if taken_s else 0


def getmininginfo(runtime: Runtime) -> Json:
    """What is being mined on, and against which target."""
    chainstate = runtime.node.chainstate
    tip, params = chainstate.tip, chainstate.params
    bits = next_bits(tip, max(int(runtime.now()), min_time(tip, params)), params)
    return {
        "blocks": tip.height,
        **_target(tip.header.bits),
        "networkhashps": getnetworkhashps(runtime),
        "pooledtx": len(runtime.node.mempool),
        "blockmintxfee": Amount(MIN_FEERATE),
        "chain": params.name,
        "next": {"height": tip.height + 1, **_target(bits)},
        "warnings": [],
    }


def _target(bits: int) -> Json:
    return {
        "bits": f"{bits:08x}",
        "difficulty": difficulty(bits),
        "target": f"{decode_bits(bits):064x}",
    }


METHODS = (
    generateblock,
    generatetoaddress,
    generatetodescriptor,
    getblocktemplate,
    getmininginfo,
    getnetworkhashps,
    submitheader,
)
