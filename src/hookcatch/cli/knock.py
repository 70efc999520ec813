"""Sending a probe over the net: the very bytes, nothing followed, and whatever comes back."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from contextlib import suppress
from urllib.parse import urlsplit

from hookcatch.core.wire import Request
from hookcatch.doctor.answers import Answer, Unanswered
from hookcatch.doctor.catalogue import finding

TIMEOUT = 30.0
MAX_ANSWER = 64 << 10
CHUNK = 16


def knock(request: Request, chunked: bool) -> Answer:
    """Send a request to its URL. Raises Unanswered."""
    url = urlsplit(request.url)
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = connect(url.hostname or "", url.port, timeout=TIMEOUT)
    sent = time.time()
    try:
        connection.connect()
        with suppress(
            BrokenPipeError, ConnectionResetError
        ):  # whoever refuses a large body may not read it all
            _send(
                connection, request, url._replace(scheme="", netloc="", fragment="").geturl() or "/", chunked
            )
        answer = connection.getresponse()
        body = answer.read(MAX_ANSWER)
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, body, sent, time.time())
    except ssl.SSLCertVerificationError as why:
        raise Unanswered(
            finding("certificate", f"the certificate is refused: {why.verify_message}")
        ) from None
    except (OSError, http.client.HTTPException) as why:
        raise Unanswered(finding("unreachable", f"nothing answers at {url.netloc}: {_reason(why)}")) from None
    finally:
        connection.close()


def _send(connection: http.client.HTTPConnection, request: Request, target: str, chunked: bool) -> None:
    connection.putrequest(request.method, target, skip_accept_encoding=True)
    connection.putheader("user-agent", "hookcatch-doctor")
    for name, value in request.headers:
        connection.putheader(name.decode("latin-1"), value)
    if chunked:
        connection.putheader("transfer-encoding", "chunked")
        parts = [request.body[start : start + CHUNK] for start in range(0, len(request.body), CHUNK)]
        connection.endheaders(parts, encode_chunked=True)
    else:
        connection.putheader("content-length", str(len(request.body)))
        connection.endheaders(request.body)


def _reason(why: OSError | http.client.HTTPException) -> str:
    if isinstance(why, socket.gaierror):
        return "there is no such name"
    if isinstance(why, TimeoutError):
        return f"no answer in {TIMEOUT:g} s"
    return (why.strerror if isinstance(why, OSError) else "") or repr(why)
