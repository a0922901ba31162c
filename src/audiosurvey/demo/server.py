"""The server of the demo, a local web page for trying a model. It needs no network and sends nothing to anyone.

Uploads are stored in a temporary folder, which is deleted when the server ends.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiosurvey.artefact.load import ModelLibrary
from audiosurvey.demo.example_sounds import find_examples, golden_examples
from audiosurvey.errors import UserError
from audiosurvey.serving.limits import UploadLimits
from audiosurvey.serving.listening import address_of, listening, run

_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)
"""The browser refuses all requests to other addresses."""


@dataclass(frozen=True)
class DemoOptions:
    """The options of the command `demo`."""

    host: str = "127.0.0.1"
    port: int = 7860
    limits: UploadLimits = field(default_factory=UploadLimits)
    threshold: float | None = None
    top: int = 5
    examples: Path | None = None
    trust: bool = False


def serve(target: str, options: DemoOptions, say: Callable[[str], object]) -> None:
    """Serve the page until Ctrl-C. `say` receives the address once it can be opened.

    Raises UserError without Gradio or a model, and for an address that cannot be used.
    """
    with (
        tempfile.TemporaryDirectory(prefix="audiosurvey-demo-") as folder,
        listening(options.host, options.port) as listener,
    ):
        # Gradio reads these on import and whenever a component is created.
        os.environ |= {
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_RUN_HISTORY": "False",
            "GRADIO_TEMP_DIR": str(Path(folder) / "uploads"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        _need_gradio()
        library = ModelLibrary(target, trust=options.trust)
        app = build_app(library, options, Path(folder))
        say(f"{address_of(listener)}  (press Ctrl-C to stop)")
        # Pages that are still open are not waited for.
        run(app, listener, grace_s=1)


def build_app(library: ModelLibrary, options: DemoOptions, folder: Path) -> Any:
    """The page as an ASGI application. `folder`: for the golden clips of a model, apart from the uploads."""
    import fastapi
    import gradio
    from gradio.themes import Default

    from audiosurvey.demo.page import build_page

    first = library.first_usable()
    examples = find_examples(options.examples) if options.examples else golden_examples(library[first], folder)
    limits, threshold, top = options.limits, options.threshold, options.top
    page = build_page(library, first, limits=limits, threshold=threshold, top=top, examples=examples)
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
    # Otherwise Gradio accepts any file of this computer as an upload, for a page that it has not launched itself.
    page.has_launched = page.is_running = True
    return mounted


def _need_gradio() -> None:
    try:
        import gradio  # noqa: F401
    except ImportError:
        raise UserError("demo: the page needs gradio; run `pip install audiosurvey[demo]`") from None


class _Policy:
    """ASGI middleware that adds the policy to every response."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                added = [(b"content-security-policy", _POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                message = message | {"headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self.app(scope, receive, with_policy)
