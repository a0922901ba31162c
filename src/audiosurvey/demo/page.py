"""The demo's page, built with Gradio: a sound on the left, the result on the right.

The only data kept of a visitor is one uploaded file, until the next upload or the end of the session.
"""

import os
import shutil
import tempfile
import threading
from pathlib import Path

import gradio

from audiosurvey.artefact.load import ModelLibrary
from audiosurvey.demo.example_sounds import ExampleSounds
from audiosurvey.demo.sound_analysis import analyse_sound
from audiosurvey.demo.view import error_html, model_html, refused_html, sound_html, waiting_html
from audiosurvey.errors import UserError
from audiosurvey.serving.limits import UploadLimits

AT_ONCE = 2
"""Sounds analysed at the same time; others wait in a queue."""
WAITING = 64
_KEPT_S = 1800
"""Uploads are deleted after this time."""


class Uploads:
    """The file of each session, deleted at the next upload or the end of the session."""

    def __init__(self) -> None:
        self._paths: dict[str, Path] = {}
        self._lock = threading.Lock()

    def keep(self, session: str, path: Path | None) -> None:
        """Replace the file of a session by `path`."""
        with self._lock:
            before = self._paths.pop(session, None)
            if path is not None:
                self._paths[session] = path
            # Identical files of two visitors are one file on disk.
            if before is not None and before not in self._paths.values():
                before.unlink(missing_ok=True)


def build_page(
    library: ModelLibrary,
    first: str,
    *,
    limits: UploadLimits,
    threshold: float | None,
    top: int,
    examples: ExampleSounds,
) -> gradio.Blocks:
    """The page for the models of a library.

    `first`: the model selected at first; `threshold`: the score that a prediction must reach, None: the thresholds of
    the model; `top`: number of classes shown; `examples`: sounds offered.
    """
    uploads = Uploads()

    def analyse(path: str | None, name: str, request: gradio.Request) -> tuple[str, str]:
        session = str(request.session_hash)
        uploads.keep(session, Path(path) if path else None)
        try:
            model = library[name]
            about = model_html(name, model)
        except UserError as error:
            return error_html("; ".join(error.lines)), ""
        if not path:
            return waiting_html(), about
        try:
            least = model.own_threshold if threshold is None else threshold
            sound = analyse_sound(Path(path), model, limits=limits, threshold=least)
            return sound_html(sound, top=top, threshold=least, window_s=model.clip_samples / model.sample_rate), about
        except UserError as error:
            return error_html("; ".join(error.lines)), about

    def example(index: int) -> str:
        """A copy, because the file of a session is deleted."""
        source = list(examples.paths.values())[index]
        folder = Path(tempfile.mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"]))
        return str(shutil.copy(source, folder))

    def leave(request: gradio.Request) -> None:
        uploads.keep(str(request.session_hash), None)

    with gradio.Blocks(title="audiosurvey demo", analytics_enabled=False, delete_cache=(60, _KEPT_S)) as page:
        gradio.HTML(heading_html(), elem_classes="heading")
        with gradio.Row():
            with gradio.Column(scale=2, min_width=320):
                several = len(library.names) > 1
                chosen = gradio.Dropdown(library.names, value=first, label="Model", visible=several, elem_id="model")
                sound = gradio.Audio(type="filepath", label="Sound", buttons=[], elem_id="sound")
                _refuse_addresses(sound)
                if examples.paths:
                    samples = gradio.Dataset(
                        components=["textbox"],
                        samples=[[name] for name in examples.paths],
                        label=examples.title,
                        elem_id="examples",
                        type="index",
                        samples_per_page=12,
                    )
                    samples.click(example, samples, sound, api_visibility="private")
            with gradio.Column(scale=3, min_width=320):
                gradio.HTML(refused_html(limits.mb), elem_id="refused")
                heard = gradio.HTML(waiting_html(), elem_id="heard")
        about = gradio.HTML(model_html(first, library[first]), elem_id="about")
        gradio.on(
            [sound.change, chosen.input],
            analyse,
            [sound, chosen],
            [heard, about],
            api_name="listen",
            concurrency_limit=AT_ONCE,
            show_progress_on=heard,
        )
        page.unload(leave)
    page.queue(max_size=WAITING)
    return page


def _refuse_addresses(sound: gradio.Audio) -> None:
    """Gradio would download a sound from any address that a client sends instead of an upload."""
    move = sound.async_move_resource_to_block_cache

    async def move_file(url_or_file_path: str | Path | None) -> str | None:
        if "://" in str(url_or_file_path):
            raise gradio.Error("this page does not download sounds; upload the file")
        return await move(url_or_file_path)

    sound.async_move_resource_to_block_cache = move_file


def heading_html() -> str:
    return "<h1>What is this sound?</h1><p>Drop a sound file or record one. It is deleted when you leave.</p>"
