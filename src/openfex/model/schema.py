# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of a document, for editors: one schema, told apart by kind. Made from the models in documents.py."""

from __future__ import annotations

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from openfex.model import written
from openfex.model.documents import SPECS
from openfex.model.kinds import FORM_EXAMPLES, FORMS, NVME_ADAPTER, REAL_ADAPTER
from openfex.model.spec import Spec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "A document of openfex"
_DEFINITIONS = "#/$defs/{model}"


class _Plain(GenerateJsonSchema):
    """Without what only says again what the key is called, and without `null`: a key is written or it is not."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return {key: value for key, value in super().model_schema(schema).items() if key != "title"}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default") in (None, (), [], {}, frozenset()):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Names that people choose are checked, too; pydantic's own would let others through."""
        made = {
            "type": "object",
            "propertyNames": self.generate_inner(schema.get("keys_schema", core_schema.any_schema())),
            "additionalProperties": self.generate_inner(schema.get("values_schema", core_schema.any_schema())),
        }
        return made | ({"minProperties": schema["min_length"]} if "min_length" in schema else {})


def _fits(spec: type[Spec]) -> JsonSchemaValue:
    return {"properties": {"spec": {"$ref": _DEFINITIONS.format(model=spec.__name__)}}}


def _adapters() -> JsonSchemaValue:
    """Which of its forms an adapter has is said by its driver."""
    made = _fits(SPECS["adapter"])
    for driver, form in (("nvme", NVME_ADAPTER), ("sriov", REAL_ADAPTER)):
        real = {"properties": {"driver": {"const": driver}}, "required": ["driver"]}
        made = {"if": {"properties": {"spec": real}}, "then": _fits(FORMS[form]), "else": made}
    return made


def document_schema() -> JsonSchemaValue:
    """The schema that each document of a file fits."""
    specs = [(spec, "validation") for spec in FORMS.values()]
    _, made = models_json_schema(specs, schema_generator=_Plain, ref_template=_DEFINITIONS)  # type: ignore[arg-type]
    return {
        "$schema": DIALECT,
        "title": TITLE,
        "type": "object",
        "properties": {
            "kind": {"enum": list(SPECS), "description": "what the document is about"},
            "name": {**written.NAME.schema, "description": "its name, by which others refer to it"},
            "spec": {"type": "object", "description": "what it says"},
        },
        "required": ["kind", "name", "spec"],
        "additionalProperties": False,
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": _adapters() if kind == "adapter" else _fits(spec),
            }
            for kind, spec in SPECS.items()
        ],
        "examples": [{"kind": kind, "name": name, "spec": spec} for kind, name, spec in FORM_EXAMPLES.values()],
        "$defs": made["$defs"],
    }
