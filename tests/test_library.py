"""The suite as a library: one public name, bundles in place of folders, and a notebook that runs."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, TASKS, TEXT_TASKS

import rnnbench
from training.bundle import opened, write_bundle
from training.checksums import sha256

TEXTS = ["the film is good .", "", "the dog sees a cat ."]


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A program of the user's in a folder of theirs, with the suite installed."""
    script = folder / "program.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, script], cwd=folder, env=environment, capture_output=True, text=True)


def test_the_public_name_is_complete_and_cheap(tmp_path: Path) -> None:
    code = (
        "import sys, rnnbench\nassert not {'torch', 'hydra', 'datasets'} & sys.modules.keys()\nprint(rnnbench.__all__)"
    )
    done = python(code, tmp_path)
    assert done.stdout.strip() == "['Answer', 'InputError', 'Predictor', 'load']" and done.stderr == ""
    assert all(getattr(rnnbench, name).__doc__ for name in rnnbench.__all__)


@pytest.mark.parametrize("name", ["data.py", "tasks/__init__.py"])
def test_a_module_of_the_same_name_is_reported_and_does_no_harm(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("value = 1\n")
    code = "import rnnbench\nfrom data.errors import InputError\nassert InputError is rnnbench.InputError"
    done = python(code, tmp_path)
    package = Path(name).parts[0].removesuffix(".py")
    assert done.returncode == 0 and f"'{package}' is imported in place of {tmp_path / name}" in done.stderr
    done = python(f"import {package}\nimport rnnbench", tmp_path)
    assert done.returncode == 1 and "import rnnbench before it, or rename it." in done.stderr.splitlines()[-1]


def test_a_folder_of_data_files_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = python("import rnnbench", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("task", TASKS)
def test_a_bundle_answers_as_its_folder_does(saved: dict[str, Path], tmp_path: Path, task: str) -> None:
    path = tmp_path / "model.zip"
    digest = write_bundle(saved[task], path)
    assert path.with_name("model.zip.sha256").read_text() == f"{digest}  model.zip\n"
    models = [rnnbench.load(run, device="cpu") for run in (saved[task], path)]
    if task in TEXT_TASKS:
        answers = [model.predict(TEXTS) for model in models]
        assert answers[0] == answers[1] and len(answers[0]) == 3
    assert all(
        Path(name).suffix in (".json", ".yaml", ".safetensors", ".model") for name in zipfile.ZipFile(path).namelist()
    )
    assert write_bundle(saved[task], tmp_path / "again.zip") == digest


def test_a_damaged_bundle_is_refused_at_every_byte_that_counts(saved: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    write_bundle(saved["sentiment"], path)
    whole = path.read_bytes()
    for place in range(40, len(whole), len(whole) // 40):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 8]) + whole[place + 1 :])
        try:
            with opened(path) as folder:  # a date or a flag may differ, the content may not
                assert (folder / "model.safetensors").read_bytes() == (
                    saved["sentiment"] / "model.safetensors"
                ).read_bytes()
        except rnnbench.InputError as error:
            assert str(path) in str(error) and "rnnbench-" not in str(error)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(rnnbench.InputError, match="is not a bundle of a run, or it is damaged"):
        rnnbench.load(path)


def test_a_file_that_was_replaced_is_found(saved: dict[str, Path], tmp_path: Path) -> None:
    path, changed = tmp_path / "model.zip", tmp_path / "changed.zip"
    write_bundle(saved["sentiment"], path)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name) + (b" " if name == "labels.json" else b""))
    with pytest.raises(rnnbench.InputError, match=r"changed\.zip/labels\.json differs from its checksum"):
        rnnbench.load(changed)


@pytest.mark.parametrize("name", ["../outside.json", "/outside.json", "link", "small.json"])
def test_what_no_bundle_holds_is_not_read(saved: dict[str, Path], tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.zip"
    write_bundle(saved["sentiment"], path)
    entry = zipfile.ZipInfo(name)
    if name == "link":
        entry.external_attr = 0o120777 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED if name == "small.json" else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, "0" * 100_000)
    with pytest.raises(rnnbench.InputError, match="does not belong in a bundle of a run"):
        rnnbench.load(path)
    assert not (tmp_path / "outside.json").exists()


def test_other_files_are_no_bundle(tmp_path: Path) -> None:
    for content in (b"", b"text", b"PK\x05\x06" + bytes(18)):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(rnnbench.InputError, match="bundle of a run"):
            rnnbench.load(tmp_path / "file")


def test_the_notebook_runs(saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    shutil.copytree(saved["sentiment"], tmp_path / "runs" / "sentiment" / "run")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(ROOT / "docs" / "library.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}, timeout=120).execute()
    printed = "".join(output["text"] for cell in notebook.cells for output in cell.get("outputs", []))
    assert "the film is not dull . ->" in printed and "nowhere is not a run folder" in printed


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A small folder with the files of a finished run."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("config.yaml", "model.safetensors"):
        (folder / name).write_text(name)
    digests = {name: sha256(folder / name) for name in ("config.yaml", "model.safetensors")}
    (folder / "checksums.json").write_text(json.dumps(digests))
    return folder


def refusal(path: Path) -> str:
    """What a bundle is refused with."""
    with pytest.raises(rnnbench.InputError) as error, opened(path):
        pass
    return str(error.value)


def test_a_bundle_holds_plain_files_and_is_the_same_at_any_time(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    names = ["checksums.json", "config.yaml", "model.safetensors"]
    for more in ([], ["result.json", "README.md"]):
        for name in more:
            (finished / name).write_text(name)
        (finished / "history.jsonl").write_text("not in it")
        digest = write_bundle(finished, path)
        assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (tmp_path / "model.zip.sha256").read_text() == f"{digest}  model.zip\n"
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            assert [entry.filename for entry in entries] == names + more
            assert all(archive.read(name) == (finished / name).read_bytes() for name in names + more)
        assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in entries} == {0o644}
        assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
        with opened(path) as folder:
            assert folder != finished and {file.name for file in folder.iterdir()} == {*names, *more}
        assert not folder.exists()
    with opened(finished) as folder:
        assert folder == finished


def test_only_a_finished_run_makes_a_bundle(finished: Path, tmp_path: Path) -> None:
    for content in ({}, {"config.yaml": "x"}, {"config.yaml": "x", "other": "y"}):
        (finished / "checksums.json").write_text(json.dumps(content))
        with pytest.raises(rnnbench.InputError) as error:
            write_bundle(finished, tmp_path / "model.zip")
        assert str(error.value) == (
            f"{finished} has no checksums.json with config.yaml and model.safetensors: it is not that of a "
            "finished run."
        )
    content = {"config.yaml": sha256(finished / "config.yaml"), "model.safetensors": "x"}
    (finished / "checksums.json").write_text(json.dumps(content))
    with pytest.raises(rnnbench.InputError, match=r"model\.safetensors differs from its checksum"):
        write_bundle(finished, tmp_path / "model.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.parametrize(
    ("name", "mode", "compressed", "read"),
    [
        ("plain.json", 0o644, False, True),
        ("plain.json", 0, False, True),
        ("plain.json", 0o100644, False, True),
        ("link.json", 0o120777, False, False),
        ("pipe", 0o010644, False, False),
        ("folder/", 0o040755, False, False),
        ("folder/", 0, False, False),
        ("small.json", 0o644, True, False),
        ("../outside.json", 0o644, False, False),
        ("a\nb", 0o644, False, False),
    ],
)
def test_an_entry_of_a_bundle_is_a_plain_file_in_it(
    finished: Path, tmp_path: Path, name: str, mode: int, compressed: bool, read: bool
) -> None:
    path = tmp_path / "model.zip"
    write_bundle(finished, path)
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    entry.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, "")
    if read:
        with opened(path) as folder:
            assert (folder / name).is_file()
    else:
        shown = name.replace("\n", " ")
        assert refusal(path) == f"{path}: '{shown}' does not belong in a bundle of a run: it is not read."


def test_other_archives_are_refused_for_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "file.zip"
    for number, said in ((100, "has no checksums.json"), (101, "has more than 100 files")):
        with zipfile.ZipFile(path, "w") as archive:
            for name in range(number):
                archive.writestr(f"{name}.json", "")
        assert refusal(path) == f"{path} {said}: it is not a bundle of a run."
    path.write_text("text")
    assert refusal(path) == f"{path} is not a bundle of a run, or it is damaged: File is not a zip file."


def test_what_is_wrong_in_a_bundle_is_said_with_its_name(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    write_bundle(finished, path)
    with pytest.raises(rnnbench.InputError) as error, opened(path) as folder:
        raise rnnbench.InputError(f"{folder}/config.yaml is odd")
    assert str(error.value) == f"{path}/config.yaml is odd"
