"""Weights and checkpoints on disk: read as they were written, or refused as damaged."""

import hashlib
import io
import logging
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from data.errors import InputError
from training.checkpoint import load_checkpoint, load_weights, remove_checkpoints, save_checkpoint, save_weights
from training.folders import CHECKPOINTS, WEIGHTS


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight


def test_weights_are_read_as_they_were_written(tmp_path: Path) -> None:
    model, other = Tied(), Tied()
    digest = save_weights(model, tmp_path)
    assert digest == hashlib.sha256((tmp_path / WEIGHTS).read_bytes()).hexdigest()
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS]
    load_weights(other, tmp_path)
    load_weights(other, tmp_path, digest)
    for name, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor)


def test_tied_weights_are_written_once_under_their_first_name(tmp_path: Path) -> None:
    save_weights(Tied(), tmp_path)
    assert set(safetensors.torch.load_file(tmp_path / WEIGHTS)) == {"first.weight", "first.bias", "second.bias"}


def test_a_tensor_that_is_not_contiguous_is_written(tmp_path: Path) -> None:
    model = nn.Linear(2, 3)
    model.weight = nn.Parameter(torch.arange(6.0).reshape(2, 3).T)
    save_weights(model, tmp_path)
    assert torch.equal(safetensors.torch.load_file(tmp_path / WEIGHTS)["weight"], model.weight)


def test_weights_that_are_not_there_or_not_of_the_run_are_refused(tmp_path: Path) -> None:
    model = Tied()
    with pytest.raises(InputError, match=f"{tmp_path} has no {WEIGHTS}: it is not a run folder"):
        load_weights(model, tmp_path)
    save_weights(model, tmp_path)
    with pytest.raises(InputError, match=f"{WEIGHTS} is not the file that this run has written: it is damaged"):
        load_weights(model, tmp_path, "0" * 64)
    with pytest.raises(InputError, match="it is damaged"):
        load_weights(model, tmp_path, "")


def states(number: int) -> dict[str, object]:
    return {"progress": {"epoch": number}, "model": {"weight": torch.full((4,), float(number))}, "history": [number]}


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path) is None
    save_checkpoint(states(1), tmp_path)
    state = load_checkpoint(tmp_path)
    assert state is not None and state["progress"] == {"epoch": 1} and state["history"] == [1]
    assert torch.equal(state["model"]["weight"], torch.ones(4))
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINTS[0]]


def test_the_checkpoint_before_the_newest_is_kept_and_no_other(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        save_checkpoint(states(number), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(CHECKPOINTS)
    assert load_checkpoint(tmp_path)["progress"]["epoch"] == 3
    (tmp_path / CHECKPOINTS[0]).unlink()
    assert load_checkpoint(tmp_path)["progress"]["epoch"] == 2


def test_checkpoints_are_removed_and_nothing_else(tmp_path: Path) -> None:
    save_weights(Tied(), tmp_path)
    for number in (1, 2):
        save_checkpoint(states(number), tmp_path)
    for _ in range(2):
        remove_checkpoints(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS]


@pytest.mark.parametrize("position", [0, 10, 63, 64, 65, 0.3, 0.7, -1])
def test_a_flipped_bit_is_found_and_the_one_before_is_used(
    tmp_path: Path, position: float, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2):
        save_checkpoint(states(number), tmp_path)
    newest = tmp_path / CHECKPOINTS[0]
    content = bytearray(newest.read_bytes())
    content[int(position * len(content)) if isinstance(position, float) else int(position)] ^= 4
    newest.write_bytes(content)
    assert load_checkpoint(tmp_path)["progress"]["epoch"] == 1
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [f"{newest} is damaged and is not used"]


@pytest.mark.parametrize("length", [0, 10, 64, 100])
def test_a_checkpoint_that_was_cut_is_refused_where_there_is_no_other(tmp_path: Path, length: int) -> None:
    save_checkpoint(states(1), tmp_path)
    newest = tmp_path / CHECKPOINTS[0]
    newest.write_bytes(newest.read_bytes()[:length])
    with pytest.raises(InputError, match=f"All checkpoints in {tmp_path}"):
        load_checkpoint(tmp_path)


class Code:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code of a checkpoint was run')",))


def test_a_checkpoint_never_runs_code(tmp_path: Path) -> None:
    file = io.BytesIO()
    torch.save({"progress": Code()}, file)
    digest = hashlib.sha256(file.getvalue()).hexdigest().encode()
    (tmp_path / CHECKPOINTS[0]).write_bytes(digest + file.getvalue())
    with pytest.raises(InputError):
        load_checkpoint(tmp_path)
