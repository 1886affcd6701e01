"""What the client does when answers are lost, late or none of the service's."""

import io
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api_schemas.common import Problem
from client import (
    KVAE,
    Conflict,
    InvalidInput,
    JobCancelled,
    JobFailed,
    NotFound,
    ServiceError,
    TooMany,
    UnexpectedAnswer,
    Unreachable,
)
from service.examples import examples
from tests.client.scripted import CUT, Answer, Scripted, scripted
from tests.servers import free_port

JOB, DATASET, MODEL, EVENT = (examples()[name] for name in ("Job", "Dataset", "Model", "JobEvent"))
EMPTY: dict[str, Any] = {
    "object": "list",
    "data": [],
    "first_id": None,
    "last_id": None,
    "has_more": False,
}
BUSY = Answer("busy", 503, {"Retry-After": "0"})


def answer(document: object, status: int = 200) -> Answer:
    return Answer(json.dumps(document), status)


def problem(status: int, code: str = "x", **headers: str) -> Answer:
    told = Problem(title="T", status=status, detail="it is so", code=code, request_id="req_1")
    return Answer(told.model_dump_json(), status, headers)


def keys(server: Scripted) -> list[str]:
    return [headers["idempotency-key"] for _, headers, _ in server.got]


def test_what_is_created_is_created_once() -> None:
    in_flight = problem(409, "idempotency_key_in_flight")
    with scripted(CUT, BUSY, in_flight, answer(DATASET)) as server:
        kvae = KVAE(server.address)
        assert kvae.upload(np.zeros((3, 2)), name="x").id == DATASET["id"]
        assert len(set(keys(server))) == 1
        assert len({body for _, _, body in server.got}) == 1
        assert server.got[0][0] == "POST /datasets?name=x HTTP/1.1"
    with scripted(answer(DATASET), answer(DATASET)) as server:
        kvae = KVAE(server.address)
        for _ in range(2):
            kvae.upload(np.zeros((3, 2)))
        assert len(set(keys(server))) == 2
    with scripted(CUT, answer(JOB), problem(409)) as server:
        kvae = KVAE(server.address)
        assert kvae.jobs.resume("j").id == JOB["id"]
        with pytest.raises(Conflict):
            kvae.jobs.resume("j")
        assert len(set(keys(server))) == 2


def test_a_pipe_is_sent_again_whole() -> None:
    read, write = os.pipe()
    text = b"1,2\n" * 100_000

    def fill() -> None:
        with os.fdopen(write, "wb") as pipe:
            pipe.write(text)

    filling = threading.Thread(target=fill)
    filling.start()
    with scripted(CUT, answer(DATASET)) as server, os.fdopen(read, "rb") as pipe:
        KVAE(server.address).upload(pipe)
        assert [body for _, _, body in server.got] == [text, text]
    filling.join()


def test_the_time_to_wait_is_the_services() -> None:
    with scripted(problem(429, **{"Retry-After": "1"}), answer(MODEL)) as server:
        began = time.monotonic()
        assert KVAE(server.address).models.get().id == MODEL["id"]
        assert time.monotonic() - began >= 1
    with scripted(problem(429, "rate_limited", **{"Retry-After": "3600"})) as server:
        with pytest.raises(TooMany) as raised:
            KVAE(server.address).models.get()
        assert raised.value.retry_after == 3600
    with scripted(
        problem(503, **{"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}), answer(MODEL)
    ) as server:
        KVAE(server.address).models.get()


def test_patience_ends() -> None:
    with (
        scripted(*[BUSY] * 9) as server,
        pytest.raises(ServiceError, match="503 Service") as raised,
    ):
        KVAE(server.address, patience=1).models.get()
    assert raised.value.code == "foreign_answer"
    began = time.monotonic()
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=f"no answer from {address}"):
        KVAE(address).models.get()  # nothing ever answered there: it may be wrong
    assert time.monotonic() - began < 10


def test_what_is_refused_is_refused_at_once() -> None:
    told = json.loads(problem(422, "invalid_file").body)
    told["errors"] = [{"loc": ["file"], "msg": "is empty"}]
    with scripted(answer(told, 422)) as server, pytest.raises(InvalidInput, match="so") as raised:
        KVAE(server.address).upload(io.BytesIO(b""))
    error = raised.value
    assert (error.status, error.code, error.request_id) == (422, "invalid_file", "req_1")
    assert (error.errors[0].loc, error.errors[0].msg) == (["file"], "is empty")
    with scripted(problem(418)) as server, pytest.raises(ServiceError):
        KVAE(server.address).models.get()


def test_a_deletion_of_what_has_gone_was_done_before() -> None:
    with scripted(CUT, problem(404), problem(404)) as server:
        kvae = KVAE(server.address)
        kvae.models.delete("m")
        with pytest.raises(NotFound):
            kvae.models.delete("m")


def test_answers_of_something_else() -> None:
    with scripted(Answer("<html>"), answer({**MODEL, "alpha": "x"})) as server:
        kvae = KVAE(server.address)
        with pytest.raises(UnexpectedAnswer, match="answered something else than a Model"):
            kvae.models.get()
        with pytest.raises(UnexpectedAnswer, match="alpha"):
            kvae.models.get()


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://x", "http://x:port", "http://"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        KVAE(address)


def test_the_key_is_sent() -> None:
    with scripted(answer(MODEL)) as server:
        with KVAE(server.address, "kvae_1_2") as kvae:
            kvae.models.get("a/b?c")
        request, headers, _ = server.got[0]
    assert request == "GET /models/a%2Fb%3Fc HTTP/1.1"
    assert headers["authorization"] == "Bearer kvae_1_2"
    with pytest.raises(ValueError, match="key"):
        KVAE(key="é")


def test_a_log_goes_on_where_it_was_cut() -> None:
    events = [json.dumps({**EVENT, "id": str(i)}) for i in range(3)]
    told = [f"event: metrics\nid: {i}\ndata: {event}\n\n" for i, event in enumerate(events)]
    first = Answer("retry: 2000\n\n" + told[0] + ": heartbeat\n\n" + told[1], is_cut=True)
    with scripted(first, BUSY, Answer(told[1] + told[2]), Answer("", 204)) as server:
        assert [event.id for event in KVAE(server.address).jobs.watch("j")] == ["0", "1", "2"]
        assert [headers["last-event-id"] for _, headers, _ in server.got] == ["0", "0", "0", "2"]


def test_lists_are_read_to_their_end() -> None:
    first = {**EMPTY, "data": [MODEL], "last_id": "m1", "has_more": True}
    with scripted(answer(first), answer({**EMPTY, "data": [MODEL]})) as server:
        assert len(list(KVAE(server.address).models.list())) == 2
        assert "after=m1" in server.got[1][0]


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "s.csv"
    target.write_text("old")
    with scripted(Answer("x,y\n1,2\n", is_cut=True), Answer("x,y\n1,2\n"), problem(422)) as server:
        kvae = KVAE(server.address)
        kvae.sample_file(target)
        assert target.read_text() == "x,y\n1,2\n"
        with pytest.raises(InvalidInput):
            kvae.sample_file(target)
    assert target.read_text() == "x,y\n1,2\n"
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(ValueError, match=r"\.txt: .* one of \.csv"):
        kvae.sample_file(tmp_path / "s.txt")
    with scripted(Answer("1")) as server:
        KVAE(server.address).sample_file(Path(os.devnull), media_type="text/csv")
    assert Path(os.devnull).is_char_device()


def test_jobs_that_end_otherwise() -> None:
    error = {"code": "diverged", "message": "it is not finite"}
    failed = answer({**JOB, "status": "failed", "error": error, "model": None})
    with scripted(failed, answer({**JOB, "status": "cancelled", "model": None})) as server:
        kvae = KVAE(server.address)
        with pytest.raises(JobFailed, match=r"it is not finite \(diverged\)") as raised:
            kvae.wait("j", progress=False)
        assert raised.value.job.status == "failed"
        with pytest.raises(JobCancelled, match="was cancelled"):
            kvae.wait("j", progress=False)
