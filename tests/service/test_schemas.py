"""What crosses a boundary: many mistakes in a large body cost no more than a few."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from api_schemas.archives import Manifest
from api_schemas.inference import AssignRequest
from api_schemas.jobs import JobCreate
from api_schemas.oip import InferRequest

MANY = 10_000
KEYS = {str(i): 0 for i in range(MANY)}


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        (AssignRequest, {**KEYS, "points": [[1]]}, "Extra inputs"),
        (JobCreate, {"config": KEYS}, "Extra inputs"),
        (InferRequest, {"inputs": [], "outputs": [0] * MANY}, "at most 3 items"),
        (InferRequest, {"inputs": [{"shape": ["x"] * MANY}]}, "at most 4 items"),
        (Manifest, KEYS, "Extra inputs"),
        (Manifest, {"config": KEYS}, "Extra inputs"),
        (Manifest, {"files": KEYS}, "more files than an exported model has"),
        (Manifest, {"columns": [0] * MANY}, "should be an object"),
        (Manifest, {"columns": [{"categories": [0] * MANY}]}, "valid string"),
        (Manifest, {"sizes": ["x"] * MANY}, "at most 1024 items"),
        (Manifest, {"features": [[0] * MANY]}, "should be an object"),
    ],
)
def test_many_mistakes_are_few_errors(model: type[BaseModel], given: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        model.model_validate_json(json.dumps(given))
    assert caught.value.error_count() <= 2000
