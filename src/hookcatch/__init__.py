"""hookcatch: verify, keep, acknowledge, handle webhooks."""

__version__ = "0.1.0.dev0"
