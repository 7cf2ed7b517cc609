"""Requests that wait for a model are answered together, one batch after the other."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

Answerer = Callable[[list[str]], list[Any]]


class Request(NamedTuple):
    """Inputs, and where their answers go."""

    inputs: list[str]
    future: "asyncio.Future[list[Any]]"


class Batcher:
    """Collects the requests that arrive while the model is busy.

    Args:
        answer: one answer for each input; runs in a thread of the executor.
        executor: where the model runs.
        most_inputs: of one batch; a larger request is a batch of its own.
    """

    def __init__(self, answer: Answerer, executor: Executor, most_inputs: int) -> None:
        self.answer, self.executor, self.most_inputs = answer, executor, most_inputs
        self.waiting: deque[Request] = deque()
        self.worker: asyncio.Task[None] | None = None

    async def __call__(self, inputs: list[str]) -> list[Any]:
        """One answer for each input.

        Raises:
            data.errors.InputError: what ``answer`` raises for these inputs, whatever other requests are in the batch.
        """
        loop = asyncio.get_running_loop()
        request = Request(inputs, loop.create_future())
        self.waiting.append(request)
        if self.worker is None or self.worker.done():
            self.worker = loop.create_task(self.work())
        return await request.future

    async def work(self) -> None:
        """Answer until no request is waiting."""
        loop = asyncio.get_running_loop()
        while self.waiting:
            batch = self.next_batch()
            found = await loop.run_in_executor(self.executor, answer_requests, self.answer, [r.inputs for r in batch])
            for request, answers in zip(batch, found, strict=True):
                settle(request.future, answers)

    def next_batch(self) -> list[Request]:
        """The requests at the head of the queue, without cancelled ones."""
        batch: list[Request] = []
        size = 0
        while self.waiting and (not batch or size + len(self.waiting[0].inputs) <= self.most_inputs):
            request = self.waiting.popleft()
            if not request.future.done():
                batch.append(request)
                size += len(request.inputs)
        return batch


def settle(future: "asyncio.Future[list[Any]]", answers: list[Any] | Exception) -> None:
    """Hand over answers or an error, unless the request was given up."""
    if future.done():
        return
    if isinstance(answers, Exception):
        future.set_exception(answers)
    else:
        future.set_result(answers)


def answer_requests(answer: Answerer, requests: Sequence[list[str]]) -> list[list[Any] | Exception]:
    """The answers to several requests at once; where that fails, each alone, so that one cannot harm the others."""
    if len(requests) > 1:
        try:
            answers = iter(answer([text for inputs in requests for text in inputs]))
            return [[next(answers) for _ in inputs] for inputs in requests]
        except Exception:
            pass  # found again below, in the request that it belongs to
    return [attempt(answer, inputs) for inputs in requests]


def attempt(answer: Answerer, inputs: list[str]) -> list[Any] | Exception:
    try:
        return answer(inputs)
    except Exception as error:
        return error
