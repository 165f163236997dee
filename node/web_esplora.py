"""Esplora's API over HTTP, under /api: methods, statuses, types, limits, caching, CORS.

It knows HTTP only; `esplora` has the answers. Anyone may ask, pages of other sites too: nothing
here changes a node, but that a transaction may be handed in. Read beside it: Esplora's API.md, and
src/rest.rs of Blockstream's electrs.

Where electrs lets a browser keep what is ten blocks deep, here it may keep only what the hash of a
block names: on a network of one's own, reorganisations of any depth are part of the fun.
"""

import json

from flask import Blueprint, Response, request

from node.esplora import Content, Esplora, Fixed, Refusal
from node.runtime import Runtime

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
MAX_BODY_SIZE = 1_000_000
FOR_EVER_S = 157_784_630  # five years: electrs's TTL_LONG


def blueprint(runtime: Runtime) -> Blueprint:
    """All routes under /api."""
    api = Blueprint("web_esplora", __name__, url_prefix="/api")
    esplora = Esplora(runtime)

    def answer(path: str = "") -> Response:
        try:
            if request.method == "OPTIONS":
                return _preflight()
            with runtime.lock:
                content = _ask(esplora, path)
            return _response(content)
        except Refusal as refusal:
            return _text(str(refusal), refusal.status)

    for rule in ("", "/", "/<path:path>"):
        api.add_url_rule(
            rule,
            view_func=answer,
            methods=METHODS,
            provide_automatic_options=False,
            merge_slashes=False,
        )

    @api.after_request
    def allow_all_origins(response: Response) -> Response:
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return api


def _ask(esplora: Esplora, path: str) -> Content | Fixed:
    content: Content | Fixed | None = None
    if request.method == "GET":
        content = esplora.get(path.split("/"), request.args)
    elif request.method == "POST" and path == "tx":
        content = esplora.post(_body())
    if content is None:
        raise Refusal(404, f'endpoint does not exist "/{path}"')
    return content


def _body() -> str:
    # Straight from the server, which has it whole: Flask's own way takes 30 µs, as much as parsing.
    raw: bytes = request.environ["wsgi.input"].read(MAX_BODY_SIZE + 1)
    if len(raw) > MAX_BODY_SIZE:
        raise Refusal(413, "Request body too large")
    return raw.decode("ascii", "replace")


def _response(content: Content | Fixed) -> Response:
    seconds = 0
    if isinstance(content, Fixed):
        content, seconds = content.content, FOR_EVER_S
    if isinstance(content, str):
        response = _text(content, 200)
    elif isinstance(content, bytes):
        response = Response(content, content_type="application/octet-stream")
    else:
        text = json.dumps(content, separators=(",", ":"))
        response = Response(text, content_type="application/json")
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    return response


def _text(text: str, status: int) -> Response:
    return Response(text, status, content_type="text/plain")


def _preflight() -> Response:
    """What a browser asks before it sends something unusual."""
    response = Response(status=204)
    response.headers["Access-Control-Allow-Methods"] = "GET, POST"
    response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    return response
