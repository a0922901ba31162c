"""Checks of classes, with facts by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counted_clips import counted

from audiosurvey.data.table import Clip, Table
from audiosurvey.diagnosis.audio_fingerprint import audio_fingerprint
from audiosurvey.diagnosis.class_checks import check_class_names, check_class_sizes, check_shortcuts
from audiosurvey.diagnosis.clip_profile import ClipProfile

PLAIN = ClipProfile(
    format="WAV",
    subtype="PCM_16",
    sample_rate=44_100,
    channels=1,
    seconds=5.0,
    digest="",
    peak=0.5,
    level_db=-20.0,
    silent_share=0.0,
    clipped_share=0.0,
    dc=0.0,
    same_channels=False,
    dead_channel=False,
    cancels=False,
    bands_db=np.zeros(88, np.float32),
    band_hz=250.0,
    bandwidth_hz=22_050.0,
    print=audio_fingerprint(np.zeros(1, np.float32)),
)


def table(sizes: dict[str, int], folds: Sequence[int | None] = (None,), **more: Any) -> Table:
    clips = tuple(
        Clip(f"{name}/{n}", Path(name), (label,), fold=folds[n % len(folds)])
        for label, (name, size) in enumerate(sizes.items())
        for n in range(size)
    )
    return Table(more.pop("name", "folder"), Path("x"), tuple(sizes), clips, **more)


def facts(of: Table, **values: Sequence[Any]) -> dict[str, ClipProfile]:
    """Facts of each clip: a field's values in the order of the table."""
    return {
        clip.id: replace(PLAIN, **{field: some[n] for field, some in values.items()}) for n, clip in enumerate(of.clips)
    }


def told(findings: Any) -> list[tuple[str, str, str]]:
    return [(finding.check, finding.severity, finding.message) for finding in findings]


def test_sizes() -> None:
    assert told(check_class_sizes(table({"a": 30, "b": 12}), 5)) == []
    assert told(check_class_sizes(table({"a": 60, "b": 12}), 5)) == [
        ("imbalance", "note", "'a' has 60 clips, 'b' has 12: 5.0 to 1")
    ]
    assert told(check_class_sizes(table({"a": 90, "b": 9}), 5))[1][:2] == ("imbalance", "worth a look")
    small = told(check_class_sizes(table({"a": 12, "b": 8, "c": 4, "d": 1}), 5))
    assert small[:3] == [
        ("few-clips", "note", "class 'b' has 8 clips"),
        ("few-clips", "worth a look", "class 'c' has 4 recordings for 5 folds: some folds do not test it"),
        ("untrained", "spoils a result", "class 'd' has 1 clip of one recording: it cannot be trained and tested"),
    ]


def test_clips_of_one_recording_are_one() -> None:
    some = table({"a": 20, "b": 20})
    clips = tuple(replace(clip, source="one" if clip.labels == (1,) else None) for clip in some.clips)
    (finding,) = check_class_sizes(replace(some, clips=clips), 5)
    assert (finding.check, finding.message[:36]) == ("untrained", "class 'b' has 20 clips of one record")


def test_a_class_that_is_not_in_every_fold() -> None:
    whole = table({"a": 30, "b": 30}, folds=(1, 2, 3))
    moved = {1: (1, 2), 2: (1,)}
    for number, folds in moved.items():
        clips = tuple(
            replace(clip, fold=folds[n % len(folds)]) if clip.labels == (1,) else clip
            for n, clip in enumerate(whole.clips)
        )
        (finding,) = check_class_sizes(replace(whole, clips=clips), 3)
        if number == 1:
            assert (finding.check, finding.severity) == ("few-clips", "worth a look")
            assert finding.message == "class 'b' is missing from fold 3"
        else:
            assert (finding.check, finding.severity) == ("untrained", "spoils a result")
            assert "missing from fold 2, fold 3: it cannot be both trained and tested" in finding.message


def test_a_class_without_test_or_training_rows() -> None:
    def side(clip: Clip, n: int, only: str) -> Clip:
        return replace(clip, side="train" if n % 2 else "test") if clip.labels == (0,) else replace(clip, side=only)

    some = table({"a": 20, "b": 20})
    for only in ("train", "test"):
        clips = tuple(side(clip, n, only) for n, clip in enumerate(some.clips))
        (finding,) = check_class_sizes(replace(some, clips=clips), 5)
        assert (finding.check, finding.severity) == ("untrained", "spoils a result")


def test_a_few_clips_of_a_published_set_are_no_protocol() -> None:
    excerpt = table({"siren": 3, "dog_bark": 3}, folds=(1,), name="urbansound8k")
    clips = (*excerpt.clips[:3], *(replace(clip, fold=2) for clip in excerpt.clips[3:]))
    excerpt = replace(excerpt, published=True, clips=clips)
    assert {finding.severity for finding in check_class_sizes(excerpt, 5)} == {"worth a look"}


@pytest.mark.parametrize(
    ("one", "other", "sizes", "severity"),
    [
        ("dog", "Dog", (40, 40), "spoils a result"),
        ("sea waves", "sea_waves", (40, 40), "spoils a result"),
        ("dog", "dogs", (40, 40), "worth a look"),
        ("dog", "dgo", (40, 2), "worth a look"),
        ("dog", "dig", (40, 40), None),
        ("train", "rain", (40, 40), None),
        ("helicopter", "helicoptre", (40, 40), "worth a look"),
        ("glass_breaking", "glas_breaking", (40, 40), "worth a look"),
        ("class 1", "class 2", (40, 1), None),
        ("cat", "cow", (40, 40), None),
        ("+", "-", (40, 40), None),
    ],
)
def test_names_that_may_be_one(one: str, other: str, sizes: tuple[int, int], severity: str | None) -> None:
    found = list(check_class_names(table({one: sizes[0], other: sizes[1], "zebra": 40})))
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    assert all(len(finding.clips) == min(sizes) for finding in found)


def test_a_class_that_ends_at_a_frequency_of_its_own() -> None:
    some = table({"a": 20, "b": 20, "c": 20})
    edges = [22_050.0] * 20 + [8000.0] * 19 + [22_050.0] * 21
    (finding,) = check_shortcuts(some, facts(some, bandwidth_hz=edges))
    assert (finding.check, finding.severity, finding.class_name) == ("band-limit", "spoils a result", "b")
    assert finding.message == "clips of 'b' end at or below 8.0 kHz, as do 0% of the others"
    # A network that hears up to 8 kHz hears no difference.
    assert told(check_shortcuts(some, facts(some, bandwidth_hz=edges), top_hz=8000.0)) == []
    # Eight of ten are not nine, and three clips of the others are a tenth.
    edges[20:24] = [22_050.0] * 4
    assert told(check_shortcuts(some, facts(some, bandwidth_hz=edges))) == []
    edges = [8000.0] * 3 + [22_050.0] * 17 + [8000.0] * 20 + [22_050.0] * 20
    (finding,) = check_shortcuts(some, facts(some, bandwidth_hz=edges))
    assert (finding.severity, finding.numbers["share_of_others"]) == ("worth a look", 0.075)


def test_a_class_that_alone_goes_on() -> None:
    some = table({"a": 20, "b": 20, "c": 20})
    edges = [8000.0] * 20 + [22_050.0] * 20 + [8000.0] * 20
    (finding,) = check_shortcuts(some, facts(some, bandwidth_hz=edges))
    assert finding.message == "clips of 'b' reach 22.1 kHz, as do 0% of the others"


def test_level_and_length_of_a_class() -> None:
    some = table({"a": 20, "b": 20, "c": 20})
    levels = [-20.0 - n % 3 for n in range(20)] + [-40.0] * 20 + [-20.0] * 20
    (finding,) = check_shortcuts(some, facts(some, level_db=levels))
    assert told([finding]) == [("level", "worth a look", "class 'b' is 20 dB softer than the others")]
    lengths = [5.0] * 40 + [2.5] * 20
    (finding,) = check_shortcuts(some, facts(some, seconds=lengths))
    assert told([finding]) == [("length", "worth a look", "clips of 'c' are 0.5 times as long as the others")]
    # Far from the others on the whole, but not apart from them.
    levels = [-20.0] * 10 + [-50.0] * 10 + [-40.0] * 20 + [-20.0] * 20
    assert told(check_shortcuts(some, facts(some, level_db=levels))) == []


def test_a_format_that_a_class_has_to_itself() -> None:
    some = table({"a": 20, "b": 20, "c": 20})
    formats = ["WAV"] * 20 + ["MP3"] * 20 + ["WAV"] * 20
    (finding,) = check_shortcuts(some, facts(some, format=formats))
    assert told([finding]) == [
        ("encoding", "worth a look", "20 of 20 clips of 'b' are MP3 PCM_16, mono, 44100 Hz, but only 0 of the others")
    ]
    assert told(check_shortcuts(some, facts(some, format=["WAV", "MP3"] * 30))) == []


def test_nothing_is_said_of_a_handful_of_clips_or_of_several_labels() -> None:
    few = table({"a": 4, "b": 20})
    edges = [8000.0] * 4 + [22_050.0] * 20
    assert told(check_shortcuts(few, facts(few, bandwidth_hz=edges))) == []
    some = table({"a": 20, "b": 20}, multi_label=True)
    assert told(check_shortcuts(some, facts(some, bandwidth_hz=[8000.0] * 20 + [22_050.0] * 20))) == []


@pytest.mark.parametrize("folds", [(None,), (1, 2)])
def test_clips_are_not_visited_for_each_class(folds: Sequence[int | None]) -> None:
    passes = []
    for classes in (5, 50):
        names = {f"class {n:02}" * 2: 6 for n in range(classes)} | {"typo": 1, "typos": 30, "Typo": 2}
        of, clips = counted(table(names, folds))
        several = facts(of, seconds=[1.0 + n % 7 for n in range(len(of.clips))])
        assert len(told(check_class_names(of))) == 3
        list(check_class_sizes(of, 5))
        list(check_shortcuts(of, several))
        passes.append(clips.passes)
    assert passes[0] == passes[1]
