"""Inboxes and job engines past one process, without HTTP: `python -m benchmarks.engines`."""
