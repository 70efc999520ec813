"""What proves somebody else's part: the contract that every inbox keeps. Needs the extra `testing`."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.inbox")

from .inbox import InboxContract  # noqa: E402 - a failure shows values only where asserts are rewritten first

__all__ = ["InboxContract"]
