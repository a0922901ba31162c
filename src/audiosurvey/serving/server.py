"""The command `serve`: a model behind an HTTP API, until Ctrl-C. Uploads are kept until they are answered."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from audiosurvey.allocator import share_freed_memory
from audiosurvey.artefact.load import load, model_name
from audiosurvey.extras import require_installed
from audiosurvey.serving.limits import UploadLimits
from audiosurvey.serving.listening import address_of, listening, run
from audiosurvey.threads import threads
from audiosurvey.training.devices import check_device

GRACE_S = 8
"""Requests that are being answered when the server is stopped have so long."""


@dataclass(frozen=True)
class ServeOptions:
    """The options of the command `serve`."""

    host: str = "127.0.0.1"
    port: int = 8000
    limits: UploadLimits = field(default_factory=UploadLimits)
    max_waiting: int = 256
    """Most requests for a prediction at a time; others are turned away."""
    batch_size: int = 16
    device: str = "auto"
    threads: int | None = None
    trust: bool = False


def serve(target: str, options: ServeOptions, say: Callable[[str], object]) -> None:
    """Serve the API until Ctrl-C. `say` receives the address once it can be asked.

    Raises UserError without the extra or a model, and for an address that cannot be used.
    """
    require_installed("fastapi", "uvicorn", "python_multipart", "prometheus_client", extra="serve")
    from audiosurvey.serving.app import build_app

    check_device(options.device)
    share_freed_memory()
    number = options.threads or torch.get_num_threads()
    with (
        listening(options.host, options.port) as listener,
        tempfile.TemporaryDirectory(prefix="audiosurvey-serve-") as folder,
        threads(number),
    ):
        model = load(target, trust=options.trust, threads=options.threads)
        model.to(options.device)
        app = build_app(model, model_name(target), options, Path(folder))
        say(f"{address_of(listener)}  (press Ctrl-C to stop)")
        run(app, listener, grace_s=GRACE_S)
