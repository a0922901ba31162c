"""PANNs' checkpoints: files of the official form, written by plain networks with the official names, give the same
logits in ours."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiosurvey.config.init_weights import front_end_of, hearing_faults
from audiosurvey.config.loader import load_config
from audiosurvey.errors import UserError
from audiosurvey.features.mel import MelConfig
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network
from audiosurvey.model.weights.panns_checkpoint import RELEASED
from audiosurvey.model.weights.pretrained import open_weights
from audiosurvey.threads import one_thread

MELS, SHAPE = 64, (1, 64, 64)
TAIL: list[dict[str, Any]] = [
    {"mean": "bands"},
    {"pooling": {"mode": "avg+max", "flat": True}},
    {"fc": 10},
    {"activation": "relu"},
]


@pytest.fixture(autouse=True)
def in_one_thread() -> Iterator[None]:
    with one_thread():
        yield


class Base(nn.Module):
    """What all of the official models share: norm of the bands first, two linear layers last."""

    def __init__(self, body: int) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(MELS)
        self.fc1 = nn.Linear(body, 10)
        self.fc_audioset = nn.Linear(10, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn0(x.transpose(1, 3)).transpose(1, 3)
        x = self.body(x).mean(3)
        return self.fc_audioset(torch.relu(self.fc1(x.amax(2) + x.mean(2))))

    def body(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class ConvBlock(nn.Module):
    """The official order of attributes: both convolutions, then both norms."""

    def __init__(self, channels: int, out: int, pool: int | tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(out), nn.BatchNorm2d(out)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        return F.avg_pool2d(F.relu(self.bn2(self.conv2(x))), self.pool)


class Cnn(Base):
    def __init__(self) -> None:
        super().__init__(16)
        self.conv_block1, self.conv_block2 = ConvBlock(1, 8, 2), ConvBlock(8, 16, 1)

    def body(self, x: Tensor) -> Tensor:
        return self.conv_block2(self.conv_block1(x))


CNN = [{"conv_block": {"channels": 8}}, {"cell_dropout": 0.2}, {"conv_block": {"channels": 16, "pool": [1, 1]}}, *TAIL]


class Basic(nn.Module):
    def __init__(self, channels: int, width: int, pool: int, bottleneck: bool) -> None:
        super().__init__()
        out = 4 * width if bottleneck else width
        self.conv1 = nn.Conv2d(channels, width, 1 if bottleneck else 3, padding=0 if bottleneck else 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        if bottleneck:
            self.conv3 = nn.Conv2d(width, out, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(out)
        changed = [nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out)]
        if pool > 1:
            self.downsample = nn.Sequential(nn.AvgPool2d(pool), *changed)
        elif channels != out:
            self.downsample = nn.Sequential(*changed)
        self.pool, self.bottleneck = pool, bottleneck

    def forward(self, x: Tensor) -> Tensor:
        around = self.downsample(x) if hasattr(self, "downsample") else x
        y = F.relu(self.bn1(self.conv1(F.avg_pool2d(x, self.pool))))
        y = self.bn2(self.conv2(y))
        if self.bottleneck:
            y = self.bn3(self.conv3(F.relu(y)))
        return F.relu(y + around)


class Layers(nn.Module):
    def __init__(self, bottleneck: bool) -> None:
        super().__init__()
        wide = 4 if bottleneck else 1
        self.layer1 = nn.Sequential(Basic(8, 8, 1, bottleneck), Basic(8 * wide, 8, 1, bottleneck))
        self.layer2 = nn.Sequential(Basic(8 * wide, 12, 2, bottleneck), Basic(12 * wide, 12, 1, bottleneck))


class ResNet(Base):
    def __init__(self, bottleneck: bool) -> None:
        super().__init__(20)
        self.conv_block1 = ConvBlock(1, 8, 2)
        self.resnet = Layers(bottleneck)
        self.conv_block_after1 = ConvBlock(48 if bottleneck else 12, 20, 1)

    def body(self, x: Tensor) -> Tensor:
        x = self.resnet.layer2(self.resnet.layer1(self.conv_block1(x)))
        return self.conv_block_after1(F.avg_pool2d(x, 2))


def resnet_blocks(bottleneck: bool) -> list[dict[str, Any]]:
    each = [(8, [1, 1]), (8, [1, 1]), (12, [2, 2]), (12, [1, 1])]
    residual = [{"panns_residual": {"channels": c, "bottleneck": bottleneck, "pool": p}} for c, p in each]
    last = [{"pool": {"mode": "avg", "kernel": [2, 2]}}, {"conv_block": {"channels": 20, "pool": [1, 1]}}]
    return [{"conv_block": {"channels": 8}}, *residual, *last, *TAIL]


def depthwise(channels: int, pool: int, activation: type[nn.Module]) -> list[nn.Module]:
    conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
    return [conv, nn.AvgPool2d(pool), nn.BatchNorm2d(channels), activation()]


def stem(activation: type[nn.Module]) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.AvgPool2d(2), nn.BatchNorm2d(8), activation())


def separable(channels: int, out: int, pool: int) -> nn.Sequential:
    pointwise = [nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
    return nn.Sequential(*depthwise(channels, pool, nn.ReLU), *pointwise)


class MobileNetV1(Base):
    def __init__(self) -> None:
        super().__init__(16)
        # Eleven blocks: a tenth that was sorted before the second would be found out.
        self.features = nn.Sequential(stem(nn.ReLU), separable(8, 16, 2), *(separable(16, 16, 1) for _ in range(10)))

    def body(self, x: Tensor) -> Tensor:
        return self.features(x)


STEM = [{"conv": {"channels": 8, "bias": False}}, {"pool": {"mode": "avg", "kernel": [2, 2]}}, {"norm": "batch"}]
V1 = [*STEM, {"activation": "relu"}, {"separable": {"channels": 16, "pool": [2, 2]}}]
V1 += [{"separable": {"channels": 16}}] * 10 + TAIL


class InvertedResidual(nn.Module):
    def __init__(self, channels: int, out: int, pool: int, expand: int) -> None:
        super().__init__()
        inside = channels * expand
        wide = [nn.Conv2d(channels, inside, 1, bias=False), nn.BatchNorm2d(inside), nn.ReLU6()] if expand > 1 else []
        narrow = [nn.Conv2d(inside, out, 1, bias=False), nn.BatchNorm2d(out)]
        self.conv = nn.Sequential(*wide, *depthwise(inside, pool, nn.ReLU6), *narrow)
        self.adds = pool == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.adds else self.conv(x)


class MobileNetV2(Base):
    def __init__(self) -> None:
        super().__init__(24)
        last = nn.Sequential(nn.Conv2d(12, 24, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU6())
        blocks = [InvertedResidual(8, 8, 1, 1), InvertedResidual(8, 12, 2, 6), InvertedResidual(12, 12, 1, 6)]
        self.features = nn.Sequential(stem(nn.ReLU6), *blocks, last)

    def body(self, x: Tensor) -> Tensor:
        return self.features(x)


V2 = [
    *STEM,
    {"activation": "relu6"},
    {"inverted": {"channels": 8, "expand": 1}},
    {"inverted": {"channels": 12, "pool": [2, 2]}},
    {"inverted": {"channels": 12}},
    {"conv_block": {"channels": 24, "layers": 1, "kernel": [1, 1], "activation": "relu6", "pool": [1, 1]}},
    *TAIL,
]


class PreWavBlock(nn.Module):
    """Along the wave: two convolutions, the second of them with gaps, and the maximum of four."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels, out, 3, padding=1, bias=False)
        self.conv2 = nn.Conv1d(out, out, 3, padding=2, dilation=2, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm1d(out), nn.BatchNorm1d(out)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        return F.max_pool1d(F.relu(self.bn2(self.conv2(x))), 4)


class Wavegram(Base):
    """Wavegram-Cnn14, which holds a norm and a first block for a spectrogram that it never hears, or
    Wavegram-Logmel-Cnn14, which hears it."""

    def __init__(self, logmel: bool) -> None:
        super().__init__(16)
        self.pre_conv0 = nn.Conv1d(1, 8, 11, stride=5, padding=5, bias=False)
        self.pre_bn0 = nn.BatchNorm1d(8)
        self.pre_block1, self.pre_block2, self.pre_block3 = PreWavBlock(8, 8), PreWavBlock(8, 16), PreWavBlock(16, 64)
        self.pre_block4 = ConvBlock(2, 8, (2, 1))
        self.conv_block1, self.conv_block2 = ConvBlock(1, 8, 2), ConvBlock(16 if logmel else 8, 16, 2)
        self.logmel = logmel

    def forward(self, x: Any) -> Tensor:
        wave, mel = x if self.logmel else (x, None)
        x = F.relu(self.pre_bn0(self.pre_conv0(wave)))
        x = self.pre_block3(self.pre_block2(self.pre_block1(x)))
        x = self.pre_block4(x.reshape(len(x), -1, 32, x.shape[-1]).transpose(2, 3))
        if mel is not None:
            x = torch.cat([x, self.conv_block1(self.bn0(mel.transpose(1, 3)).transpose(1, 3))], 1)
        x = self.conv_block2(x).mean(3)
        return self.fc_audioset(torch.relu(self.fc1(x.amax(2) + x.mean(2))))


def along(channels: int, kernel: int, **more: Any) -> dict[str, Any]:
    sizes = {"channels": channels, "layers": 1, "kernel": [kernel, 1], "pool": [1, 1]}
    return {"conv_block": sizes | more}


GAPS = {"dilation": [2, 1], "pool": [4, 1], "pool_mode": "max"}
WAVE_BRANCH: list[dict[str, Any]] = [
    {"input": "wave"},
    along(8, 11, stride=[5, 1]),
    *(along(channels, 3, **more) for channels in (8, 16, 64) for more in ({}, GAPS)),
    {"channels_to_bands": 32},
    {"conv_block": {"channels": 8, "pool": [2, 1]}},
]
MEL_BRANCH: list[dict[str, Any]] = [{"input": "mel"}, {"conv_block": {"channels": 8}}, {"join": "channels"}]
WAVEGRAM_SHAPES = (1, 5120), (1, 17, MELS)


def stored_front_end(n_fft: int = 1024, rate: int = 32_000, top: int = 14_000) -> dict[str, Tensor]:
    """The matrices that the official models carry, by librosa and by the definition of the transform."""
    import librosa

    bank = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=MELS, fmin=50, fmax=top)
    window = librosa.filters.get_window("hann", n_fft, fftbins=True)
    transform = np.exp(-2j * np.pi * np.outer(np.arange(n_fft), np.arange(n_fft // 2 + 1)) / n_fft) * window[:, None]
    return {
        "spectrogram_extractor.stft.conv_real.weight": torch.from_numpy(transform.real.T[:, None].astype(np.float32)),
        "spectrogram_extractor.stft.conv_imag.weight": torch.from_numpy(transform.imag.T[:, None].astype(np.float32)),
        "logmel_extractor.melW": torch.from_numpy(bank.T.copy()),
    }


def randomised(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            spread = 0.3 * torch.randn(value.shape, generator=generator)
            value.copy_(spread.abs() + 0.5 if "running_var" in name else spread)
    return model.eval()


def write(path: Path, tensors: dict[str, Tensor], **more: Any) -> str:
    sampler = {"indexes": np.arange(4), "pointer": np.int64(2)}
    content = {"iteration": 3, "model": tensors, "sampler": sampler, **more}
    # The official files are older than torch's zip format.
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return str(path)


def ours(blocks: list[dict[str, Any]], classes: int = 7) -> Network:
    config = ModelConfig.model_validate({"blocks": blocks})
    return build_network(config, input_shape=SHAPE, classes=classes, seed=0, standardize="batch_norm").eval()


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(
    ("official", "blocks"),
    [
        (Cnn(), CNN),
        (ResNet(False), resnet_blocks(False)),
        (ResNet(True), resnet_blocks(True)),
        (MobileNetV1(), V1),
        (MobileNetV2(), V2),
    ],
    ids=["Cnn", "ResNet", "ResNet54", "MobileNetV1", "MobileNetV2"],
)
@torch.no_grad()
def test_the_same_logits(tmp_path: Path, official: nn.Module, blocks: list[dict[str, Any]], shuffled: bool) -> None:
    randomised(official)
    tensors = official.state_dict() | stored_front_end()
    if shuffled:
        tensors = {name: tensors[name] for name in sorted(tensors)}
    network = ours(blocks)
    report = open_weights(write(tmp_path / "official.pth", tensors)).put_into(network, keep_classifier=True)
    x = torch.randn(2, *SHAPE)
    torch.testing.assert_close(network(x), official(x), rtol=1e-4, atol=1e-4)
    assert set(report.renamed) | set(report.dropped) | set(report.matched) == set(tensors)
    assert set(report.dropped) == set(stored_front_end())
    assert report.fresh == []


def wavegram(logmel: bool) -> Network:
    blocks = [*WAVE_BRANCH, *(MEL_BRANCH if logmel else []), {"conv_block": {"channels": 16}}, *TAIL]
    shape = WAVEGRAM_SHAPES if logmel else WAVEGRAM_SHAPES[0]
    config = ModelConfig.model_validate({"blocks": blocks})
    return build_network(config, input_shape=shape, classes=7, seed=0, standardize="batch_norm").eval()


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("logmel", [False, True])
@torch.no_grad()
def test_wavegrams_give_the_same_logits(tmp_path: Path, logmel: bool, shuffled: bool) -> None:
    official = randomised(Wavegram(logmel))
    tensors = official.state_dict() | (stored_front_end() if logmel else {})
    if shuffled:
        tensors = {name: tensors[name] for name in sorted(tensors)}
    network = wavegram(logmel)
    path = write(tmp_path / "official.pth", tensors)
    report = open_weights(path).put_into(network, keep_classifier=True)
    wave, mel = (torch.randn(2, *shape) for shape in WAVEGRAM_SHAPES)
    heard = (wave, mel) if logmel else wave
    expected = official(heard)
    assert expected.std() > 0.1
    torch.testing.assert_close(network(heard), expected, rtol=1e-4, atol=1e-4)
    assert set(report.renamed) | set(report.dropped) == set(tensors)
    assert report.fresh == []
    dead = {name for name in tensors if name.startswith(("bn0.", "conv_block1."))}
    assert set(report.dropped) == (set(stored_front_end()) if logmel else dead)
    said = [line for line in report.lines() if "what Wavegram-Cnn14 holds of a spectrogram and never uses" in line]
    assert len(said) == (not logmel)
    trained = front_end_of(path)
    assert trained is not None
    assert trained.sample_rate == 32_000
    assert (trained.mel is None) == (not logmel)


@pytest.mark.parametrize("logmel", [False, True])
def test_a_wavegram_does_not_fit_the_other(tmp_path: Path, logmel: bool) -> None:
    path = write(tmp_path / "official.pth", randomised(Wavegram(logmel)).state_dict())
    right = "wavegram-logmel-cnn14" if logmel else "wavegram-cnn14"
    with pytest.raises(UserError, match=f"they are the weights of preset {right}$"):
        open_weights(path).put_into(wavegram(not logmel))


def test_the_weights_of_a_wavegram_bring_the_rate_and_no_spectrogram(tmp_path: Path) -> None:
    path = write(tmp_path / "official.pth", randomised(Wavegram(logmel=False)).state_dict())
    (fault,) = hearing_faults(path, 16_000, None)
    assert fault.dotted == "sample_rate"
    assert hearing_faults(path, 32_000, None) == []


def cnn14_names() -> dict[str, Tensor]:
    """The 84 entries of the official Cnn14 at its sizes, without memory for them."""
    widths = [1, 64, 128, 256, 512, 1024, 2048]
    tensors: dict[str, Tensor] = {}

    def norm(name: str, size: int) -> None:
        tensors.update(
            {f"{name}.{part}": torch.zeros(size) for part in ("weight", "bias", "running_mean", "running_var")}
        )
        tensors[f"{name}.num_batches_tracked"] = torch.tensor(0)

    norm("bn0", 64)
    for number, (channels, out) in enumerate(pairwise(widths), 1):
        for layer, entering in ((1, channels), (2, out)):
            tensors[f"conv_block{number}.conv{layer}.weight"] = torch.zeros(1).expand(out, entering, 3, 3)
            norm(f"conv_block{number}.bn{layer}", out)
    tensors |= {"fc1.weight": torch.zeros(1).expand(2048, 2048), "fc1.bias": torch.zeros(2048)}
    tensors |= {"fc_audioset.weight": torch.zeros(527, 2048), "fc_audioset.bias": torch.zeros(527)}
    return tensors | stored_front_end()


def test_cnn14_at_its_size(tmp_path: Path) -> None:
    tensors = cnn14_names()
    assert len(tensors) == 84
    path = write(tmp_path / "Cnn14.pth", tensors)
    config, mn04 = load_config("cnn14").config, load_config("mn04").config
    with torch.device("meta"):
        cnn14 = build_network(config.model, input_shape=(1, 501, 64), classes=50, seed=0, standardize="batch_norm")
    report = open_weights(path).put_into(cnn14)
    assert (len(report.renamed), len(report.dropped), len(report.fresh)) == (79, 5, 2)
    assert report.renamed["bn0.running_mean"] == "standardize.norm.running_mean"
    assert hearing_faults(path, config.sample_rate, config.mel_spectrogram) == []
    with torch.device("meta"):
        other = build_network(mn04.model, input_shape=(1, 501, 64), classes=50, seed=0)
    with pytest.raises(UserError, match=r"12 convolutions, the network has \d+; they are the weights of preset cnn14"):
        open_weights(path).put_into(other)


@pytest.mark.parametrize(("n_fft", "rate", "top"), [(1024, 32_000, 14_000), (512, 16_000, 8_000), (256, 8_000, 4_000)])
def test_the_front_end_is_read_from_the_stored_filters(tmp_path: Path, n_fft: int, rate: int, top: int) -> None:
    tensors = randomised(Cnn()).state_dict() | stored_front_end(n_fft, rate, top)
    path = write(tmp_path / "official.pth", tensors)
    trained = front_end_of(path)
    assert trained is not None
    assert trained.mel is not None
    assert trained.sample_rate == rate
    assert (trained.mel.f_min, trained.mel.f_max, trained.mel.n_mels) == (50, top, MELS)
    assert open_weights(path).put_into(ours(CNN)).dropped
    (fault,) = hearing_faults(path, rate, trained.mel.model_copy(update={"norm": None}))
    assert fault.message.endswith("write norm: slaney")


@pytest.mark.parametrize("name", ["logmel_extractor.melW", "spectrogram_extractor.stft.conv_imag.weight"])
def test_another_front_end_inside_is_refused(tmp_path: Path, name: str) -> None:
    tensors = randomised(Cnn()).state_dict() | stored_front_end()
    tensors[name] = tensors[name] * 1.1
    with pytest.raises(UserError, match="the weights have another mel filter bank or transform than PANNs"):
        open_weights(write(tmp_path / "official.pth", tensors)).put_into(ours(CNN))


def test_a_variant_that_is_not_built_here(tmp_path: Path) -> None:
    tensors = randomised(Cnn()).state_dict() | {"att_block.att.weight": torch.zeros(7, 10, 1)}
    with pytest.raises(UserError) as caught:
        open_weights(write(tmp_path / "official.pth", tensors)).put_into(ours(CNN))
    assert len(caught.value.lines) == 1


def test_without_the_norm_of_the_bands(tmp_path: Path) -> None:
    path = write(tmp_path / "official.pth", randomised(Cnn()).state_dict())
    config = ModelConfig.model_validate({"blocks": CNN})
    bare = build_network(config, input_shape=SHAPE, classes=7, seed=0)
    with pytest.raises(UserError, match=r"bn0\.weight \(64\) has no place"):
        open_weights(path).put_into(bare)
    heard = RELEASED["panns/cnn14"].front_end.mel
    assert heard is not None
    (fault,) = hearing_faults(path, 32_000, heard.model_copy(update={"standardize": "none"}))
    assert fault.dotted == "mel_spectrogram.standardize"
    assert hearing_faults(path, 32_000, MelConfig()) != []


@pytest.mark.parametrize("name", [name for name in RELEASED if "_16k" not in name])
def test_the_presets_hear_what_the_published_weights_heard(name: str) -> None:
    config = load_config(name.split("/")[1]).config
    released = RELEASED[name].front_end
    assert hearing_faults(name, config.sample_rate, config.heard_mel) == []
    assert config.sample_rate == released.sample_rate
    assert (released.mel is None) == (config.heard_mel is None)
