"""The model card: what a model is, what it can and how that was measured, as Markdown with a head for the Hugging Face
Hub.

Everything in it comes from model.json and the config beside it; nothing reads it back.
"""

from typing import Any

import yaml

from audiosurvey.artefact.golden import Golden
from audiosurvey.artefact.licence import NOT_STATED, hub_id, non_commercial
from audiosurvey.config.root import Config
from audiosurvey.data.sets.registry import spec_of
from audiosurvey.training.metrics import METRICS

_SELECTIONS = {
    "last": "a fixed number of epochs, the last (averaged) weights",
    "validation": "the epoch chosen on a fold held out of training",
    "test": "the epoch chosen on the test fold itself",
}


def model_card(facts: dict[str, Any], config: Config, golden: Golden) -> str:
    """README.md of an artefact; `facts`: its model.json."""
    head = yaml.safe_dump(_head(facts), sort_keys=False, allow_unicode=True, width=10_000)
    card = _Card(facts, config, golden)
    sections = (
        card.intro(),
        card.use(),
        card.results(),
        card.labels(),
        card.scores(),
        card.training(),
        card.licences(),
        card.contents(),
    )
    return f"---\n{head}---\n\n" + "\n\n".join(part for section in sections for part in section) + "\n"


def protocol_in_words(about: dict[str, Any]) -> str:
    """How the numbers were earned: which folds, and how the epoch was chosen."""
    choice = _SELECTIONS[about["selection"]]
    if len(about["folds"]) == 1:
        return f"fold {about['folds'][0]} held out; {choice}"
    return f"mean over folds {', '.join(map(str, about['folds']))}, each held out once; {choice}"


def _head(facts: dict[str, Any]) -> dict[str, Any]:
    about = facts["about"]
    spec = spec_of(about["dataset"])
    known = spec.hub if spec else None
    hub_names = {name: metric.hub for name, metric in METRICS.items() if metric.hub}
    measured = {name: value for name, value in about["metrics"].items() if value is not None and name in hub_names}
    whose = [] if about["fold"] is not None else ["of the folds' models, not of this one"]
    said = "".join(f" ({caveat})" for caveat in [*whose, *about["caveats"]])
    results = {
        "task": {"type": "audio-classification", "name": "Audio classification"},
        "dataset": {
            "type": known or about["dataset"],
            "name": _dataset(about),
            "split": protocol_in_words(about),
        },
        "metrics": [
            {"type": hub_names[name], "name": METRICS[name].title + said, "value": round(value, 6)}
            for name, value in measured.items()
        ],
    }
    return {
        "license": hub_id(facts["licence"]["weights"]),
        "library_name": "audiosurvey",
        "pipeline_tag": "audio-classification",
        "tags": ["audio", "audio-classification", "sound-classification", "audiosurvey"],
        **({"datasets": [known]} if known else {}),
        "metrics": [hub_names[name] for name in measured],
        "model-index": [{"name": _name(about), "results": [results]}],
    }


class _Card:
    """The sections, each a list of paragraphs."""

    def __init__(self, facts: dict[str, Any], config: Config, golden: Golden) -> None:
        self.facts, self.config, self.golden = facts, config, golden
        self.about: dict[str, Any] = facts["about"]

    def intro(self) -> list[str]:
        seconds = self.config.clip_samples / self.config.sample_rate
        labels = "any number of" if self.facts["multi_label"] else "one of"
        return [
            f"# {_name(self.about)}",
            f"Tells which {labels} {len(self.facts['labels'])} classes of sound is heard. Input: any sound, mixed to "
            f"mono, {self.config.sample_rate} Hz, in windows of {seconds:g} s whose scores are averaged; other rates "
            "are resampled.",
            "Intended for sounds like those it was trained on. It knows no other classes: a sound of another kind gets "
            "the name of the class that it is least unlike, unless thresholds reject it. Not meant for decisions that "
            "people's safety or rights depend on.",
        ]

    def use(self) -> list[str]:
        lines = ["import audiosurvey", 'model = audiosurvey.load("THIS_FOLDER_OR_REPO")', 'model.predict("street.wav")']
        return ["## Use", "```python\n" + "\n".join(lines) + "\n```"]

    def results(self) -> list[str]:
        about = self.about
        std = {name: value for name, value in about.get("std", {}).items() if value is not None}
        rows = []
        for name, value in about["metrics"].items():
            if value is not None:
                spread = f" ± {std[name]:.4f}" if name in std else ""
                rows.append((METRICS[name].title, f"{value:.4f}{spread}"))
        measured = f"Measured on {_dataset(about)}: {protocol_in_words(about)}."
        caveats = [f"**{caveat}**" for caveat in about["caveats"]]
        if about["fold"] is None:
            caveats.append(
                "**These are not scores of this model**, which was trained on all clips and has none left to be tested "
                "on, but of the models of the folds, trained in the same way without the fold that they were tested on."
            )
        if std:
            measured += " ± is the sample standard deviation over the folds."
        return ["## Results", measured, *caveats, _table("metric", "value", rows)]

    def labels(self) -> list[str]:
        return ["## Labels", ", ".join(self.facts["labels"])]

    def scores(self) -> list[str]:
        calibration = self.facts["calibration"]
        temperature = calibration["temperature"]
        of_means = calibration.get("sound_temperature", temperature)
        if calibration["fitted_on"] is None:
            said = "Scores are not calibrated (temperature 1): no clips were held out to fit a temperature on."
        elif of_means == temperature:
            said = f"Logits are divided by {temperature:.4f} before they become scores: the temperature that fits best "
            said += f"on {calibration['fitted_on']}."
        else:
            said = f"Logits are divided by {temperature:.4f} before they become scores of a single window. The score "
            said += "of several windows is the mean of their probabilities without a temperature, to which the "
            said += f"temperature {of_means:.4f} is applied. Both fit best on {calibration['fitted_on']}."
        return ["## Scores", said + self._error(), *self._thresholds()]

    def _thresholds(self) -> list[str]:
        """How they are used, and a table; a second one for means of several windows where these have their own."""
        thresholds = self.facts["thresholds"]
        if not thresholds:
            return ["No thresholds were chosen: give one to have sounds called `unknown`."]
        if self.facts["multi_label"]:
            rule = "A sound has each label whose score reaches its threshold (0.5 for a label without one): the one "
            rule += "with the largest F1 of the label on these clips."
        else:
            rule = "A sound is its best class, or `unknown` where that class does not reach its threshold: the one "
            rule += "that best tells right answers from wrong ones (largest F1) among these clips. A class that was "
            rule += "the best one of no clip has none."
        parts = [f"{rule} There were no sounds of other kinds among the clips.", _threshold_table(thresholds)]
        of_means = self.facts.get("sound_thresholds", thresholds)
        if of_means != thresholds:
            parts += ["Those are for a single window. For the mean of several windows:", _threshold_table(of_means)]
        return parts

    def _error(self) -> str:
        calibration = self.facts["calibration"]
        error, of_windows = calibration["expected_error"], calibration.get("window_error")
        if error["before"] is None:
            return ""
        fitted = calibration["fitted_on"] is not None
        said = f" Expected calibration error ({error['bins']} bins): {error['before']:.4f} without a temperature"
        said += f", {error['after']:.4f} with it" if fitted else ""
        if of_windows is not None:
            said += f"; of single windows {of_windows['before']:.4f}"
            said += f" and {of_windows['after']:.4f}" if fitted else ""
        return f"{said}, on {error['measured_on']}."

    def training(self) -> list[str]:
        about = self.about
        held_out = "" if about["fold"] is None else f"; fold {about['fold']} held out"
        lines = [
            f"- data: {_dataset(about)}, {about['clips']} clips{held_out}; hash of the data: `{about['data_hash']}`",
            f"- start: {about['init'] or 'random weights'}",
            f"- epochs: {about['epochs']}" + (f", {about['epochs_from']}" if about.get("epochs_from") else ""),
            f"- protocol: selection `{about['selection']}`, seed {self.config.seed}",
            "- versions: " + ", ".join(f"{name} {version}" for name, version in self.facts["versions"].items()),
            "- everything else: `config.yaml`, a config for `audiosurvey train`",
        ]
        return ["## Training", "\n".join(lines)]

    def licences(self) -> list[str]:
        licence = self.facts["licence"]
        parts = [f"- {part}: {words or NOT_STATED}" for part, words in licence["parts"].items()]
        warned = ["**Not for commercial use.**"] if non_commercial(licence["weights"]) else []
        return [
            "## Licences",
            f"Weights: **{licence['weights']}**, the strictest licence among those of what they were made from:",
            "\n".join(parts),
            *warned,
            f"`golden.safetensors` holds windows of {len(self.golden.clips)} training clips, which stay under the "
            "licence of the training data.",
        ]

    def contents(self) -> list[str]:
        of = ", ".join(f"`{clip}`" for clip in self.golden.clips)
        return [
            "## Files",
            "`weights.safetensors`, `config.yaml`, `model.json` (labels, temperature, thresholds, checksums), "
            "`trained_on.json` (training clips, by content and source), `golden.safetensors` (windows of training "
            f"clips with the logits to be expected: {of}). Nothing in the folder is code.",
        ]


def _name(about: dict[str, Any]) -> str:
    data = about["subset"] or about["dataset"]
    return f"audiosurvey-{data}" + ("" if about.get("fold") is None else f"-fold-{about['fold']}")


def _dataset(about: dict[str, Any]) -> str:
    return about["dataset"] + (f" ({about['subset']})" if about["subset"] else "")


def _threshold_table(thresholds: dict[str, float]) -> str:
    return _table("class", "threshold", [(name, f"{value:.4f}") for name, value in thresholds.items()])


def _table(left: str, right: str, rows: list[tuple[str, str]]) -> str:
    cells = [f"| {name.replace('|', chr(92) + '|')} | {value} |" for name, value in rows]
    return "\n".join([f"| {left} | {right} |", "|---|---|", *cells])
