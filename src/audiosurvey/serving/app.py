"""The HTTP API as an ASGI application: sounds in, JSON out."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.errors import is_full
from audiosurvey.pages.rendering import environment
from audiosurvey.serving.metrics import Metrics
from audiosurvey.serving.scoring import Scorer, question
from audiosurvey.serving.server import ServeOptions
from audiosurvey.serving.uploads import RefusedUpload, received
from audiosurvey.version import __version__

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
frame-ancestors 'none'; form-action 'self'; base-uri 'none'"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"schema": {"type": "object", "properties": {"file": _BINARY["schema"]}, "required": ["file"]}}
_BODY = {"required": True, "content": {"multipart/form-data": _FORM, "application/octet-stream": _BINARY}}
_ERROR = {"type": "object", "properties": {"detail": {"type": "string"}}}
_ERRORS = {
    400: "Empty or incomplete.",
    408: "Nothing was sent for a while, or it was sent too slowly.",
    413: "Larger or longer than allowed.",
    422: "Not a sound that can be read, or a parameter that does not fit.",
    500: "An internal error; the server's log has the cause.",
    503: "Too many requests; try again later.",
    507: "The server's disk is full.",
}
_RESULT = {
    "type": "object",
    "required": ["path", "start_s", "end_s", "label", "score"],
    "properties": {
        "path": {"type": "string", "description": "name of the sound"},
        "start_s": {"type": "number"},
        "end_s": {"type": "number"},
        "label": {"type": "string", "description": "the class, or `unknown`"},
        "score": {"type": "number", "description": "of the label; for an event the highest of its windows"},
        "mean": {"type": "number", "description": "for an event: the mean of its windows"},
        "labels": {"type": "object", "description": "with `top`: several labels with their scores"},
        "scores": {"type": "object", "description": "the scores of all labels; not for events"},
        "note": {"type": "string", "description": "how the sound differs from the training clips"},
    },
}
_ANSWER = {
    "type": "object",
    "required": ["schema", "results", "failed"],
    "properties": {
        "schema": {"type": "integer"},
        "results": {"type": "array", "items": _RESULT},
        "failed": {"type": "array", "items": {"type": "object"}, "description": "always empty"},
    },
}
_JSON = "application/json"
_CONNECTED_S = 1.0
"""Time between looks at whether a client still waits."""
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "As `audiosurvey predict --format json`.", "content": {_JSON: {"schema": _ANSWER}}},
    **{status: {"description": text, "content": {_JSON: {"schema": _ERROR}}} for status, text in _ERRORS.items()},
}


def build_app(model: Classifier, name: str, options: ServeOptions, folder: Path) -> FastAPI:
    """The application. `name`: of the model; `folder`: for uploads."""
    metrics = Metrics()
    state: dict[str, Scorer] = {}
    requests = 0

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        threads, batch_size = options.threads, options.batch_size
        state["scorer"] = Scorer(model, options.limits, metrics, batch_size=batch_size, threads=threads)
        try:
            yield
        finally:
            # In a thread: the windows that are scored now come to their end.
            await asyncio.to_thread(state.pop("scorer").close)

    app = FastAPI(
        title="audiosurvey", version=__version__, description=f"Classes of sounds, by the model {name}.",
        docs_url=None, redoc_url=None, lifespan=lifespan,
    )  # fmt: skip
    _answer_errors_in_one_line(app, metrics)
    app.add_middleware(_Counted, metrics=metrics)

    @app.post(
        "/predict",
        summary="Predict the classes of a sound",
        openapi_extra={"requestBody": _BODY},
        responses=_RESPONSES,
    )
    async def predict(
        request: Request,
        top: Annotated[int | None, Query(ge=1, description="Most labels of a result; default: 1.")] = None,
        threshold: Annotated[
            str | None, Query(description="Minimum score of the best class, else `unknown`; `model`: the model's own.")
        ] = None,
        scores: Annotated[bool, Query(description="Also the scores of all labels.")] = True,
        events: Annotated[bool, Query(description="Long sounds: events; else a result for each window.")] = True,
        on: Annotated[
            float | None, Query(description="An event begins at this score; default: the model's, or 0.5.")
        ] = None,
        name: Annotated[str, Query(description="Name of a sound that is sent as the body.")] = "",
    ) -> Response:
        """Send a sound file of any format as the body, or as the file of a form.

        A sound of up to 30 s (or of one window of the model, if that is longer) gets one result. Longer ones are
        predicted window by window, and the windows are joined into events."""
        nonlocal requests
        if requests >= options.max_waiting:
            raise RefusedUpload(503, f"busy: {options.max_waiting} requests are waiting; try again later")
        requests += 1
        began = time.monotonic()
        metrics.begun()
        try:
            given = {"top": top, "threshold": threshold, "scores": scores, "events": events, "on": on}
            asked = question(model, options.batch_size, **given)
            async with received(request, folder, options.limits) as upload:
                answer = await _while_connected(request, state["scorer"].predict(upload, asked))
            return Response(answer, media_type=_JSON)
        finally:
            requests -= 1
            metrics.ended(time.monotonic() - began)

    @app.get("/health", summary="Whether the server can answer", responses={503: {"description": "It cannot."}})
    async def health() -> JSONResponse:
        alive = state["scorer"].alive
        return JSONResponse({"status": "ok" if alive else "failed"}, 200 if alive else 503)

    @app.get("/model", summary="The model: its labels and input")
    async def about() -> dict[str, Any]:
        return {
            "name": name,
            "labels": model.labels,
            "multi_label": model.multi_label,
            "sample_rate": model.sample_rate,
            "window_s": model.clip_samples / model.sample_rate,
            "max_mb": options.limits.mb,
            "max_minutes": options.limits.minutes,
            "version": __version__,
        }

    @app.get("/metrics", summary="Counters for Prometheus", response_class=Response)
    async def counters() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        text = environment("audiosurvey.serving").get_template("api.html").render(api=app.openapi(), name=name)
        return HTMLResponse(text, headers={"content-security-policy": _POLICY, "referrer-policy": "no-referrer"})

    return app


async def _while_connected(request: Request, work: Coroutine[Any, Any, str]) -> str:
    """The result of `work`, which is cancelled if the client leaves."""
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait([task], timeout=_CONNECTED_S))[0]:
            if await request.is_disconnected():
                raise RefusedUpload(400, "incomplete: the connection was closed")
        return task.result()
    finally:
        task.cancel()


def _answer_errors_in_one_line(app: FastAPI, metrics: Metrics) -> None:
    """Errors as `{"detail": "one line"}`."""

    def refused(_: Request, error: Any) -> JSONResponse:
        return JSONResponse({"detail": error.line}, error.status, {"retry-after": "1"} if error.status == 503 else {})

    def invalid(_: Request, error: Any) -> JSONResponse:
        faults = [f"{fault['loc'][-1]}: {fault['msg'][:1].lower()}{fault['msg'][1:]}" for fault in error.errors()]
        return JSONResponse({"detail": "; ".join(faults)}, 422)

    def unknown(request: Request, error: Any) -> JSONResponse:
        detail = error.detail
        if error.status_code in (404, 405):
            ways = "POST /predict, GET /health, /metrics, /model and /docs"
            detail = f"{request.method} {request.url.path}: not known here; there are {ways}"
        return JSONResponse({"detail": detail}, error.status_code, error.headers)

    def unwritten(_: Request, error: Any) -> JSONResponse:
        if not is_full(error):
            raise error
        return JSONResponse({"detail": _ERRORS[507]}, 507)

    def failed(request: Request, _: Any) -> JSONResponse:
        # Outside of the middleware that counts. The error is raised again after the answer, and logged.
        metrics.answered(_path_of(request.scope), 500)
        return JSONResponse({"detail": "internal error; see the server's log"}, 500)

    app.add_exception_handler(RefusedUpload, refused)
    app.add_exception_handler(OSError, unwritten)
    app.add_exception_handler(Exception, failed)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, unknown)


def _path_of(scope: Any) -> str:
    """The path of a request; those that do not exist are one, because their number has no bound."""
    return getattr(scope.get("route"), "path", "other")


class _Counted:
    """ASGI middleware that counts answers by path and status."""

    def __init__(self, app: Any, metrics: Metrics) -> None:
        self.app, self._metrics = app, metrics

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._metrics.answered(_path_of(scope), message["status"])
            await send(message)

        await self.app(scope, receive, counted)
