"""Rules across sections, each at the border where it begins to hold."""

import pytest

from audiosurvey.config.loader import load_text
from audiosurvey.errors import UserError

MEL = "mel_spectrogram: {win_length: 0.032, hop_length: 0.01}\n"


def faults(text: str) -> list[tuple[str, str]]:
    """(dotted path, message) of every fault."""
    try:
        load_text(text, "x")
    except UserError as error:
        return [(line.split(": ")[1], line.split(": ", 2)[2]) for line in error.lines]
    return []


def warnings(text: str) -> list[tuple[str, str]]:
    return [(line.split(": ")[1], line.split(": ", 2)[2]) for line in load_text(text, "x").warnings]


@pytest.mark.parametrize(
    ("section", "key", "fits"),
    [
        # 5 s in steps of 10 ms: 501 frames; 64 bands.
        ("time_masking: {{p: 0.5, tmp: {}}}", "time_masking.tmp", 501),
        ("freq_masking: {{p: 0.5, fmp: {}}}", "freq_masking.fmp", 64),
        ("dropblock: {{p: 0.5, block_size: {{t: {}}}}}", "dropblock.block_size.t", 501),
        ("dropblock: {{p: 0.5, block_size: {{f: {}}}}}", "dropblock.block_size.f", 64),
        ("time_masking: {{tmp: {}}}", "time_masking.tmp", 501),
    ],
)
def test_masks_must_fit(section: str, key: str, fits: int) -> None:
    def text(size: int) -> str:
        return MEL + "augmentation: {" + section.format(size) + "}\n"

    assert faults(text(fits)) == []
    ((path, message),) = faults(text(fits + 1))
    assert path == f"augmentation.{key}"
    assert str(fits) in message


@pytest.mark.parametrize("p", [0.5, 0])
@pytest.mark.parametrize(
    ("f_max", "jitter", "fits"),
    [
        ("null", "low_hz: 10, high_hz: 15900", True),
        ("null", "low_hz: 10, high_hz: 15960", False),
        ("900", "low_hz: 10", False),  # by default the highest edge moves by 1000 Hz
        ("900", "low_hz: 10, high_hz: 839", True),
        ("900", "low_hz: 10, high_hz: 840", False),
        ("900", "low_hz: 300, high_hz: 600", False),
        ("20000", "low_hz: 10, high_hz: 15950", True),
        ("20000", "low_hz: 16000, high_hz: 0", False),  # no edge is above half the sample rate
    ],
)
def test_moved_bands_keep_their_order(p: float, f_max: str, jitter: str, fits: bool) -> None:
    text = (
        f"sample_rate: 32000\nmel_spectrogram: {{n_mels: 8, f_min: 50, f_max: {f_max}, compression: db}}\n"
        f"augmentation: {{band_jitter: {{p: {p}, {jitter}}}}}\n"
    )
    found = faults(text)
    if fits or p == 0:
        assert found == []
        return
    ((path, message),) = found
    assert path == "augmentation.band_jitter.high_hz"
    assert "no band is left between them" in message


def test_defaults_of_what_is_off_may_be_longer_than_a_short_clip() -> None:
    # 100 ms: 11 frames; the default mask is 20 frames, and off.
    text = MEL + "dataset: {name: toy, clip_seconds: 0.1}\nmodel: {blocks: [pooling: {flat: true}]}\n"
    assert faults(text) == []
    assert [path for path, _ in faults(text + "augmentation: {time_masking: {p: 0.1}}\n")] == [
        "augmentation.time_masking.tmp"
    ]


def test_a_clip_shorter_than_a_window() -> None:
    ((path, message),) = faults(MEL + "dataset: {name: toy, clip_seconds: 0.03}\n")
    assert path == "dataset.clip_seconds"
    assert "0.03 s is shorter than one window of 0.032 s" in message
    ((path, _),) = faults("mel_spectrogram: {win_length: 1.5}\ndataset: {name: toy}\n")
    assert path == "mel_spectrogram.win_length"


def test_a_transform_longer_than_the_clip() -> None:
    text = "sample_rate: 16000\ndataset: {{name: toy}}\nmel_spectrogram: {{n_fft: {}, center: {}}}\n"
    assert faults(text.format(16_000, "false") + "model: {blocks: [pooling: {flat: true}]}") == []
    assert [path for path, _ in faults(text.format(16_001, "false"))] == ["mel_spectrogram.n_fft"]
    # Reflection needs more samples than it adds.
    assert [path for path, _ in faults(text.format(32_000, "true"))] == ["mel_spectrogram.n_fft"]


def test_a_transform_that_cannot_hold_its_window() -> None:
    ((path, message),) = faults("sample_rate: 32000\nmel_spectrogram: {win_length: 0.032, n_fft: 1023}\n")
    assert path == "mel_spectrogram.n_fft"
    assert "1024 samples" in message


def test_a_step_below_one_sample() -> None:
    # At 1000 Hz a sample is 1 ms long.
    text = "sample_rate: 1000\ndataset: {{name: toy}}\nmel_spectrogram: {{{}: {}, n_mels: 4}}\n"
    model = "model: {blocks: [pooling: {flat: true}]}\n"
    for key in ("hop_length", "win_length"):
        assert faults(text.format(key, 0.001) + model) == []
        ((path, message),) = faults(text.format(key, 0.0009) + model)
        assert path == f"mel_spectrogram.{key}"
        assert "less than one sample at 1000 Hz (0.001 s)" in message


def test_bands_above_half_the_rate() -> None:
    assert [path for path, _ in faults("sample_rate: 8000\nmel_spectrogram: {f_min: 4000}\n")] == [
        "mel_spectrogram.f_min"
    ]
    assert warnings("sample_rate: 32000\nmel_spectrogram: {f_max: 16000}\n") == []
    ((path, message),) = warnings("sample_rate: 16000\nmel_spectrogram: {f_max: 16000}\n")
    assert path == "mel_spectrogram.f_max"
    assert "above half of sample_rate (8000 Hz)" in message
    assert "to 63" in message


def test_too_many_bands_for_the_transform() -> None:
    # 125 Hz a bin: the lowest triangles fall between the bins.
    ((path, message),) = warnings("sample_rate: 32000\nmel_spectrogram: {n_mels: 128, n_fft: 256, win_length: 0.008}\n")
    assert path == "mel_spectrogram.n_mels"
    assert "128 bands are too many for n_fft = 256 (125 Hz a bin)" in message
    assert "nothing reaches mel filters" in message


def test_many_empty_bands_are_counted() -> None:
    ((path, message),) = warnings("mel_spectrogram: {n_mels: 5000}\n")
    assert path == "mel_spectrogram.n_mels"
    assert len(message) < 250
    assert "nothing reaches mel filters 0 to 4999 (3978 of them); lower n_mels" in message


def test_a_pooling_that_leaves_nothing() -> None:
    blocks = ", ".join(["max_pool: [2, 2]"] * 9)
    ((path, message),) = faults(f"model: {{blocks: [{blocks}, pooling: {{flat: true}}]}}\n{MEL}")
    # 501 frames halve to 1 in eight steps.
    assert path == "model.blocks.8"
    assert "T" in message


def test_patience_beside_fixed_epochs() -> None:
    ((path, message),) = faults("protocol: {selection: last}\ntrain: {patience: 3}\n")
    assert path == "protocol.selection"
    assert "remove train.patience" in message
    assert "selection: validation" in message
    assert faults("train: {patience: 3}\n") == []
    assert faults("protocol: {selection: last}\ntrain: {patience: 0, epochs: 4}\n") == []


def test_epochs_without_an_end() -> None:
    for stage in ("train", "pretrain"):
        for text in ("{epochs: 0}", "{epochs: 0, patience: 0}"):
            ((path, message),) = faults(f"{stage}: {text}\n")
            assert path == f"{stage}.epochs"
            assert message.startswith("0 means training until early stopping, but no patience is set")


def test_a_rule_that_reads_a_faulty_key_is_skipped() -> None:
    text = "mel_spectrogram: {hop_length: %s}\naugmentation: {time_masking: {p: 1, tmp: 9000}}\n"
    assert [path for path, _ in faults(text % "0.01")] == ["augmentation.time_masking.tmp"]
    assert [path for path, _ in faults(text % "x")] == ["mel_spectrogram.hop_length"]


def test_pretraining_on_what_is_tested() -> None:
    urban = "dataset: {name: urbansound8k}\n"
    assert [path for path, _ in faults(urban + "pretrain_urban: true")] == ["pretrain_urban"]
    assert [path for path, _ in faults(urban + "pretrain: {dataset: {name: urbansound8k}}")] == ["pretrain.dataset"]
    assert faults(urban + "pretrain: {dataset: {name: esc50}}") == []
    both = "pretrain_urban: true\npretrain: {dataset: {name: toy}}"
    assert [path for path, _ in faults(both)] == ["pretrain_urban"]


def test_weights_of_classes_that_are_not_there() -> None:
    ((path, message),) = faults("loss: {class_weights: {dog: 2, rooste: 3}}\n")
    assert path == "loss.class_weights.rooste"
    assert message == "unknown class 'rooste'; did you mean 'rooster'?"
    assert [path for path, _ in faults("loss: {class_weights: {cat: 2}}\ndataset: {subset: esc10}\n")] == [
        "loss.class_weights.cat"
    ]
    assert [path for path, _ in faults("loss: {class_weights: {dog: 0}}\n")] == ["loss.class_weights.dog"]
    assert [path for path, _ in faults("loss: {class_weights: even}\n")] == ["loss.class_weights"]


def test_balanced_twice_over() -> None:
    text = "loss: {class_weights: balanced}\n"
    assert warnings(text) == []
    ((path, message),) = warnings(text + "train: {sampling: balanced}\n")
    assert path == "loss.class_weights"
    assert "count twice over" in message


def test_thawing_after_the_end() -> None:
    text = "model: {{freeze: body, thaw: [{{epoch: {}}}]}}\npretrain_urban: true\ntrain: {{epochs: 5}}\n"
    assert faults(text.format(5)) == []
    assert faults(text.format(6)) == [("model.thaw.0.epoch", "6 is never reached: train.epochs is 5")]


POOLED = "model:\n  blocks:\n    - pooling: {mode: avg, flat: true}\n"


def test_a_norm_of_features_has_no_variance_over_one_clip() -> None:
    normed, one = POOLED + "    - fc: 8\n    - norm: batch\n", "train: {batch_size: 1}\n"
    ((path, message),) = faults(normed + one)
    assert path == "train.batch_size"
    assert message == (
        "the norm behind `pooling` has no variance over one clip; take 2 or more, and accum_iter for larger steps"
    )
    assert faults(normed + "train: {batch_size: 2}\n") == []
    assert faults(POOLED + "    - fc: 8\n" + one) == []
    # A norm of a map, which has the cells of one clip.
    assert faults(POOLED.replace("    - pooling", "    - norm: batch\n    - pooling") + one) == []
    both = faults(normed + one + "pretrain_urban: true\npretrain: {batch_size: 1}\n")
    assert [path for path, _ in both] == ["train.batch_size", "pretrain.batch_size"]


def test_a_norm_that_keeps_its_statistics_takes_one_clip() -> None:
    normed = POOLED + "    - fc: 8\n    - norm: batch\n"
    one = "\npretrain_urban: true\ntrain: {batch_size: 1, epochs: 4}\n"
    for kept in ("freeze: body", "freeze: [2]", "keep_statistics: true"):
        assert faults(normed + "  " + kept + one) == []
    for counted in ("freeze: 2", "freeze: body\n  thaw: [{epoch: 3}]"):
        assert [path for path, _ in faults(normed + "  " + counted + one)] == ["train.batch_size"]


def test_no_batch_is_normed_where_the_classifier_alone_is_fitted() -> None:
    assert faults(HEAD + "train: {head_only: true, batch_size: 1}\n") == []


HEAD = "model: {preset: mn04, init: efficientat/mn04_as}\n"


def test_a_head_needs_a_body() -> None:
    text = "train: {head_only: true}\n"
    ((path, message),) = faults(text)
    assert path == "train.head_only"
    assert message.endswith("set model.init or pretrain.dataset")
    assert faults(text + "pretrain_urban: true\n") == []
    ((path, message),) = faults("pretrain: {head_only: true}\n")
    assert path == "pretrain.head_only"
    assert message.endswith("set train.head_only")
    for penalty in ("0", "-1", "atuo"):
        assert [path for path, _ in faults(f"train: {{head_penalty: {penalty}}}\n")] == ["train.head_penalty"]


def test_a_head_first_needs_a_body_and_steps() -> None:
    assert [path for path, _ in faults("train: {head_first: true}\n")] == ["train.head_first"]
    ((path, message),) = faults("pretrain: {head_first: true}\n")
    assert path == "pretrain.head_first"
    assert message.endswith("set train.head_first")
    assert warnings(HEAD + "train: {head_first: true, head_penalty: 0.1}\n") == []
    assert [path for path, _ in warnings(HEAD + "train: {head_first: true, head_only: true}\n")] == ["train.head_first"]


def test_what_has_no_effect_on_a_head_is_named_where_it_stands() -> None:
    text = HEAD + (
        "train:\n  head_only: true\n  epochs: 7\n  lr: 0.1\n  batch_size: 64\n"
        "augmentation:\n  gain: {p: 0.5}\n  noise: {p: 0}\nschedule: {name: constant}\nloss: {label_smoothing: 0.1}\n"
    )
    lines = [line for line in load_text(text, "x").warnings if "head_only" in line]
    assert [line.split(": ")[:2] for line in lines] == [
        ["x:4", "train.epochs"],
        ["x:5", "train.lr"],
        ["x:8", "augmentation.gain"],
        ["x:10", "schedule.name"],
    ]
    assert warnings(HEAD + "train: {head_only: true, head_penalty: auto}\n") == []
    asked = HEAD + "train: {head_only: true, patience: 3}\nswa: {start: 0.5}\n"
    # An average over a share of steps asks for a known number of them, probe or not.
    assert [path for path, _ in faults(asked)] == ["swa.start"]
    assert [path for path, _ in warnings(asked.replace("patience", "epochs"))] == ["swa.start", "train.epochs"][::-1]


def test_a_pretraining_uses_what_a_head_does_not() -> None:
    text = "train: {head_only: true}\npretrain_urban: true\naugmentation: {gain: {p: 1}}\noptimizer: {beta1: 0.8}\n"
    assert warnings(text) == []


def test_a_penalty_without_a_head() -> None:
    assert [path for path, _ in warnings("train: {head_penalty: auto}\n")] == ["train.head_penalty"]


def test_one_average_of_the_weights_and_a_known_end() -> None:
    assert load_text("swa: {start: 0.75}\n", "x").config.ema.decay == 0
    assert load_text("", "x").config.ema.decay == 0.999
    ((path, message),) = faults("swa: {start: 0.75}\nema: {decay: 0.99}\n")
    assert path == "swa.start"
    assert "ema.decay: 0.99 asks for another" in message
    ((path, message),) = faults("swa: {start: 0.75}\ntrain: {patience: 3}\n")
    assert path == "swa.start"
    assert message.endswith("give train.epochs")
    assert faults("swa: {start: 0.75}\ntrain: {patience: 3, epochs: 9}\n") == []
    ((_, message),) = faults("swa: {start: 0.75}\npretrain: {patience: 3}\npretrain_urban: true\n")
    assert message.endswith("give pretrain.epochs")
    assert [path for path, _ in faults("swa: {start: 1}\n")] == ["swa.start"]


def test_other_classes_of_the_same_data_may_come_first() -> None:
    ten = "dataset: {subset: esc10}\n"
    assert faults(ten + "pretrain: {dataset: {name: esc50, exclude_classes: [dog, rooster]}}\n") == []
    assert faults(ten + "pretrain: {dataset: {name: esc50}}\n") == []
    for before, after in (
        ("{name: esc50}", ""),
        ("{name: esc50, subset: esc10}", ""),
        ("{name: esc50, classes: [dog]}", ten),
    ):
        ((path, message),) = faults(after + f"pretrain: {{dataset: {before}}}\n")
        assert path == "pretrain.dataset"
        assert message.endswith("all test clips would be seen in pretraining")


def cropped(seconds: float, flat: str = "true") -> str:
    blocks = f"[pooling: {{mode: avg, flat: {flat}}}]"
    return f"{MEL}dataset: {{name: toy}}\ntrain: {{crop_seconds: {seconds}}}\nmodel: {{blocks: {blocks}}}\n"


def test_a_section_is_no_longer_than_the_clip_and_no_shorter_than_a_window() -> None:
    assert faults(cropped(1, "true")) == faults(cropped(0.04, "false")) == []
    ((path, message),) = faults(cropped(1.1, "true"))
    assert path == "train.crop_seconds"
    assert "1.1 s is longer than the clip of 1 s" in message
    ((path, message),) = faults(cropped(0.03, "true"))
    assert path == "train.crop_seconds"
    assert "shorter than one window" in message


def test_a_section_too_short_for_the_network() -> None:
    text = cropped(0.1, "true").replace("[pooling", "[max_pool: [20, 20], pooling")
    ((path, message),) = faults(text)
    assert path == "train.crop_seconds"
    assert message.startswith("too short: ")
    assert faults(text.replace("0.1", "0.5")) == []


def test_masks_must_fit_into_the_section() -> None:
    # 0.5 s in steps of 10 ms: 51 frames.
    text = cropped(0.5, "true") + "augmentation: {time_masking: {p: 1, tmp: 51}}\n"
    assert faults(text) == []
    ((path, message),) = faults(text.replace("tmp: 51", "tmp: 52"))
    assert path == "augmentation.time_masking.tmp"
    assert "which has 51 (0.5 s)" in message


def test_the_section_of_a_pretraining_is_of_its_own_clips() -> None:
    text = MEL + "dataset: {name: toy}\npretrain_urban: true\npretrain: {crop_seconds: 3}\n"
    assert faults(text) == []
    ((path, message),) = faults(text.replace("3}", "4.5}"))
    assert path == "pretrain.crop_seconds"
    assert "longer than the clip of 4 s" in message


def test_the_least_momentum_lies_below_the_greatest() -> None:
    text = "schedule: {name: one_cycle, momentum_low: 0.92}\n"
    assert faults(text + "optimizer: {beta1: 0.92}\n") == []
    assert [path for path, _ in faults(text)] == ["schedule.momentum_low"]
    ((_, message),) = faults(text + "optimizer: {name: sgd}\n")
    assert "optimizer.momentum (0.9)" in message
