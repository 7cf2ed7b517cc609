"""Answers after every token of lines, with ONNX Runtime alone: ``python example.py model.onnx < lines``."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime

VOCABULARY = json.loads(Path(__file__).with_name("vocabulary.json").read_text(encoding="utf-8"))
IDS = {symbol: number for number, symbol in enumerate(VOCABULARY["symbols"]) if number >= 4}  # 0 padding, 1 unknown
LABELS = VOCABULARY["labels"]  # none where answers are numbers


def symbol(token: str) -> tuple[str, float]:
    """What a token is embedded as, and the number that it stands for."""
    number = re.fullmatch(VOCABULARY["number"], token) if VOCABULARY["number"] else None
    return ("number" + number[2], float(number[1])) if number else (token, 0.0)


session = onnxruntime.InferenceSession(Path(__file__).with_name(sys.argv[1] if len(sys.argv) > 1 else "model.onnx"))
for line in sys.stdin:
    symbols, numbers = zip(*map(symbol, line.split() or [""]), strict=True)
    tokens = np.array([[IDS.get(symbol, 1) for symbol in symbols]])
    inputs = {"tokens": tokens, "mask": np.ones_like(tokens, dtype=bool), "values": np.array([numbers], np.float32)}
    outputs = session.run(None, {one.name: inputs[one.name] for one in session.get_inputs()})[0][0]
    steps = [LABELS[label] for label in outputs.argmax(axis=-1)] if LABELS else outputs[:, 0].tolist()
    print(json.dumps({"answer": steps[-1], "steps": steps}, ensure_ascii=False))
