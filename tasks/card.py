"""Write the card of a run, and upload it: ``python -m tasks.card run=DIR``.

Every run writes its card, README.md, when it ends; this command writes it again. With push=ORGANISATION/NAME, the
model, its vocabulary and the card are uploaded to the Hugging Face hub. Predictions stay: they hold rows of the data.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from training.options import one_sentence, option, parse


@dataclass
class CardOptions:
    """``key=value`` on the command line."""

    run: str = option(..., "the folder of a finished run", "runs/sentiment/2026-01-31_12-00-00-000000-0a1b2c3d")
    author: str | None = option(None, "who trained the model; none: the name in git's configuration", "'A. Person'")
    push: str | None = option(None, "the repository to upload to", "organisation/name")
    visibility: str = option("private", "of a repository that is created", "public", choices=("private", "public"))


def main() -> None:
    options = parse(CardOptions, sys.argv[1:], "python -m tasks.card", (__doc__ or "").strip())
    from training.card import write_card

    directory = Path(options.run)
    print(f"Card: {write_card(directory, options.author)}")
    if options.push is not None:
        from deployment.hub import push

        print(f"Uploaded: {push(directory, options.push, private=options.visibility == 'private')}")


if __name__ == "__main__":
    with one_sentence():
        main()
