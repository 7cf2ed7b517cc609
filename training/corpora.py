"""Which data sets are kept for the next run (``data_cache``), and what they are recognised by."""

import hashlib
import inspect
import json
import logging
import sys
import unicodedata
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from data.cache import CorpusCache
from data.corpus import DatasetReader
from training.build import resolve_target
from training.identity import files_digest

log = logging.getLogger(__name__)

DATA = Path(__file__).parents[1] / "data"
LIBRARIES = ("datasets", "numpy", "pyarrow", "regex", "sentencepiece")  # that rows and ids depend on


def cache_of(cfg: DictConfig, reader: DatasetReader[Any]) -> CorpusCache | None:
    """The cache of the rows of a data set, if the config names a folder and its content identifies the data set."""
    folder = cfg.get("data_cache")
    if folder is None:
        return None
    codec, files = resolve_target(cfg.codec._target_), files_digest(cfg.data)
    if files is None or not reader.storable or codec.encoded_type is None:
        log.info("data_cache: %s is not kept: texts in files are, and in folders in the layout of the hub", reader.name)
        return None
    code = code_digest(type(reader), codec)
    parts = {"options": plain(cfg.data), "files": files, "code": code, "libraries": library_versions()}
    return CorpusCache(Path(folder).expanduser(), json.dumps(parts, sort_keys=True))


def codec_key(cfg: DictConfig) -> str:
    """What ids depend on beside the rows: the options of the codec, after the recipe chose some."""
    return json.dumps(plain(cfg.codec), sort_keys=True)


def plain(cfg: DictConfig) -> Any:
    return OmegaConf.to_container(cfg, resolve=True)


def code_digest(*kinds: type) -> str:
    """SHA-256 of the code that reads and encodes: of the package ``data``, and of these classes."""
    own = {Path(inspect.getfile(base)) for kind in kinds for base in kind.__mro__ if is_source(base)}
    digest = hashlib.sha256()
    for path in sorted(own | set(DATA.rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_source(kind: type) -> bool:
    """Whether a class is defined in a file that Python reads: not so built-in ones."""
    return hasattr(sys.modules.get(kind.__module__), "__file__")


def library_versions() -> dict[str, str | None]:
    """The versions of Python, of Unicode and of the libraries that rows and ids depend on."""
    own = {"python": f"{sys.version_info.major}.{sys.version_info.minor}", "unicode": unicodedata.unidata_version}
    return own | {name: version_of(name) for name in LIBRARIES}


def version_of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
