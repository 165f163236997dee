"""Bitcoin Core's JSON-RPC over HTTP: dialects, batches, credentials, and who is kept out.

It knows requests and replies; the methods are in `rpc/methods`. There are two dialects:

    "jsonrpc"           reply                         an error's HTTP status   without an id
    absent, 1.0, 1.1    both result and error         500, 404 or 400          answered
    2.0                 the one that is not null      200                      not answered, 204

Only the operator may ask, with the name and password of the cookie file, and no page in a browser:
a request with an `Origin`, or under a name that is not ours, is refused whatever it shows. Read
beside it: Core's httprpc.cpp, rpc/request.cpp and doc/JSON-RPC-interface.md.
"""

import base64
import hmac
import json
import time
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, request

from node.rpc.methods import call
from node.rpc.values import Code, RpcError, to_json
from node.runtime import Runtime

WRONG_PASSWORD_S = 0.25
"""How long Core makes who guesses wait."""
STATUSES = {Code.REQUEST: 400, Code.METHOD: 404}
"""Of errors in the old dialect; 500 for the rest."""
NOTIFICATION = None
"""In place of a reply that is not sent."""

Reply = dict[str, Any]


def blueprint(runtime: Runtime) -> Blueprint:
    """The route `POST /`."""
    rpc = Blueprint("web_rpc", __name__)

    @rpc.post("/")
    def answer() -> Response:
        refused = _refuse(runtime)
        return refused or _answer(runtime)

    @rpc.route("/", methods=["GET", "PUT", "DELETE"])
    def refuse_method() -> Response:
        return _text(405, "JSONRPC server handles only POST requests")

    return rpc


def _refuse(runtime: Runtime) -> Response | None:
    """Why this request is not answered, or None."""
    if "Origin" in request.headers:
        return _text(403, "a page in a browser may not ask this")
    if not runtime.config.allows_host(request.headers.get("Host")):
        return _text(403, "this Host is not ours: see --allow-host")
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            shown = base64.b64decode(given.strip(), validate=True)
        except ValueError:  # not base64, or not even ASCII
            shown = b""
        if hmac.compare_digest(shown, runtime.credentials.encode()):
            return None
        time.sleep(WRONG_PASSWORD_S)
    refusal = _text(401, "the credentials are those in the file .cookie of the node's data")
    refusal.headers["WWW-Authenticate"] = 'Basic realm="jsonrpc"'
    return refusal


def _answer(runtime: Runtime) -> Response:
    try:
        asked = _parse(request.get_data(cache=False))
    except RpcError as error:
        return _json(_reply({}, error=error), 500)
    if isinstance(asked, dict):
        reply, status = _answer_one(runtime, asked)
        return Response(status=204) if reply is NOTIFICATION else _json(reply, status)
    replies = [_answer_one(runtime, each, in_batch=True)[0] for each in asked]
    sent = [reply for reply in replies if reply is not NOTIFICATION]
    return _json(sent, 200) if sent or not asked else Response(status=204)


def _parse(body: bytes) -> dict[str, Any] | list[Any]:
    """A request or several. Numbers with a point stay exact. RpcError if it is no JSON."""
    try:
        asked = json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, ArithmeticError, RecursionError):  # an exponent of twenty digits, too
        raise RpcError(Code.PARSE, "Parse error") from None
    if not isinstance(asked, dict | list):
        raise RpcError(Code.PARSE, "Top-level object parse error")
    return asked


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _answer_one(
    runtime: Runtime, asked: Any, *, in_batch: bool = False
) -> tuple[Reply | None, int]:
    """The reply to one request and its HTTP status."""
    try:
        name, arguments = _understand(asked)
        result = call(runtime, name, arguments)
    except RpcError as error:
        reply, status = _reply(asked, error=error), STATUSES.get(Code(error.code), 500)
    else:
        # Some clients of batches look for `error` even where the dialect has none.
        reply, status = _reply(asked, result=result, with_both=in_batch), 200
    if not _is_new_dialect(asked):
        return reply, status
    return (reply if "id" in asked else NOTIFICATION), 200


def _understand(asked: Any) -> tuple[str, list[Any] | dict[str, Any]]:
    """The method and its arguments. RpcError if it is no request."""
    if not isinstance(asked, dict):
        raise RpcError(Code.REQUEST, "Invalid Request object")
    if asked.get("jsonrpc") not in (None, "1.0", "1.1", "2.0"):
        raise RpcError(Code.REQUEST, "JSON-RPC version not supported")
    if isinstance(asked.get("id"), list | dict):
        raise RpcError(Code.REQUEST, "Id must be a string, a number or null")
    if "method" not in asked:
        raise RpcError(Code.REQUEST, "Missing method")
    method, arguments = asked["method"], asked.get("params")
    if not isinstance(method, str):
        raise RpcError(Code.REQUEST, "Method must be a string")
    if not isinstance(arguments, list | dict | None):
        raise RpcError(Code.REQUEST, "Params must be an array or object")
    return method, arguments or []


def _is_new_dialect(asked: Any) -> bool:
    return isinstance(asked, dict) and asked.get("jsonrpc") == "2.0"


def _reply(
    asked: Any, *, result: Any = None, error: RpcError | None = None, with_both: bool = False
) -> Reply:
    failure = None if error is None else {"code": error.code, "message": str(error)}
    reply: Reply = {"result": result, "error": failure}
    if _is_new_dialect(asked):
        reply = {"jsonrpc": "2.0", **reply}
        if failure is not None:
            del reply["result"]
        elif not with_both:
            del reply["error"]
    name = asked.get("id") if isinstance(asked, dict) else None
    return {**reply, "id": None if isinstance(name, list | dict) else name}


def _json(reply: Reply | list[Reply], status: int) -> Response:
    return Response(to_json(reply) + "\n", status, content_type="application/json")


def _text(status: int, why: str) -> Response:
    return Response(f"{why}\n", status, content_type="text/plain")
