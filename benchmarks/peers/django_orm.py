"""Django, and its ORM on PostgreSQL with a kept connection: `get_or_create`."""

from __future__ import annotations

import atexit
from typing import Any
from urllib.parse import urlsplit

from benchmarks.contenders import POSTGRES
from benchmarks.deliveries import PATH
from benchmarks.peers.by_hand import verified


def _settings() -> dict[str, Any]:
    where = urlsplit(POSTGRES)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": where.path[1:],
        "USER": where.username,
        "PASSWORD": where.password or "",
        "HOST": where.hostname,
        "PORT": where.port,
        "CONN_MAX_AGE": 600,
    }
    return {
        "ROOT_URLCONF": "benchmarks.peers.django_urls",
        "ALLOWED_HOSTS": ["*"],
        "SECRET_KEY": "of the benchmark only",
        "USE_TZ": True,
        "DATABASES": {"default": database},
        "MIDDLEWARE": ["django.middleware.common.CommonMiddleware"],
    }


def app() -> Any:
    """A site with one view."""
    import sys
    from types import ModuleType

    import django
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.db import connection, models
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    settings.configure(**_settings())
    django.setup(set_prefix=False)

    class WebhookEvent(models.Model):
        event_id = models.CharField(max_length=255, unique=True)
        type = models.CharField(max_length=255)
        body = models.BinaryField()

        class Meta:
            app_label = "bench"
            db_table = "hookcatch_bench_django"

    def webhook(request: HttpRequest) -> HttpResponse:
        event = verified(request.headers["stripe-signature"], request.body)
        if event is None:
            return HttpResponse(status=400)
        WebhookEvent.objects.get_or_create(
            event_id=event["id"], defaults={"type": event["type"], "body": request.body}
        )
        return HttpResponse(b"ok\n")

    def drop() -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS hookcatch_bench_django")

    drop()
    atexit.register(drop)
    with connection.schema_editor() as editor:
        editor.create_model(WebhookEvent)
    urls = ModuleType("benchmarks.peers.django_urls")
    urls.urlpatterns = [path(PATH[1:], webhook)]  # type: ignore[attr-defined]
    sys.modules[urls.__name__] = urls
    return get_wsgi_application()
