"""`hookcatch doctor signature`: from a captured request to what is wrong with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from hookcatch import Request
from hookcatch.cli import main
from hookcatch.cli.capture import Unreadable, read
from hookcatch.cli.load import load
from support.senders import NOW, secret, signed

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

TWO = f"""
from hookcatch import Hookcatch
hooks = Hookcatch("memory:", public_url="https://shop.example.com/hooks")
shop = hooks.source("shop", provider="standard_webhooks", secret="whsec_{SECRET}")
hooks.source("till", provider="square", secret="a secret of the till, long enough")
"""


def raw(request: Request, target: str = "/hooks/shop", end: bytes = b"\r\n") -> bytes:
    lines = [f"{request.method} {target} HTTP/1.1".encode()]
    lines += [name + b": " + value for name, value in request.headers]
    return end.join([*lines, b"", b""]) + request.body


@pytest.fixture
def ask(project: Callable[[str], str]) -> Callable[..., Result]:
    """Run it with a request on stdin."""

    def run(*words: str, given: bytes = b"", env: dict[str, str] | None = None) -> Result:
        result = CliRunner().invoke(main, ["doctor", "signature", *words], input=given, env=env)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert SECRET not in result.output
        return result

    return run


def order(app: str, **data: str) -> Request:
    return load(app).sources["shop"].sign("order.created", {"name": "Zoë", **data}, id="msg_1")


def test_a_good_request_is_accepted(ask, project):
    app = project()
    result = ask(app, "--source", "shop", given=raw(order(app)))
    assert (result.exit_code, result.output) == (0, "accepted\n")


def test_a_refused_one_is_told_with_what_happened_and_what_to_do(ask, project):
    app = project()
    request = order(app)
    rewritten = request.with_body(json.dumps(json.loads(request.body)).encode())
    result = ask(app, given=raw(rewritten))
    assert result.exit_code == 1
    refusal, empty, found, remedy = result.output.splitlines()
    assert (refusal, empty) == ("refused: bad_signature", "")
    assert found.startswith(
        "json_rewritten: the body was changed on its way: parsed as JSON and written again"
    )
    assert remedy == f"  {remedy.strip()}"
    assert "hand over the bytes as they came" in remedy


def test_a_refusal_that_loses_the_event_says_so(ask):
    forged = signed("sinch").with_body(b"{}")
    known = {"SINCH_SECRET": secret("sinch"), "SLACK_SECRET": secret("slack")}
    lost = ask("--provider", "sinch", "--secret-env", "SINCH_SECRET", given=raw(forged), env=known)
    assert (
        "Sinch Conversation and SMS never sends again what got 401: such an event is lost here."
        in lost.output
    )
    kept = signed("slack").with_body(b"{}")
    assert (
        "never sends again"
        not in ask("--provider", "slack", "--secret-env", "SLACK_SECRET", given=raw(kept), env=known).output
    )


def test_json_says_the_same_to_programs(ask, project):
    app = project()
    assert json.loads(ask(app, "--json", given=raw(order(app))).output) == {
        "accepted": True,
        "refusal": "",
        "findings": [],
    }
    result = ask(app, "--json", given=raw(order(app).with_body(b"")))
    said = json.loads(result.output)
    assert (result.exit_code, said["accepted"], said["refusal"]) == (1, False, "bad_signature")
    assert said["findings"][0].keys() == {"name", "what", "remedy"}


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_every_byte_of_the_body_counts(ask, project, end):
    app = project()
    source = load(app).sources["shop"]
    for body in (b"{}\n", b"\r\n{}\r\n\r\n", b'{"type": "a"}\x00\xff', b""):
        request = source.provider.sign(
            Request("POST", "", [("webhook-id", "1")], body),
            secret=f"whsec_{SECRET}",
            now=source._hooks.clock(),
        )
        assert read(raw(request, end=end)).body == body
        assert "bad_signature" not in ask(app, given=raw(request, end=end)).output
        assert "bad_signature" in ask(app, given=raw(request, end=end) + b"\n").output


def test_headers_keep_their_bytes_their_order_and_their_twins():
    given = b"POST /a?b=c HTTP/1.1\r\nB: \xc3\xa9 \xff \r\nA:1\r\nb: 2\r\nx_y:\r\n\r\n: \n"
    captured = read(given)
    assert captured.headers == ((b"B", b"\xc3\xa9 \xff"), (b"A", b"1"), (b"b", b"2"), (b"x_y", b""))
    assert (captured.method, captured.path, captured.query, captured.body) == ("POST", "/a", "b=c", b": \n")


def test_a_request_in_json_as_gateways_log_it(ask, project):
    app = project()
    request = order(app)
    headers = {name.decode(): value.decode() for name, value in request.headers}
    logged = {"method": "post", "url": "https://shop.example.com/hooks/shop?a=1", "headers": headers}
    text = {**logged, "body": request.body.decode()}
    octets = {
        **logged,
        "body_base64": base64.b64encode(request.body).decode(),
        "headers": list(headers.items()),
    }
    many = {**text, "headers": {name: [value] for name, value in headers.items()}}
    for said in (text, octets, many):
        assert ask(app, given=json.dumps(said).encode()).output == "accepted\n"
    assert read(json.dumps(logged).encode()).body == b""


def test_a_file_may_hold_the_request(ask, project, tmp_path):
    app = project()
    (tmp_path / "request").write_bytes(raw(order(app)))
    assert ask(app, "--request", "request").exit_code == 0


def test_the_time_at_which_it_is_judged_can_be_said(ask, project):
    app = project()
    source = load(app).sources["shop"]
    request = source.provider.sign(order(app), secret=f"whsec_{SECRET}", now=NOW)
    late = ask(app, given=raw(request))
    assert late.exit_code == 1
    assert "stale_timestamp" in late.output
    assert " s old" in late.output
    assert "judge it as of then: --at TIME" in late.output
    then = "2023-11-14T22:13:20"
    assert ask(app, "--at", then, given=raw(request)).output == "accepted\n"
    later = ask(app, "--at", "2023-11-14T23:13:20Z", given=raw(request))
    assert "3600 s old" in later.output
    assert "--at" not in later.output


# which source


def test_the_source_is_found_by_the_path_or_has_to_be_said(ask, project):
    app = project(TWO)
    assert ask(app, given=raw(order(app))).output == "accepted\n"
    unsaid = ask(app, given=raw(order(app), "/elsewhere"))
    assert unsaid.exit_code == 2
    assert "--source shop or till" in unsaid.output


def test_an_unknown_source_is_a_question_of_what_was_meant(ask, project):
    app = project(TWO)
    near = ask(app, "--source", "shp", given=raw(order(app)))
    assert near.exit_code == 2
    assert "did you mean 'shop'?" in near.output
    assert "only shop, till" in ask(app, "--source", "x", given=raw(order(app))).output


def test_the_url_is_the_one_that_is_configured_unless_another_is_said(ask, project):
    app = project(TWO)
    till = load(app).sources["till"]
    request = till.sign("payment.created", {}, id="evt_1")
    assert ask(app, "--source", "till", given=raw(request, "/hooks/till")).output == "accepted\n"
    other = till.sign("payment.created", {}, id="evt_1", url="http://shop.example.com/hooks/till")
    assert "another_url" in ask(app, "--source", "till", given=raw(other, "/hooks/till")).output
    said = ask(app, "--source", "till", "--url", "http://shop.example.com/hooks/till", given=raw(other))
    assert said.output == "accepted\n"


# without an app


@pytest.mark.parametrize("name", ["stripe", "square"])
def test_the_rules_of_a_sender_and_a_secret_are_enough(ask, name):
    now = "2023-11-14T22:13:20"
    words = ["--provider", name, "--secret-env", "OLD", "--secret-env", "NEW", "--at", now]
    env = {"NEW": secret(name), "OLD": secret(name, 1)}
    assert ask(*words, given=raw(signed(name), "/in?a=1"), env=env).output == "accepted\n"
    assert ask(*words, given=raw(signed(name).with_body(b"x"), "/in?a=1"), env=env).exit_code == 1


def test_an_unsigned_sender_needs_no_secret(ask):
    assert ask("--provider", "unsigned", given=raw(Request("POST", "", [], b"{}"))).output == "accepted\n"


def test_a_sender_that_there_is_not_and_a_secret_that_is_not_there(ask):
    given = raw(signed("stripe"))
    unknown = ask("--provider", "strype", "--secret-env", "X", given=given, env={"X": "x" * 20})
    assert (unknown.exit_code, "stripe" in unknown.output) == (2, True)
    unset = ask("--provider", "stripe", "--secret-env", "NOT_SET_ANYWHERE", given=given)
    assert (unset.exit_code, "$NOT_SET_ANYWHERE is not set" in unset.output) == (2, True)
    unsaid = ask("--provider", "stripe", given=given)
    assert (unsaid.exit_code, "--secret-env VARIABLE" in unsaid.output) == (2, True)


# what is no question


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (b"", "there is no request"),
        (b" \n", "there is no request"),
        (b"> POST / HTTP/1.1\n", "does not begin a request"),
        (b"\x1b[31m\xff", "does not begin a request"),
        (b"POST / HTTP/1.1\nno header\n\n{}", "a line among the headers is none"),
        (b"POST / HTTP/1.1\n" + b"a: b\n" * 200 + b"\n", "the headers cannot be read"),
        (b"POST / HTTP/1.1\na: " + b"b" * 70000 + b"\n\n", "the headers cannot be read"),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            "leave this header out",
        ),
        (b"{}", "url: Field required"),
        (b"{", "this is no request in JSON"),
        (b'{"url": "/", "headers": {}, "body": "a", "body_base64": "YQ=="}', "leave one of them out"),
        (b'{"url": "/", "headers": {}, "body_base64": "?"}', "body_base64 is not base64"),
    ],
)
def test_what_is_no_request_is_said_with_what_one_looks_like(ask, project, given, said):
    result = ask(project(), given=given)
    assert result.exit_code == 2
    assert said in result.output
    with pytest.raises(Unreadable):
        read(given)


def test_a_file_that_is_not_there_and_an_app_that_is_not_there(ask, project):
    assert ask(project(), "--request", "nowhere").exit_code == 2
    missing = ask("nowhere_at_all:hooks", given=raw(signed("stripe")))
    assert (missing.exit_code, "there is no module" in missing.output) == (2, True)


def test_a_relative_target_without_a_host_stays_what_it_is():
    assert read(b"POST /a HTTP/1.1\n\n").url == "/a"
    assert read(b"POST /a?u=b://c HTTP/1.1\nHost: d\n\n").url == "https://d/a?u=b://c"
    assert read(b"POST http://e HTTP/1.1\nHost: d\n\n").path == "/"


STARTS = [b"", b"POST / HTTP/1.1\n", b"POST / HTTP/1.1\na: b\n\n", b'{"url": "/']


@settings(deadline=None)
@given(st.binary(max_size=60), st.sampled_from(STARTS))
def test_whatever_is_captured_is_a_request_or_is_said_to_be_none(rest, start):
    with suppress(Unreadable):
        captured = read(start + rest)
        assert captured.called_at(captured.url).body == captured.body
        assert captured.path


def test_what_send_would_send_is_accepted(ask, hookcatch, project):
    app = project()
    shown = hookcatch("send", app, "shop", "order.created", '{"id": "o_1"}', "--dry-run")
    assert ask(app, given=shown.stdout_bytes).output == "accepted\n"
    saved = ask(app, given=shown.stdout_bytes + b"\n")
    assert "newline_added" in saved.output
    assert "may be the editor's own" in saved.output
