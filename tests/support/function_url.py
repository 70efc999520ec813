"""A function URL of AWS Lambda on this machine: `python function_url.py app:handler 8000` calls what app.py has.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import base64
import importlib
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def event(request: BaseHTTPRequestHandler, body: bytes) -> dict[str, Any]:
    """What Lambda makes of a request."""
    url = urlsplit(request.path)
    return {
        "version": "2.0",
        "rawPath": url.path,
        "rawQueryString": url.query,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "requestContext": {"http": {"method": request.command, "path": url.path, "sourceIp": "127.0.0.1"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def serving(handler: Any) -> type[BaseHTTPRequestHandler]:
    class Url(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told = handler(event(self, body), None)
            answer = told["body"].encode()
            self.send_response(told["statusCode"])
            for name, value in {**told["headers"], "content-length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

    return Url


if __name__ == "__main__":
    module, _, name = sys.argv[1].partition(":")
    sys.path.insert(0, str(Path.cwd()))
    handler = getattr(importlib.import_module(module), name)
    HTTPServer(("127.0.0.1", int(sys.argv[2])), serving(handler)).serve_forever()
