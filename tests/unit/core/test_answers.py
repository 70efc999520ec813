"""What is said back to the sender."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hookcatch.core.answers import acknowledge, come_back, phrase, refuse, reply_with
from hookcatch.core.errors import REASONS, ConfigurationError, Rejected
from hookcatch.core.wire import Response


def test_an_ack_is_short_and_has_the_status_the_sender_likes():
    assert acknowledge(200) == Response(200, b"ok\n")
    assert acknowledge(202).status == 202
    assert acknowledge(204).body == b""
    assert acknowledge(200, b'{"a":1}').headers == ((b"content-type", b"application/json"),)
    assert acknowledge(200, b"<Ack/>").headers == ((b"content-type", b"text/xml; charset=utf-8"),)
    assert acknowledge(200).ok


def test_every_reason_is_answered_with_its_status():
    for reason, status in REASONS.items():
        assert refuse(Rejected(reason)).status == status
        assert not refuse(Rejected(reason)).ok


def test_refusals_of_one_status_look_the_same_whatever_the_reason_and_its_detail():
    for status in set(REASONS.values()):
        reasons = [reason for reason, its in REASONS.items() if its == status]
        assert len({refuse(Rejected(reason, f"detail of {reason}")) for reason in reasons}) == 1


def test_the_detail_of_a_refusal_stays_with_us():
    response = refuse(Rejected("bad_signature", "the second secret is wrong"))
    assert response == Response(401, b"Unauthorized\n")


def test_a_sender_that_wants_another_status_for_a_bad_signature_gets_it_for_all_that_are_unauthorised():
    assert refuse(Rejected("bad_signature"), 406).status == 406
    assert refuse(Rejected("stale_timestamp"), 406).status == 406
    assert refuse(Rejected("body_too_large"), 406).status == 413


def test_who_is_unauthorised_is_asked_for_credentials_where_http_has_words_for_them():
    asked = refuse(Rejected("missing_signature"), challenge='Basic realm="webhooks"')
    assert (b"www-authenticate", b'Basic realm="webhooks"') in asked.headers
    assert refuse(Rejected("body_too_large"), challenge="Basic").headers == Response(413).headers


def test_a_wrong_method_is_told_the_right_one():
    assert (b"allow", b"POST") in refuse(Rejected("method_not_allowed")).headers
    assert refuse(Rejected("not_found")).headers == Response(404).headers


def test_a_status_that_no_standard_knows_has_words_too():
    assert phrase(498) == "Refused"
    assert phrase(503) == "Service Unavailable"
    assert refuse(Rejected("bad_signature"), 498).body == b"Refused\n"


def test_come_back_says_when_in_whole_seconds_and_never_at_once():
    assert (b"retry-after", b"5") in come_back().headers
    assert (b"retry-after", b"30") in come_back(30.2).headers
    assert (b"retry-after", b"1") in come_back(0.0).headers
    assert come_back().status == 503


def test_all_answers_are_plain_text_so_that_nothing_in_them_is_ever_markup():
    for response in (acknowledge(200), refuse(Rejected("not_found")), come_back()):
        assert (b"content-type", b"text/plain; charset=utf-8") in response.headers


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (Response(201, b"made"), Response(201, b"made")),
        ("grüß", Response(200, "grüß".encode())),
        (b"raw", Response(200, b"raw")),
        ({"text": "hi"}, Response(200, b'{"text":"hi"}', ((b"content-type", b"application/json"),))),
        ([1, Decimal("2.5")], Response(200, b'[1,"2.5"]', ((b"content-type", b"application/json"),))),
    ],
)
def test_what_a_reply_handler_returns_becomes_the_response(value, expected):
    assert reply_with(value) == expected


def test_a_reply_that_cannot_be_written_is_the_handlers_mistake():
    with pytest.raises(ConfigurationError, match="neither a Response, text nor JSON"):
        reply_with(object())
