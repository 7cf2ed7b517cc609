"""Uploading a run to the Hugging Face hub."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from data.errors import InputError, first_line
from training.card import CARD
from training.checksums import CHECKSUMS, read_checksums, verify_checksums
from training.folders import CONFIG, RESULT, WEIGHTS

Answer = TypeVar("Answer")

OTHERS = (CARD, RESULT, CHECKSUMS, CONFIG, WEIGHTS, "learning_curve.png")  # beside the files that prediction needs


def files_to_upload(directory: Path) -> list[str]:
    """What prediction needs, the card, the result and the learning curve; no predictions, which hold rows of the data.

    Raises:
        InputError: a file is missing or differs from its checksum.
    """
    verify_checksums(directory)
    names = dict.fromkeys([*OTHERS, *read_checksums(directory / CHECKSUMS)])
    return [name for name in names if (directory / name).is_file()]


def push(directory: Path, repository: str, private: bool) -> str:
    """Upload a run into a repository, which is created if it does not exist; the address of the commit.

    Raises:
        InputError: there is no token, no network, or the hub refuses.
    """
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise InputError(
            f"push={repository}: there is no token of the Hugging Face hub: log in with 'hf auth login', or set "
            f"HF_TOKEN."
        )
    names, api = files_to_upload(directory), HfApi()
    call_hub(repository, lambda: api.create_repo(repository, private=private, exist_ok=True))
    message = f"rnnbench: {directory.name}"
    done: Any = call_hub(
        repository,
        lambda: api.upload_folder(
            repo_id=repository, folder_path=directory, allow_patterns=names, commit_message=message
        ),
    )
    return str(done.commit_url)


def call_hub(repository: str, request: Callable[[], Answer]) -> Answer:
    """The answer to a request to the hub."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return request()
    except HFValidationError as error:
        raise InputError(f"push={repository}: write push=ORGANISATION/NAME ({first_line(error)}).") from error
    except HfHubHTTPError as error:
        raise InputError(f"push={repository}: the hub refuses: {first_line(error)}.") from error
    except Exception as error:
        if not is_network_error(error):
            raise
        raise InputError(
            f"push={repository}: the hub cannot be reached ({first_line(error)}): try again later."
        ) from error


def is_network_error(error: Exception) -> bool:
    """Whether a connection failed; the HTTP library of huggingface_hub differs between its versions."""
    library = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or library in ("httpx", "httpx2", "httpcore", "httpcore2", "requests")
