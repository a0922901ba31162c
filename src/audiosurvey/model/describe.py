"""The layer table of a network: shapes, parameters, multiply-accumulates, receptive field. Computes nothing
real."""

from dataclasses import dataclass

from torch import nn

from audiosurvey.model.cost import trace, trainable
from audiosurvey.model.network import Network
from audiosurvey.model.shapes import Reach, Shape, receptive_field


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer: `output_shape` for one clip, `receptive_field` (frames, bands) of the input that one output
    sees."""

    name: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    receptive_field: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Description:
    """A network in numbers, for one clip of `input_shape`; parameters are the trainable ones."""

    parameters: int
    macs: int
    input_shape: tuple[int, ...]
    classes: int
    layers: list[LayerRow]


def describe(network: Network, input_shape: Shape, classes: int | None = None) -> Description:
    """Runs shapes without values through the network and adds up each layer.

    `macs` counts convolutions and matrix products of one clip, not the mel front end. `classes` is checked
    against the classifier where it is given.
    """
    if classes is not None and classes != network.classifier.out_features:
        raise ValueError(f"the network has {network.classifier.out_features} classes, not {classes}")
    traced = trace(network, tuple(input_shape), [layer for _, layer, _ in _layers(network)])
    limits = (input_shape[-2], input_shape[-1])
    reaches: list[Reach] = []
    rows = []
    for (name, layer, reach), cost in zip(_layers(network), traced, strict=True):
        reaches += reach
        row = LayerRow(name, cost.output_shape, trainable(layer), cost.macs, receptive_field(reaches, limits))
        rows.append(row)
    return Description(
        parameters=trainable(network),
        macs=sum(row.macs for row in rows),
        input_shape=tuple(input_shape),
        classes=network.classifier.out_features,
        layers=rows,
    )


def table_rows(description: Description) -> list[tuple[str, ...]]:
    """The layer table as text, a heading and a line of totals included; numbers grouped by thousands."""
    heading = ("layer", "output", "parameters", "MACs", "receptive field (frames x bands)")
    rows = [
        (
            row.name,
            " x ".join(str(size) for size in row.output_shape),
            f"{row.parameters:,}",
            f"{row.macs:,}",
            " x ".join(str(size) for size in row.receptive_field),
        )
        for row in description.layers
    ]
    return [heading, *rows, ("total", "", f"{description.parameters:,}", f"{description.macs:,}", "")]


def _layers(network: Network) -> list[tuple[str, nn.Module, tuple[Reach, ...]]]:
    """The layers in their order: name, module, part in the receptive field."""
    layers: list[tuple[str, nn.Module, tuple[Reach, ...]]] = []
    if not isinstance(network.standardize, nn.Identity):
        layers.append(("standardize", network.standardize, ()))
    for index, (step, block) in enumerate(zip(network.steps, network.blocks, strict=True)):
        layers.append((f"{index} {step.block.text()}", block, step.reach))
    return [*layers, ("classifier", network.classifier, ())]
