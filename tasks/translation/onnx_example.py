"""Greedy translations of lines, with ONNX Runtime and sentencepiece: ``python example.py < lines``, or with .int8."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from sentencepiece import SentencePieceProcessor

FOLDER, FORM = Path(__file__).parent, sys.argv[1] if len(sys.argv) > 1 else ""
VOCABULARY = json.loads((FOLDER / "vocabulary.json").read_text(encoding="utf-8"))
IDS = {symbol: number for number, symbol in enumerate(VOCABULARY["source"]) if number >= 4}  # 0 padding, 1 unknown
encoder, decoder = (onnxruntime.InferenceSession(FOLDER / f"{name}{FORM}.onnx") for name in ("encoder", "decoder"))
source, target = (SentencePieceProcessor(model_file=str(FOLDER / f"{side}.model")) for side in ("source", "target"))


def run(session: onnxruntime.InferenceSession, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    known = {one.name: inputs[one.name] for one in session.get_inputs()}
    return dict(zip((one.name for one in session.get_outputs()), session.run(None, known), strict=True))


for line in sys.stdin:
    text = line.strip().lower() if VOCABULARY["tokenizer"]["lowercase"] else line.strip()
    pieces = source.encode(text, out_type=str)
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
    print(target.decode_pieces(written))
