"""The public data sets, where copies of them lie beside the checkout: sizes as their makers give them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

from training.build import build

DATA = ROOT.parent / "shared" / "data"
SIZES = {
    ("sentiment", "sst2"): (6920, 872, 1821),
    ("sentiment", "sst2_phrases"): (67349, 872, 1821),
    ("tagging", "ud_english_ewt"): (12544, 2001, 2077),
    ("translation", "multi30k"): (29000, 1014, 1000),
    ("translation", "tatoeba_de_en"): (159813, 5000, 5000),
}


@pytest.mark.parametrize("task, data", SIZES)
def test_a_local_copy_has_the_rows_of_the_data_set(composed: Callable, task: str, data: str) -> None:
    folder: Path = DATA / data
    if not folder.is_dir():
        pytest.skip(f"no copy of {data} in {DATA}")
    source = build(composed(task, f"data={data}", f"data.path={folder}").data)
    assert tuple(len(source.read_split(split)) for split in ("validation", "test")) == SIZES[task, data][1:]
    train = source.read_split("train")
    assert len(train) == SIZES[task, data][0]
    assert all(all(example.content()) for example in train)
