"""Propagates shapes through the blocks: sizes for building the network, errors for the config check."""

from dataclasses import dataclass

from audiosurvey.errors import Fault
from audiosurvey.features.front_end import Input
from audiosurvey.model.blocks.inputs import InputItem, JoinItem
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.menu import Block
from audiosurvey.model.shapes import InputShape, Reach, Shape, ShapeError, each_input, is_map, shape_text


@dataclass(frozen=True, slots=True)
class Step:
    """One block with its input and output shapes, and its kernels and strides."""

    block: Block
    entered: Shape
    """For `input`: the network's input; for `join`: the last branch."""
    left: Shape
    reach: tuple[Reach, ...]


def thread_shapes(config: ModelConfig, input_shape: InputShape) -> list[Step]:
    """The blocks with their shapes for one clip; raises ShapeError if `shape_faults` finds an error."""
    steps, fault = _walk(config, input_shape)
    if fault:
        raise ShapeError(fault.message)
    return steps


def shape_faults(config: ModelConfig, input_shape: InputShape) -> list[Fault]:
    """The first block that does not accept its input shape, at `model.blocks.N`; empty if the network can be built.

    `input_shape` is that of one clip. Blocks after the first error are not checked.
    """
    return [fault] if (fault := _walk(config, input_shape)[1]) else []


def shapes_by_input(hears: tuple[Input, ...], input_shape: InputShape) -> dict[Input, Shape]:
    """The input shapes of one clip by name."""
    return dict(zip(hears, each_input(input_shape), strict=True))


def _walk(config: ModelConfig, input_shape: InputShape) -> tuple[list[Step], Fault | None]:
    inputs, blocks = shapes_by_input(config.hears, input_shape), config.network_blocks()
    for shape in inputs.values():
        if min(shape) < 1:
            return [], Fault(("model", "blocks", 0), f"the input is empty (input shape: {shape_text(shape)})")
    # One branch per `input`; blocks work on the last.
    branches = [] if isinstance(blocks[0], InputItem) else [inputs["mel"]]
    steps: list[Step] = []
    for index, block in enumerate(blocks):
        if isinstance(block, InputItem):
            branches.append(inputs[block.input])
        shape = branches[-1]
        try:
            left = block.output_shape(shape)
            if isinstance(block, JoinItem):
                left, branches = block.joined_shape(branches), [shape]
        except ShapeError as error:
            return steps, Fault(
                ("model", "blocks", config.written(index)), f"{error} (input shape: {shape_text(shape)})"
            )
        steps.append(Step(block, shape, left, block.reach(shape)))
        branches[-1] = left
    last = ("model", "blocks", config.written(len(steps) - 1))
    if len(branches) > 1:
        return steps, Fault(last, f"{len(branches)} branches are left; concatenate them with `join: channels`")
    if is_map(branches[0]):
        mend = "the classifier needs features; end the blocks with `pooling: {mode: avg, flat: true}`"
        return steps, Fault(last, f"{mend} (input shape: {shape_text(branches[0])})")
    return steps, None
