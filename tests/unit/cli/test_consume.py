"""`hookcatch consume` knows what is for others to bring. What it does with a stream is in tests/e2e/test_relays."""

from __future__ import annotations

import pytest

SHOP = """
from hookcatch import Hookcatch
hooks = Hookcatch("sqlite:///inbox.db")
"""
CELERY = """
from celery import Celery
hooks.relay(Celery(broker="redis://"), "a secret of the relay's own")
"""


@pytest.mark.parametrize(
    ("relay", "why"),
    [
        ("", "Error: there is no relay to consume: say hooks.relay(...)"),
        (
            CELERY,
            "Error: what CeleryEngine has is brought by the engine's own worker; here only a stream is consumed",
        ),
    ],
    ids=["none", "celery"],
)
def test_what_is_no_stream_is_not_consumed(hookcatch, project, relay, why):
    result = hookcatch("consume", project(SHOP + relay))
    assert result.exit_code == 1
    assert result.output.startswith(why)
