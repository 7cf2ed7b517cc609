"""Greedy captions, with ONNX Runtime, and Pillow for image files: ``python example.py < lines``, or with .int8.

A line is the path of an image file, or of an array of NumPy (.npy): pixels [H, W, 3] uint8, or features.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

FOLDER, FORM = Path(__file__).parent, sys.argv[1] if len(sys.argv) > 1 else ""
VOCABULARY = json.loads((FOLDER / "vocabulary.json").read_text(encoding="utf-8"))
KIND, SHAPE = VOCABULARY["images"]["kind"], VOCABULARY["images"]["shape"]
encoder, decoder = (onnxruntime.InferenceSession(FOLDER / f"{name}{FORM}.onnx") for name in ("encoder", "decoder"))


def read(path: str) -> np.ndarray:
    array: Any = np.load(path) if KIND == "features" or path.endswith(".npy") else None
    if KIND == "features":
        return np.atleast_2d(array).astype(np.float32)
    if array is not None and list(array.shape) == SHAPE:
        return array
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(Image.open(path) if array is None else Image.fromarray(array)).convert("RGB")
    if [*image.size] == SHAPE[:2]:
        return np.asarray(image)
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    square = image.crop((left, top, left + edge, top + edge))
    return np.asarray(square.resize(SHAPE[:2], Image.Resampling.BILINEAR, reducing_gap=3.0))


def join(pieces: list[str]) -> str:
    if VOCABULARY["tokenizer"]["kind"] == "sentencepiece":
        from sentencepiece import SentencePieceProcessor

        return SentencePieceProcessor(model_file=str(FOLDER / "target.model")).decode_pieces(pieces)
    return ("" if VOCABULARY["tokenizer"]["kind"] == "character" else " ").join(pieces)


def run(session: onnxruntime.InferenceSession, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    known = {one.name: inputs[one.name] for one in session.get_inputs()}
    return dict(zip((one.name for one in session.get_outputs()), session.run(None, known), strict=True))


for path in map(str.strip, sys.stdin):
    values = run(encoder, {"images": read(path)[None]}) if path else {}
    token, written = VOCABULARY["bos"], []
    for _ in range(VOCABULARY["max_length"][1] if path else 0):
        step = run(decoder, values | {"token": np.array([token])})
        values |= {name: step[f"next_{name}"] for name in VOCABULARY["states"]}
        token = int(step["log_probabilities"][0].argmax())
        if token == VOCABULARY["eos"]:
            break
        written.append(VOCABULARY["target"][token])
    print(" ".join(join(written).split()))
