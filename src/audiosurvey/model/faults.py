"""Threads shapes through the blocks: sizes for the network, faults for the config check. Allocates
nothing."""

from dataclasses import dataclass

from audiosurvey.errors import Fault
from audiosurvey.features.front_end import Input
from audiosurvey.model.blocks.inputs import InputItem, JoinItem
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.menu import Block
from audiosurvey.model.shapes import InputShape, Reach, Shape, ShapeError, each_input, is_map, shape_text


@dataclass(frozen=True, slots=True)
class Step:
    """One block with the shapes around it and its part in the receptive field."""

    block: Block
    entered: Shape
    """Of `input`: what the network is given; of `join`: the branch that was begun last."""
    left: Shape
    reach: tuple[Reach, ...]


def thread_shapes(config: ModelConfig, input_shape: InputShape) -> list[Step]:
    """The shapes between the blocks for one clip; raises ShapeError where `shape_faults` finds something."""
    steps, fault = _walk(config, input_shape)
    if fault:
        raise ShapeError(fault.message)
    return steps


def shape_faults(config: ModelConfig, input_shape: InputShape) -> list[Fault]:
    """The first block that cannot work on what it meets, at `model.blocks.N`; empty where the network can be
    built.

    `input_shape` is that of one clip. Later blocks are not judged: their shapes would be guesses.
    """
    return [fault] if (fault := _walk(config, input_shape)[1]) else []


def shapes_by_input(hears: tuple[Input, ...], input_shape: InputShape) -> dict[Input, Shape]:
    """What a network is given of one clip, by name."""
    return dict(zip(hears, each_input(input_shape), strict=True))


def _walk(config: ModelConfig, input_shape: InputShape) -> tuple[list[Step], Fault | None]:
    inputs, blocks = shapes_by_input(config.hears, input_shape), config.network_blocks()
    for shape in inputs.values():
        if min(shape) < 1:
            return [], Fault(("model", "blocks", 0), f"nothing to work on (shape met: {shape_text(shape)})")
    # A branch for each `input`, the last of them the one that blocks work on.
    branches = [] if isinstance(blocks[0], InputItem) else [inputs["mel"]]
    steps: list[Step] = []
    for index, block in enumerate(blocks):
        if isinstance(block, InputItem):
            branches.append(inputs[block.input])
        shape = branches[-1]
        try:
            left = block.output_shape(shape, config.res_block)
            if isinstance(block, JoinItem):
                left, branches = block.joined_shape(branches), [shape]
        except ShapeError as error:
            return steps, Fault(("model", "blocks", config.written(index)), f"{error} (shape met: {shape_text(shape)})")
        steps.append(Step(block, shape, left, block.reach(shape, config.res_block)))
        branches[-1] = left
    last = ("model", "blocks", config.written(len(steps) - 1))
    if len(branches) > 1:
        return steps, Fault(last, f"{len(branches)} branches are left; `join: channels` makes one map of them")
    if is_map(branches[0]):
        mend = "end the blocks with `pooling: {mode: avg, flat: true}`, which makes features for the classes"
        return steps, Fault(last, f"{mend} (shape met: {shape_text(branches[0])})")
    return steps, None
