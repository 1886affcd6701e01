"""Models: written once, in one transaction, and never changed."""

from collections.abc import Sequence

import torch
from sqlalchemy import String, bindparam, delete, func, select
from sqlalchemy.orm import Session

from api_schemas.datasets import Column
from api_schemas.inference import DEFAULT
from api_schemas.models import Feature, Model, Provenance
from api_schemas.training import TrainingConfig
from service import aliases, assignments, events, jobs, leases
from service.encoding import some
from service.errors import Conflict, InvalidInput, NotFound
from service.ids import new_id
from service.ownership import caller_of
from service.summaries import Summary
from service.tables import AliasRow, ComponentRow, JobRow, ModelRow, WeightChunkRow
from trainer import Mixture

METRICS = (
    "changed",
    "losses",
    "estimator_loss",
    "log_likelihood",
)  # of the last iteration, kept with the model
WEIGHT_CHUNK_BYTES = 1 << 20

_ref = bindparam("ref", type_=String)
_own = AliasRow.owner == bindparam("owner", type_=String)
_named = select(AliasRow.model_id).where(_own, AliasRow.name == _ref).scalar_subquery()
CURRENT_ID = select(ModelRow.id).where(ModelRow.id == func.coalesce(_named, _ref))


def publish(
    session: Session, claim: leases.Claim, mixture: Mixture, summary: Summary, code_version: str
) -> str:
    """Write a model, its weights and assignments, end its job and make it the default.

    All of it is in the session's transaction. Returns the model's id. Raises LeaseLost.
    """
    leases.finish(session, claim, "succeeded")
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
        sizes=summary.sizes,
        metrics={name: last[name] for name in METRICS if name in last},
        config=claim.config.model_dump(),
        provenance=_provenance(
            jobs.get(session, claim.job_id), claim.config.seed, code_version
        ).model_dump(),
        whole=[spread.model_dump() for spread in summary.whole],
    )
    known = zip(summary.typical, summary.features, summary.posterior, strict=True)
    add(session, model, weights, [component_row(*one) for one in known])
    source = assignments.of_model(model)
    assignments.store(session, source, summary.partition, summary.shares)
    aliases.follow(session, DEFAULT, model.id)
    return model.id


def component_row(
    typical: list[int], features: list[Feature], posterior: list[float]
) -> ComponentRow:
    """What is known of a component, of a model that is still to be named."""
    values = [feature.model_dump() for feature in features]
    return ComponentRow(typical=typical, features=values, posterior=posterior)


def add(
    session: Session, model: ModelRow, weights: bytes, components: Sequence[ComponentRow]
) -> None:
    """Write a model with its weights and what is known of its components, in their order."""
    session.add(model)
    session.flush()
    for number, at in enumerate(range(0, len(weights), WEIGHT_CHUNK_BYTES)):
        chunk = weights[at : at + WEIGHT_CHUNK_BYTES]
        session.add(WeightChunkRow(model_id=model.id, number=number, data=chunk))
    for number, component in enumerate(components):
        component.model_id, component.number = model.id, number
        session.add(component)


def get(session: Session, ref: str, keep: bool = False) -> ModelRow:
    """The model of an id or of one of the caller's aliases. Raises NotFound.

    With ``keep`` nobody else deletes it before the transaction ends.
    """
    lock = {"read": True, "key_share": True} if keep else None
    alias = aliases.find(session, ref)
    model = session.get(ModelRow, alias.model_id if alias else ref, with_for_update=lock)
    if model is None and ref == DEFAULT:
        detail = "there is no default model: no job has succeeded, or the alias was dropped"
        raise NotFound("model_not_found", detail)
    if model is None:
        raise NotFound.of("model", ref)
    return model


def current_id(session: Session, ref: str) -> str:
    """As `get` the id alone, by one short query. Raises NotFound."""
    given = {"ref": ref, "owner": caller_of(session).owner}
    found: str | None = session.scalar(CURRENT_ID, given)
    return found or get(session, ref).id


def remove(session: Session, ref: str) -> None:
    """Delete a model with its weights and assignments; its job stays, and what it has assigned.

    Raises NotFound, or Conflict where an alias stands for it or a job needs it.
    """
    found = get(session, ref)
    model_id = found.id
    if found.job_id:  # first, as whoever deletes the job takes its row before the model's
        session.get(JobRow, found.job_id, with_for_update=True)
    model = session.get(ModelRow, model_id, with_for_update=True)
    if model is None:  # deleted by another in this moment
        raise NotFound.of("model", ref)
    named = select(AliasRow.name).where(AliasRow.model_id == model_id)
    if names := session.scalars(named.execution_options(everyone=True)).all():
        listed = ", ".join(repr(name) for name in sorted(names))
        detail = (
            f"model {model_id!r} is what {listed} stands for; move or delete the alias first, with "
            "a key of the owner whose alias it is, or an admin's where that was made without a key"
        )
        raise Conflict("model_in_use", detail)
    if needing := jobs.needing(session, JobRow.assigned_by == model_id):
        detail = (
            f"model {model_id!r} is needed by {some(needing)}: jobs that have not ended or can be "
            "resumed; delete those first"
        )
        raise Conflict("model_in_use", detail)
    session.execute(delete(ModelRow).where(ModelRow.id == model_id))
    if model.job_id:
        events.add(session, model.job_id, "message", f"its model {model_id} was deleted")


def weights(session: Session, model_id: str) -> bytes:
    """A model's safetensors bytes. Raises NotFound."""
    query = select(WeightChunkRow.data).where(WeightChunkRow.model_id == model_id)
    data = b"".join(session.scalars(query.order_by(WeightChunkRow.number)))
    if not data:  # deleted since it was looked up
        raise NotFound.of("model", model_id)
    return data


def check_component(model_id: str, k: int, component: int) -> None:
    """Raise InvalidInput unless the model of K components has the one that is asked for."""
    if not 0 <= component < k:
        msg = no_component(model_id, k, component)
        raise InvalidInput.at("query", "component", msg=msg, code="component_not_found")


def no_component(model_id: str, k: int, component: int) -> str:
    """What is wrong with a component that a model of K does not have."""
    return f"there is no component {component}; model {model_id} has 0 to {k - 1}"


def view(model: ModelRow) -> Model:
    """A model as the API shows it."""
    return Model(
        id=model.id,
        created_at=model.created_at,
        name=model.name,
        aliases=[alias.name for alias in model.aliases],
        components=len(model.alpha),
        shape=model.shape,
        columns=[Column(**column) for column in model.columns],
        alpha=model.alpha,
        sizes=model.sizes,
        rows=sum(model.sizes),
        metrics=model.metrics,
        config=TrainingConfig(**model.config),
        provenance=Provenance(**model.provenance),
    )


def _provenance(job: JobRow, seed: int, code_version: str) -> Provenance:
    return Provenance(
        source="trained",
        job=job.id,
        dataset=job.dataset_id,
        dataset_sha256=job.dataset.sha256,
        seed=seed,
        code_version=code_version,
        torch_version=torch.__version__,
    )
