"""Which clips an epoch gives, and how often: balanced over classes, a function of seed and epoch alone."""

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.data.batches.sampling import OtherSounds, epoch_clips
from audiosurvey.data.table import Clip
from audiosurvey.randomness import stream


def clips(*counts: int) -> list[Clip]:
    """So many clips of each class."""
    return [
        Clip(f"{label}/{n}", Path(f"{label}-{n}"), (label,)) for label, count in enumerate(counts) for n in range(count)
    ]


UNBALANCED = clips(30, 5, 1)


def labels(chosen: list[Clip]) -> Counter[int]:
    return Counter(clip.labels[0] for clip in chosen)


def test_shuffled_each_clip_comes_once() -> None:
    chosen = epoch_clips(UNBALANCED, 0, 1)
    assert sorted(clip.id for clip in chosen) == sorted(clip.id for clip in UNBALANCED)
    assert all(clip.repeat == 0 for clip in chosen)


def test_balanced_by_hand() -> None:
    """36 clips of three classes: twelve of each; of the first twelve unlike ones, of the last one the same."""
    chosen = epoch_clips(UNBALANCED, 0, 1, "balanced")
    assert labels(chosen) == {0: 12, 1: 12, 2: 12}
    often = Counter(clip.id for clip in chosen)
    assert {often[clip.id] for clip in UNBALANCED if clip.labels == (0,)} == {0, 1}
    assert sorted(often[clip.id] for clip in UNBALANCED if clip.labels == (1,)) == [2, 2, 2, 3, 3]
    assert often["2/0"] == 12
    assert sorted(clip.repeat for clip in chosen if clip.id == "2/0") == list(range(12))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 3), st.integers(0, 3))
def test_an_epoch_keeps_its_number_of_clips(counts: list[int], seed: int, epoch: int) -> None:
    table = clips(*counts)
    chosen = epoch_clips(table, seed, epoch, "balanced")
    assert len(chosen) == len(table)
    seen = labels(chosen)
    assert max(seen[label] for label in range(len(counts))) - min(seen[label] for label in range(len(counts))) <= 1
    assert chosen == epoch_clips(table, seed, epoch, "balanced")


def test_epochs_choose_anew_and_all_clips_are_heard_in_time() -> None:
    epochs = [[clip.id for clip in epoch_clips(UNBALANCED, 0, epoch, "balanced")] for epoch in range(1, 20)]
    assert epochs[0] != epochs[1]
    assert {id for epoch in epochs for id in epoch} == {clip.id for clip in UNBALANCED}


def test_what_does_not_divide_goes_round_the_classes() -> None:
    table = clips(4, 3, 1)
    extra = Counter()
    for epoch in range(300):
        seen = labels(epoch_clips(table, 0, epoch, "balanced"))
        extra.update(label for label in range(3) if seen[label] == 3)
    # Two of three classes have a third clip in each epoch: 200 of 300 epochs for each, give or take 4 deviations of 8.
    assert all(168 <= extra[label] <= 232 for label in range(3))


def test_several_labels_stand_in_each_of_their_classes() -> None:
    both = Clip("both", Path("both"), (0, 1))
    chosen = epoch_clips([*clips(6), both], 0, 1, "balanced")
    # Seven clips for two classes: the second class is `both` alone.
    assert Counter(clip.id for clip in chosen)["both"] >= 3


def unlabelled(count: int) -> list[Clip]:
    return [Clip(f"none/{n}", Path(f"none-{n}"), ()) for n in range(count)]


def test_clips_without_labels_are_a_class_of_their_own() -> None:
    """Thirty clips: two classes and the negatives get ten each."""
    table = [*clips(20, 4), *unlabelled(6)]
    chosen = epoch_clips(table, 0, 1, "balanced")
    assert len(chosen) == 30
    assert Counter(clip.labels for clip in chosen) == {(0,): 10, (1,): 10, (): 10}
    assert {clip.id for clip in chosen if not clip.labels} == {clip.id for clip in unlabelled(6)}


def test_clips_of_which_none_has_a_label_are_all_heard() -> None:
    table = unlabelled(7)
    assert sorted(clip.id for clip in epoch_clips(table, 0, 1, "balanced")) == sorted(clip.id for clip in table)


def test_a_repetition_is_drawn_for_by_its_number() -> None:
    again = [clip for clip in epoch_clips(UNBALANCED, 0, 1, "balanced") if clip.id == "2/0"]
    first = {stream(0, 1, *clip.drawn_by, "gain").random() for clip in again}
    assert len(first) == 12
    # A clip that comes for the first time is drawn for as ever.
    assert stream(0, 1, "2/0", "gain").random() in first


def sounds(count: int, kind: str) -> tuple[Clip, ...]:
    return tuple(Clip(f"other:{kind}/{n}", Path(f"{kind}-{n}"), (), other=True) for n in range(count))


def test_others_are_a_share_of_the_epoch_and_come_once_at_most() -> None:
    others = OtherSounds(sounds(100, "recorded"), sounds(40, "made"), 0.25, 0.5)
    for sampling in ("shuffle", "balanced"):
        chosen = epoch_clips(UNBALANCED, 0, 1, sampling, others)
        assert len(chosen) == 48  # 12 of 48 are a quarter
        kinds = Counter(clip.id.split("/")[0] for clip in chosen if clip.other)
        assert kinds == {"other:recorded": 6, "other:made": 6}
        assert max(Counter(clip.id for clip in chosen if clip.other).values()) == 1
    again = [epoch_clips(UNBALANCED, 0, 2, "shuffle", others) for _ in range(2)]
    assert again[0] == again[1]
    assert {clip.id for clip in again[0] if clip.other} != {clip.id for clip in chosen if clip.other}


def test_few_others_are_not_repeated() -> None:
    few = OtherSounds(sounds(3, "recorded"), sounds(2, "made"), 0.5, 0.5)
    assert few.counts(36) == (3, 2)
    assert OtherSounds((), sounds(40, "made"), 0.25, 0.5).counts(36) == (0, 12), "without recorded ones all are made"


def test_without_others_an_epoch_is_as_before() -> None:
    rows = stream(3, 4, "order").permutation(len(UNBALANCED))
    assert epoch_clips(UNBALANCED, 3, 4) == [UNBALANCED[row] for row in rows]
