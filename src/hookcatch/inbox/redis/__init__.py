"""The inbox in Redis."""
