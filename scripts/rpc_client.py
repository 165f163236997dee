"""A node's JSON-RPC as one call, for the command line and for scripts.

It knows the operator's cookie file and Core's dialect; it does not know what the methods mean.
Reference: Bitcoin Core's doc/JSON-RPC-interface.md.
"""

import base64
import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class RpcError(Exception):
    """The node answered with an error: Core's `code` and `message`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"the node refused: {message.removeprefix('Error: ')}")
        self.code = code
        self.message = message


class NodeUnreachable(Exception):  # noqa: N818 - the name says what happened
    """No answer, or none of a node's; the text is one line that says where it was looked for."""


class RpcClient:
    """Calls to the node at `url`, with the credentials of the cookie file at `cookie`."""

    def __init__(self, url: str, cookie: Path) -> None:
        self.url = url
        self.cookie = cookie

    @property
    def address(self) -> str:
        """Host and port; NodeUnreachable if the URL can't be a node's."""
        try:
            parts = urlsplit(self.url)
            if parts.scheme == "http" and parts.hostname and parts.port != 0:
                return parts.netloc
        except ValueError:
            pass
        raise NodeUnreachable(
            f"{self.url[:200]!r} is no node's address; write one like http://127.0.0.1:18443"
        )

    def call(self, method: str, *params: object, timeout_s: float = 60) -> Any:
        """The method's result; raises RpcError, or NodeUnreachable when there is no answer."""
        request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        status, body = self._post(request, timeout_s)
        if status == 401:
            raise NodeUnreachable(
                f"the node at {self.url} does not take the password in {self.cookie}; "
                "is it another node's?"
            )
        try:
            reply = json.loads(body)
            refusal = reply.get("error")
            if refusal is not None:
                raise RpcError(refusal["code"], refusal["message"])
            return reply["result"]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise NodeUnreachable(
                f"what answers at {self.url} (status {status}) is no node; is the address right?"
            ) from error

    def _post(self, body: str, timeout_s: float) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.address, timeout=timeout_s)
        try:
            connection.request("POST", "/", body, self._headers())
            reply = connection.getresponse()
            return reply.status, reply.read()
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise NodeUnreachable(
                f"no answer from the node at {self.url} ({why}); is it running?"
            ) from error
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        credentials = base64.b64encode(self.cookie.read_text().strip().encode()).decode()
        return {"Content-Type": "application/json", "Authorization": f"Basic {credentials}"}
