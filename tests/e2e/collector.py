"""A collector of telemetry as a process: `collector.py FILE [STATUS...]` answers POST, one JSON line of FILE for each.

Its first line on stdout is its port. The statuses are those of its first answers; all later ones are 200.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

received = Path(sys.argv[1])
statuses = [int(word) for word in sys.argv[2:]]


class Handler(BaseHTTPRequestHandler):
    """Writes down what comes."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Of the protocol's two paths and any other."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        status = statuses.pop(0) if statuses else 200
        line = {"path": self.path, "type": self.headers["Content-Type"], "status": status, "body": body}
        with received.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.send_response(status)
        if status == 503:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
