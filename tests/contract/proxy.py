"""How is a connection cut at a chosen moment, whatever switch is at its end?

The switch connects to the proxy and the proxy to the controller; bytes are copied until a test says otherwise.
"""

import contextlib
import socket
import threading


class Proxy:
    """Copies bytes between switches and whatever `target` names."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.cut_after: int | None = None
        """Octets from the controller to the switch after which the connection is cut, once."""
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._stopping = False
        self._spawn(self._accept)

    def cut(self) -> None:
        """Cut every connection."""
        with self._lock:
            for pair in self._pairs:
                _end(pair)

    def close(self) -> None:
        """Cut everything for good."""
        self._stopping = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in list(self._threads):
            thread.join()
        self._listener.close()

    def _spawn(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="proxy", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping:
            try:
                switch, _ = self._listener.accept()
            except OSError:
                return
            try:
                controller = socket.create_connection(self.target, timeout=5)
            except OSError:
                switch.close()
                continue
            controller.settimeout(None)
            self.accepted += 1
            for sock in (switch, controller):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._pairs.append((switch, controller))
                if self._stopping:
                    _end((switch, controller))
            self._spawn(self._serve, switch, controller)

    def _serve(self, switch: socket.socket, controller: socket.socket) -> None:
        back = threading.Thread(target=self._copy, args=(switch, controller, False), name="proxy", daemon=True)
        back.start()
        self._copy(controller, switch, True)
        back.join()
        with self._lock:
            self._pairs.remove((switch, controller))
        switch.close()
        controller.close()

    def _copy(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                if counts and self.cut_after is not None:
                    self.cut_after -= len(piece)
                    if self.cut_after <= 0:
                        self.cut_after = None
                        break
                sink.sendall(piece)
        _end((source, sink))


def _end(pair: tuple[socket.socket, socket.socket]) -> None:
    for sock in pair:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
