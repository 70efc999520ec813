"""The inbox as tables of the project. Read them with the ORM as you like; write through the inbox.

They are those of any inbox in a server, made by the same SQL: see `hookcatch.django.tables`.

An event's one `at` is when it is due (`pending`), until when it is leased (`running`, `handling`) or when it ended:
it is never two of these, and so one index serves the workers and the housekeeping alike.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import models

from hookcatch.inbox.rules import ENDED
from hookcatch.inbox.shared.text import text, untext
from hookcatch.observe.logs import escape

STATES = ("pending", "running", "handling", "failed", "succeeded", "ignored", "invalid", "dead", "discarded")


class StoredText(models.TextField):
    """Text from outside: what a database cannot take is escaped, see `hookcatch.inbox.shared.text`."""

    def from_db_value(self, value: str | None, *_: object) -> str | None:
        """As it was sent."""
        return None if value is None else untext(value)

    def get_prep_value(self, value: Any) -> Any:
        """As it is stored."""
        return text(value) if isinstance(value, str) else value


class Event(models.Model):
    """One event of a sender, from its arrival until retention lets it go."""

    seq = models.BigAutoField("number", primary_key=True)
    event_key = models.CharField(max_length=64, editable=False)  # a hash of source, tenant and id
    source = StoredText()
    tenant = StoredText()
    event_id = StoredText("id")
    type = StoredText()
    state = models.CharField(max_length=16, choices=[(one, one) for one in STATES])
    at = models.FloatField()
    received_at = models.FloatField()
    occurred_at = models.FloatField(null=True)
    body = models.BinaryField(null=True)
    has_body = models.SmallIntegerField()
    body_hash = models.CharField(max_length=64)
    content_key = models.CharField(max_length=64, null=True)
    format = models.CharField(max_length=16)
    headers = models.TextField()
    lane = models.CharField(max_length=64, null=True, editable=False)  # a hash of source, tenant and lane_key
    lane_key = StoredText(null=True)
    lane_limit = models.IntegerField()
    ordered = models.BooleanField()
    blocks = models.BooleanField()
    version = models.FloatField(null=True)
    behind = models.SmallIntegerField()
    lease_token = models.CharField(max_length=255, null=True)
    leased_at = models.FloatField(null=True)
    attempt = models.IntegerField()
    lost = models.IntegerField()
    replays = models.IntegerField()
    duplicates = models.IntegerField()
    conflicts = models.IntegerField()
    replayed_content = models.BooleanField()
    error = StoredText(blank=True)
    reply = models.TextField(null=True)

    class Meta:
        db_table = "hookcatch_event"
        ordering = ("-seq",)
        default_permissions = ("view",)
        permissions = (
            ("replay_event", "Can run events again"),
            ("discard_event", "Can discard events"),
        )
        constraints = (models.UniqueConstraint(fields=["event_key"], name="hookcatch_event_key"),)
        indexes = (
            models.Index(fields=["state", "has_body", "behind", "at"], name="hookcatch_event_due"),
            models.Index(fields=["content_key"], name="hookcatch_event_content"),
        )

    def __str__(self) -> str:
        return escape(f"{self.source} {self.event_id}")

    @property
    def received(self) -> datetime:
        """When it came, in UTC."""
        return datetime.fromtimestamp(self.received_at, UTC)

    @property
    def due(self) -> datetime | None:
        """When a worker takes it, or takes it over from one that died, in UTC."""
        return None if self.state in ENDED else datetime.fromtimestamp(self.at, UTC)

    @property
    def finished(self) -> datetime | None:
        """When it ended, in UTC."""
        return datetime.fromtimestamp(self.at, UTC) if self.state in ENDED else None


class Run(models.Model):
    """One handler's work on one event, as of its last attempt."""

    pk = models.CompositePrimaryKey("event_id", "run_key")
    event = models.ForeignKey(Event, models.CASCADE, related_name="runs", db_constraint=False, db_index=False)
    run_key = models.CharField(max_length=64, editable=False)  # a hash of the handler's name
    handler = StoredText()
    state = models.CharField(max_length=16)
    attempts = models.IntegerField()
    run_at = models.FloatField(null=True)
    error = StoredText(blank=True)
    started_at = models.FloatField(null=True)
    finished_at = models.FloatField(null=True)

    class Meta:
        db_table = "hookcatch_run"
        default_permissions = ()

    def __str__(self) -> str:
        return escape(f"{self.handler}: {self.state}")


class Secret(models.Model):
    """A secret that a sender brought in a handshake. Who can read the events can read it."""

    secret_key = models.CharField(max_length=64, primary_key=True)  # a hash of source and tenant
    source = StoredText()
    tenant = StoredText()
    secret = models.BinaryField()

    class Meta:
        db_table = "hookcatch_secret"
        default_permissions = ()

    def __str__(self) -> str:
        return escape(f"{self.source} {self.tenant}")
