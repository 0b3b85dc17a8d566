"""Identity-specific mapping and the integer row form the secure search works on."""

from __future__ import annotations

from protocol.mapping.folded_form import FoldedForm
from protocol.mapping.form import PlainForm, RowForm, open_form
from protocol.mapping.keys import KeyRing, MappingKey, PolynomialKey, SeedKey
from protocol.mapping.mapped_form import MappedForm
from protocol.mapping.quantise import check_scale, largest_scale, quantise_template
from protocol.mapping.spec import MappingSpec

__all__ = [
    "FoldedForm",
    "KeyRing",
    "MappedForm",
    "MappingKey",
    "MappingSpec",
    "PlainForm",
    "PolynomialKey",
    "RowForm",
    "SeedKey",
    "check_scale",
    "largest_scale",
    "open_form",
    "quantise_template",
]
