"""The RPC's methods on the node itself: its clock, its peers, its end.

Each function is a method of Core's RPC, of the same name, parameters and results; its docstring is
what `help` shows. They are called under the runtime's lock. Read beside it: Core's rpc/net.cpp and
rpc/node.cpp.
"""

import threading
import time

from chain.headers import ActiveChain
from node.messages import PROTOCOL_VERSION
from node.peers.handshake import SERVICES
from node.peers.peer import Peer
from node.rpc.values import Amount, Code, RpcError
from node.rpc.views import Json
from node.runtime import Runtime

VERSION = 280000
"""The version of Core whose RPC this follows: clients ask for it."""
STOP_DELAY_S = 0.2
"""Between the answer to `stop` and the end, so that the answer is sent."""
SERVICE_NAMES = {0: "NETWORK", 3: "WITNESS"}
"""By bit."""


def setmocktime(runtime: Runtime, timestamp: int) -> None:
    """Stop the node's clock at this time, in Unix seconds; 0 gives back the real one."""
    if runtime.node.params.is_real_money:
        raise RpcError(Code.MISC, "setmocktime is for test networks only")
    if not 0 <= timestamp < 2**32:
        what = f"Mocktime must be in the range [0, {2**32 - 1}], not {timestamp}."
        raise RpcError(Code.PARAMETER, what)
    runtime.set_mock_time(timestamp)


def getnetworkinfo(runtime: Runtime) -> Json:
    """What this node is to others. Feerates in coins for 1,000 virtual bytes."""
    node = runtime.node
    inbound = sum(peer.inbound for peer in node.peers.values())
    options = node.mempool.options
    return {
        "version": VERSION,
        "subversion": f"/Satoshi:28.0.0{node.options.user_agent}",
        "protocolversion": PROTOCOL_VERSION,
        "localservices": f"{SERVICES:016x}",
        "localservicesnames": _service_names(SERVICES),
        "localrelay": True,
        "timeoffset": 0,
        "networkactive": True,
        "connections": len(node.peers),
        "connections_in": inbound,
        "connections_out": len(node.peers) - inbound,
        "networks": [],
        "relayfee": Amount(options.min_relay_feerate),
        "incrementalfee": Amount(options.incremental_relay_feerate),
        "localaddresses": [],
        "warnings": [],
    }


def _service_names(services: int) -> list[str]:
    return [name for bit, name in SERVICE_NAMES.items() if services >> bit & 1]


def getpeerinfo(runtime: Runtime) -> list[Json]:
    """The peers that this node is linked with."""
    active = runtime.node.chainstate.active
    return [_peer_view(peer, active) for peer in runtime.node.peers.values()]


def _peer_view(peer: Peer, active: ActiveChain) -> Json:
    version, known = peer.version, peer.best_known
    host, port = peer.address or ("", 0)
    services = version.services if version else 0
    kind = "inbound" if peer.inbound else "manual" if peer.is_manual else "outbound-full-relay"
    view: Json = {
        "id": peer.link,
        "addr": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "services": f"{services:016x}",
        "servicesnames": _service_names(services),
        "relaytxes": bool(version and version.relay),
        "conntime": int(peer.opened_at),
        "timeoffset": 0,
        "version": version.version if version else 0,
        "subver": version.user_agent if version else "",
        "inbound": peer.inbound,
        "bip152_hb_to": False,
        "bip152_hb_from": False,
        "startingheight": version.start_height if version else -1,
        "synced_headers": known.height if known else -1,
        "synced_blocks": active.fork_with(known).height if known else -1,
        "inflight": len(peer.blocks_asked),
        "minfeefilter": Amount(peer.min_feerate),
        "connection_type": kind,
    }
    if peer.ping_time_s is not None:
        view["pingtime"] = peer.ping_time_s
    return view


def uptime(runtime: Runtime) -> int:
    """For how many seconds this node has been running."""
    return int(time.time() - runtime.started_at)


def stop(runtime: Runtime) -> str:
    """Stop the node."""
    timer = threading.Timer(STOP_DELAY_S, runtime.request_stop)
    timer.daemon = True
    timer.start()
    return "Farthing stopping"


METHODS = (
    getnetworkinfo,
    getpeerinfo,
    setmocktime,
    stop,
    uptime,
)
