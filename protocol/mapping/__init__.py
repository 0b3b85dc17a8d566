"""Identity-specific mapping and the integer row form the secure search works on."""

from __future__ import annotations

from protocol.mapping.form import PlainForm, RowForm, open_form
from protocol.mapping.keys import KeyRing, MappingKey
from protocol.mapping.mapped_form import MappedForm
from protocol.mapping.quantise import check_scale, largest_scale, quantise_template
from protocol.mapping.spec import MappingSpec

__all__ = [
    "KeyRing",
    "MappedForm",
    "MappingKey",
    "MappingSpec",
    "PlainForm",
    "RowForm",
    "check_scale",
    "largest_scale",
    "open_form",
    "quantise_template",
]
