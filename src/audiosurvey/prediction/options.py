"""The options of the command `predict`, checked and converted for the stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.targets import check_target, check_target_folder

if TYPE_CHECKING:
    from audiosurvey.artefact.classifier import Classifier
    from audiosurvey.artefact.decision import Threshold
    from audiosurvey.artefact.detection import DetectionSettings
    from audiosurvey.prediction.events import EventRule
    from audiosurvey.prediction.pcm import PcmFormat
    from audiosurvey.prediction.postprocessing import Postprocessing
    from audiosurvey.prediction.smoothing import Smoothing
    from audiosurvey.prediction.sources import SoundSource
    from audiosurvey.prediction.window_scoring import Windowing

FORMATS = ("table", "csv", "json", "audacity", "raven")
_OF_EVENTS = ("table", "audacity", "raven")
"""Formats whose rows are events, unless options say otherwise."""
_TABLE_LABELS = 3
_CLIPS_PER_LABEL = 20


@dataclass(frozen=True)
class PredictOptions:
    """None: not given."""

    whole: bool = False
    window_s: float | None = None
    hop_s: float | None = None
    top: int | None = None
    threshold: str | None = None
    smooth: str | None = None
    remove_background: bool | None = None
    """Whether to remove the background; None: as the model says."""
    events: bool | None = None
    on: float | None = None
    off: float | None = None
    min_duration_s: float | None = None
    min_gap_s: float | None = None
    format: str = "table"
    scores: bool | None = None
    """Whether to write the scores of all labels; None: if sounds may have several labels, and events are not joined."""
    output: Path | None = None
    clips: Path | None = None
    clips_per_label: int | None = None
    restart: bool = False
    force: bool = False
    rate: int | None = None
    channels: int | None = None
    encoding: str | None = None
    batch_size: int = 8
    device: str = "auto"
    threads: int | None = None
    trust: bool = False

    def check(self) -> None:
        """Raise UserError for invalid options and combinations. Loads nothing."""
        if self.format not in FORMATS:
            raise ArgumentError(f"{{format}}: choose one of {', '.join(FORMATS)}", format=self.format)
        for name, value in {"window_s": self.window_s, "hop_s": self.hop_s}.items():
            if value is not None and not 0 < value < float("inf"):
                raise _bad(name, value, "expected seconds above 0")
        for name, value in {"min_duration_s": self.min_duration_s, "min_gap_s": self.min_gap_s}.items():
            if value is not None and not 0 <= value < float("inf"):
                raise _bad(name, value, "expected seconds, at least 0")
        for name, value in {"on": self.on, "off": self.off, "threshold": self._threshold}.items():
            if value is not None and not 0 <= value <= 1:
                raise _bad(name, value, "expected a score from 0 to 1")
        self._check_pairs()
        self._check_clips()
        self._check_output()

    def _check_pairs(self) -> None:
        of_events = self._given("on", "off", "min_duration_s", "min_gap_s")
        of_windows = (
            self._given("window_s", "hop_s", "smooth", "remove_background")
            + of_events
            + (["events"] if self.events else [])
        )
        if self.whole and of_windows:
            text = "is for windows, {whole} gives one prediction per sound; leave one out"
            raise _bad(of_windows[0], ..., text, whole=True)
        if self.events is False and of_events:
            raise _bad(of_events[0], ..., "is for events; leave {events} out", events=False)
        begin = self.on if self.on is not None else self._threshold
        if self.off is not None and begin is not None and self.off > begin:
            raise _bad("off", self.off, f"is above the score {begin:g} at which events begin")
        if self.rate is None and (self.channels is not None or self.encoding is not None):
            raise ArgumentError("{rate} is needed for raw samples, such as 16000", rate=...)
        if self.scores and self.format not in ("csv", "json"):
            text = f"format {self.format} has no place for the scores of all labels; give {{format}} csv or json"
            raise _bad("scores", True, text, format=...)
        if self.restart and self.output is None:
            text = "needs {output}: an interrupted prediction leaves its journal next to that file"
            raise _bad("restart", True, text, output=...)

    def _check_clips(self) -> None:
        if self.clips is None:
            if self.clips_per_label is not None:
                raise _bad("clips_per_label", ..., "is for {clips}; leave it out", clips=...)
            return
        if self.events is False:
            raise _bad("clips", ..., "are of events; leave {events} out", events=False)
        check_target_folder("clips", self.clips)
        if self.clips.is_dir() and any(self.clips.iterdir()):
            raise _bad(
                "clips", self.clips, "already there, perhaps with labels that were corrected; give another folder"
            )

    def _check_output(self) -> None:
        if self.output is None:
            if self.force:
                raise _bad("force", True, "needs {output}", output=...)
            return
        # Existing files are checked once the sounds are known, since the output may be one of them.
        check_target("output", self.output, force=True)

    def check_clips(self, words: Sequence[str]) -> None:
        """Raise UserError if clips cannot be cut out of these sounds, or would be taken for recordings the next time.

        `words`: the paths to predict, `-` or `--mic`.
        """
        if self.clips is None:
            return
        if not {"-", "--mic"}.isdisjoint(words):
            raise _bad("clips", ..., "are cut out of sound files; give files instead of a pipe or a microphone")
        for folder in (Path(word).resolve() for word in words if Path(word).is_dir()):
            if self.clips.resolve().is_relative_to(folder):
                text = f"lies in {folder.as_posix()}, whose sounds are predicted; give a folder outside of it"
                raise _bad("clips", self.clips, text)

    @property
    def most_clips(self) -> int:
        """The most clips of a label."""
        return self.clips_per_label or _CLIPS_PER_LABEL

    def check_target(self, model: Path, sources: "Sequence[SoundSource]") -> None:
        """Raise UserError if the output would overwrite the model or one of the sounds."""
        if self.output is not None:
            files = [path for source in sources if isinstance(path := getattr(source, "path", None), Path)]
            check_target("output", self.output, inputs=[model, *files], force=self.force)

    def check_sources(self, sources: "Sequence[SoundSource]") -> None:
        """Raise UserError if the format does not support these sounds."""
        if self.format == "audacity" and len(sources) > 1:
            text = f"a label track is for one sound, not {len(sources)}; give one sound, or raven or csv"
            raise _bad("format", self.format, text)

    def _given(self, *names: str) -> list[str]:
        return [name for name in names if getattr(self, name) is not None]

    @property
    def _threshold(self) -> float | None:
        """A number; None without a threshold and for those of the model."""
        if self.threshold is None or self.threshold == "model":
            return None
        try:
            return float(self.threshold)
        except ValueError:
            raise _bad("threshold", self.threshold, "expected a score from 0 to 1, or model") from None

    def all_scores(self, model: "Classifier") -> bool:
        """Whether the scores of all labels are written."""
        wanted = model.multi_label and not self.joins_events if self.scores is None else self.scores
        return wanted and self.format in ("csv", "json")

    @property
    def joins_events(self) -> bool:
        """Whether windows are joined into events."""
        if self.events is not None:
            return self.events
        given = self._given("on", "off", "min_duration_s", "min_gap_s")
        return self.format in _OF_EVENTS or bool(given) or (self.clips is not None and not self.whole)

    def detection(self, model: "Classifier") -> "DetectionSettings":
        """How long sounds are processed: for events as the model says, unless options say otherwise; else in windows
        of the model without overlap."""
        from audiosurvey.artefact.detection import DetectionSettings
        from audiosurvey.prediction.smoothing import Smoothing

        own_s = model.clip_samples / model.sample_rate
        found = model.detection if self.joins_events else DetectionSettings(own_s, own_s)
        if self.window_s is not None:
            # A hop that suits other windows does not suit these.
            found = replace(found, window_s=self.window_s, hop_s=self.window_s / (2 if self.joins_events else 1))
        if self.hop_s is not None:
            found = replace(found, hop_s=self.hop_s)
        if self.smooth is not None:
            found = replace(found, smooth=Smoothing.parse(self.smooth).width)
        if self.remove_background is not None:
            found = replace(found, background=self.remove_background)
        on = self.on if self.on is not None else self._threshold
        if on is not None or self.threshold is not None:
            # What belongs to another beginning is left out.
            found = replace(found, on=found.on if on is None else on, off=None, labels={})
        return found if self.off is None else replace(found, off=self.off)

    def described(self, model: "Classifier") -> str:
        """How long sounds are processed, in a line."""
        found = self.detection(model)
        if not self.joins_events:
            return found.of_windows
        if self.threshold == "model" and self.on is None:
            return f"{found.of_windows}; events from the model's own threshold of each class"
        return f"{found}{found.worth if found == model.detection else ''}"

    def windowing(self, model: "Classifier") -> "Windowing":
        from audiosurvey.prediction.window_scoring import Windowing

        windows = self.window_s is not None or self.hop_s is not None
        mode = "whole" if self.whole else "windows" if windows else "auto"
        found = self.detection(model)
        return Windowing(mode, found.window_s, found.hop_s, self.batch_size)

    def postprocessing(self, model: "Classifier") -> "Postprocessing":
        """Raises UserError for the threshold `model` if the model has none."""
        from audiosurvey.prediction.background import BackgroundRemoval
        from audiosurvey.prediction.postprocessing import Postprocessing

        threshold = self._model_threshold(model)
        return Postprocessing(
            top=self.top or (_TABLE_LABELS if self.format == "table" else 1),
            threshold=self._label_threshold(model, threshold),
            multi_label=model.multi_label,
            temperatures=model.temperatures,
            smoothing=self._smoothing(model),
            events=self._event_rule(model, threshold) if self.joins_events else None,
            background=BackgroundRemoval.of(model) if self.detection(model).background else None,
        )

    def _smoothing(self, model: "Classifier") -> "Smoothing":
        from audiosurvey.prediction.smoothing import Smoothing

        if self.smooth is not None:
            return Smoothing.parse(self.smooth)
        return Smoothing(self.detection(model).smooth)

    def _model_threshold(self, model: "Classifier") -> "Threshold | None":
        if self.threshold != "model":
            return self._threshold
        if model.own_threshold is None:
            raise _bad("threshold", self.threshold, "this model has no thresholds; give a number, such as 0.5")
        return model.own_threshold

    def _label_threshold(self, model: "Classifier", given: "Threshold | None") -> "Threshold | None":
        """That of whole sounds and of windows; events begin by the detection settings."""
        return model.own_threshold if given is None and model.rejects_others else given

    def _event_rule(self, model: "Classifier", threshold: "Threshold | None") -> "EventRule":
        from audiosurvey.prediction.events import EventRule

        found = self.detection(model)
        on = self.on if self.on is not None else threshold
        on = found.threshold(model.labels) if on is None else on
        if self.off is not None and (own := _lowest(on)) is not None and self.off > own:
            raise _bad("off", self.off, f"is above the score {own:g} at which events begin")
        return EventRule(
            on,
            found.off,
            model.multi_label,
            self.top,
            self.min_duration_s or 0.0,
            self.min_gap_s or 0.0,
            found.margin_s,
        )

    def pcm(self) -> "PcmFormat | None":
        """Format of raw samples on stdin; None if not given."""
        from audiosurvey.prediction.pcm import PcmFormat

        if self.rate is None:
            return None
        return PcmFormat(self.rate, self.channels or 1, self.encoding or "s16le")


def _lowest(threshold: "Threshold") -> float | None:
    """The lowest score at which an event may begin; None for the thresholds of the model."""
    if isinstance(threshold, Mapping):
        return min(threshold.values(), default=None)
    return threshold if isinstance(threshold, int | float) else None


def _bad(name: str, value: object, text: str, **more: object) -> UserError:
    return ArgumentError(f"{{{name}}}: {text}", **{name: value}, **more)
