"""Labels for lines, with ONNX Runtime alone; sub-words need sentencepiece, words outside of ASCII need regex."""

import json
import re
import sys
from itertools import zip_longest
from pathlib import Path

import numpy as np
import onnxruntime

FOLDER = Path(__file__).parent
VOCABULARY = json.loads((FOLDER / "vocabulary.json").read_text(encoding="utf-8"))
IDS = {symbol: number for number, symbol in enumerate(VOCABULARY["symbols"]) if number >= 4}  # 0 padding, 1 unknown
LETTERS = {symbol: number for number, symbol in enumerate(VOCABULARY["characters"]) if number >= 4}  # 2 start, 3 end
RULES = VOCABULARY["tokenizer"]


def split(text: str) -> list[str]:
    text = text.lower() if RULES["lowercase"] else text
    if RULES["kind"] == "words" and text.isascii():
        return re.findall(RULES["ascii_pattern"], text, re.VERBOSE | re.IGNORECASE)
    if RULES["kind"] == "words":
        import regex

        return regex.findall(RULES["pattern"], text, regex.VERBOSE | regex.IGNORECASE)
    if RULES["kind"] == "sentencepiece":
        import sentencepiece

        model = sentencepiece.SentencePieceProcessor(model_file=str(FOLDER / "tokenizer.model"))
        return model.encode(text, out_type=str)
    return text.split() if RULES["kind"] == "spaces" else list(" ".join(text.split()))


def spelling(piece: str) -> list[int]:
    ids, most = [LETTERS.get(letter, 1) for letter in piece], VOCABULARY["max_characters"]
    return [2, *(ids if len(ids) <= most else ids[: most - most // 2] + ids[len(ids) - most // 2 :]), 3]


session = onnxruntime.InferenceSession(FOLDER / (sys.argv[1] if len(sys.argv) > 1 else "model.onnx"))
for line in sys.stdin:
    pieces = split(line.rstrip("\n")) or [""]
    tokens = np.array([[IDS.get(piece, 1) for piece in pieces]])
    inputs = {"tokens": tokens, "mask": np.ones_like(tokens, dtype=bool)}
    if VOCABULARY["characters"]:
        characters = np.array(list(zip_longest(*map(spelling, pieces), fillvalue=0))).T
        inputs |= {"characters": characters, "character_mask": characters > 0}
        inputs["word_types"] = np.arange(len(pieces))[None]
    (logits,) = session.run(None, inputs)
    weights = np.exp(logits[0] - logits[0].max())
    shares = (weights / weights.sum()).tolist()
    print(json.dumps(dict(zip(VOCABULARY["labels"], shares, strict=True)), ensure_ascii=False))
