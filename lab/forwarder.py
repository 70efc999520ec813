"""A way to a server that can be cut, blocked and mended: TCP, forwarded by threads."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Forwarder:
    """Listens at a port of its own and passes on what comes to `target`, and back."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._flows = threading.Event()
        self._flows.set()
        self._listener: socket.socket | None = None
        self._ends: list[socket.socket] = []
        self.port = 0
        self.mend()

    def mend(self) -> None:
        """Let everything through, at the same port as before."""
        self._flows.set()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self.port = int(self._listener.getsockname()[1])
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse connections, and break those there are."""
        listener, self._listener = self._listener, None
        ends, self._ends = self._ends, []
        for one in [*([] if listener is None else [listener]), *ends]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._flows.set()

    def block(self) -> None:
        """Take everything and pass nothing on: a server that does not answer."""
        self._flows.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                self._flows.wait()
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
