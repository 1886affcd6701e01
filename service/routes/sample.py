"""/sample"""

import secrets
from math import prod
from typing import IO, Annotated

from fastapi import APIRouter, Header, Query, Response

from api_schemas.inference import DEFAULT, MAX_SAMPLES, Sample, SampleFormat
from service import answers, media, models, openapi, sampling
from service.dependencies import PartsDep
from service.errors import InvalidInput
from service.pictures import picture
from service.problems import responses
from service.routing import GuardedRoute
from service.tables import ModelRow

router = APIRouter(tags=["inference"], route_class=GuardedRoute)

MAX_VALUES = 1 << 24
MAX_PICTURED = 4096
IMAGE_TYPES = (media.JSON, media.NPY, media.NPZ, media.PNG)
SAMPLE_TYPES = (*IMAGE_TYPES, media.CSV, media.PARQUET, media.ARROW)
TEMPERATURE = (
    "spread of the latent and of the decoder's noise, by which samples vary; 1: as trained"
)


@router.get(
    "/sample",
    response_model=Sample,
    responses={
        200: openapi.answers(SAMPLE_TYPES, "Kvae-Model", "Kvae-Seed"),
        **responses(404, 406, 422, 503),
    },
)
def sample(
    parts: PartsDep,
    ref: Annotated[str, Query(alias="model", description="id or alias of a model")] = DEFAULT,
    component: Annotated[int | None, Query(description="none: the mixture, by alpha")] = None,
    n: Annotated[int, Query(ge=1, le=MAX_SAMPLES)] = 16,
    seed: Annotated[int | None, Query(ge=0, lt=2**53, description="none: a new one")] = None,
    temperature: Annotated[float, Query(gt=0, le=2, description=TEMPERATURE)] = 1.0,
    format: Annotated[SampleFormat | None, media.FORMAT] = None,
    accept: Annotated[str | None, Header()] = None,
) -> Response:
    """Draw points from one component, or from the alpha-weighted mixture when none is named.

    They come in the data's own units and columns: integers rounded, booleans and categories as
    they were, pixels within the data's range. As CSV, Parquet and Arrow stream, which tables can
    have, rows of the mixture end with the `component` that made them; as NPZ the arrays are
    `points` and `components`; NPY is the points alone, (n, ...), as /assign takes them; PNG is a
    grid of images or a scatter plot. Kvae-Seed is the seed with which the same points come again.
    """
    with parts.database.read() as session:
        model = models.get(session, ref)
    mixture, spec = parts.inference.cache.get(model.id)
    offered = SAMPLE_TYPES if spec.encoding else IMAGE_TYPES
    media_type = media.choose(accept, offered, format)
    if component is not None:
        models.check_component(model.id, len(model.alpha), component)
    _check_size(n, model, media_type)
    seed = secrets.randbits(32) if seed is None else seed
    drawn = parts.inference.run(
        lambda: sampling.draw(mixture, spec, n, component, seed, temperature)
    )
    headers = {"Kvae-Model": model.id, "Kvae-Seed": str(seed)}
    if media_type == media.JSON:
        return answers.as_json(drawn.as_json(model.id, seed), headers)
    if media_type == media.PNG:
        png = parts.inference.run(lambda: picture(drawn.points, drawn.components))
        return Response(png, media_type=media.PNG, headers=headers)

    def write(file: IO[bytes]) -> None:
        if media_type == media.NPY:
            answers.write_npy(file, [drawn.points])
        elif media_type == media.NPZ:
            arrays = {"points": drawn.points, "components": drawn.components}
            answers.write_npz(file, parts.storage, [arrays])
        else:
            table = drawn.as_table(with_components=component is None)
            answers.write_table(file, media_type, [table])

    return answers.answer(parts.storage, media_type, headers, write)


def _check_size(n: int, model: ModelRow, media_type: str) -> None:
    values = answers.MAX_JSON_VALUES if media_type == media.JSON else MAX_VALUES
    largest = max(1, values // prod(model.shape))
    if media_type == media.PNG:
        largest = min(largest, MAX_PICTURED)
    if n > largest:
        msg = f"at most {largest:,} samples of this model can be answered as {media_type}"
        raise InvalidInput.at("query", "n", msg=msg)
