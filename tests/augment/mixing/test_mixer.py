"""A clip is mixed in one way at most, by the chances of the ways, with any other training clip."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from audiosurvey.augment.chain import Chain
from audiosurvey.augment.settings import AugmentationConfig
from audiosurvey.data.batches.sampling import Sampling, epoch_clips
from audiosurvey.data.table import Clip
from audiosurvey.randomness import stream

CLIPS = [Clip(f"clip-{i}.wav", Path(f"clip-{i}.wav"), (0,)) for i in range(40)]


def chain(
    config: dict[str, Any], clips: list[Clip] | None = None, seed: int = 1, sampling: Sampling = "shuffle"
) -> Chain:
    augmentation, clips = AugmentationConfig.model_validate(config), clips or CLIPS
    return Chain(augmentation, seed=seed, sample_rate=8000, train_clips=clips, front_end=None, sampling=sampling)


def partner(made: Chain, clip: Clip, epoch: int) -> Clip | None:
    mixed = made.mixer.draw(clip, epoch)
    return mixed and mixed.partner


def of_classes(*counts: int) -> list[Clip]:
    """So many clips of each class."""
    return [
        Clip(f"{label}-{n}", Path(f"{label}-{n}"), (label,)) for label, count in enumerate(counts) for n in range(count)
    ]


def ways(made: Chain, epochs: range) -> Counter[str]:
    drawn = [made.mixer.draw(clip, epoch) for epoch in epochs for clip in CLIPS]
    return Counter("none" if mixed is None else mixed.operation for mixed in drawn)


def test_four_quarters_mix_every_clip_in_one_of_four_ways() -> None:
    found = ways(chain({name: {"p": 0.25} for name in ("mixup", "timemix", "freqmix", "phmix")}), range(20))
    assert set(found) == {"mixup", "timemix", "freqmix", "phmix"}
    assert all(0.2 < count / 800 < 0.3 for count in found.values())


def test_each_way_has_its_own_chance_and_the_rest_stays_unmixed() -> None:
    found = ways(chain({"mixup": {"p": 0.5}, "cutmix": {"p": 0.1}, "mel_mixup": {"p": 0.2}}), range(20))
    shares = {name: count / 800 for name, count in found.items()}
    assert shares == pytest.approx({"mixup": 0.5, "cutmix": 0.1, "mel_mixup": 0.2, "none": 0.2}, abs=0.04)


def test_before_its_first_epoch_a_way_leaves_its_share_of_the_clips_unmixed() -> None:
    made = chain({"mixup": {"p": 0.5}, "timemix": {"p": 0.5, "start_epoch": 13}})
    assert set(ways(made, range(1, 13))) == {"mixup", "none"}
    assert set(ways(made, range(13, 15))) == {"mixup", "timemix"}
    assert set(ways(chain({"mixup": {"p": 1, "start_epoch": 3}}), range(1, 3))) == {"none"}


def test_mixup_alone_draws_what_it_has_always_drawn() -> None:
    made = chain({"mixup": {"p": 0.6, "alpha": 0.4}})
    for epoch in range(3):
        for row, clip in enumerate(sorted(CLIPS, key=lambda clip: clip.id)):
            rng = stream(1, epoch, clip.id, "mixup")
            mixed = made.mixer.draw(clip, epoch)
            if rng.random() >= 0.6:
                assert mixed is None
                continue
            other = int(rng.integers(39))
            other += other >= row
            assert mixed is not None
            assert mixed.partner == sorted(CLIPS, key=lambda clip: clip.id)[other]
            assert mixed.draw.ratio == rng.beta(0.4, 0.4)


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 10**6))
def test_a_clip_is_never_its_own_partner(count: int, seed: int) -> None:
    made = chain({"mixup": {"p": 0.5}, "freqmix": {"p": 0.5}}, CLIPS[:count], seed)
    for clip in CLIPS[:count]:
        other = partner(made, clip, 1)
        assert other is None if count == 1 else other in CLIPS[:count]
        assert other != clip


def test_all_others_are_drawn_alike() -> None:
    made = chain({"mixup": {"p": 0.5}, "phmix": {"p": 0.5}}, CLIPS[:5])
    found = Counter(other.id for epoch in range(1000) if (other := partner(made, CLIPS[2], epoch)))
    assert set(found) == {CLIPS[row].id for row in (0, 1, 3, 4)}
    assert min(found.values()) > 200


@pytest.mark.parametrize(("sampling", "rare"), [("shuffle", 110), ("balanced", 500)])
def test_partners_come_from_the_classes_as_often_as_the_clips_do(sampling: Sampling, rare: int) -> None:
    """890 clips of one class and 110 of another: balanced, half of the clips and half of their partners are rare."""
    table = of_classes(890, 110)
    made, chosen = chain({"mixup": {"p": 1}}, table, sampling=sampling), epoch_clips(table, 1, 1, sampling)
    partners = [other for clip in chosen if (other := partner(made, clip, 1))]
    assert len(partners) == 1000
    assert sum(clip.labels == (1,) for clip in chosen) == rare
    # Four standard deviations of 1000 draws.
    assert abs(sum(other.labels == (1,) for other in partners) - rare) < 4 * (rare * (1000 - rare) / 1000) ** 0.5


def test_clips_without_labels_are_partners_as_often_as_those_of_a_class() -> None:
    table = [*of_classes(60, 30), *(Clip(f"none-{n}", Path(f"none-{n}"), ()) for n in range(10))]
    made = chain({"mixup": {"p": 1}}, table, sampling="balanced")
    found = Counter(other.labels for epoch in range(9) for clip in table if (other := partner(made, clip, epoch)))
    assert all(240 < found[labels] < 360 for labels in [(0,), (1,), ()])


def test_balanced_partners_within_a_class_are_drawn_alike() -> None:
    table = of_classes(5, 2)
    made = chain({"mixup": {"p": 1}}, table, sampling="balanced")
    found = Counter(other.id for epoch in range(2000) if (other := partner(made, table[0], epoch)))
    assert {id: round(count / 250) for id, count in found.items()} == {
        "0-1": 1,
        "0-2": 1,
        "0-3": 1,
        "0-4": 1,
        "1-0": 2,
        "1-1": 2,
    }


@settings(deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(0, 10**6))
def test_a_balanced_clip_is_never_its_own_partner(counts: list[int], seed: int) -> None:
    table = of_classes(*counts)
    made = chain({"mixup": {"p": 1}}, table, seed, "balanced")
    for clip in epoch_clips(table, seed, 1, "balanced"):
        other = partner(made, clip, 1)
        assert (other is None) == (len(table) == 1)
        assert other is None or other.id != clip.id


def test_a_clip_from_outside_the_training_set_may_get_any_partner() -> None:
    outsider = Clip("new.wav", Path("new.wav"), (0,))
    made = chain({"mixup": {"p": 1}}, CLIPS[:2])
    assert {partner(made, outsider, epoch) for epoch in range(20)} == set(CLIPS[:2])


def test_chances_beyond_1_are_refused_where_they_pass_it() -> None:
    with pytest.raises(ValidationError, match=r"0\.5 is too much in addition to mixup 0\.4, timemix 0\.2") as error:
        AugmentationConfig.model_validate({"mixup": {"p": 0.4}, "timemix": {"p": 0.2}, "cutmix": {"p": 0.5}})
    assert [fault["loc"] for fault in error.value.errors()] == [("cutmix",)]
    tenths = {"mixup": {"p": 0.7}, "timemix": {"p": 0.1}, "freqmix": {"p": 0.1}, "phmix": {"p": 0.1}}
    AugmentationConfig.model_validate(tenths)
