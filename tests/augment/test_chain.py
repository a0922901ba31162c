"""What is done to a clip depends on seed, epoch, clip and training set, and on nothing else."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audiosurvey.augment.chain import Chain
from audiosurvey.augment.draws import BatchDraws, ClipDraws
from audiosurvey.augment.settings import AugmentationConfig
from audiosurvey.augment.wave.shorten import ShortenConfig
from audiosurvey.data.batches.batches import Batch
from audiosurvey.data.table import Clip
from audiosurvey.features.front_end import WaveAndMelFrontEnd, WaveFrontEnd
from audiosurvey.features.mel import MelConfig, MelFrontEnd
from audiosurvey.randomness import stream

SAMPLES, FRAMES, BANDS = 6000, 60, 32
CLIPS = [Clip(f"clip-{i}.wav", Path(f"clip-{i}.wav"), (i % 3,)) for i in range(12)]
WAVE_BS = torch.from_numpy(0.1 * stream("waves").standard_normal((12, SAMPLES), dtype=np.float32))
VALID_B = torch.full((12,), SAMPLES)
WAVE_MIXINGS = ("mixup", "timemix", "freqmix", "phmix")
MEL_MIXINGS = ("mel_mixup", "cutmix")
MEL_BCTF = torch.from_numpy(stream("mels").random((12, 1, FRAMES, BANDS), dtype=np.float32))
# 101 samples from frame to frame: 60 frames in 6000 samples.
REAL = MelFrontEnd(MelConfig(n_mels=BANDS, hop_length=101 / 8000), 8000)


class Levels(MelFrontEnd):
    """The mean level of 60 frames, the same in all bands, with silence at -5."""

    @property
    def silence(self) -> float:
        return -5.0

    def mel(self, wave_BS: torch.Tensor) -> torch.Tensor:
        return wave_BS.abs().reshape(-1, FRAMES, 1, SAMPLES // FRAMES).mean(3).expand(-1, FRAMES, BANDS)

    def compress(self, mel: torch.Tensor) -> torch.Tensor:
        return mel


LEVELS = Levels(REAL.config, 8000)


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
            "background": {"p": 0.5, "folder": rooms},
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


def chain(
    config: AugmentationConfig,
    seed: int = 1,
    clips: list[Clip] | None = None,
    front_end: torch.nn.Module = LEVELS,
) -> Chain:
    return Chain(config, seed=seed, sample_rate=8000, train_clips=clips or CLIPS, front_end=front_end)


def draws(
    made: Chain, clips: list[Clip], epoch: int, valid_of: Callable[[Clip], int] = lambda clip: SAMPLES
) -> BatchDraws:
    return made.draw(clips, epoch, samples=SAMPLES, valid_of=valid_of)


def unmixed(made: Chain, clips: list[Clip], epoch: int, valid: int = SAMPLES) -> ClipDraws:
    """What is drawn for these clips, mixing left out."""
    made.mixer.mixings = {}
    return draws(made, clips, epoch, lambda clip: valid).clips


def wave(
    config: AugmentationConfig,
    wave_BS: torch.Tensor,
    clips: list[Clip],
    epoch: int,
    valid: int = SAMPLES,
    seed: int = 1,
) -> torch.Tensor:
    """Waves with all operations on waves, mixing left out."""
    made = chain(config, seed)
    return made.apply_waves(wave_BS, unmixed(made, clips, epoch, valid))


def mel(config: AugmentationConfig, mel_BCTF: torch.Tensor, clips: list[Clip], epoch: int) -> torch.Tensor:
    """Maps of clips that fill their windows with all operations on spectrograms, mixing left out."""
    still = config.model_copy(update={name: getattr(AugmentationConfig(), name) for name in MOVING})
    made = chain(still.model_copy(update={"shorten": ShortenConfig(p=0)}))
    return made.apply_mels(mel_BCTF, unmixed(made, clips, epoch))


MOVING = ("speed", "shift", "cyclic_shift", "time_shift")


def described(made: Chain, clip: Clip, epoch: int, valid_of: Callable[[Clip], int] = lambda clip: SAMPLES) -> Any:
    return made.describe(draws(made, [clip], epoch, valid_of), 0)


def mixed_by(config: AugmentationConfig, names: tuple[str, ...], p: float) -> AugmentationConfig:
    """The same config, but for its mixings: these alone, with the chance `p` in all."""
    keys = config.model_dump() | {name: {"p": 0} for name in WAVE_MIXINGS + MEL_MIXINGS}
    return AugmentationConfig.model_validate(keys | {name: {"p": p / len(names)} for name in names})


def last(config: AugmentationConfig) -> AugmentationConfig:
    """The same config, its waves mixed after all else."""
    return config.model_copy(update={"mix_waves": "last"})


def batch_of(made: Chain, rows: list[int], epoch: int) -> Batch:
    clips = [CLIPS[row] for row in rows]
    drawn = draws(made, clips, epoch)
    others = [CLIPS.index(partner) if partner else row for partner, row in zip(drawn.partners, rows, strict=True)]
    target_BK = torch.eye(3)[[clip.labels[0] for clip in CLIPS]]
    return Batch(
        clips=tuple(clips),
        wave_BS=WAVE_BS[rows],
        valid_B=VALID_B[rows],
        target_BK=target_BK[rows],
        draws=drawn,
        partner_BS=WAVE_BS[others],
        partner_target_BK=target_BK[others],
    )


def test_everything_off_changes_nothing() -> None:
    made = chain(AugmentationConfig.model_validate({"shorten": {"p": 0}}))
    batch = batch_of(made, [0, 1], 0)
    drawn = draws(made, CLIPS, 0)
    assert made.apply_waves(WAVE_BS, drawn.clips) is WAVE_BS
    assert made.apply_mels(MEL_BCTF, drawn.clips) is MEL_BCTF
    assert drawn.partners == (None,) * 12
    assert made.render_waves(batch)[0] is batch.wave_BS
    assert described(made, CLIPS[0], 0) == []


def test_the_company_and_the_order_of_a_batch_do_not_matter(config: AugmentationConfig) -> None:
    wave_BS, mel_BCTF = wave(config, WAVE_BS, CLIPS, 3), mel(config, MEL_BCTF, CLIPS, 3)
    for rows in ([11, 2, 7, 5, 0], [4], list(range(11, -1, -1))):
        clips = [CLIPS[row] for row in rows]
        torch.testing.assert_close(wave(config, WAVE_BS[rows], clips, 3), wave_BS[rows], atol=1e-5, rtol=0)
        torch.testing.assert_close(mel(config, MEL_BCTF[rows], clips, 3), mel_BCTF[rows], atol=1e-6, rtol=0)


def test_draws_are_plain_data_and_the_same_in_any_batch(config: AugmentationConfig) -> None:
    made = chain(config)
    together = draws(made, CLIPS, 4)
    assert pickle.loads(pickle.dumps(together)) == together
    for row, clip in enumerate(CLIPS):
        assert made.describe(together, row) == described(made, clip, 4)


@pytest.mark.parametrize("names", [WAVE_MIXINGS, MEL_MIXINGS, WAVE_MIXINGS + MEL_MIXINGS])
@pytest.mark.parametrize("order", ["first", "last"])
def test_what_is_shown_is_free_of_the_batch(config: AugmentationConfig, names: tuple[str, ...], order: str) -> None:
    config = mixed_by(config, names, 0.8)
    made = chain(config if order == "first" else last(config), front_end=REAL)
    shown_BCTF, targets = made.render(batch_of(made, list(range(12)), 2))
    for rows in ([9, 3, 6], [5], list(range(11, -1, -1))):
        part_BCTF, part = made.render(batch_of(made, rows, 2))
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
    mixed_BS, targets = made.render_waves(batch)
    each_BS = wave(config, WAVE_BS, CLIPS, 3)
    first = chain(mixed_by(config, ("mixup",), 0.7))
    first_BS, _ = first.render_waves(batch_of(first, list(range(12)), 3))
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
        done = [step["operation"] for step in described(made, clip, 3)]
        names = {operation.name for operation in made.wave_operations}
        assert not names & set(done[done.index("mixup") :])


def test_only_those_who_have_a_partner_are_mixed() -> None:
    off = AugmentationConfig.model_validate({"shorten": {"p": 0}})
    made = chain(mixed_by(off, WAVE_MIXINGS, 0.5))
    batch = batch_of(made, list(range(12)), 2)
    mixed_BS, targets = made.render_waves(batch)
    has_partner = [partner is not None for partner in batch.partners]
    assert 0 < sum(has_partner) < 12
    for row, expected in enumerate(has_partner):
        assert torch.equal(mixed_BS[row], WAVE_BS[row]) != expected
        assert expected or torch.equal(targets.weighted_BK[row], batch.target_BK[row])
        assert bool(targets.mixed_B[row]) == expected


def test_a_mixed_spectrogram_is_made_of_the_two_as_each_is_shown_alone(config: AugmentationConfig) -> None:
    made, alone = (chain(mixed_by(config, *mixed), front_end=REAL) for mixed in ((("mel_mixup",), 1), ((), 0)))
    batch = batch_of(made, list(range(12)), 7)
    assert isinstance(batch.draws, BatchDraws)
    assert not batch.draws.wave_rows
    shown_BCTF, targets = made.render(batch)
    each_BCTF, alone_targets = alone.render(batch_of(alone, list(range(12)), 7))
    assert isinstance(shown_BCTF, torch.Tensor)
    assert isinstance(each_BCTF, torch.Tensor)
    shown_BK, target_BK = targets.weighted_BK, alone_targets.weighted_BK
    for row, clip in enumerate(CLIPS):
        mixed = made.mixer.draw(clip, 7)
        assert mixed is not None
        other, ratio = CLIPS.index(mixed.partner), mixed.draw.ratio
        expected_CTF = ratio * each_BCTF[row] + (1 - ratio) * each_BCTF[other]
        torch.testing.assert_close(shown_BCTF[row], expected_CTF, atol=1e-5, rtol=0)
        torch.testing.assert_close(shown_BK[row], ratio * target_BK[row] + (1 - ratio) * target_BK[other])
        done = described(made, clip, 7)
        assert done[-1] == {"operation": "mel_mixup", "partner": mixed.partner.id, "ratio": ratio}


@pytest.mark.parametrize("name", ["pitch", "filter_augment", "band_jitter"])
def test_a_band_operation_changes_the_spectrogram_and_not_the_wave_beside_it(name: str) -> None:
    front_end = WaveAndMelFrontEnd(REAL.config, 8000)
    plain = chain(AugmentationConfig.model_validate({"gain": {"p": 1}}), front_end=front_end)
    made = chain(AugmentationConfig.model_validate({"gain": {"p": 1}, name: {"p": 1}}), front_end=front_end)
    (plain_B1S, plain_BCTF), _ = plain.render(batch_of(plain, [0, 1, 2], 4))
    (wave_B1S, mel_BCTF), _ = made.render(batch_of(made, [0, 1, 2], 4))
    assert torch.equal(wave_B1S, plain_B1S)
    assert not torch.equal(wave_B1S[:, 0], WAVE_BS[:3])
    assert mel_BCTF.shape == plain_BCTF.shape
    for row in range(3):
        assert not torch.allclose(mel_BCTF[row], plain_BCTF[row])


def test_a_waveform_is_shown_as_it_is_where_nothing_is_done_to_spectrograms() -> None:
    made = chain(AugmentationConfig.model_validate({"gain": {"p": 1}}), front_end=WaveFrontEnd())
    shown_B1S, _ = made.render(batch_of(made, [0, 1], 0))
    assert isinstance(shown_B1S, torch.Tensor)
    assert shown_B1S.shape == (2, 1, SAMPLES)


def test_the_same_again_in_a_new_process_but_not_in_another_epoch_or_seed(config: AugmentationConfig) -> None:
    once = wave(config, WAVE_BS, CLIPS, 0)
    assert torch.equal(once, wave(config, WAVE_BS, CLIPS, 0))
    assert not torch.equal(once, wave(config, WAVE_BS, CLIPS, 1))
    assert not torch.equal(once, wave(config, WAVE_BS, CLIPS, 0, seed=2))


def test_global_random_state_is_neither_read_nor_moved(config: AugmentationConfig) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    once = mel(config, MEL_BCTF, CLIPS, 0)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    assert torch.equal(once, mel(config, MEL_BCTF, CLIPS, 0))


def test_partners_do_not_depend_on_the_order_of_the_training_clips(config: AugmentationConfig) -> None:
    one, other = chain(config), chain(config, clips=CLIPS[::-1])
    partners = draws(one, CLIPS, 4).partners
    assert partners == draws(other, CLIPS, 4).partners
    assert all(partner != clip for partner, clip in zip(partners, CLIPS, strict=True))


def test_each_operation_fires_for_its_share_of_the_clips(config: AugmentationConfig) -> None:
    made = chain(config)
    fired: dict[str, int] = {}
    for epoch in range(40):
        for clip in CLIPS:
            for done in described(made, clip, epoch):
                fired[str(done["operation"])] = fired.get(str(done["operation"]), 0) + 1
    assert set(fired) == set(AugmentationConfig.model_fields) - {"mix_waves"}
    for name, count in fired.items():
        p = getattr(config, name).p
        assert count / (40 * 12) == pytest.approx(p, abs=0.1 if p == 0.5 else 0.05), name


def test_the_description_is_what_was_done(config: AugmentationConfig) -> None:
    made = chain(mixed_by(config, (), 0))
    drawn = draws(made, CLIPS, 5)
    wave_BS, mel_BCTF = made.apply_waves(WAVE_BS, drawn.clips), made.apply_mels(MEL_BCTF, drawn.clips)
    on_waves = {operation.name for operation in made.wave_operations}
    on_mels = {operation.name for operation in made.mel_operations}
    for row, clip in enumerate(CLIPS):
        assert made.describe(drawn, row) == described(made, clip, 5)
        done = made.describe(drawn, row)
        names = {str(step["operation"]) for step in done}
        assert torch.equal(wave_BS[row], WAVE_BS[row]) == (not names & on_waves)
        assert torch.equal(mel_BCTF[row], MEL_BCTF[row]) == (not names & on_mels)


def test_noise_refers_to_the_clip_wherever_the_warp_has_put_its_end() -> None:
    config = AugmentationConfig.model_validate(
        {"time_shift": {"p": 1}, "noise": {"p": 1, "min_snr_db": 20, "max_snr_db": 20}, "shorten": {"p": 0}}
    )
    only_warped = config.model_copy(update={"noise": AugmentationConfig().noise})
    wave_BS = WAVE_BS * (torch.arange(SAMPLES) < 2500)
    warped_BS = wave(only_warped, wave_BS, CLIPS, 0, 2500)
    noise_BS = wave(config, wave_BS, CLIPS, 0, 2500) - warped_BS
    for warped_S, noise_S in zip(warped_BS, noise_BS, strict=True):
        end = int(warped_S.nonzero()[-1]) + 1
        snr_db = 10 * torch.log10(warped_S[:end].square().mean() / noise_S[:end].square().mean())
        assert snr_db == pytest.approx(20, abs=0.1)


UNSHORTENED = {"shorten": {"p": 0}}
MASKED = UNSHORTENED | {"time_masking": {"p": 1, "num": 1, "tmp": 12}}


def padded(valid: int, made: Chain | None = None, epoch: int = 0) -> Batch:
    """Clips of this many samples in windows of 6000, all of them louder than 0.01."""
    wave_BS = (0.01 + WAVE_BS.abs()) * (torch.arange(SAMPLES) < valid)
    target_BK = torch.eye(3)[[clip.labels[0] for clip in CLIPS]]
    drawn = draws(made, CLIPS, epoch, lambda clip: valid) if made else None
    return Batch(tuple(CLIPS), wave_BS, torch.full((12,), valid), target_BK, drawn)


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
        shown_BCTF, _ = made.render(padded(750, made, epoch))
        heard_BCTF, _ = unmasked.render(padded(750, unmasked, epoch))
        assert isinstance(shown_BCTF, torch.Tensor)
        assert isinstance(heard_BCTF, torch.Tensor)
        covered_BT = (shown_BCTF == -5).all(3)[:, 0]
        sounds_BT = (heard_BCTF > 0).all(3)[:, 0]
        assert not (covered_BT & ~sounds_BT).any()
        masks += int(covered_BT.any(1).sum())
        done = [described(made, clip, epoch, lambda clip: 750)[-1] for clip in CLIPS]
        for covered_T, told in zip(covered_BT, done, strict=True):
            spans: Any = told["covered_frames"]
            assert [t for first, last in spans for t in range(first, last + 1)] == covered_T.nonzero()[:, 0].tolist()
    # Of widths 0 to 11 one in twelve covers nothing.
    assert masks > 150


def test_masks_of_clips_that_are_repeated_fall_anywhere() -> None:
    """With `pad: repeat` all of the window sounds."""
    made = chain(AugmentationConfig.model_validate(MASKED))
    shown = [made.render(padded(SAMPLES, made, epoch))[0] for epoch in range(20)]
    assert torch.stack([part[:, 0, :, 0] == -5 for part in shown if isinstance(part, torch.Tensor)]).any(0).any(0).all()


def draws_of_unequal(made: Chain, epoch: int) -> BatchDraws:
    """Of clips of 750 samples with partners of 3000: the chain asks for the lengths of all clips first."""
    lengths = iter([750] * len(CLIPS))
    return draws(made, CLIPS, epoch, lambda clip: next(lengths, 3000))


@pytest.mark.parametrize("order", ["first", "last"])
def test_masks_of_a_mixture_fall_on_the_longer_of_both(order: str) -> None:
    made = chain(AugmentationConfig.model_validate(MASKED | {"mixup": {"p": 1}, "mix_waves": order}))
    covered_T = torch.zeros(FRAMES, dtype=torch.bool)
    for epoch in range(40):
        batch = padded(750)
        own = made.draw(CLIPS, epoch, samples=SAMPLES, valid_of=lambda clip: 750)
        batch.draws = draws_of_unequal(made, epoch)
        assert batch.partners == own.partners
        batch.partner_BS, batch.partner_target_BK = padded(3000).wave_BS, batch.target_BK
        shown_BCTF, _ = made.render(batch)
        assert isinstance(shown_BCTF, torch.Tensor)
        covered_T |= (shown_BCTF == -5).all(3)[:, 0].any(0)
    assert covered_T.nonzero()[:, 0].tolist() == list(range(30))


def test_noise_refers_to_the_clip_wherever_it_was_turned_to() -> None:
    turned = UNSHORTENED | {"cyclic_shift": {"p": 1}}
    config = turned | {"noise": {"p": 1, "min_snr_db": 20, "max_snr_db": 20}}
    wave_BS = padded(2500).wave_BS
    turned_BS, noisy_BS = (
        wave(AugmentationConfig.model_validate(keys), wave_BS, CLIPS, 0, 2500) for keys in (turned, config)
    )
    for turned_S, noise_S in zip(turned_BS, noisy_BS - turned_BS, strict=True):
        sounds_S = turned_S != 0
        snr_db = 10 * torch.log10(turned_S[sounds_S].square().mean() / noise_S[sounds_S].square().mean())
        assert snr_db == pytest.approx(20, abs=0.5)


def test_one_training_clip_has_nobody_to_mix_with() -> None:
    config = AugmentationConfig.model_validate({"mixup": {"p": 1}})
    assert draws(chain(config, clips=CLIPS[:1]), CLIPS[:1], 0).partners == (None,)


def test_silence_in_all_operations_gives_no_nan(config: AugmentationConfig) -> None:
    silent = torch.zeros(12, SAMPLES), CLIPS, 0, 0
    uncovered = config.model_copy(update={"wave_masking": AugmentationConfig().wave_masking})
    assert torch.equal(wave(uncovered, *silent), torch.zeros(12, SAMPLES))
    # What covers a stretch of a wave is noise of 1e-6, and that has a level that other noise goes by.
    torch.testing.assert_close(wave(config, *silent), torch.zeros(12, SAMPLES), atol=1e-3, rtol=0)


def test_a_clip_made_of_parts_of_two_is_not_shortened() -> None:
    """Shortening could leave one of the two parts alone, while the label names both."""
    settings = {"timemix": {"p": 1, "min_ratio": 0.5}, "shorten": {"p": 1, "min_share": 0.15}}
    made = chain(AugmentationConfig.model_validate(settings))
    batch = batch_of(made, list(range(12)), 2)
    assert isinstance(batch.draws, BatchDraws)
    assert not batch.draws.clips.waves
    assert batch.draws.wave_rows == tuple(range(12))
    assert all(extent.is_whole for extent in batch.draws.clips.wave_extents)
    names = [done["operation"] for done in described(made, CLIPS[0], 2)]
    assert names == ["timemix"]
