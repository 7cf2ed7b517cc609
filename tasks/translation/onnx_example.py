"""Greedy translations of lines, with ONNX Runtime alone: ``python example.py < lines``, or with .int8.

Sub-words need sentencepiece, words outside of ASCII need regex.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime

FOLDER, FORM = Path(__file__).parent, sys.argv[1] if len(sys.argv) > 1 else ""
VOCABULARY = json.loads((FOLDER / "vocabulary.json").read_text(encoding="utf-8"))
RULES = VOCABULARY["tokenizer"]
IDS = {symbol: number for number, symbol in enumerate(VOCABULARY["source"]) if number >= 4}  # 0 padding, 1 unknown
encoder, decoder = (onnxruntime.InferenceSession(FOLDER / f"{name}{FORM}.onnx") for name in ("encoder", "decoder"))
if RULES["kind"] == "sentencepiece":
    from sentencepiece import SentencePieceProcessor

    source, target = (SentencePieceProcessor(model_file=str(FOLDER / f"{side}.model")) for side in ("source", "target"))


def split(text: str) -> list[str]:
    text = text.lower() if RULES["lowercase"] else text
    if RULES["kind"] == "sentencepiece":
        return source.encode(text, out_type=str)
    if RULES["kind"] == "words" and text.isascii():
        return re.findall(RULES["ascii_pattern"], text, re.VERBOSE | re.IGNORECASE)
    if RULES["kind"] == "words":
        import regex

        return regex.findall(RULES["pattern"], text, regex.VERBOSE | regex.IGNORECASE)
    return text.split() if RULES["kind"] == "spaces" else list(" ".join(text.split()))


def join(pieces: list[str]) -> str:
    if RULES["kind"] == "sentencepiece":
        return target.decode_pieces(pieces)
    return ("" if RULES["kind"] == "character" else " ").join(pieces)


def run(session: onnxruntime.InferenceSession, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    known = {one.name: inputs[one.name] for one in session.get_inputs()}
    return dict(zip((one.name for one in session.get_outputs()), session.run(None, known), strict=True))


for line in sys.stdin:
    pieces = split(line.strip())
    tokens = np.array([[*(IDS.get(piece, 1) for piece in pieces), VOCABULARY["eos"]]])
    values = {"tokens": tokens, "mask": np.ones_like(tokens, dtype=bool)}
    values |= run(encoder, values)
    token, written, (factor, extra) = VOCABULARY["bos"], [], VOCABULARY["max_length"]
    for _ in range(int(factor * tokens.size) + extra if pieces else 0):
        step = run(decoder, values | {"token": np.array([token])})
        values |= {name: step[f"next_{name}"] for name in VOCABULARY["states"]}
        token = int(step["log_probabilities"][0].argmax())
        if token == VOCABULARY["eos"]:
            break
        written.append(VOCABULARY["target"][token])
    print(" ".join(join(written).split()))
