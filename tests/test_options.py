"""How commands read ``key=value`` options, and how they end when they cannot go on."""

from dataclasses import asdict, dataclass
from typing import Any

import pytest

from data.errors import InputError
from training.options import one_sentence, option, parse


def chosen(*arguments: str) -> dict[str, Any]:
    """The options that a command takes from its arguments."""

    @dataclass
    class Chosen:
        run: str = option(..., "the folder of a run", "runs/a")
        path: str = option(..., "a file", "a.csv")
        kind: str = option("plain", "how to write", "json", choices=("plain", "json", "text"))
        number: int = option(3, "how many", "5", minimum=2, maximum=2000)
        limit: int | None = option(None, "how many at most", "7")
        ratio: float | None = option(None, "how long", "1.5", minimum=0, maximum=9)
        author: str | None = option(None, "who")
        names: tuple[str, ...] = option((), "which", "a")

    return asdict(parse(Chosen, arguments, "python -m do.it", "Does it."))


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        (InputError("a.csv has no rows."), 2, "error: a.csv has no rows."),
        (FileNotFoundError(2, "No such file or directory", "a.csv"), 2, "error: a.csv: No such file or directory"),
        (OSError(28, "No space left on device"), 2, "error: input or output: No space left on device"),
        (ConnectionError("the server does not answer\nTraceback"), 2, "error: the server does not answer"),
        (MemoryError(), 1, "error: out of memory: lower batch_tokens, batch_sentences or max_length"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_a_command_that_cannot_go_on_ends_with_one_sentence(
    error: BaseException, code: int, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, one_sentence():
        raise error
    assert ended.value.code == code and capsys.readouterr().err == f"{printed}\n"


ALL = "the options are run, path, kind, number, limit, ratio, author, names."


def test_options_are_taken_as_they_stand() -> None:
    default = {"kind": "plain", "number": 3, "limit": None, "ratio": None, "author": None, "names": ()}
    assert chosen("run=a b", "path=c") == {"run": "a b", "path": "c", **default}
    given = [
        "names=a",
        "path=c",
        "run=",
        "run=x=y",
        "kind=text",
        "number=2000",
        "limit=1",
        "ratio=.5",
        "author=null",
        "names=b=c,d",
    ]
    values = {"kind": "text", "number": 2000, "limit": 1, "ratio": 0.5, "author": "null", "names": ("a", "b=c,d")}
    assert chosen(*given) == {"run": "x=y", "path": "c", **values}
    assert chosen("run=x", "path=c", "number=2", "limit=null")["limit"] is None
    assert [chosen("run=x", "path=c", f"ratio={text}")["ratio"] for text in ("null", "0", "9", "1e0")] == [
        None,
        0,
        9,
        1,
    ]
    assert chosen("run=x", "path=c", "limit=1000000000")["limit"] == 10**9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nmber=3"], "'nmber=3' is not an option; did you mean number=?"),
        (["--number=3"], "'--number=3' is not an option; did you mean number=?"),
        (["------run=x"], "'------run=x' is not an option; did you mean run=?"),
        (["number"], "'number' is not an option; did you mean number=?"),
        (["zz=3"], f"'zz=3' is not an option; {ALL}"),
        ([], "run= is missing: python -m do.it run=runs/a"),
        (["run=x"], "path= is missing: python -m do.it path=a.csv"),
        (["run="], "run= is missing: python -m do.it run=runs/a"),
        (["run=x", "path=c", "number=x"], "number=x: must be a whole number."),
        (["run=x", "path=c", "number="], "number=: must be a whole number."),
        (["run=x", "path=c", "number=null"], "number=null: must be a whole number."),
        (["run=x", "path=c", "number=٣"], "number=٣: must be a whole number."),
        (["run=x", "path=c", "number=²"], "number=²: must be a whole number."),
        (["run=x", "path=c", f"number={'1' * 13}"], f"number={'1' * 13}: must be a whole number."),
        (["run=x", "path=c", f"number={'1' * 12}"], f"number={'1' * 12}: must be from 2 to 2,000."),
        (["run=x", "path=c", "number=1"], "number=1: must be from 2 to 2,000."),
        (["run=x", "path=c", "number=2001"], "number=2001: must be from 2 to 2,000."),
        (["run=x", "path=c", "limit=0"], "limit=0: must be from 1 to 1,000,000,000."),
        (["run=x", "path=c", "limit=1000000001"], "limit=1000000001: must be from 1 to 1,000,000,000."),
        (["run=x", "path=c", "ratio=x"], "ratio=x: must be a number."),
        (["run=x", "path=c", "ratio="], "ratio=: must be a number."),
        (["run=x", "path=c", "ratio=nan"], "ratio=nan: must be a number."),
        (["run=x", "path=c", "ratio=inf"], "ratio=inf: must be a number."),
        (["run=x", "path=c", "ratio=٣"], "ratio=٣: must be a number."),
        (["run=x", "path=c", "ratio=-0.1"], "ratio=-0.1: must be from 0 to 9."),
        (["run=x", "path=c", "ratio=9.1"], "ratio=9.1: must be from 0 to 9."),
        (["run=x", "path=c", "kind=jsn"], "kind=jsn: choose plain, json or text (did you mean json?)."),
        (["run=x", "path=c", "kind=zz"], "kind=zz: choose plain, json or text."),
        (["run=x", "path=c", f"kind={'z' * 99}"], f"kind={'z' * 79}…: choose plain, json or text."),
        (
            [f"{'z' * 99}=1"],
            f"'{'z' * 79}…' is not an option; {ALL}",
        ),
    ],
)
def test_options_that_cannot_be_are_refused_with_what_can(arguments: list[str], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        chosen(*arguments)
    assert str(refusal.value) == message


@pytest.mark.parametrize("argument", ["-h", "--help"])
def test_help_explains_every_option_and_ends_the_program(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        chosen("number=x", argument)
    assert ended.value.code == 0
    assert capsys.readouterr().out.splitlines() == [
        "python -m do.it run=DIR path=DIR [key=value ...]",
        "",
        "Does it.",
        "",
        "  run              the folder of a run",
        "                   required; example: run=runs/a",
        "  path             a file",
        "                   required; example: path=a.csv",
        "  kind             how to write",
        "                   default: plain; example: kind=json",
        "  number           how many",
        "                   default: 3; example: number=5",
        "  limit            how many at most",
        "                   default: none; example: limit=7",
        "  ratio            how long",
        "                   default: none; example: ratio=1.5",
        "  author           who",
        "                   default: none; example: author=",
        "  names            which",
        "                   default: none; example: names=a",
    ]


def test_of_several_processes_one_reports_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended() -> tuple[Any, str]:
        with pytest.raises(SystemExit) as error, one_sentence():
            raise InputError("wrong")
        return error.value.code, capsys.readouterr().err

    assert ended() == (2, "error: wrong\n")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert ended() == (2, "")
