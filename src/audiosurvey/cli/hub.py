"""Commands about models on the Hugging Face Hub: push."""

from typing import Annotated

import typer

import audiosurvey
from audiosurvey.cli.app import JsonOption, ModelArgument, app, print_json


@app.command()
def push(
    model: ModelArgument,
    repo: Annotated[str, typer.Argument(metavar="REPO", help="Repository on the Hub, such as user/name.")],
    private: Annotated[bool, typer.Option("--private", help="If the repository is new, make it private.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Publish a model on the Hugging Face Hub, after checking that it still gives the expected scores."""
    pushed = audiosurvey.push(model, repo, private=private)
    if as_json:
        print_json({"url": pushed.url, "golden_difference": pushed.difference, "licence": pushed.licence})
        return
    for line in pushed.lines:
        print(line)
