"""`evaluate --events`: how well a model finds events in long recordings."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import audiosurvey
from audiosurvey.cli.app import print_json, stdout
from audiosurvey.errors import ArgumentError, UserError

if TYPE_CHECKING:
    from audiosurvey.detection.evaluation import EventEvaluation
    from audiosurvey.prediction.postprocessing import FailedSound

_FINDING = ("window_s", "hop_s", "threshold", "smooth", "remove_background", "on", "off", "min_duration_s", "min_gap_s")
_MEASURE = ("onset_s", "offset_share", "segment_s")
_MOST = {"onset_s": float("inf"), "offset_share": 1.0, "segment_s": float("inf")}


def refuse_event_options(given: Mapping[str, Any]) -> None:
    """Raises UserError for options that are for `--events` only. `given`: all options of `evaluate`."""
    for name in (*_FINDING, *_MEASURE, "picture"):
        if given[name] is not None:
            text = f"{{{name}}}: is for {{events}}; leave it out, or give {{events}}"
            raise ArgumentError(text, **{name: ..., "events": ...})
    if given["tune"]:
        text = "{tune}: needs {events}, recordings to choose settings with; for a run, its clips make them"
        raise ArgumentError(text, tune=True, events=...)


def is_run(target: Path) -> bool:
    """Whether the folder is a run, not a model."""
    return (target / "config.yaml").is_file() and not (target / "model.json").is_file()


def tune_run(target: Path, given: Mapping[str, Any]) -> None:
    """`evaluate RUN --tune`: settings for the models of a run, on soundscapes. `given`: all options of `evaluate`."""
    refuse_event_options(dict(given) | {"tune": False})
    for name in ("data", "conditions", "reverse", "output"):
        if given[name]:
            raise ArgumentError(f"{{{name}}}: does not go with {{tune}}; leave one out", **{name: ..., "tune": True})
    chosen = audiosurvey.tune_run_events(target, device=given["device"], progress=True)
    if given["as_json"]:
        print_json({model.as_posix(): settings.as_json() for model, settings in chosen.items()})
        return
    for model, settings in chosen.items():
        print(f"{model.as_posix()}: {settings}{settings.worth}")
    if not chosen:
        sys.exit(1)


def evaluate_events(target: Path, annotations: Path, given: Mapping[str, Any]) -> None:
    """`given`: all options of `evaluate`."""
    _refuse_others(given)
    from audiosurvey.prediction.options import PredictOptions
    from audiosurvey.targets import check_target

    finding = {name: given[name] for name in _FINDING}
    PredictOptions(device=given["device"], **finding).check()
    if picture := given["picture"]:
        check_target("picture", picture, force=given["force"])
    how = {name: given[name] for name in _MEASURE if given[name] is not None}
    if given["tune"]:
        _tune(target, annotations, how, given)
        return
    found = audiosurvey.evaluate_events(target, annotations, **finding, **how, device=given["device"], progress=True)
    if picture:
        _write_picture(picture, found)
    if given["as_json"]:
        print_json(found.as_json())
    else:
        from audiosurvey.reporting.detection import print_detection

        print_detection(found, stdout())
        if picture:
            print(f"picture: {picture}")
    _name_failures(found.failures)


def _refuse_others(given: Mapping[str, Any]) -> None:
    for name in ("data", "conditions", "reverse", "output"):
        if given[name]:
            raise ArgumentError(
                f"{{{name}}}: cannot be combined with {{events}}; leave one out", **{name: ..., "events": ...}
            )
    for name in _MEASURE:
        if (value := given[name]) is not None and not 0 < value <= _MOST[name]:
            bounds = "a share above 0, up to 1" if name == "offset_share" else "seconds above 0"
            raise ArgumentError(f"{{{name}}}: expected {bounds}", **{name: value})
    for name in (*_FINDING, "picture") if given["tune"] else ():
        if given[name] is not None:
            raise ArgumentError(
                f"{{{name}}}: cannot be combined with {{tune}}; leave one out", **{name: ..., "tune": True}
            )
    if given["picture"] and given["picture"].suffix.lower() != ".png":
        raise UserError(f"{given['picture']}: the picture is a PNG file; give a name that ends in .png")


def _tune(target: Path, annotations: Path, how: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    found = audiosurvey.tune_events(target, annotations, **how, device=given["device"], progress=True)
    from audiosurvey.reporting.detection import print_tuning

    if given["as_json"]:
        print_json(found.as_json())
    else:
        print_tuning(found, stdout())
    _name_failures(found.failures)


def _name_failures(failures: Sequence["FailedSound"]) -> None:
    for failed in failures:
        print(f"left out: {failed.name}: {failed.reason}", file=sys.stderr)
    if failures:
        sys.exit(1)


def _write_picture(path: Path, found: "EventEvaluation") -> None:
    from audiosurvey.atomic import replacing
    from audiosurvey.reporting.timelines import timelines_png

    with replacing(path) as beside:
        beside.write_bytes(timelines_png(found))
