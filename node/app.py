"""The Flask application of a node: the routes of all web modules, and errors as one line of text.

It knows which modules there are, not what they answer. Beside it: Flask's documentation of
application factories.
"""

import logging

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from node.runtime import DISK_FAILURES, Runtime, Stopping
from node.web_esplora import blueprint as web_esplora
from node.web_peer import blueprint as web_peer
from node.web_rpc import blueprint as web_rpc

log = logging.getLogger("farthing")


def create_app(runtime: Runtime) -> Flask:
    """Everything that is served on a node's one port."""
    app = Flask("farthing", root_path=".", static_folder=None, template_folder=None)
    app.register_blueprint(web_peer(runtime))
    app.register_blueprint(web_esplora(runtime))
    app.register_blueprint(web_rpc(runtime))

    @app.get("/healthz")
    def healthz() -> Response:
        # Without the lock: it answers while a block is being connected.
        if runtime.stopping.is_set():
            return one_line(503, runtime.failure or "stopping")
        return one_line(200, f"height {runtime.node.chainstate.tip.height}")

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        return one_line(error.code or 500, error.description or error.name)

    @app.errorhandler(Stopping)
    def stopping(error: Stopping) -> Response:
        return one_line(503, str(error))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        if isinstance(error, DISK_FAILURES):
            runtime.fail(str(error))
            return one_line(503, "this node's disk has failed")
        log.error("a request failed", exc_info=error)
        return one_line(500, "a fault of this node; its log tells more")

    return app


def one_line(status: int, text: str) -> Response:
    """A status and its reason as plain text."""
    return Response(text + "\n", status, content_type="text/plain; charset=utf-8")
