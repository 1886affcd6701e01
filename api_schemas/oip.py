"""The Open Inference Protocol, version 2, as KServe and Triton speak it."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Datatype = Literal["UINT8", "INT32", "INT64", "FP32", "FP64"]
OutputName = Literal["component", "log_densities", "posterior"]
Parameters = dict[str, Any]


class ServerMetadata(BaseModel):
    """Who answers."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(BaseModel):
    """The process answers."""

    live: Literal[True] = True


class ServerReady(BaseModel):
    """Models can be found."""

    ready: Literal[True] = True


class ModelReady(BaseModel):
    """The model is there."""

    name: str
    ready: Literal[True] = True


class TensorMetadata(BaseModel):
    """What an input or output looks like; -1 is any number of points."""

    name: str
    datatype: Datatype
    shape: list[int]


class ModelMetadata(BaseModel):
    """A model under its alias or id; its one version is the id of the model itself."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class InferInput(BaseModel):
    """A tensor that is sent, its values here, nested or flat, or as bytes behind the JSON."""

    name: Literal["points"]
    shape: list[Annotated[int, Field(ge=0, lt=2**31)]] = Field(
        min_length=2, max_length=4, description="[N, D], [N, H, W] or [N, C, H, W]"
    )
    datatype: Datatype
    parameters: Parameters = Field({}, description="binary_data_size: bytes behind the JSON")
    data: list[Any] | None = None


class RequestedOutput(BaseModel):
    """A tensor that is asked for."""

    name: OutputName
    parameters: Parameters = Field({}, description="binary_data: answer as bytes behind the JSON")


class InferRequest(BaseModel):
    """Points to assign; with no outputs named, `component` is answered."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "inputs": [
                    {"name": "points", "shape": [1, 2], "datatype": "FP64", "data": [[0.3, -0.2]]}
                ]
            }
        }
    )

    id: str | None = None
    parameters: Parameters = Field({}, description="binary_data_output: for all outputs")
    inputs: list[InferInput] = Field(min_length=1, max_length=1)
    outputs: list[RequestedOutput] = Field([], max_length=len(get_args(OutputName)))


class InferOutput(BaseModel):
    """A tensor that is answered, its values flat or as bytes behind the JSON."""

    name: OutputName
    shape: list[int]
    datatype: Datatype
    parameters: Parameters | None = None
    data: list[Any] | None = None


class InferResponse(BaseModel):
    """The answer to an InferRequest."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[InferOutput]


class InferError(BaseModel):
    """What is wrong, in the protocol's own shape."""

    error: str
