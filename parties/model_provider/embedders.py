"""A student as the provider runs it, and its single file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray

from parties.model_provider.published import Arrays, load_state, read_arrays, write_arrays
from parties.model_provider.student import InputTransform, StudentDesign, StudentNetwork
from protocol.errors import BautaError, DataError
from protocol.features import Calibration, FeatureSpec, ProtectedBatch
from protocol.features.spec import upload_complaint

__all__ = ["Student", "StudentEmbedder", "load_student", "read_student", "save_student"]

_META = "meta"
_WEIGHTS = "weights/"
_FORMAT = 1


@dataclass(slots=True)
class Student:
    """A network for protected inputs with everything a deployment must share to use it.

    Attributes:
        network: the network, in evaluation mode.
        spec: the features it was adapted to.
        calibration: public bounds and scales of those features.
        record: how it was trained; JSON values only, no picture and no name.
    """

    network: StudentNetwork
    spec: FeatureSpec
    calibration: Calibration
    record: dict[str, Any] = field(default_factory=dict)


class StudentEmbedder:
    """Protected inputs to embeddings; learns what the provider learns, nothing else."""

    def __init__(self, student: Student, *, half: bool = False) -> None:
        """Keep a student; with `half` its convolutions run in bfloat16, which evaluations may."""
        self._half = half
        self.spec, self.calibration = student.spec, student.calibration
        self.record = student.record
        self.dimension = student.network.design.dimension
        self._network = student.network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._transform = InputTransform(student.spec, student.calibration)

    def complaint(self, batch: ProtectedBatch) -> str | None:
        """Say why an upload cannot be embedded; None if it can."""
        return upload_complaint(batch, self.spec)

    def embed(self, batch: ProtectedBatch) -> NDArray[np.float32]:
        """Return float32 `[B,dimension]`, not normalised."""
        network = self._network
        with torch.inference_mode():
            with torch.autocast("cpu", torch.bfloat16, enabled=self._half):
                features = network.features(self._transform(batch)).float()
            output: NDArray[np.float32] = network.face.head(features).numpy()
        return output


def save_student(student: Student, path: Path) -> None:
    """Write one npz file: weights (kernels as float16), calibration, and JSON meta data.

    The file appears whole or not at all.
    """
    meta = {
        "format": _FORMAT,
        "spec": msgspec.to_builtins(student.spec),
        "design": student.network.design._asdict(),
        "record": student.record,
    }
    arrays: dict[str, NDArray[np.generic]] = {
        _META: np.frombuffer(json.dumps(meta, sort_keys=True).encode(), np.uint8),
        **student.calibration.to_arrays(),
    }
    for name, tensor in student.network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            values = tensor.detach().cpu().numpy()
            arrays[_WEIGHTS + name] = values.astype(np.float16) if values.ndim > 1 else values
    write_arrays(arrays, path)


def load_student(path: Path, spec: FeatureSpec | None = None) -> StudentEmbedder:
    """Read a student file; with `spec`, only if it was adapted to exactly these features.

    Raises:
        DataError: the file is missing, malformed, of another format, or for other features.
    """
    student = read_student(path)
    if spec is not None and spec != student.spec:
        raise DataError(
            f"adapted to {student.spec}, not to {spec}",
            where=str(path),
            hint="adapt a network to these features: bauta train",
        )
    return StudentEmbedder(student)


def read_student(path: Path) -> Student:
    """Read a student file for further training; raises DataError as `load_student`."""
    arrays = read_arrays(path)
    spec, design, record = _meta(arrays, path)
    calibration = _calibration(arrays, path)
    network = StudentNetwork(design)
    weights = {k[len(_WEIGHTS) :]: v for k, v in arrays.items() if k.startswith(_WEIGHTS)}
    load_state(network, weights, str(path))
    return Student(network.eval(), spec, calibration, record)


def _calibration(arrays: Arrays, path: Path) -> Calibration:
    try:
        return Calibration.from_arrays(arrays)
    except (TypeError, ValueError, IndexError, OverflowError, AttributeError) as error:
        raise DataError("the calibration is malformed", where=str(path)) from error


def _design(values: object) -> StudentDesign:
    """Check sizes before a network of them is made."""
    design: StudentDesign = msgspec.convert(StudentDesign(**values)._asdict(), _Design).design()  # type: ignore[arg-type]
    return design


class _Design(msgspec.Struct, forbid_unknown_fields=True):
    """The bounds of a student's sizes."""

    channels: Annotated[int, Meta(ge=1, le=4096)]
    reduced: Annotated[int, Meta(ge=1, le=1024)]
    stem_kernel: Annotated[int, Meta(ge=1, le=31)]
    dimension: Annotated[int, Meta(ge=1, le=4096)]
    width: Annotated[float, Meta(gt=0, le=4)]
    columns: Annotated[int, Meta(ge=16, le=112)]

    def design(self) -> StudentDesign:
        return StudentDesign(**msgspec.structs.asdict(self))


def _meta(arrays: Arrays, path: Path) -> tuple[FeatureSpec, StudentDesign, dict[str, Any]]:
    try:
        meta = json.loads(arrays[_META].tobytes())
        if meta["format"] != _FORMAT:
            raise DataError(f"student format {meta['format']} is not known", where=str(path))
        spec = msgspec.convert(meta["spec"], FeatureSpec)
        design = _design(meta["design"])
        record = dict(meta["record"])
    except (KeyError, TypeError, ValueError, RecursionError, msgspec.ValidationError) as error:
        raise DataError(
            "not a student file", where=str(path), hint="train it again: bauta train"
        ) from error
    except BautaError as error:
        raise DataError(str(error), where=str(path)) from error
    if design.channels != spec.channels:
        raise DataError("the network does not read these features", where=str(path))
    return spec, design, record
