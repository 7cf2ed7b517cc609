"""Trained models behind HTTP: JSON answers with an OpenAPI description, and a page that shows them side by side."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, Base64Bytes, BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import FileResponse, JSONResponse

from data.errors import InputError
from data.sources.tables import valid_unicode
from deployment.batching import Batcher
from deployment.guard import Guard, Limits, error_response
from deployment.models import ServedModel

PAGE = Path(__file__).parent / "page"
FILES = {"/": "index.html", "/style.css": "style.css", "/script.js": "script.js"}
BATCH = 64  # inputs

Found = TypeVar("Found")
Input = Annotated[str, AfterValidator(valid_unicode)]


class Texts(BaseModel):
    """Inputs, and the models that answer them: all, if none is named."""

    texts: list[Input] = Field(description="one input each", min_length=1, examples=[["a good film", "never dull"]])
    models: list[str] = Field(default=[], description="names as in /api/models; none for all")


class Text(BaseModel):
    """One input, and the models that answer it: all that read such inputs, if none is named."""

    text: Input | None = Field(default=None, examples=["the film is not dull"])
    file: Base64Bytes | None = Field(default=None, description="for models that read files, such as images")
    models: list[str] = Field(default=[], description="names as in /api/models; none for all")


class ModelCard(BaseModel):
    """A model that answers."""

    name: str
    task: str
    reads_files: bool = Field(description="whether its input is a file, not a text")
    hint: str = Field(description="what an input is like; empty where it is any text")
    facts: list[str] = Field(description="what it was trained on, its size and its scores")


class Models(BaseModel):
    """All models, and the limits of a request."""

    models: list[ModelCard]
    limits: dict[str, int]


class Row(BaseModel):
    """One answer, with the fields that all tasks share."""

    input: str
    prediction: Any = Field(description="a label, (word, tag) pairs, or a text")
    score: float = Field(description="the higher, the more certain; a task says what it is")


class Rows(BaseModel):
    """The answers of every model, in the order of the texts."""

    answers: dict[str, list[Row]]


class Explained(Row):
    """One answer of one model, with all that can be shown of it."""

    model: str
    view: str = Field(description="what kind of details there are")
    details: dict[str, Any]
    warnings: list[str]


class Explanation(BaseModel):
    """The answers of every model to one text."""

    answers: list[Explained]


class Error(BaseModel):
    """Why there is no answer, in one sentence."""

    error: str


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Error, "description": meaning}
    for status, meaning in {
        400: "The request is invalid.",
        413: "The request is too large.",
        422: "The body is not the JSON described here.",
        503: "Too many requests at a time.",
        504: "The answer took too long.",
    }.items()
}


@contextmanager
def naming(model: ServedModel, models: Sequence[ServedModel]) -> Iterator[None]:
    """Let an error name the model, where there are several."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{model.name}: {error}" if len(models) > 1 else str(error)) from error


class Service:
    """Answers with some models, in one thread.

    Args:
        models: by name.
        limits: of a request.
        executor: the thread.
    """

    def __init__(self, models: dict[str, ServedModel], limits: Limits, executor: Executor) -> None:
        self.models, self.limits, self.executor = models, limits, executor
        self.batchers = {name: Batcher(model.answer, executor, BATCH) for name, model in models.items()}

    def chosen(self, names: Sequence[str], text: bool, file: bool = False) -> list[ServedModel]:
        """The models that answer: those named, or all that read this kind of input.

        Raises:
            InputError: there is no such model, or nothing that it reads.
        """
        given = {False: text, True: file}
        models = list(self.models.values()) if not names else [self.named(name) for name in dict.fromkeys(names)]
        for model in models:
            if names and not given[model.reads_files]:
                raise InputError(f"{model.name} reads {'a file' if model.reads_files else 'a text'}: send one.")
        found = [model for model in models if given[model.reads_files]]
        if not found:
            raise InputError("No model reads this: send a text, or a file for models that read files.")
        return found

    def named(self, name: str) -> ServedModel:
        if name not in self.models:
            raise InputError(f"There is no such model: the models are {'; '.join(self.models)}.")
        return self.models[name]

    def check(self, texts: Sequence[str]) -> None:
        """Raise where a request has too much text."""
        characters = sum(map(len, texts))
        if characters > self.limits.characters:
            raise InputError(f"There are {characters:,} characters: send at most {self.limits.characters:,} at a time.")
        if len(texts) > self.limits.texts:
            raise InputError(f"There are {len(texts)} texts: send at most {self.limits.texts} at a time.")

    async def predict(self, asked: Texts) -> Rows:
        """The label, tags or text that every model gives for every input."""
        self.check(asked.texts)
        models = self.chosen(asked.models, text=True)
        found = {}
        for model in models:
            with naming(model, models):
                found[model.name] = await self.batchers[model.name](asked.texts)
        return Rows(answers=found)

    async def explain(self, asked: Text) -> Explanation:
        """One text with all that can be shown: probabilities, the words that moved them, n best, attention."""
        text, file = asked.text or "", asked.file or b""
        self.check([text])
        models = self.chosen(asked.models, asked.text is not None, asked.file is not None)
        found = []
        for model in models:
            work = partial(model.inspect_file, file) if model.reads_files else partial(model.inspect, text)
            with naming(model, models):
                found.append(Explained(**await self.in_thread(work)))
        return Explanation(answers=found)

    async def in_thread(self, work: Callable[[], Found]) -> Found:
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self.executor, work)

    async def cards(self) -> Models:
        """All models, and the limits of a request."""
        cards = [
            ModelCard(
                name=name, task=model.task, reads_files=model.reads_files, hint=model.predictor.hint, facts=model.facts
            )
            for name, model in self.models.items()
        ]
        return Models(models=cards, limits=vars(self.limits))


def application(models: dict[str, ServedModel], limits: Limits, hosts: Sequence[str] = ()) -> FastAPI:
    """The page, the JSON interface and its description, within their limits."""
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
    service = Service(models, limits, executor)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        executor.shutdown(cancel_futures=True)

    app = FastAPI(title="rnnbench", description=__doc__ or "", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(Guard, limits=limits, hosts=hosts)
    for error in (InputError, RequestValidationError, StarletteHTTPException):
        app.add_exception_handler(error, error_in_a_sentence)
    app.get("/api/models", summary="The models that answer", response_model=Models)(service.cards)
    app.get("/health", summary="Whether the service answers")(health)
    app.post("/api/predict", summary="What every model predicts for every input", responses=ERRORS)(service.predict)
    app.post("/api/explain", summary="One text, with all that can be shown", responses=ERRORS)(service.explain)
    for path in FILES:
        app.add_route(path, page_file, include_in_schema=False)
    return app


def invalid(error: dict[str, Any]) -> str:
    """What pydantic found wrong, without the value."""
    if error["type"] == "json_invalid":
        return "The body is not JSON."
    where = ".".join(str(part) for part in error["loc"][1:]) or "the body"
    message = str(error["msg"]).rstrip(".")
    return f"{where}: {message[:1].lower()}{message[1:]}."


async def page_file(request: Request) -> FileResponse:
    """A file of the page."""
    return FileResponse(PAGE / FILES[request.url.path])


async def health() -> dict[str, str]:
    """``{"status": "ok"}``."""
    return {"status": "ok"}


async def error_in_a_sentence(_: Request, error: Exception) -> JSONResponse:
    """What is wrong with a request, without repeating the request."""
    if isinstance(error, RequestValidationError):
        return error_response(422, invalid(error.errors()[0]))
    if isinstance(error, HTTPException | StarletteHTTPException):
        reasons = {404: "There is no such page.", 405: "This page takes another method."}
        return error_response(error.status_code, reasons.get(error.status_code, f"{error.detail}."), error.headers)
    return error_response(400, str(error))
