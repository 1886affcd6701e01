"""Models: written once, in the transaction that makes their job succeed."""

from collections.abc import Iterator
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api_schemas.common import Page
from api_schemas.models import AssignedRow, Model, Provenance
from api_schemas.training import TrainingConfig
from service import events, jobs
from service.errors import InvalidInput, NotFound
from service.ids import new_id
from service.ownership import caller_of
from service.paging import page_of
from service.tables import AliasRow, AssignmentChunkRow, ModelRow, WeightChunkRow
from trainer import Mixture

DEFAULT_ALIAS = "default"
METRICS = ("changed", "losses", "estimator_loss")  # of the last iteration, kept with the model
WEIGHT_CHUNK_BYTES = 1 << 20
ASSIGNMENT_CHUNK_ROWS = 1 << 16
ASSIGNMENT_DTYPE = np.dtype("<u2")


def publish(
    session: Session, claim: jobs.Claim, mixture: Mixture, partition: NDArray[np.int64]
) -> str:
    """Write a model, its weights and assignments, end its job and make it the default.

    All of it is in the session's transaction. Returns the model's id. Raises LeaseLost.
    """
    jobs.finish(session, claim, "succeeded")
    weights = mixture.to_bytes()
    last = events.last_metrics(session, claim.job_id)
    model = ModelRow(
        id=new_id("mdl"),
        name=claim.name,
        job_id=claim.job_id,
        weights_bytes=len(weights),
        shape=list(mixture.point_shape),
        columns=claim.columns,
        alpha=mixture.alpha.tolist(),
        sizes=np.bincount(partition, minlength=mixture.components).tolist(),
        metrics={name: last[name] for name in METRICS if name in last},
        code_version=version("kvae"),
    )
    session.add(model)
    session.flush()
    for number, at in enumerate(range(0, len(weights), WEIGHT_CHUNK_BYTES)):
        chunk = weights[at : at + WEIGHT_CHUNK_BYTES]
        session.add(WeightChunkRow(model_id=model.id, number=number, data=chunk))
    for at in range(0, len(partition), ASSIGNMENT_CHUNK_ROWS):
        components = partition[at : at + ASSIGNMENT_CHUNK_ROWS].astype(ASSIGNMENT_DTYPE)
        session.add(
            AssignmentChunkRow(model_id=model.id, first_row=at, components=components.tobytes())
        )
    move_alias(session, DEFAULT_ALIAS, model.id)
    return model.id


def move_alias(session: Session, name: str, model_id: str) -> None:
    """Point a name at a model, whether or not it was in use."""
    own = (AliasRow.owner == caller_of(session).owner, AliasRow.name == name)
    move = update(AliasRow).where(*own).values(model_id=model_id)
    if session.scalar(move.returning(AliasRow.name)):
        return
    try:
        with session.begin_nested():
            session.add(AliasRow(name=name, model_id=model_id))
    except IntegrityError:  # another worker published the first model in this moment
        session.execute(move)


def get(session: Session, ref: str) -> ModelRow:
    """The model of an id or of one of the caller's aliases. Raises NotFound."""
    alias = session.get(AliasRow, (caller_of(session).owner, ref))
    model = session.get(ModelRow, alias.model_id if alias else ref)
    if model is None and ref == DEFAULT_ALIAS:
        raise NotFound("model_not_found", "there is no default model yet: no job has succeeded")
    if model is None:
        raise NotFound.of("model", ref)
    return model


def weights(session: Session, model_id: str) -> bytes:
    """A model's safetensors bytes."""
    query = select(WeightChunkRow.data).where(WeightChunkRow.model_id == model_id)
    return b"".join(session.scalars(query.order_by(WeightChunkRow.number)))


def assignments(session: Session, model: ModelRow) -> NDArray[np.uint16]:
    """The component of every training point, (N,)."""
    return np.concatenate([part for _, part in _chunks(session, model.id, 0)])


def assignments_page(
    session: Session, model: ModelRow, component: int | None, after: int, limit: int
) -> Page[AssignedRow]:
    """Training points after row ``after``, of one component or of all. Raises InvalidInput."""
    if component is not None:
        check_component(model, component)
    found: list[AssignedRow] = []
    for first_row, part in _chunks(session, model.id, after + 1):
        chosen = np.arange(len(part)) + first_row > after
        if component is not None:
            chosen &= part == component
        found += [
            AssignedRow(row=first_row + at, component=int(part[at]))
            for at in np.flatnonzero(chosen)[: limit + 1 - len(found)].tolist()
        ]
        if len(found) > limit:
            break
    return page_of(found[:limit], len(found) > limit, lambda item: item.row)


def check_component(model: ModelRow, component: int) -> None:
    """Raise InvalidInput unless the model has this component."""
    if not 0 <= component < len(model.alpha):
        last = len(model.alpha) - 1
        msg = f"there is no component {component}; model {model.id} has 0 to {last}"
        raise InvalidInput.at("query", "component", msg=msg, code="component_not_found")


def view(model: ModelRow) -> Model:
    """A model as the API shows it."""
    config = TrainingConfig(**model.job.config)
    return Model(
        id=model.id,
        created_at=model.created_at,
        name=model.name,
        aliases=[alias.name for alias in model.aliases],
        components=len(model.alpha),
        shape=model.shape,
        columns=model.columns,
        alpha=model.alpha,
        sizes=model.sizes,
        rows=sum(model.sizes),
        metrics=model.metrics,
        config=config,
        provenance=Provenance(
            job=model.job_id,
            dataset=model.job.dataset_id,
            dataset_sha256=model.job.dataset.sha256,
            seed=config.seed,
            code_version=model.code_version,
        ),
    )


def _chunks(
    session: Session, model_id: str, from_row: int
) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    query = select(AssignmentChunkRow.first_row, AssignmentChunkRow.components).where(
        AssignmentChunkRow.model_id == model_id,
        AssignmentChunkRow.first_row > from_row - ASSIGNMENT_CHUNK_ROWS,
    )
    for first_row, data in session.execute(query.order_by(AssignmentChunkRow.first_row)):
        yield first_row, np.frombuffer(data, ASSIGNMENT_DTYPE)
