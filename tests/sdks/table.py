"""Every library, of every theme: the one list of what is checked against whose code."""

from __future__ import annotations

from . import keys, mail, messaging, payments, standard_webhooks, work

SDKS = (
    *standard_webhooks.SDKS,
    *payments.SDKS,
    *messaging.SDKS,
    *mail.SDKS,
    *work.SDKS,
    *keys.SDKS,
)
