"""Each sender's handshake is answered exactly as it wants it, and safely."""

from __future__ import annotations

import pytest

from hookcatch.core.errors import Rejected
from hookcatch.core.greeting import Greeting
from hookcatch.core.wire import Request
from hookcatch.providers import provider
from hookcatch.providers.handshakes import MAX_CHALLENGE, Wishes
from hookcatch.signing.keys import secrets_of
from support.senders import NOW, URL, secret

JSON = ("content-type", "application/json")


def greet(name: str, request: Request, wishes: Wishes = Wishes()) -> Greeting | None:
    """What the endpoint says, the signature checked where the handshake carries one."""
    row = provider(name)
    greeter = row.greeter(secret(name), wishes)
    assert greeter is not None
    greeting = greeter.before(request, NOW)
    if greeting is None:
        greeting = greeter.after(request, row.verify(request, secret=secret(name), now=NOW))
    return greeting


def get(query: str) -> Request:
    return Request("GET", f"{URL.partition('?')[0]}?{query}", [])


def posted(name: str, body: bytes, *headers: tuple[str, str]) -> Request:
    return provider(name).sign(Request("POST", URL, [JSON, *headers], body), secret=secret(name), now=NOW)


def test_slack_gets_its_challenge_back_if_the_signature_is_right() -> None:
    request = posted("slack", b'{"type":"url_verification","token":"t","challenge":"3eZbrw1a"}')
    greeting = greet("slack", request)
    assert greeting is not None
    assert greeting.response.body == b'{"challenge":"3eZbrw1a"}'
    with pytest.raises(Rejected, match="bad_signature"):
        greet("slack", request.replace(body=request.body + b" "))


META = Wishes(verify_token=secrets_of("the token of the subscription")[0])


def test_meta_gets_its_challenge_back_with_the_agreed_token_only() -> None:
    query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    greeting = greet("meta", get(query + "the+token+of+the+subscription"), META)
    assert greeting is not None
    assert greeting.response.body == b"1158201444"
    assert dict(greeting.response.headers) == {
        b"content-type": b"text/plain; charset=utf-8",
        b"x-content-type-options": b"nosniff",
    }
    for wrong, wishes in (("another", META), ("", META), ("the+token+of+the+subscription", Wishes())):
        with pytest.raises(Rejected, match="bad_signature"):
            greet("meta", get(query + wrong), wishes)


@pytest.mark.parametrize("challenge", ["%0d%0aset-cookie:a", "%C3%A9", "x" * (MAX_CHALLENGE + 1), ""])
def test_a_challenge_that_no_sender_would_make_is_not_sent_back(challenge: str) -> None:
    with pytest.raises(Rejected, match="malformed_body"):
        greet("dropbox", get(f"challenge={challenge}"))


def test_dropbox_gets_its_challenge_back_as_text() -> None:
    greeting = greet("dropbox", get("challenge=abc%3Cb%3E"))
    assert greeting is not None
    assert greeting.response.body == b"abc<b>"
