"""Serve one contender in this process: `python -m benchmarks.serve NAME PORT`."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from .contenders import CONTENDERS

THREADS = 8


def _uvicorn(app: Any, port: int) -> None:
    import uvicorn

    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning", backlog=4096
    )


def _gthread(make: Any, port: int) -> None:
    from gunicorn.app.base import BaseApplication

    class Application(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            options = {"bind": f"127.0.0.1:{port}", "worker_class": "gthread", "threads": THREADS}
            for name, value in {**options, "keepalive": 60, "loglevel": "warning", "timeout": 120}.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return make()

    Application().run()


def main() -> None:
    """What the command line names."""
    contender, port = CONTENDERS[sys.argv[1]], int(sys.argv[2])
    module, _, function = contender.app.partition(":")
    make = getattr(import_module(f"benchmarks.peers.{module}"), function)
    if contender.server == "uvicorn":
        _uvicorn(make(), port)
    else:
        _gthread(make, port)


if __name__ == "__main__":
    main()
