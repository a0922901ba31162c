"""Threads shapes through the blocks: sizes for the network, faults for the config check. Allocates
nothing."""

from dataclasses import dataclass

from audiosurvey.errors import Fault
from audiosurvey.model.blocks import Block
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.shapes import Reach, Shape, ShapeError, is_map, shape_text


@dataclass(frozen=True, slots=True)
class Step:
    """One block with the shapes around it and its part in the receptive field."""

    block: Block
    entered: Shape
    left: Shape
    reach: tuple[Reach, ...]


def thread_shapes(config: ModelConfig, input_shape: Shape) -> list[Step]:
    """The shapes between the blocks for one clip; raises ShapeError where `shape_faults` finds something."""
    steps, fault = _walk(config, input_shape)
    if fault:
        raise ShapeError(fault.message)
    return steps


def shape_faults(config: ModelConfig, input_shape: Shape) -> list[Fault]:
    """The first block that cannot work on what it meets, at `model.blocks.N`; empty where the network can be
    built.

    `input_shape` is that of one clip, (C, T, F). Later blocks are not judged: their shapes would be guesses.
    """
    return [fault] if (fault := _walk(config, input_shape)[1]) else []


def _walk(config: ModelConfig, input_shape: Shape) -> tuple[list[Step], Fault | None]:
    shape, steps = tuple(input_shape), []
    if min(shape) < 1:
        return [], Fault(("model", "blocks", 0), f"nothing to work on (shape met: {shape_text(shape)})")
    for index, block in enumerate(config.network_blocks()):
        try:
            left = block.output_shape(shape, config.res_block)
        except ShapeError as error:
            return steps, Fault(("model", "blocks", index), f"{error} (shape met: {shape_text(shape)})")
        steps.append(Step(block, shape, left, block.reach(shape, config.res_block)))
        shape = left
    if is_map(shape):
        mend = "end the blocks with `pooling: {mode: avg, flat: true}`, which makes features for the classes"
        return steps, Fault(("model", "blocks", len(steps) - 1), f"{mend} (shape met: {shape_text(shape)})")
    return steps, None
