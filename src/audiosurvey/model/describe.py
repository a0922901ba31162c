"""The layer table of a network: shapes, parameters, multiply-accumulates and receptive fields."""

from dataclasses import dataclass, field
from typing import NamedTuple

from torch import nn

from audiosurvey.model.blocks.inputs import InputItem
from audiosurvey.model.cost import trace, trainable
from audiosurvey.model.network import Network
from audiosurvey.model.shapes import InputShape, Reach, Shape, each_input, receptive_field


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer: `output_shape` for one clip; `receptive_field` as (frames, bands) of the branch's input (samples for a
    waveform)."""

    name: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    receptive_field: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Description:
    """Size and cost of a network for one clip of `input_shape`; `parameters` counts trainable ones."""

    parameters: int
    macs: int
    input_shape: Shape
    """That of the waveform for networks with both inputs."""
    classes: int
    layers: list[LayerRow]
    notes: list[str] = field(default_factory=list)
    """What the figures leave out."""

    @property
    def whole_macs(self) -> int | None:
        """`macs`; None if those of a block are not known, so that networks are not compared by a part of them."""
        return None if self.notes else self.macs


def describe(network: Network, input_shape: InputShape, classes: int | None = None) -> Description:
    """Describes a network without computing anything.

    `macs` counts convolutions and matrix products, without the mel front end. Raises ValueError if the classifier does
    not have `classes` outputs. A block with work that cannot be counted says so in its attribute `uncounted`.
    """
    if classes is not None and classes != network.classifier.out_features:
        raise ValueError(f"the network has {network.classifier.out_features} classes, not {classes}")
    layers = _layers(network)
    branch: Shape = network.steps[0].entered
    reaches: list[Reach] = []
    rows = []
    for layer, cost in zip(layers, trace(network, input_shape, [layer.module for layer in layers]), strict=True):
        if layer.begins is not None:
            branch, reaches = layer.begins, []
        reaches += layer.reach
        field = receptive_field(reaches, (branch[-2], branch[-1]))
        rows.append(LayerRow(layer.name, cost.output_shape, trainable(layer.module), cost.macs, field))
    return Description(
        parameters=trainable(network),
        macs=sum(row.macs for row in rows),
        input_shape=each_input(input_shape)[0],
        classes=network.classifier.out_features,
        layers=rows,
        notes=[note for block in network.blocks if (note := getattr(block, "uncounted", None)) is not None],
    )


def table_rows(description: Description) -> list[tuple[str, ...]]:
    """The layer table as text, with a header and a row of totals."""
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


class _Layer(NamedTuple):
    name: str
    module: nn.Module
    reach: tuple[Reach, ...] = ()
    begins: Shape | None = None
    """The input of the branch that this layer begins."""


def _layers(network: Network) -> list[_Layer]:
    layers: list[_Layer] = []
    if not isinstance(network.standardize, nn.Identity):
        layers.append(_Layer("standardize", network.standardize))
    for index, (step, block) in enumerate(zip(network.steps, network.blocks, strict=True)):
        begins = step.left if isinstance(step.block, InputItem) else None
        layers.append(_Layer(f"{index} {step.block.text()}", block, step.reach, begins))
    return [*layers, _Layer("classifier", network.classifier)]
