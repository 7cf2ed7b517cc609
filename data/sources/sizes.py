"""The sizes of generated splits."""

from collections.abc import Mapping

from data.corpus import SPLITS
from data.errors import InputError

LARGEST = 10_000_000  # examples, of which each is held in memory


def check_sizes(sizes: Mapping[str, int]) -> None:
    """Refuse a split that does not exist, and a size that is negative or larger than a computer can hold.

    Raises:
        InputError: with the key to change.
    """
    for split in (*sizes, *SPLITS):
        if split not in SPLITS or split not in sizes:
            raise InputError(f"data.sizes.{split}: give a size for each of {', '.join(SPLITS)}, and for nothing else.")
        if not 0 <= sizes[split] <= LARGEST:
            raise InputError(f"data.sizes.{split}={sizes[split]}: give 0 to {LARGEST:,} examples.")
