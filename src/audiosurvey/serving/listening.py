"""The address of a local server, and serving an application on it until Ctrl-C."""

import errno
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from audiosurvey.errors import ArgumentError


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket bound to the address. Raises UserError if it is in use or not available."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError):
        raise ArgumentError("{host}: no such address; 127.0.0.1 is only this computer", host=host) from None
    listener = socket.socket(family)
    try:
        if os.name != "nt":
            # So that the port is available again immediately after a server has ended.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(128)
        except OSError as error:
            raise _refused(host, port, error) from None
        yield listener
    finally:
        listener.close()


def _refused(host: str, port: int, error: OSError) -> ArgumentError:
    if error.errno == errno.EADDRINUSE:
        return ArgumentError(f"{{port}}: already in use on {host}; give another, or 0 for any free port", port=port)
    if error.errno == errno.EACCES:
        return ArgumentError("{port}: permission denied; give a port above 1023", port=port)
    reason = error.strerror or error
    return ArgumentError(f"{{host}}: not available ({reason}); 127.0.0.1 is only this computer", host=host)


def address_of(listener: socket.socket) -> str:
    """`http://127.0.0.1:7860`."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def run(app: Any, listener: socket.socket, *, grace_s: int) -> None:
    """Serve an ASGI application until SIGINT or SIGTERM; requests that are being answered then have `grace_s` left."""
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # Do not report connections that are closed then as errors.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            await super().shutdown(sockets)

    def end(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    server = Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=grace_s))
    try:
        # uvicorn handles both signals while serving and raises them again afterwards.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)
