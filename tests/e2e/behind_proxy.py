"""The app that stands behind a real proxy: a sender who signs the body, one who signs the URL too, and any bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hookcatch import Hookcatch
from hookcatch.providers import hmac

PLACE = Path(os.environ["E2E_PLACE"])
SECRET = "a secret that only the tests know"

hooks = Hookcatch(
    f"sqlite:///{PLACE}/inbox.db?disk_floor=0&ballast=0",
    worker=False,
    public_url="https://hooks.example.com/hooks",
)
hooks.source("shop", provider="standard_webhooks", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
hooks.source("square", secret=SECRET)
hooks.source("bytes", provider=hmac(header="x-mac"), secret=SECRET)


def __getattr__(name: str) -> Any:
    """What only a WSGI server asks for."""
    if name == "wsgi":
        return hooks.wsgi
    raise AttributeError(name)
