"""Tasks that write text: the loss of a target, and what their searches give, whatever encodes the source."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.batch import Batch
from data.translation import Hypothesis, Prediction
from models.search import Hypothesis as Found
from training.generation import EncoderDecoderModel

MEMORY, STATE = "the memory", "the state"


class Generator:
    """Gives what it is made of, if it is asked for the right things."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.output = nn.Linear(3, 5)
        self.features = torch.randn(2, 3, 3)
        self.autocast: list[bool] = []

    def __call__(self, targets: Tensor, mask: Tensor, memory: object, state: object) -> tuple[Tensor, Tensor]:
        assert (memory, state) == (MEMORY, STATE) and targets.shape == mask.shape == (2, 3)
        return self.features, torch.zeros(())

    def search(self, search: object, memory: object, state: object, lengths: Tensor) -> list[list[Found]]:
        assert (memory, state, lengths.tolist()) == (MEMORY, STATE, [7, 5]) and isinstance(search, Search)
        self.autocast.append(torch.is_autocast_enabled("cpu"))
        return [[Found([4, 3], -1.0, True), Found([4], -2.0, True)], [Found([], -3.0, True)]]

    def attention(self, sentences: list, memory: object, state: object) -> list:
        assert (sentences, memory, state) == ([[4, 3], []], MEMORY, STATE)
        return [[[0.5, 0.5]], [[1.0]]]

    def greedy(self, memory: object, state: object, lengths: Tensor) -> list[list[int]]:
        assert (memory, state, lengths.tolist()) == (MEMORY, STATE, [7, 5])
        return [[4], []]


class Search:
    """Texts may be twice as long as their sources, and one longer."""

    def max_lengths(self, mask: Tensor) -> Tensor:
        return 2 * mask.sum(dim=1) + 1


class Model(EncoderDecoderModel):
    """Encodes nothing."""

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.generator, self.search, self.label_smoothing = Generator(), Search(), label_smoothing

    def encode(self, batch: Batch) -> tuple:
        assert batch is BATCH
        return MEMORY, STATE


BATCH = Batch(
    rows=np.arange(2),
    tokens=torch.tensor([[6, 7, 8], [9, 8, 0]]),
    mask=torch.tensor([[True, True, True], [True, True, False]]),
    targets=torch.tensor([[1, 2, 3], [4, 3, 0]]),
    target_mask=torch.tensor([[True, True, True], [True, True, False]]),
)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_all_target_tokens(smoothing: float) -> None:
    model = Model(smoothing)
    logits = model.generator.output(model.generator.features)[BATCH.target_mask]
    wanted = F.cross_entropy(logits, BATCH.targets[BATCH.target_mask], reduction="sum", label_smoothing=smoothing)
    found = model.loss(BATCH)
    assert found.number == 5 and torch.allclose(found.total, wanted, atol=1e-5)


@pytest.mark.parametrize(("method", "attention"), [("predict", False), ("predict_with_attention", True)])
def test_a_prediction_has_its_source_and_the_n_best(method: str, attention: bool) -> None:
    model = Model()
    with torch.autocast("cpu", torch.bfloat16):
        found = getattr(model, method)(BATCH)
    weights = [[[0.5, 0.5]], [[1.0]]] if attention else [[], []]
    assert found == [
        Prediction([6, 7, 8], [Hypothesis([4, 3], -1.0), Hypothesis([4], -2.0)], weights[0]),
        Prediction([9, 8], [Hypothesis([], -3.0)], weights[1]),
    ]
    assert model.generator.autocast == [False]  # near ties do not depend on rounding


def test_a_greedy_prediction_is_the_text_alone() -> None:
    assert Model().predict_greedy(BATCH) == [
        Prediction([], [Hypothesis([4], 0.0)], []),
        Prediction([], [Hypothesis([], 0.0)], []),
    ]
