"""Commands about models on the Hugging Face Hub: push."""

from pathlib import Path
from typing import Annotated

import typer

from audiosurvey.cli.app import JsonOption, app, print_json


@app.command()
def push(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder, or a run with a final model.")],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="Repository of the Hub, such as user/name.")],
    private: Annotated[bool, typer.Option("--private", help="Where the repository is made: for you alone.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Publish a model on the Hugging Face Hub, once its golden clips say that it is intact."""
    from audiosurvey.pipeline import push as publish

    pushed = publish(model, repo, private)
    if as_json:
        print_json({"url": pushed.url, "golden_difference": pushed.difference, "licence": pushed.licence})
        return
    for line in pushed.lines:
        print(line)
