"""Every shipped network trains: one step on clips of a second, the same with checkpointing, close to it in bf16; on a
GPU as on the processor."""

from collections.abc import Iterable, Iterator

import pytest
import torch
import torch.nn.functional as F

from audiosurvey.config.loader import load_config
from audiosurvey.config.presets import preset_names
from audiosurvey.features.front_end import NetworkInput
from audiosurvey.model.blocks.inputs import laid_out
from audiosurvey.model.network import Network, build_network
from audiosurvey.model.shapes import Shape, each_input
from audiosurvey.threads import one_thread

# Small enough to be tried at every change; all others are slow.
QUICK = {"toy", "tiny", "cnn6", "cnn10", "mobilenetv1", "mobilenetv2", "erann-0-1", "erann-1-2", "mn04", "mn05"}
QUICK |= {"ced-tiny", "probe-ced-tiny"}
EVERY = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in preset_names()]
OF_THE_HUB = {"ast", "probe-ast", "finetune-ast"}
CLASSES = 3
ON_GPU = [pytest.param(name, marks=pytest.mark.gpu) for name in preset_names()]


@pytest.fixture(autouse=True)
def in_one_thread() -> Iterator[None]:
    """Threads that wait for a busy core cost far more than they bring to maps as small as these."""
    with one_thread():
        yield


def built(name: str, seconds: float = 1) -> tuple[Network, NetworkInput]:
    """The preset's network and three unlike clips, in decibels where it standardises them."""
    if name in OF_THE_HUB:
        pytest.importorskip("transformers")
    config = load_config(name).config
    shape = config.input_shape_of(round(seconds * config.sample_rate))
    standardize = config.mel_spectrogram.standardize
    network = build_network(config.model, input_shape=shape, classes=CLASSES, seed=0, standardize=standardize)
    inputs = [waves(each) if len(each) == 2 else mels(each, standardize != "none") for each in each_input(shape)]
    return network, (inputs[0], inputs[1]) if len(inputs) == 2 else inputs[0]


def waves(shape: Shape) -> torch.Tensor:
    """Tones an octave apart, each over a little noise."""
    generator = torch.Generator().manual_seed(0)
    place_S = torch.arange(shape[1]) / shape[1]
    tones = [torch.sin(2 * torch.pi * 400 * 2**octave * place_S) for octave in range(CLASSES)]
    return torch.stack(tones)[:, None] + 0.1 * torch.randn(CLASSES, *shape, generator=generator)


def mels(shape: Shape, decibels: bool) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    # Events a few frames long and a few bands wide, over a little noise.
    events = torch.randn(CLASSES, 1, 12, 12, generator=generator)
    x = F.interpolate(events, shape[1:], mode="bilinear") + 0.2 * torch.randn(CLASSES, *shape, generator=generator)
    return 15 * x - 40 if decibels else x


def loss_of(network: Network, x: NetworkInput) -> torch.Tensor:
    """The loss with the dropout of one and the same seed; each clip is a class."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        device = next(network.parameters()).device
        return F.cross_entropy(network(x), torch.arange(CLASSES, device=device))


def on_gpu(network: Network, x: NetworkInput) -> tuple[Network, NetworkInput]:
    """Both on the GPU, in the layout of memory that training uses."""
    x = (x[0].cuda(), x[1].cuda()) if isinstance(x, tuple) else x.cuda()
    return network.cuda().to(memory_format=torch.channels_last), laid_out(x)  # pyright: ignore[reportCallIssue]


def gradients(network: Network) -> Iterable[torch.Tensor]:
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        yield parameter.grad


@pytest.mark.parametrize("name", EVERY)
def test_one_step(name: str) -> None:
    network, x = built(name)
    loss = loss_of(network, x)
    loss.backward()
    assert all(gradient.isfinite().all() for gradient in gradients(network))
    torch.optim.SGD(network.parameters(), lr=1e-4).step()
    with torch.no_grad():
        assert loss_of(network, x).isfinite()
    assert loss.isfinite()


@pytest.mark.parametrize("name", EVERY)
def test_checkpointing_gives_the_same_gradients(name: str) -> None:
    network, x = built(name, seconds=0.64)
    loss = loss_of(network, x)
    loss.backward()
    expected = [gradient.clone() for gradient in gradients(network)]
    network, x = built(name, seconds=0.64)
    network.use_checkpoint = True
    again = loss_of(network, x)
    again.backward()
    assert torch.equal(loss, again)
    for one, other in zip(expected, gradients(network), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", EVERY)
def test_bf16_is_close_to_float32(name: str) -> None:
    network, x = built(name, seconds=0.64)
    # With the statistics of so few clips, fresh MobileNets make 15 % of a change of 0.4 %, in float32 too.
    network.eval()
    with torch.no_grad():
        exact = network.embed(x)
        with torch.autocast("cpu", torch.bfloat16):
            rough = network.embed(x)
    assert 0 < (rough.float() - exact).norm() / exact.norm() < 0.02


@pytest.mark.parametrize("name", EVERY)
def test_the_loss_falls_on_a_batch_that_is_learned_by_heart(name: str) -> None:
    network, x = built(name, seconds=0.64)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-4)
    losses = []
    for _ in range(8):
        loss = loss_of(network, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", ON_GPU)
def test_a_gpu_makes_of_a_clip_what_the_processor_makes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # By default convolutions on a GPU read ten bits of each number.
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    network, x = built(name, seconds=0.64)
    network.eval()
    with torch.no_grad():
        expected = network.embed(x)
        network, x = on_gpu(network, x)
        exact = network.embed(x).cpu()
        with torch.autocast("cuda", torch.bfloat16):
            rough = network.embed(x).float().cpu()
    assert (exact - expected).norm() / expected.norm() < 1e-3
    assert 0 < (rough - expected).norm() / expected.norm() < 0.03


@pytest.mark.parametrize("name", ON_GPU)
def test_a_step_on_a_gpu_with_and_without_checkpointing(name: str) -> None:
    found = []
    for use_checkpoint in (False, True):
        network, x = on_gpu(*built(name, seconds=0.64))
        network.use_checkpoint = use_checkpoint
        with torch.autocast("cuda", torch.bfloat16):
            loss = loss_of(network, x)
        loss.backward()
        gradient = torch.cat([part.flatten().float() for part in gradients(network)])
        assert gradient.isfinite().all()
        found.append((loss.item(), gradient))
    (loss, gradient), (again, other) = found
    assert again == pytest.approx(loss, rel=1e-2)
    # Sums of a GPU come in any order, and bf16 keeps eight bits of each.
    assert (gradient - other).norm() / gradient.norm() < 0.1
