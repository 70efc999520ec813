"""`path("hooks/", include("hookcatch.django.urls"))`: every source at its path below.

`reverse("hookcatch:source", args=["stripe"])` is the URL of one.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.urls import path

from hookcatch.core.errors import ConfigurationError

from . import views


def _view() -> Any:
    try:
        asynchronous = apps.get_app_config("hookcatch").conf.asynchronous
    except ConfigurationError:  # told by the checks, and by every request
        asynchronous = False
    view: Any = views.receive_async if asynchronous else views.receive
    for alias in settings.DATABASES:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


app_name = "hookcatch"
urlpatterns = [
    path("<path:path>", _view(), name="source"),
    path("", _view(), name="root"),
]
