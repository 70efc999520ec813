"""Being the sender."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from hookcatch import Request
from hookcatch.cli.load import load
from support.senders import ed25519, whsk


class Endpoint(BaseHTTPRequestHandler):
    """Answers what it is told to and remembers what came."""

    status = 200
    seen: ClassVar[list[Request]] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.seen.append(Request("POST", self.path, self.headers.items(), body))
        self.send_response(self.status)
        self.send_header("location", "/elsewhere")
        self.end_headers()
        self.wfile.write(b"o\x1bk\n")

    do_GET = do_POST

    def log_message(self, *args):
        pass


@pytest.fixture
def endpoint() -> Iterator[type[Endpoint]]:
    handler = type("OneEndpoint", (Endpoint,), {"seen": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    handler.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_sent_verifies(hookcatch, project, endpoint):
    app = project()
    result = hookcatch(
        "send", app, "shop", "order.created", '{"id": "o_1"}', "--id", "evt_1", "--url", endpoint.url
    )
    assert result.exit_code == 0, result.output
    (seen,) = endpoint.seen
    (event,) = load(app).sources["shop"].verify(seen).events
    assert (seen.url, event.id, event.type, event.payload["data"]) == (
        "/shop",
        "evt_1",
        "order.created",
        {"id": "o_1"},
    )


def test_the_answer_is_shown_with_nothing_that_could_drive_a_terminal(hookcatch, project, endpoint):
    result = hookcatch("send", project(), "shop", "a", "{}", "--url", endpoint.url)
    assert result.output.startswith("200 o\\x1bk (")


@pytest.mark.parametrize("status", [302, 401, 503])
def test_anything_but_a_2xx_is_a_failure_and_no_redirect_is_followed(hookcatch, project, endpoint, status):
    endpoint.status = status
    result = hookcatch("send", project(), "shop", "a", "{}", "--url", endpoint.url)
    assert result.exit_code == 1
    assert result.output.startswith(str(status))
    assert len(endpoint.seen) == 1


def test_count_sends_events_of_their_own_or_copies_of_one(hookcatch, project, endpoint):
    app = project()
    hookcatch("send", app, "shop", "a", "{}", "--url", endpoint.url, "--count", "3")
    assert len({seen.header(b"webhook-id") for seen in endpoint.seen}) == 3
    endpoint.seen.clear()
    hookcatch("send", app, "shop", "a", "{}", "--url", endpoint.url, "--count", "3", "--id", "evt_1")
    assert [seen.header(b"webhook-id") for seen in endpoint.seen] == [b"evt_1"] * 3


def test_the_url_may_hold_the_place_where_the_app_is_mounted(hookcatch, project, endpoint):
    hookcatch("send", project(), "shop", "a", "{}", "--url", f"{endpoint.url}/hooks/")
    assert endpoint.seen[0].url == "/hooks/shop"


@pytest.mark.parametrize("how", ["text", "file", "stdin"])
def test_data_comes_from_the_command_line_a_file_or_stdin(hookcatch, project, tmp_path, how):
    (tmp_path / "data.json").write_text('{"id": "o_1"}')
    given = {"text": '{"id": "o_1"}', "file": "@data.json", "stdin": "-"}[how]
    result = hookcatch("send", project(), "shop", "a", given, "--dry-run", input='{"id": "o_1"}')
    assert json.loads(result.output.rpartition("\n\n")[2])["data"] == {"id": "o_1"}


@pytest.mark.parametrize(
    ("data", "said"),
    [("{id: 1}", "not JSON"), ("", "not JSON"), ("@nowhere.json", "No such file"), ("-", "not JSON")],
)
def test_data_that_is_no_json_is_refused(hookcatch, project, data, said):
    result = hookcatch("send", project(), "shop", "a", data, input="{")
    assert result.exit_code == 2
    assert "DATA" in result.output
    assert said in result.output


def test_a_source_that_is_not_there_is_told_with_those_that_are(hookcatch, project):
    result = hookcatch("send", project(), "stripe", "a", "{}")
    assert (result.exit_code, result.output) == (1, "Error: there is no source 'stripe', only shop\n")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://host", "http://", "http://host:port", "http://host:99999"]
)
def test_a_url_that_is_none_is_refused(hookcatch, project, url):
    result = hookcatch("send", project(), "shop", "a", "{}", "--url", url)
    assert result.exit_code == 2
    assert "is no URL" in result.output


def test_no_answer_is_one_line(hookcatch, project):
    result = hookcatch("send", project(), "shop", "a", "{}", "--url", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "no answer from http://127.0.0.1:9" in result.output
    assert result.output.count("\n") == 1


def test_an_id_that_would_forge_a_header_is_never_sent(hookcatch, project, endpoint):
    result = hookcatch("send", project(), "shop", "a", "{}", "--url", endpoint.url, "--id", "a\r\nx-evil: 1")
    assert result.exit_code == 1
    assert endpoint.seen == []


def test_a_source_with_a_public_key_signs_with_the_private_one(hookcatch, project, tmp_path):
    public = "whpk_" + base64.b64encode(ed25519(0)[32:]).decode()
    app = project(
        "from hookcatch import Hookcatch\nhooks = Hookcatch('memory:')\n"
        f"hooks.source('shop', provider='standard_webhooks', secret='{public}')\n"
    )
    (tmp_path / "private.key").write_text(whsk(0) + "\n")
    for key in (whsk(0), "private.key"):
        result = hookcatch("send", app, "shop", "a", "{}", "--dry-run", "--key", key)
        assert "webhook-signature: v1a," in result.output
    without = hookcatch("send", app, "shop", "a", "{}", "--dry-run")
    assert without.exit_code == 1
    assert "private key" in without.output


def test_no_command_prints_the_secret(hookcatch, project):
    app = project()
    source = load(app).sources["shop"]
    assert "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" not in repr(source)
    assert (
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        not in hookcatch("send", app, "shop", "a", "{}", "--dry-run").output
    )
