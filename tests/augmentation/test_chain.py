"""What is done to a clip depends on seed, epoch, clip and training set, and on nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audiosurvey.augmentation.chain import Chain
from audiosurvey.augmentation.settings import AugmentationConfig
from audiosurvey.data.batches.batches import Batch
from audiosurvey.data.table import Clip
from audiosurvey.features.band_change import BandChange
from audiosurvey.randomness import stream

SAMPLES, FRAMES, BANDS = 6000, 60, 32
CLIPS = [Clip(f"clip-{i}.wav", Path(f"clip-{i}.wav"), (i % 3,)) for i in range(12)]
WAVE_BS = torch.from_numpy(0.1 * stream("waves").standard_normal((12, SAMPLES), dtype=np.float32))
VALID_B = torch.full((12,), SAMPLES)
WAVE_MIXINGS = ("mixup", "timemix", "freqmix", "phmix")
MEL_MIXINGS = ("mel_mixup", "cutmix")
MEL_BCTF = torch.from_numpy(stream("mels").random((12, 1, FRAMES, BANDS), dtype=np.float32))


@pytest.fixture
def config(rooms: Path) -> AugmentationConfig:
    return AugmentationConfig.model_validate(
        {
            "mixup": {"p": 0.1},
            "timemix": {"p": 0.1},
            "freqmix": {"p": 0.1},
            "phmix": {"p": 0.1},
            "mel_mixup": {"p": 0.1},
            "cutmix": {"p": 0.1},
            "speed": {"p": 0.5},
            "polarity": {"p": 0.5},
            "gain": {"p": 0.5},
            "segment_gain": {"p": 0.5},
            "shift": {"p": 0.5},
            "cyclic_shift": {"p": 0.5},
            "reverb": {"p": 0.5, "folder": rooms},
            "time_shift": {"p": 0.5},
            "wave_masking": {"p": 0.5},
            "phase_noise": {"p": 0.5},
            "sine": {"p": 0.5},
            "noise": {"p": 0.5, "min_snr_db": 30, "max_snr_db": 1, "colour": "random"},
            "low_pass": {"p": 0.5, "min_hz": 500},
            "clipping": {"p": 0.5},
            "shorten": {"p": 0.5},
            "band_jitter": {"p": 0.5},
            "pitch": {"p": 0.5},
            "filter_augment": {"p": 0.5},
            "tempo": {"p": 0.5},
            "dropblock": {"p": 0.5, "dp": 0.5, "block_size": {"t": 32, "f": 4}},
            "time_masking": {"p": 0.5, "tmp": 20, "num": 6},
            "freq_masking": {"p": 0.5, "fmp": 5, "num": 5},
        }
    )


def chain(config: AugmentationConfig, seed: int = 1, clips: list[Clip] | None = None) -> Chain:
    return Chain(config, seed=seed, sample_rate=8000, train_clips=clips or CLIPS, silence=-5.0, bands=BANDS)


def mixed_by(config: AugmentationConfig, names: tuple[str, ...], p: float) -> AugmentationConfig:
    """The same config, but for its mixings: these alone, with the chance `p` in all."""
    keys = config.model_dump() | {name: {"p": 0} for name in WAVE_MIXINGS + MEL_MIXINGS}
    return AugmentationConfig.model_validate(keys | {name: {"p": p / len(names)} for name in names})


def last(config: AugmentationConfig) -> AugmentationConfig:
    """The same config, its waves mixed after all else."""
    return config.model_copy(update={"mix_waves": "last"})


def batch_of(made: Chain, rows: list[int], epoch: int) -> Batch:
    clips = [CLIPS[row] for row in rows]
    partners = [made.partner(clip, epoch) for clip in clips]
    others = [CLIPS.index(partner) if partner else row for partner, row in zip(partners, rows, strict=True)]
    target_BK = torch.eye(3)[[clip.labels[0] for clip in CLIPS]]
    return Batch(
        clips=tuple(clips),
        wave_BS=WAVE_BS[rows],
        valid_B=VALID_B[rows],
        target_BK=target_BK[rows],
        partners=tuple(partners),
        partner_BS=WAVE_BS[others],
        partner_valid_B=VALID_B[others],
        partner_target_BK=target_BK[others],
    )


def test_everything_off_changes_nothing() -> None:
    made = chain(AugmentationConfig.model_validate({"shorten": {"p": 0}}))
    assert made.wave(WAVE_BS, VALID_B, CLIPS, 0) is WAVE_BS
    assert made.mel(MEL_BCTF, CLIPS, 0) is MEL_BCTF
    assert all(made.partner(clip, 0) is None for clip in CLIPS)
    batch = batch_of(made, [0, 1], 0)
    assert made.mix(batch, 0)[0] is batch.wave_BS
    assert made.describe(CLIPS[0], 0, samples=SAMPLES, frames=FRAMES, bands=BANDS) == []


def test_the_company_and_the_order_of_a_batch_do_not_matter(config: AugmentationConfig) -> None:
    made = chain(config)
    wave_BS = made.wave(WAVE_BS, VALID_B, CLIPS, 3)
    mel_BCTF = made.mel(MEL_BCTF, CLIPS, 3)
    for rows in ([11, 2, 7, 5, 0], [4], list(range(11, -1, -1))):
        clips = [CLIPS[row] for row in rows]
        part_BS = made.wave(WAVE_BS[rows], VALID_B[rows], clips, 3)
        torch.testing.assert_close(part_BS, wave_BS[rows], atol=1e-5, rtol=0)
        torch.testing.assert_close(made.mel(MEL_BCTF[rows], clips, 3), mel_BCTF[rows], atol=1e-6, rtol=0)


def front_end(wave_BS: torch.Tensor, change: BandChange | None) -> torch.Tensor:
    """In place of the real one: levels of 60 frames in 32 bands, changed a little where the bands are."""
    map_BCTF = wave_BS[:, : FRAMES * 96].reshape(-1, 1, FRAMES, BANDS, 3).square().mean(4)
    if change is not None and change.edge_shifts_B2 is not None:
        map_BCTF = map_BCTF + change.edge_shifts_B2.float().mean(1)[:, None, None, None] / 1e4
    if change is not None and change.gain_db_BF is not None:
        map_BCTF = map_BCTF + change.gain_db_BF[:, None, None, :] / 100
    return map_BCTF


@pytest.mark.parametrize("names", [WAVE_MIXINGS, MEL_MIXINGS, WAVE_MIXINGS + MEL_MIXINGS])
@pytest.mark.parametrize("order", ["first", "last"])
def test_what_is_shown_is_free_of_the_batch(config: AugmentationConfig, names: tuple[str, ...], order: str) -> None:
    config = mixed_by(config, names, 0.8)
    made = chain(config if order == "first" else last(config))
    shown_BCTF, targets = made.render(batch_of(made, list(range(12)), 2), 2, front_end)
    for rows in ([9, 3, 6], [5], list(range(11, -1, -1))):
        part_BCTF, part = made.render(batch_of(made, rows, 2), 2, front_end)
        assert isinstance(part_BCTF, torch.Tensor)
        assert isinstance(shown_BCTF, torch.Tensor)
        torch.testing.assert_close(part_BCTF, shown_BCTF[rows], atol=1e-5, rtol=0)
        torch.testing.assert_close(part.weighted_BK, targets.weighted_BK[rows])
        assert torch.equal(part.mixed_B, targets.mixed_B[rows])
    torch.testing.assert_close(targets.weighted_BK.sum(1), torch.ones(12))
    assert targets.mixed_B.any()


def test_waves_mixed_last_are_made_of_the_two_as_each_is_changed_alone(config: AugmentationConfig) -> None:
    made = chain(last(mixed_by(config, ("mixup",), 0.7)))
    batch = batch_of(made, list(range(12)), 3)
    mixed_BS, _, targets = made.mixed_wave(batch, 3)
    each_BS = made.wave(WAVE_BS, VALID_B, CLIPS, 3)
    first_BS, _, _ = chain(mixed_by(config, ("mixup",), 0.7)).mixed_wave(batch, 3)
    for row, clip in enumerate(CLIPS):
        drawn = made.mixer.draw(clip, 3)
        assert (drawn is not None) == bool(targets.mixed_B[row])
        if drawn is None:
            torch.testing.assert_close(mixed_BS[row], each_BS[row], atol=1e-6, rtol=0)
            continue
        # Whatever the gains of the level-aware mixup: the mixture lies in the plane of the two changed waves.
        both_S2 = torch.stack([each_BS[row], each_BS[CLIPS.index(drawn.partner)]], 1).double()
        rest_S = (
            mixed_BS[row].double() - both_S2 @ torch.linalg.lstsq(both_S2, mixed_BS[row].double()[:, None])[0][:, 0]
        )
        assert rest_S.abs().max() < 1e-5
        assert not torch.allclose(first_BS[row], mixed_BS[row], atol=1e-3)
        done = [step["operation"] for step in made.describe(clip, 3, samples=SAMPLES, frames=FRAMES, bands=BANDS)]
        names = {operation.name for operation in made.wave_operations}
        assert not names & set(done[done.index("mixup") :])


def test_only_those_who_have_a_partner_are_mixed(config: AugmentationConfig) -> None:
    made = chain(mixed_by(config, WAVE_MIXINGS, 0.5))
    batch = batch_of(made, list(range(12)), 2)
    mixed_BS, _, targets = made.mix(batch, 2)
    has_partner = [partner is not None for partner in batch.partners]
    assert 0 < sum(has_partner) < 12
    for row, expected in enumerate(has_partner):
        assert torch.equal(mixed_BS[row], WAVE_BS[row]) != expected
        assert expected or torch.equal(targets.weighted_BK[row], batch.target_BK[row])
        assert bool(targets.mixed_B[row]) == expected


def test_a_mixed_spectrogram_is_made_of_the_two_as_each_is_shown_alone(config: AugmentationConfig) -> None:
    made, alone = chain(mixed_by(config, ("mel_mixup",), 1)), chain(mixed_by(config, (), 0))
    batch = batch_of(made, list(range(12)), 7)
    assert made.mix(batch, 7)[0] is batch.wave_BS
    shown_BCTF, targets = made.render(batch, 7, front_end)
    each_BCTF, alone_targets = alone.render(batch_of(alone, list(range(12)), 7), 7, front_end)
    shown_BK, target_BK = targets.weighted_BK, alone_targets.weighted_BK
    for row, clip in enumerate(CLIPS):
        mixed = made.mixer.draw(clip, 7)
        assert mixed is not None
        other, ratio = CLIPS.index(mixed.partner), mixed.draw.ratio
        expected_CTF = ratio * each_BCTF[row] + (1 - ratio) * each_BCTF[other]
        torch.testing.assert_close(shown_BCTF[row], expected_CTF, atol=1e-5, rtol=0)
        torch.testing.assert_close(shown_BK[row], ratio * target_BK[row] + (1 - ratio) * target_BK[other])
        done = made.describe(clip, 7, samples=SAMPLES, frames=FRAMES, bands=BANDS)
        assert done[-1] == {"operation": "mel_mixup", "partner": mixed.partner.id, "ratio": ratio}


def test_a_waveform_is_shown_as_it_is_where_nothing_is_done_to_spectrograms() -> None:
    made = chain(AugmentationConfig.model_validate({"gain": {"p": 1}}))
    shown_B1S, _ = made.render(batch_of(made, [0, 1], 0), 0, lambda wave_BS, shifts: wave_BS[:, None])
    assert shown_B1S.shape == (2, 1, SAMPLES)


def test_the_same_again_in_a_new_process_but_not_in_another_epoch_or_seed(config: AugmentationConfig) -> None:
    once = chain(config).wave(WAVE_BS, VALID_B, CLIPS, 0)
    assert torch.equal(once, chain(config).wave(WAVE_BS, VALID_B, CLIPS, 0))
    assert not torch.equal(once, chain(config).wave(WAVE_BS, VALID_B, CLIPS, 1))
    assert not torch.equal(once, chain(config, seed=2).wave(WAVE_BS, VALID_B, CLIPS, 0))


def test_global_random_state_is_neither_read_nor_moved(config: AugmentationConfig) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    once = chain(config).mel(MEL_BCTF, CLIPS, 0)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    assert torch.equal(once, chain(config).mel(MEL_BCTF, CLIPS, 0))


def test_partners_do_not_depend_on_the_order_of_the_training_clips(config: AugmentationConfig) -> None:
    one, other = chain(config), chain(config, clips=CLIPS[::-1])
    partners = [one.partner(clip, 4) for clip in CLIPS]
    assert partners == [other.partner(clip, 4) for clip in CLIPS]
    assert all(partner != clip for partner, clip in zip(partners, CLIPS, strict=True))


def test_each_operation_fires_for_its_share_of_the_clips(config: AugmentationConfig) -> None:
    made = chain(config)
    fired: dict[str, int] = {}
    for epoch in range(40):
        for clip in CLIPS:
            for done in made.describe(clip, epoch, samples=SAMPLES, frames=FRAMES, bands=BANDS):
                fired[str(done["operation"])] = fired.get(str(done["operation"]), 0) + 1
    assert set(fired) == set(AugmentationConfig.model_fields) - {"mix_waves"}
    for name, count in fired.items():
        p = getattr(config, name).p
        assert count / (40 * 12) == pytest.approx(p, abs=0.1 if p == 0.5 else 0.05), name


def test_the_description_is_what_was_done(config: AugmentationConfig) -> None:
    made = chain(mixed_by(config, (), 0))
    wave_BS, mel_BCTF = made.wave(WAVE_BS, VALID_B, CLIPS, 5), made.mel(MEL_BCTF, CLIPS, 5)
    on_waves = {operation.name for operation in made.wave_operations}
    on_mels = {operation.name for operation in made.mel_operations}
    for row, clip in enumerate(CLIPS):
        done = made.describe(clip, 5, samples=SAMPLES, frames=FRAMES, bands=BANDS)
        names = {str(step["operation"]) for step in done}
        assert torch.equal(wave_BS[row], WAVE_BS[row]) == (not names & on_waves)
        assert torch.equal(mel_BCTF[row], MEL_BCTF[row]) == (not names & on_mels)


def test_noise_refers_to_the_clip_wherever_the_warp_has_put_its_end() -> None:
    config = AugmentationConfig.model_validate(
        {"time_shift": {"p": 1}, "noise": {"p": 1, "min_snr_db": 20, "max_snr_db": 20}, "shorten": {"p": 0}}
    )
    only_warped = chain(config.model_copy(update={"noise": AugmentationConfig().noise}))
    valid_B = torch.full((12,), 2500)
    wave_BS = WAVE_BS * (torch.arange(SAMPLES) < 2500)
    warped_BS = only_warped.wave(wave_BS, valid_B, CLIPS, 0)
    noise_BS = chain(config).wave(wave_BS, valid_B, CLIPS, 0) - warped_BS
    for warped_S, noise_S in zip(warped_BS, noise_BS, strict=True):
        end = int(warped_S.nonzero()[-1]) + 1
        snr_db = 10 * torch.log10(warped_S[:end].square().mean() / noise_S[:end].square().mean())
        assert snr_db == pytest.approx(20, abs=0.1)


UNSHORTENED = {"shorten": {"p": 0}}
MASKED = UNSHORTENED | {"time_masking": {"p": 1, "num": 1, "tmp": 12}}


def padded(valid: int) -> Batch:
    """Clips of this many samples in windows of 6000, all of them louder than 0.01."""
    wave_BS = (0.01 + WAVE_BS.abs()) * (torch.arange(SAMPLES) < valid)
    target_BK = torch.eye(3)[[clip.labels[0] for clip in CLIPS]]
    return Batch(tuple(CLIPS), wave_BS, torch.full((12,), valid), target_BK, (None,) * 12)


def levels(wave_BS: torch.Tensor, _: BandChange | None) -> torch.Tensor:
    """In place of the front end: the mean level of 60 frames, the same in all bands."""
    return wave_BS.abs().reshape(-1, 1, FRAMES, 1, SAMPLES // FRAMES).mean(4).expand(-1, 1, FRAMES, BANDS)


@pytest.mark.parametrize(
    "before",
    [
        {},
        {"cyclic_shift": {"p": 1}},
        {"shift": {"p": 1, "max_s": 0.5}},
        {"speed": {"p": 1}},
        {"shorten": {"p": 1}},
        {"cyclic_shift": {"p": 1}, "shorten": {"p": 1}},
        {"shift": {"p": 1, "max_s": 0.1}, "shorten": {"p": 1}},
    ],
    ids=str,
)
def test_time_masks_fall_on_what_sounds(before: dict[str, object]) -> None:
    """Clips of an eighth of the window, wherever they are moved to: no mask touches a frame of silence alone."""
    made = chain(AugmentationConfig.model_validate(MASKED | before))
    unmasked = chain(AugmentationConfig.model_validate(UNSHORTENED | before))
    masks = 0
    for epoch in range(20):
        shown_BCTF, _ = made.render(padded(750), epoch, levels)
        heard_BCTF, _ = unmasked.render(padded(750), epoch, levels)
        assert isinstance(shown_BCTF, torch.Tensor)
        assert isinstance(heard_BCTF, torch.Tensor)
        covered_BT = (shown_BCTF == -5).all(3)[:, 0]
        sounds_BT = (heard_BCTF > 0).all(3)[:, 0]
        assert not (covered_BT & ~sounds_BT).any()
        masks += int(covered_BT.any(1).sum())
        done = [
            made.describe(clip, epoch, samples=SAMPLES, frames=FRAMES, bands=BANDS, valid=750)[-1] for clip in CLIPS
        ]
        for covered_T, told in zip(covered_BT, done, strict=True):
            spans: Any = told["covered_frames"]
            assert [t for first, last in spans for t in range(first, last + 1)] == covered_T.nonzero()[:, 0].tolist()
    # Of widths 0 to 11 one in twelve covers nothing.
    assert masks > 150


def test_masks_of_clips_that_are_repeated_fall_anywhere() -> None:
    """With `pad: repeat` all of the window sounds."""
    made = chain(AugmentationConfig.model_validate(MASKED))
    shown = [made.render(padded(SAMPLES), epoch, levels)[0] for epoch in range(20)]
    assert torch.stack([part[:, 0, :, 0] == -5 for part in shown if isinstance(part, torch.Tensor)]).any(0).any(0).all()


@pytest.mark.parametrize("order", ["first", "last"])
def test_masks_of_a_mixture_fall_on_the_longer_of_both(order: str) -> None:
    made = chain(AugmentationConfig.model_validate(MASKED | {"mixup": {"p": 1}, "mix_waves": order}))
    covered_T = torch.zeros(FRAMES, dtype=torch.bool)
    for epoch in range(40):
        batch = padded(750)
        batch.partners = tuple(made.partner(clip, epoch) for clip in CLIPS)
        batch.partner_BS, batch.partner_target_BK = padded(3000).wave_BS, batch.target_BK
        batch.partner_valid_B = torch.full((12,), 3000)
        shown_BCTF, _ = made.render(batch, epoch, levels)
        assert isinstance(shown_BCTF, torch.Tensor)
        covered_T |= (shown_BCTF == -5).all(3)[:, 0].any(0)
    assert covered_T.nonzero()[:, 0].tolist() == list(range(30))


def test_noise_refers_to_the_clip_wherever_it_was_turned_to() -> None:
    turned = UNSHORTENED | {"cyclic_shift": {"p": 1}}
    config = turned | {"noise": {"p": 1, "min_snr_db": 20, "max_snr_db": 20}}
    only_turned = chain(AugmentationConfig.model_validate(turned))
    batch = padded(2500)
    turned_BS = only_turned.wave(batch.wave_BS, batch.valid_B, CLIPS, 0)
    noisy_BS = chain(AugmentationConfig.model_validate(config)).wave(batch.wave_BS, batch.valid_B, CLIPS, 0)
    for turned_S, noise_S in zip(turned_BS, noisy_BS - turned_BS, strict=True):
        sounds_S = turned_S != 0
        snr_db = 10 * torch.log10(turned_S[sounds_S].square().mean() / noise_S[sounds_S].square().mean())
        assert snr_db == pytest.approx(20, abs=0.5)


def test_a_batch_with_wrong_partners_is_our_own_mistake(config: AugmentationConfig) -> None:
    made = chain(config)
    batch = batch_of(made, list(range(12)), 0)
    batch.partners = tuple(clip for clip in CLIPS)
    with pytest.raises(RuntimeError, match="not its partner"):
        made.mix(batch, 0)


def test_one_training_clip_has_nobody_to_mix_with() -> None:
    config = AugmentationConfig.model_validate({"mixup": {"p": 1}})
    assert chain(config, clips=CLIPS[:1]).partner(CLIPS[0], 0) is None


def test_silence_in_all_operations_gives_no_nan(config: AugmentationConfig) -> None:
    silent = torch.zeros(12, SAMPLES), torch.zeros(12, dtype=torch.int64), CLIPS, 0
    uncovered = config.model_copy(update={"wave_masking": AugmentationConfig().wave_masking})
    assert torch.equal(chain(uncovered).wave(*silent), torch.zeros(12, SAMPLES))
    # What covers a stretch of a wave is noise of 1e-6, and that has a level that other noise goes by.
    torch.testing.assert_close(chain(config).wave(*silent), torch.zeros(12, SAMPLES), atol=1e-3, rtol=0)


def test_a_clip_made_of_parts_of_two_is_not_shortened() -> None:
    """Shortening could leave one of the two parts alone, while the label names both."""
    settings = {"timemix": {"p": 1, "min_ratio": 0.5}, "shorten": {"p": 1, "min_share": 0.15}}
    made = chain(AugmentationConfig.model_validate(settings))
    batch = batch_of(made, list(range(12)), 2)
    wave_BS, extents, _ = made.mixed_wave(batch, 2)
    torch.testing.assert_close(wave_BS, made.mix(batch, 2)[0])
    assert all(extent.is_whole for extent in extents)
    names = [done["operation"] for done in made.describe(CLIPS[0], 2, samples=SAMPLES, frames=FRAMES, bands=BANDS)]
    assert names == ["timemix"]
