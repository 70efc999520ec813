"""Django's ORM on PostgreSQL: an insert a request, each thread with a connection that it keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from benchmarks.deliveries import around_the_id


@contextmanager
def receiving(target: str, *, working: bool) -> Iterator[Callable[[str], object]]:
    """Inserts an event by its id; a thread connects with its first."""
    before, after = around_the_id()
    rows = _model(target).objects
    yield lambda id_: rows.create(event_id=id_, type="charge.succeeded", body=before + id_.encode() + after)


def prepare(target: str) -> None:
    """Make the table."""
    import psycopg

    with psycopg.connect(target, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE webhook_event (id bigserial PRIMARY KEY, event_id varchar(255) NOT NULL UNIQUE, "
            "type varchar(255) NOT NULL, body bytea NOT NULL)"
        )


def _model(target: str) -> Any:
    import django
    from django.conf import settings
    from django.db import models

    where = urlsplit(target)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": where.path[1:],
        "USER": where.username,
        "PASSWORD": where.password or "",
        "HOST": where.hostname,
        "PORT": where.port,
        "CONN_MAX_AGE": 600,
    }
    settings.configure(DATABASES={"default": database}, USE_TZ=True)
    django.setup(set_prefix=False)

    class WebhookEvent(models.Model):  # type: ignore[misc]
        event_id = models.CharField(max_length=255, unique=True)
        type = models.CharField(max_length=255)
        body = models.BinaryField()

        class Meta:
            app_label = "bench"
            db_table = "webhook_event"

    return WebhookEvent
