"""The forecaster as one graph: the scaled inputs of a window -> scaled quantiles of the next values."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from data.errors import InputError
from data.forecasting import EncodedWindows, WindowBatch
from data.scaling import LastScaling, SeasonScaling, StandardScaling, WindowScaling
from data.series import Window
from data.windows import window_of
from deployment.generation import one_row_each
from deployment.onnx import Part, Run, TaskExport
from models.forecast import StepByStep

ROW, STEPS = {0: "batch"}, {0: "batch", 1: "length"}
INPUTS = {"inputs": ("tokens", STEPS), "mask": ("mask", STEPS), "known": ("future", ROW), "last": ("last", ROW)}
SCALINGS = {StandardScaling: "standard", WindowScaling: "window", LastScaling: "last", SeasonScaling: "season"}
MISSING = 0.1  # the fraction of values that are missing in the windows by which graphs are compared


class Graph(nn.Module):
    """Inputs [B, T, F] and mask [B, T], known features [B, H, K] and last value [B, C] -> quantiles [B, H, C, Q]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, mask: Tensor, known: Tensor, last: Tensor) -> Tensor:
        unused = np.zeros(0)
        batch = WindowBatch(np.arange(0), inputs, mask, last, mask, known, last, spread=unused, reference=unused)
        with one_row_each_step(self.model.forecasts):
            return self.model(batch)


@contextmanager
def one_row_each_step(forecasts: Any) -> Iterator[None]:
    """``one_row_each`` for forecasts that are made step by step."""
    if not isinstance(forecasts, StepByStep):
        yield
        return
    with one_row_each(forecasts.decoder):
        yield


class ForecastingExport(TaskExport):
    """One graph, ``model``, for any number of steps that are read; H is that of the model."""

    left_out = "The scaling of windows and forecasts, which is arithmetic on 64-bit numbers: the example has it."
    unit = "steps"

    def parts(self, batch: WindowBatch) -> dict[str, Part]:
        axes = {name: axes for name, (_, axes) in INPUTS.items()}
        return {"model": Part(Graph(self.model), self.inputs(batch), axes, ["quantiles"])}

    def inputs(self, batch: WindowBatch) -> dict[str, Tensor]:
        return {name: getattr(batch, field) for name, (field, _) in INPUTS.items()}

    def use(self, runs: Mapping[str, Run]) -> None:
        self.model.forward = lambda batch: runs["model"](**self.inputs(batch))[0]

    def vocabulary(self) -> dict[str, Any]:
        codec = self.codec
        names = ("channels", "horizon", "season", "step", "window", "scales", "unknown", "covariate_scale", "quantiles")
        settings = {name: getattr(codec, name) for name in names}
        return {**settings, "covariates": codec.covariate_names, "scaling": self.scaling()}

    def scaling(self) -> str:
        """The name of the scaling, by which the example finds its arithmetic."""
        kind = type(self.codec.scaling)
        if kind not in SCALINGS:
            raise InputError(f"format=onnx: the example does not know {kind.__name__}: choose another scaling.")
        return SCALINGS[kind]

    def random_example(self, length: int, generator: np.random.Generator) -> Window:
        """Noise in the scale of the series, some values missing; of at least one step."""
        layout, (level, spread) = self.codec.layout, map(np.array, self.codec.unknown)
        values = level + spread * generator.normal(size=(max(1, length), len(level)))
        values[:-1][generator.random(values[:-1].shape) < MISSING] = np.nan
        covariates = generator.normal(size=(len(values) + layout.horizon, len(layout.covariates)))
        start = np.datetime64("2000-01-01", "s") if layout.step.unit else 0
        return window_of(layout, layout.step.after(start, len(values)), values, covariates)

    def encoded(self, examples: list[Any]) -> EncodedWindows:
        """Windows of any length: that of the codec bounds what is read, not what the graph can read."""
        encoded = super().encoded(examples)
        return replace(encoded, window=int((encoded.origins - encoded.firsts).max()))

    def shape(self, batch: WindowBatch) -> list[int]:
        return list(batch.mask.shape)

    def units(self, encoded: EncodedWindows) -> int:
        return int(encoded.lengths.sum())
