"""Models held in memory, and calls that are computed together."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from service import aliases, models
from service.database import Database
from service.errors import NotFound
from service.inference import Found, Inference, Open
from service.model_cache import ModelCache, memory
from tests.points import three_blobs
from tests.service.fits import fit_blobs, publish
from trainer import DamagedState, Fit, InvalidPoints, Mixture

POINTS = three_blobs()[0]
PLENTY = 1 << 30


@pytest.fixture(scope="module")
def fit() -> Fit:
    return fit_blobs()


@pytest.fixture
def refs(database: Database, fit: Fit) -> list[str]:
    """Three models; the last one is the default."""
    return [publish(database, fit) for _ in range(3)]


@pytest.fixture
def inference(database: Database) -> Iterator[Inference]:
    inference = Inference(database, PLENTY, threads=2)
    yield inference
    inference.close()


class Loads:
    """Counts and delays what loads mixtures."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.count = 0
        self._load = Mixture.from_bytes
        monkeypatch.setattr(Mixture, "from_bytes", self)

    def __call__(self, data: bytes, device: torch.device | None) -> Mixture:
        self.count += 1
        self.started.release()
        assert self.go_on.acquire(timeout=30)
        return self._load(data, device)


def in_threads(number: int, call: Any) -> tuple[list[threading.Thread], list[Any]]:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(call())) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads, found


def test_a_model_is_loaded_once_and_others_meanwhile(
    database: Database, refs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ModelCache(database, PLENTY)
    other = cache.get(refs[1])
    loads = Loads(monkeypatch)
    threads, found = in_threads(4, lambda: cache.get(refs[0]))
    assert loads.started.acquire(timeout=30)
    assert cache.get(refs[1]) is other
    loads.go_on.release(2)
    assert cache.get(refs[2]) is not other  # another one loads
    for thread in threads:
        thread.join()
    assert loads.count == 2
    assert len(set(map(id, found))) == 1


def test_the_least_recently_used_is_freed(database: Database, refs: list[str], fit: Fit) -> None:
    size = memory(fit.mixture)
    cache = ModelCache(database, 2 * size)
    freed, kept = (weakref.ref(cache.get(ref).mixture.generators) for ref in refs[:2])
    cache.get(refs[1])
    cache.get(refs[2])
    gc.collect()
    assert freed() is None
    assert kept() is not None
    assert cache.bytes == 2 * size


def test_one_larger_than_the_cache_is_kept_alone(database: Database, refs: list[str]) -> None:
    cache = ModelCache(database, 1)
    for ref in refs:
        assert cache.get(ref) is cache.get(ref)
    assert cache.bytes == memory(cache.get(refs[2]).mixture)


def test_memory_is_that_of_all_tensors(fit: Fit) -> None:
    networks = (fit.mixture.generators, fit.mixture.estimator)
    parameters = sum(p.nbytes for network in networks for p in network.parameters())
    assert fit.mixture.reference is not None
    least = parameters + fit.mixture.reference.nbytes
    assert least <= memory(fit.mixture) <= least + 1000


def test_one_that_fails_to_load_is_tried_again(
    database: Database, refs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ModelCache(database, PLENTY)
    with monkeypatch.context() as damaged:
        damaged.setattr(models, "weights", lambda session, model_id: b"torn")
        for _ in range(2):
            with pytest.raises(DamagedState):
                cache.get(refs[0])
    assert cache.get(refs[0]).mixture.components == 3


def opened(points: Any) -> Open:
    return lambda spec: spec.batch(points)


async def together(
    inference: Inference, database: Database, calls: list[tuple[str, Any]]
) -> list[Any]:
    answers = (inference.assign(database, ref, opened(points)) for ref, points in calls)
    return list(await asyncio.gather(*answers, return_exceptions=True))


def test_batches_answer_what_single_calls_do(
    database: Database,
    inference: Inference,
    refs: list[str],
    fit: Fit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    computed: list[int] = []
    assign = Mixture.assign

    def counted(mixture: Mixture, points: Any) -> Any:
        computed.append(len(points))
        return assign(mixture, points)

    expected = fit.mixture.assign(POINTS)
    monkeypatch.setattr(Mixture, "assign", counted)
    sizes = [1 + i % 3 for i in range(100)]
    at = np.cumsum([0, *sizes[:-1]])
    parts = [POINTS[i : i + n] for i, n in zip(at, sizes, strict=True)]
    parts[5] = parts[5].astype(np.float32)
    found = asyncio.run(together(inference, database, [("default", part) for part in parts]))
    assert {one.model_id for one in found} == {refs[2]}
    np.testing.assert_array_equal(np.concatenate([one.components for one in found]), expected[:199])
    assert len(computed) == 2  # 64, the rest
    assert sum(computed) == sum(sizes)


def test_errors_stay_with_their_calls(
    database: Database, inference: Inference, refs: list[str], fit: Fit
) -> None:
    bad = [np.array([[1.0, np.nan]]), np.zeros((1, 3)), np.zeros((0, 2)), np.array([["a", "b"]])]
    calls = [("default", POINTS[:2])] * 2 + [("default", points) for points in bad]
    calls += [("mdl_x", POINTS[:1]), (refs[0], POINTS[:1]), ("default", POINTS[:1])]
    found = asyncio.run(together(inference, database, calls))
    assert [type(one) for one in found] == [
        *[Found] * 2,
        *[InvalidPoints] * 4,
        NotFound,
        *[Found] * 2,
    ]
    np.testing.assert_array_equal(found[-1].components, fit.mixture.assign(POINTS[:1]))


def test_an_alias_is_looked_up_anew(
    database: Database, inference: Inference, refs: list[str]
) -> None:
    for ref in refs:
        with database.write() as session:
            aliases.pin(session, "default", ref)
        (found,) = asyncio.run(together(inference, database, [("default", POINTS[:1])]))
        assert found.model_id == ref


def test_a_caller_that_goes_does_not_hurt_the_rest(
    database: Database, inference: Inference, refs: list[str]
) -> None:
    async def leave() -> Found:
        calls = [
            asyncio.ensure_future(inference.assign(database, "default", opened(POINTS[:1])))
            for _ in range(5)
        ]
        await asyncio.sleep(0)
        for call in calls[:4]:
            call.cancel()
        return await calls[4]

    assert asyncio.run(leave()).model_id == refs[2]


def test_one_thread_an_operation(inference: Inference) -> None:
    threads, found = in_threads(1, torch.get_num_threads)
    threads[0].join()
    assert found == [1]
