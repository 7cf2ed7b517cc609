"""Generated diagnostics of memory: no network, no download, the same sequences for the same seed everywhere."""

from abc import abstractmethod
from dataclasses import dataclass
from hashlib import sha256
from itertools import permutations
from string import ascii_lowercase
from typing import Any

from data.corpus import DatasetReader
from data.errors import InputError
from data.memory import BLANK, NO_TARGET, MemorySequence
from data.sources.language.splitmix import SplitMix64
from data.sources.sizes import check_sizes

DELIMITER = "|"
Permutation = tuple[int, ...]


@dataclass(kw_only=True)
class Diagnostic(DatasetReader[MemorySequence]):
    """Sequences whose targets depend on inputs that may lie far back.

    Args:
        sizes: the number of sequences of every split.
        length: the maximum number of tokens of a training or validation sequence.
        min_length: the minimum; every length from there to the maximum is equally likely.
        test_length: the maximum of a test sequence.
        seed: of the sequences; independent of the seed of the run.
    """

    example_type = MemorySequence
    shortest = 1  # tokens that a sequence needs

    sizes: dict[str, int]
    length: int
    min_length: int
    test_length: int
    seed: int

    def __post_init__(self) -> None:
        check_sizes(self.sizes)
        if self.min_length < self.shortest:
            raise InputError(f"data.min_length={self.min_length}: {self.name} needs at least {self.shortest} tokens.")
        for name in ("length", "test_length"):
            if (length := getattr(self, name)) < self.min_length:
                raise InputError(f"data.{name}={length}: must be at least data.min_length={self.min_length}.")

    def origin(self) -> dict[str, Any]:
        return {"source": "generated", "revision": None}

    def read_split(self, split: str) -> list[MemorySequence]:
        rng = SplitMix64(int.from_bytes(sha256(f"{self.name}:{split}:{self.seed}".encode()).digest()[:8]))
        longest = self.test_length if split == "test" else self.length
        choices = longest - self.min_length + 1
        return [self.sequence(rng, self.min_length + rng.randbelow(choices)) for _ in range(self.sizes[split])]

    @abstractmethod
    def sequence(self, rng: SplitMix64, length: int) -> MemorySequence:
        """A random sequence of so many tokens."""


def at_last(tokens: list[str], target: str, distance: int) -> MemorySequence:
    """A sequence with a target at its last token only."""
    return MemorySequence(" ".join(tokens), (NO_TARGET,) * (len(tokens) - 1) + (target,), distance)


@dataclass(kw_only=True)
class Adding(Diagnostic):
    """The sum of the two marked numbers among many from 0 to 1 (Hochreiter & Schmidhuber, 1997, experiment 4).

    One mark is in either half of the sequence, as in Arjovsky et al. (2016).
    """

    name = "adding"
    shortest = 2

    def sequence(self, rng: SplitMix64, length: int) -> MemorySequence:
        numbers = [rng.randbelow(10_000) for _ in range(length)]
        first, second = rng.randbelow(length // 2), length // 2 + rng.randbelow(length - length // 2)
        tokens = [f"{n / 10_000:.4f}{'*' * (place in (first, second))}" for place, n in enumerate(numbers)]
        return at_last(tokens, f"{(numbers[first] + numbers[second]) / 10_000:.4f}", length - 1 - first)


@dataclass(kw_only=True)
class Copy(Diagnostic):
    """Ten symbols, blanks, a delimiter, and then the symbols again (Hochreiter & Schmidhuber, 1997; Arjovsky et al.,
    2016). All other targets are blanks, which are learned and not scored.

    Args:
        symbols: the number of different symbols.
        repeated: how many symbols are to be copied.
    """

    name = "copy"

    symbols: int
    repeated: int

    def __post_init__(self) -> None:
        check_symbols(self.symbols)
        if self.repeated < 1:
            raise InputError(f"data.repeated={self.repeated}: must be at least 1.")
        self.shortest = 2 * self.repeated + 1
        super().__post_init__()

    def sequence(self, rng: SplitMix64, length: int) -> MemorySequence:
        copied = [rng.choice(ascii_lowercase[: self.symbols]) for _ in range(self.repeated)]
        waiting = [BLANK] * (length - 2 * self.repeated - 1)
        tokens = [*copied, *waiting, DELIMITER, *[BLANK] * self.repeated]
        targets = (*[BLANK] * (length - self.repeated), *copied)
        return MemorySequence(" ".join(tokens), targets, length - self.repeated)


@dataclass(kw_only=True)
class Recall(Diagnostic):
    """Which symbol was the first token? Only other symbols follow it, at random.

    Args:
        symbols: the number of symbols that the first token may be; the other letters follow it.
    """

    name = "recall"
    shortest = 2

    symbols: int

    def __post_init__(self) -> None:
        check_symbols(self.symbols)
        super().__post_init__()

    def sequence(self, rng: SplitMix64, length: int) -> MemorySequence:
        first = rng.choice(ascii_lowercase[: self.symbols])
        others = [rng.choice(ascii_lowercase[self.symbols :]) for _ in range(length - 1)]
        return at_last([first, *others], first, length - 1)


def check_symbols(symbols: int) -> None:
    if not 2 <= symbols < len(ascii_lowercase):
        raise InputError(f"data.symbols={symbols}: must be from 2 to {len(ascii_lowercase) - 1}.")


@dataclass(kw_only=True)
class TemporalOrder(Diagnostic):
    """The order of two relevant symbols, X or Y each, among others (Hochreiter & Schmidhuber, 1997, experiment 6a).

    The first is between a tenth and a fifth of the sequence, the second between five and six tenths.
    """

    name = "temporal_order"
    shortest = 10

    def sequence(self, rng: SplitMix64, length: int) -> MemorySequence:
        tokens = ["E", *(rng.choice("abcd") for _ in range(length - 2)), "B"]
        first = length // 10 + rng.randbelow(length // 10)
        second = length // 2 + rng.randbelow(length // 10)
        tokens[first], tokens[second] = rng.choice("XY"), rng.choice("XY")
        return at_last(tokens, tokens[first] + tokens[second], length - 1 - first)


@dataclass(kw_only=True)
class Parity(Diagnostic):
    """Whether the number of ones so far is odd, at every token (state tracking with two states)."""

    name = "parity"

    def sequence(self, rng: SplitMix64, length: int) -> MemorySequence:
        bits = [rng.randbelow(2) for _ in range(length)]
        odd = [str(sum(bits[: step + 1]) % 2) for step in range(length)]
        return MemorySequence(" ".join(map(str, bits)), tuple(odd))


@dataclass(kw_only=True)
class Permutations(Diagnostic):
    """The product of all permutations so far, at every token: the word problem of S_n (Merrill et al., 2024).

    Of five elements, no circuit of constant depth composes them (Barrington, 1989), which limits networks that are
    linear in their state.

    Args:
        elements: n.
        swaps: whether tokens are only the swaps of two neighbours; false: all n! permutations.
    """

    elements: int
    swaps: bool

    def __post_init__(self) -> None:
        if not 2 <= self.elements <= 6:
            raise InputError(f"data.elements={self.elements}: must be from 2 to 6.")
        self.name = f"permutations{self.elements}"
        super().__post_init__()
        start = tuple(range(self.elements))
        swapped = [(*start[:i], i + 1, i, *start[i + 2 :]) for i in range(self.elements - 1)]
        self.choices: list[Permutation] = swapped if self.swaps else list(permutations(start))

    def sequence(self, rng: SplitMix64, length: int) -> MemorySequence:
        product, tokens, targets = tuple(range(self.elements)), [], []
        for _ in range(length):
            chosen = rng.choice(self.choices)
            product = compose(product, chosen)
            tokens.append(written(chosen))
            targets.append(written(product))
        return MemorySequence(" ".join(tokens), tuple(targets))


def compose(arrangement: Permutation, chosen: Permutation) -> Permutation:
    """The arrangement after its elements were moved: place i has what was at place ``chosen[i]``."""
    return tuple(arrangement[place] for place in chosen)


def written(permutation: Permutation) -> str:
    """As digits from 1: ``213`` swaps the first two of three."""
    return "".join(str(place + 1) for place in permutation)
