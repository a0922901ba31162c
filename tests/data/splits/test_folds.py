"""Splits by fold and by side, refused leaks, and folds made for data that has none."""

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.splits.folds import assign_folds, make_split, split_notes, without_clips
from audiosurvey.data.table import Clip, Side, Table
from audiosurvey.errors import UserError


def clip(
    name: str, label: int = 0, fold: int | None = None, source: str | None = None, side: Side | None = None
) -> Clip:
    return Clip(f"{name}.wav", Path(f"{name}.wav"), (label,), fold=fold, source=source, side=side)


def table(*clips: Clip, official: bool = False) -> Table:
    return Table("csv", Path(), ("a", "b"), clips, official=official)


def names(clips: tuple[Clip, ...]) -> str:
    return " ".join(clip.id.removesuffix(".wav") for clip in clips)


FOUR = table(*(clip(f"{fold}{letter}", fold=fold) for fold in (1, 2, 3, 5) for letter in "xy"))


@pytest.mark.parametrize("selection", ["last", "test"])
def test_all_other_folds_train(selection):
    split = make_split(FOUR, 2, selection)
    assert (names(split.train), names(split.validation), names(split.test)) == ("1x 1y 3x 3y 5x 5y", "", "2x 2y")


@pytest.mark.parametrize(("fold", "held_out", "train"), [(1, "2x 2y", "3x 3y 5x 5y"), (5, "1x 1y", "2x 2y 3x 3y")])
def test_the_next_fold_validates_and_the_last_wraps(fold, held_out, train):
    split = make_split(FOUR, fold, "validation")
    assert (names(split.validation), names(split.train)) == (held_out, train)


def test_an_unknown_fold_is_refused():
    with pytest.raises(UserError, match="fold 4: not in the table, whose folds are 1, 2, 3, 5"):
        make_split(FOUR, 4, "last")


def test_two_folds_leave_nothing_to_train_beside_a_validation_fold():
    two = table(clip("a", fold=1), clip("b", fold=2))
    assert names(make_split(two, 1, "last").train) == "b"
    with pytest.raises(UserError, match=r"protocol.selection to last"):
        make_split(two, 1, "validation")


SIDED = table(clip("a", side="train"), clip("b", side="val"), clip("c", side="test"), clip("d", side="train"))


def test_sides_are_taken_as_they_are():
    last, validation = make_split(SIDED, 1, "last"), make_split(SIDED, 1, "validation")
    assert (names(last.train), names(last.validation), names(last.test)) == ("a d", "", "c")
    assert (names(validation.train), names(validation.validation), names(validation.test)) == ("a d", "b", "c")


@pytest.mark.parametrize(
    ("sides", "selection", "message"),
    [
        ("train val", "last", "no row is marked 'test'; mark some rows 'test', or set dataset.columns.split to null"),
        ("val test", "last", "no row is marked 'train'"),
        ("train test", "validation", "no row is marked 'val'.* protocol.selection to last"),
    ],
)
def test_a_missing_side_is_refused_with_the_mend(sides, selection, message):
    clips = [clip(side, side=side) for side in sides.split()]
    with pytest.raises(UserError, match=message):
        make_split(table(*clips), 1, selection)


def leaking(num_sources: int, official: bool = False) -> Table:
    clips = [clip(f"{n}-{fold}", fold=fold, source=f"s{n}") for n in range(num_sources) for fold in (1, 2, 3)]
    return table(*clips, clip("free", fold=1), clip("free2", fold=2), official=official)


def test_a_source_on_both_sides_is_refused_and_named():
    with pytest.raises(UserError) as caught:
        make_split(leaking(7), 1, "last")
    lines = caught.value.lines
    assert "7 source recordings" in lines[0]
    assert "protocol.allow_leakage: true" in lines[0]
    assert lines[1] == "source s0: train: 0-2.wav, 0-3.wav; test: 0-1.wav"
    assert len(lines) == 1 + 5 + 1
    assert "2 more" in lines[-1]


def test_a_leak_that_is_allowed_is_named_in_the_split():
    split = make_split(leaking(2), 1, "last", allow_leakage=True)
    assert split.leaking == ("s0", "s1")
    assert len(split.train) == 5
    assert make_split(FOUR, 1, "last", allow_leakage=True).leaking == ()


def test_a_leak_into_validation_counts():
    clips = (clip("a", fold=1), clip("b", fold=2, source="s"), clip("c", fold=3, source="s"))
    with pytest.raises(UserError, match="source recordings are on both sides"):
        make_split(table(*clips), 1, "validation")


COPIES = {"a.wav": "content of a.wav", "b.wav": "content of a.wav"}


def test_equal_content_on_both_sides_is_refused_and_named():
    clips = (clip("a", fold=1), clip("b", fold=2), clip("c", fold=1), clip("d", fold=2))
    copied = replace(table(*clips), recordings=COPIES)
    with pytest.raises(UserError) as caught:
        make_split(copied, 2, "last")
    assert caught.value.lines[1] == "equal content: train: a.wav; test: b.wav"
    split = make_split(copied, 2, "last", allow_leakage=True)
    assert split.leaking == ("content of a.wav",)
    (note,) = split_notes(copied, [split])
    assert note.startswith("1 recordings are on both sides of a split")


def test_equal_content_in_published_folds_is_tested_and_not_trained():
    clips = (clip("a", fold=1), clip("b", fold=2), clip("c", fold=1), clip("d", fold=2))
    for marks in ({"official": True}, {"published_folds": True}):
        split = make_split(replace(table(*clips), recordings=COPIES, **marks), 2, "last")
        assert (names(split.test), names(split.train), names(split.left_out)) == ("b d", "c", "a")
        assert split.leaking == ()


@pytest.mark.parametrize(("selection", "count"), [("last", 1), ("test", 1), ("validation", 0)])
def test_rows_marked_val_that_nobody_uses_are_told(selection, count):
    notes = split_notes(SIDED, [make_split(SIDED, 1, selection)])
    assert len(notes) == count
    assert all("1 clips marked 'val'" in note and "protocol.selection to validation" in note for note in notes)


@pytest.mark.parametrize("selection", ["last", "validation"])
def test_published_folds_keep_their_test_and_lose_training_clips(selection):
    split = make_split(leaking(2, official=True), 1, selection)
    assert names(split.test) == "0-1 1-1 free"
    assert split.leaking == ()
    assert names(split.train + split.validation) == "free2"
    assert len(split.left_out) == 4


@pytest.mark.parametrize("options", [{}, {"exclude_classes": ["dog"]}])
@pytest.mark.parametrize("selection", ["last", "validation", "test"])
def test_no_recording_of_esc50_is_on_two_sides(shared: Path, options, selection):
    # The published folds have four recordings in two folds each; their nine clips are all that is ever left out.
    esc50 = load_table(DatasetConfig(name="esc50", root=shared / "data" / "esc50-16k", **options))
    for fold in esc50.folds:
        split = make_split(esc50, fold, selection)
        sides = [{clip.source for clip in side} for side in (split.train, split.validation, split.test)]
        assert not sides[0] & sides[2]
        assert not sides[0] & sides[1]
        assert not sides[1] & sides[2]
        assert len(split.test) == (392 if options else 400)
        total = len(split.train) + len(split.validation) + len(split.test) + len(split.left_out)
        assert total == len(esc50.clips)
        assert {clip.source for clip in split.left_out} <= {"131943", "134049", "209698", "234879"}
        assert len(split.left_out) <= 6


def test_the_note_tells_of_them(shared: Path):
    esc50 = load_table(DatasetConfig(name="esc50", root=shared / "data" / "esc50-16k"))
    assert any("4 recordings have clips in two folds" in note for note in esc50.notes)


def test_without_clips_leaves_out_clips_and_the_official_mark():
    whole = table(clip("a", source="1"), clip("b", source="2"), clip("c"), official=True)
    rest, left_out = without_clips(whole, {"b.wav", "z.wav"})
    assert (names(rest.clips), names(left_out), rest.official) == ("a c", "b", False)
    assert "1 clip" in rest.notes[-1]
    assert without_clips(whole, {"z.wav"}) == (whole, ())


def many(per_class: int, num_classes: int, per_source: int = 1) -> list[Clip]:
    return [
        clip(f"{label}-{n:03}", label, source=f"{label}:{n // per_source}" if per_source > 1 else None)
        for label in range(num_classes)
        for n in range(per_class)
    ]


@pytest.mark.parametrize("per_source", [1, 3])
def test_made_folds_have_like_shares_of_every_class(per_source: int):
    clips, notes = assign_folds(many(30, 4, per_source), 5, "abcd")
    assert set(Counter((clip.labels, clip.fold) for clip in clips).values()) == {6}
    assert "5 stratified folds" in notes[0]


def test_made_folds_do_not_depend_on_the_order_of_listing():
    clips = many(11, 3, 2)
    forward, _ = assign_folds(clips, 4, "abc")
    backward, _ = assign_folds(clips[::-1], 4, "abc")
    assert forward == backward[::-1]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_sources_stay_together_and_classes_are_in_two_folds(data: st.DataObject):
    num_folds = data.draw(st.integers(2, 5))
    sizes = data.draw(st.lists(st.integers(2, 9), min_size=3, max_size=5))
    clips = [
        clip(f"{label}.{n}.{take}", label, source=f"{label}.{n}")
        for label, num_sources in enumerate(sizes)
        for n in range(num_sources)
        for take in range(data.draw(st.integers(1, 4)))
    ]
    made, notes = assign_folds(clips, num_folds, [str(label) for label in range(len(sizes))])
    folds_of_source, folds_of_class = defaultdict(set), defaultdict(set)
    for one in made:
        folds_of_source[one.source].add(one.fold)
        folds_of_class[one.labels].add(one.fold)
    assert all(len(folds) == 1 for folds in folds_of_source.values())
    assert all(len(folds) >= 2 for folds in folds_of_class.values())
    assert {one.fold for one in made} == set(range(1, num_folds + 1))
    assert [one.id for one in made] == [one.id for one in clips]
    assert len(notes) == 1 + sum(size < num_folds for size in sizes)


def test_several_labels_are_spread_evenly():
    clips = [
        Clip(f"{n:03}", Path(f"{n:03}"), tuple(k for k, step in enumerate((2, 3, 10)) if n % step == 0))
        for n in range(120)
    ]
    made, _ = assign_folds(clips, 4, "abc")
    for label, total in enumerate((60, 40, 12)):
        counts = Counter(one.fold for one in made if label in one.labels)
        assert max(abs(count - total / 4) for count in counts.values()) <= 1
    assert set(Counter(one.fold for one in made).values()) <= {29, 30, 31}


def test_a_class_of_one_recording_is_refused():
    clips = [*many(6, 2), clip("c1", 2, source="s"), clip("c2", 2, source="s")]
    with pytest.raises(UserError, match=r"class 'c': one source recording .* dataset.exclude_classes"):
        assign_folds(clips, 3, "abc")


def test_more_folds_than_recordings_are_refused():
    with pytest.raises(UserError, match=r"dataset.num_folds: 5 folds of 4 clips; set dataset.num_folds to 4 or less"):
        assign_folds(many(2, 2), 5, "ab")


def test_a_class_smaller_than_the_folds_is_told():
    _, notes = assign_folds([*many(10, 1), clip("b1", 1), clip("b2", 1), clip("b3", 1)], 5, "ab")
    assert notes[1] == "class 'b' has 3 clips, fewer than the 5 folds: some folds do not test it"
