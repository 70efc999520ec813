"""The page on proofs beside a shared secret says what works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hookcatch import Hookcatch
from support.senders import ed25519_pem

PAGE = Path(__file__).parents[3] / "docs" / "proofs.md"


def test_its_code_runs() -> None:
    known: dict[str, Any] = {
        "PUBLIC_KEY": ed25519_pem(0),
        "WORD": "a-word-that-only-the-proxy-knows",
        "FINGERPRINT": "sha256:" + ":".join(["5A"] * 32),
    }
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(block, known)
    hooks: Hookcatch = known["hooks"]
    assert set(hooks.sources) == {"bank", "rfc9440", "nginx", "aws", "envoy", "shop"}
    hooks.build()
