"""The translator as two graphs: the encoder, and one step of the decoder."""

from typing import Any

import numpy as np
from torch import Tensor

from data.batch import PairBatch
from deployment.generation import GeneratorExport
from deployment.onnx import tokenizer_files, tokenizer_settings


class TranslationExport(GeneratorExport):
    """The encoder reads ``tokens`` and ``mask`` [B, T]."""

    def source(self, batch: PairBatch) -> dict[str, Tensor]:
        return {"tokens": batch.tokens, "mask": batch.mask}

    def batch(self, tokens: Tensor, mask: Tensor) -> PairBatch:  # type: ignore[override]
        return PairBatch(np.arange(0), tokens, mask, tokens, mask)

    def vocabulary(self) -> dict[str, Any]:
        source, target = self.codec.source, self.codec.target
        settings = {"tokenizer": tokenizer_settings(source.tokenizer), "source": source.vocabulary.symbols}
        return settings | self.decoding(target.vocabulary.symbols)

    def files(self) -> dict[str, bytes]:
        source = tokenizer_files(self.codec.source.tokenizer, "source.model")
        return source | tokenizer_files(self.codec.target.tokenizer, "target.model")
