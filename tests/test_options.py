"""How commands with ``key=value`` options end when they cannot go on."""

import pytest

from data.errors import InputError
from training.options import one_sentence


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
