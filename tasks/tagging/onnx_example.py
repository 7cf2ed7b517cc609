"""Tags for lines of words, with ONNX Runtime alone: ``python example.py model.onnx < lines``."""

import json
import sys
from itertools import zip_longest
from pathlib import Path

import numpy as np
import onnxruntime

VOCABULARY = json.loads(Path(__file__).with_name("vocabulary.json").read_text(encoding="utf-8"))
WORDS = {symbol: number for number, symbol in enumerate(VOCABULARY["symbols"]) if number >= 4}  # 0 padding, 1 unknown
LETTERS = {symbol: number for number, symbol in enumerate(VOCABULARY["characters"]) if number >= 4}  # 2 start, 3 end


def spelling(word: str) -> list[int]:
    ids, most = [LETTERS.get(letter, 1) for letter in word], VOCABULARY["max_characters"]
    return [2, *(ids if len(ids) <= most else ids[: most - most // 2] + ids[len(ids) - most // 2 :]), 3]


def viterbi(scores: np.ndarray, start: list[float], moves: list[list[float]], end: list[float]) -> list[int]:
    best, origins = scores[0] + start, []
    for row in scores[1:]:
        origins.append((best[:, None] + moves).argmax(axis=0))
        best = (best[:, None] + moves).max(axis=0) + row
    tags = [int((best + end).argmax())]
    for origin in reversed(origins):
        tags.append(int(origin[tags[-1]]))
    return tags[::-1]


session = onnxruntime.InferenceSession(Path(__file__).with_name(sys.argv[1] if len(sys.argv) > 1 else "model.onnx"))
for words in filter(None, (line.split() for line in sys.stdin)):
    found = [WORDS.get(word.lower() if VOCABULARY["lowercase"] else word, WORDS.get(word.lower(), 1)) for word in words]
    characters = np.array(list(zip_longest(*map(spelling, words), fillvalue=0))).T
    inputs = {"tokens": np.array([found]), "mask": np.ones((1, len(words)), dtype=bool), "characters": characters}
    inputs |= {"word_types": np.arange(len(words))[None], "character_mask": characters > 0}
    scores = session.run(None, {one.name: inputs[one.name] for one in session.get_inputs()})[0][0]
    tags = viterbi(scores, **VOCABULARY["crf"]) if VOCABULARY["crf"] else scores.argmax(axis=-1)
    print(" ".join(f"{word}/{VOCABULARY['tags'][tag]}" for word, tag in zip(words, tags, strict=True)))
