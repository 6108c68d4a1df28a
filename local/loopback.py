"""What every HTTP server of the local stack has in common: HTTP/1.1 on the loopback, at full speed, saying nothing."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from typing import Any


class LoopbackHandler(BaseHTTPRequestHandler):
    """Keeps connections open and sends an answer in one piece."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # with buffered writes: else every answer waits 40 ms for a delayed ACK
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: paths hold identifiers, and a line per request would drown the errors."""
