"""The demo: a local web page to try a model on, that needs no network and tells nobody anything.

Enters: a model or a folder of models; leaves: a server on one address, until Ctrl-C. What visitors send lies in a
folder of the server's own, which goes with it.
"""

import errno
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiosurvey.artefact.shelf import Shelf
from audiosurvey.demo.examples import find_examples, golden_examples
from audiosurvey.demo.hearing import Limits
from audiosurvey.errors import UserError

_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)
"""The browser itself refuses to ask anyone else for anything."""


@dataclass(frozen=True)
class DemoOptions:
    """What stands on the command line of `demo`."""

    host: str = "127.0.0.1"
    port: int = 7860
    limits: Limits = field(default_factory=Limits)
    threshold: float | None = None
    top: int = 5
    examples: Path | None = None
    trust: bool = False


def serve(target: str, options: DemoOptions, say: Callable[[str], None]) -> None:
    """Serves the page until Ctrl-C. Raises UserError before anything is served: no Gradio, no model, no such address.

    `say` gets the address once it can be opened.
    """
    with tempfile.TemporaryDirectory(prefix="audiosurvey-demo-") as folder, _listening(options) as listener:
        # Gradio reads these when it is imported and whenever a part of a page is made.
        os.environ |= {
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_RUN_HISTORY": "False",
            "GRADIO_TEMP_DIR": str(Path(folder) / "uploads"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        _need_gradio()
        shelf = Shelf(target, trust=options.trust)
        app = build_app(shelf, options, Path(folder))
        host, port = listener.getsockname()[:2]
        say(f"http://{f'[{host}]' if ':' in host else host}:{port}  (Ctrl-C ends it)")
        _run(app, listener)


def build_app(shelf: Shelf, options: DemoOptions, folder: Path) -> Any:
    """The page as an ASGI application.

    `folder`: where the example clips that a model brings are put; not that of the uploads, which visitors delete.
    """
    import fastapi
    import gradio
    from gradio.themes import Default

    from audiosurvey.demo.page import build_page

    first = shelf.first_usable()
    examples = find_examples(options.examples) if options.examples else golden_examples(shelf[first], folder)
    limits, threshold, top = options.limits, options.threshold, options.top
    page = build_page(shelf, first, limits=limits, threshold=threshold, top=top, examples=examples)
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_Policy)
    mounted = gradio.mount_gradio_app(
        app,
        page,
        path="",
        footer_links=[],
        max_file_size=round(limits.mb * 1e6),
        show_error=False,
        ssr_mode=False,
        css_paths=Path(__file__).with_name("demo.css"),
        js=Path(__file__).with_name("demo.js").read_text(encoding="utf-8"),
        theme=Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
    )
    # Of a page that it has not launched itself, Gradio lets clients name any file of this computer as their upload.
    page.has_launched = page.is_running = True
    return mounted


@contextmanager
def _listening(options: DemoOptions) -> Iterator[socket.socket]:
    """A socket bound to the address. Raises UserError for one that is taken, or not to be had."""
    host, port = options.host, options.port
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError):
        raise UserError(f"--host {host}: no address of that name; 127.0.0.1 is this computer alone") from None
    listener = socket.socket(family)
    try:
        if os.name != "nt":
            # A port whose last server has just ended can be had again at once.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(128)
        except OSError as error:
            raise UserError(_refused(host, port, error)) from None
        yield listener
    finally:
        listener.close()


def _refused(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"--port {port}: already in use on {host}; give another one, or 0 for any that is free"
    if error.errno == errno.EACCES:
        return f"--port {port}: not allowed to you; give one above 1023"
    return f"--host {host}: cannot be listened on ({error.strerror or error}); 127.0.0.1 is this computer alone"


def _need_gradio() -> None:
    try:
        import gradio  # noqa: F401
    except ImportError:
        raise UserError("demo: the page needs gradio; run `pip install audiosurvey[demo]`") from None


def _run(app: Any, listener: socket.socket) -> None:
    """Until SIGINT or SIGTERM. A page that is open holds a connection; it is not waited for."""
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # Cutting those connections off is no error to tell of.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            await super().shutdown(sockets)

    def end(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    server = Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    try:
        # uvicorn handles both signals while it serves, and passes them on when it has ended.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)


class _Policy:
    """Sends the policy with every answer (ASGI middleware)."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                added = [(b"content-security-policy", _POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                message = message | {"headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self.app(scope, receive, with_policy)
