"""JSON schemas of what commands write, made from the dataclasses that are written.

    python docs/build/schemas.py FOLDER

A dataclass is an object with its fields. `FORMS` has where a file differs from that: fields of
another name, and fields whose own fields stand in the place of theirs.
"""

from __future__ import annotations

import inspect
import json
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ganexplain.artifacts.attributions import (
    AttributionMeta,
    AttributionRanking,
    Attributions,
    RankedConfiguration,
)
from ganexplain.artifacts.counterfactuals import Counterfactuals
from ganexplain.artifacts.explanations import EXPLANATION_AXES, FIXED_AXES, ExplanationMeta
from ganexplain.artifacts.false_alarms import FoundAlarms
from ganexplain.artifacts.figures import RESPONSES, Control, Figures, JudgeAgreement, Score
from ganexplain.artifacts.input_description import InputDescription
from ganexplain.artifacts.layers import NetworkLayers
from ganexplain.artifacts.plan import DIRECTIONS, Plan, SearchTarget
from ganexplain.artifacts.prediction import Prediction
from ganexplain.artifacts.predictions import PicturePrediction, Predictions, RecordingPrediction
from ganexplain.artifacts.responses import (
    DECIDED,
    REAL_AXES,
    SHARING,
    VARIATION,
    Decided,
    MeasuredUnit,
    ResponsesMeta,
)
from ganexplain.artifacts.selection import Selection
from ganexplain.attribution.measures import MEASURES
from ganexplain.config import STAGES, CounterfactualConfig, ExplainConfig
from ganexplain.metrics.scores import SCORES
from ganexplain.networks.units import Unit
from ganexplain.stages.rerun import Repetition

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NUMBER: Schema = {"type": "number"}
MEASURE: Schema = {"type": ["number", "null"]}
PAIR: Schema = {"type": "array", "items": MEASURE, "minItems": 2, "maxItems": 2}
PLAIN: dict[object, Schema] = {
    str: {"type": "string"}, int: {"type": "integer"}, float: NUMBER, bool: {"type": "boolean"},
    types.NoneType: {"type": "null"}, Path: {"type": "string"}, object: {}, Any: {},
}  # fmt: skip
NEURON = int | str
RUN: Schema = {  # of `runs/directory.py`, by type
    "stage": str, "state": str, "version": str, "argv": list[str], "folder": str,
    "seed": int | None, "device": str | None, "precision": str | None, "threads": int | None,
    "python": str, "machine": str, "libraries": Mapping[str, str | None],
    "inputs": Mapping[str, str], "results": Mapping[str, object], "warnings": list[str],
    "started": str, "seconds": float, "files": Mapping[str, object], "error": str,
    "left": list[str],
}  # fmt: skip


@dataclass(frozen=True)
class Form:
    """How the object of a dataclass differs from its fields.

    `names` are fields under other names, `spread` fields whose fields are in the object itself,
    `more` further properties, by type or schema, and `patterns` those of names by their patterns.
    `optional` fields are absent where they are empty.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    spread: Sequence[str] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    patterns: Mapping[str, Schema] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    optional: Sequence[str] = ()


FORMS: dict[type, Form] = {
    Unit: Form(left_out=["reading"], more={"neuron": NEURON}),
    SearchTarget: Form(spread=["unit"], more={"direction": {"enum": list(DIRECTIONS["both"])}}),
    Plan: Form(names={"targets": "units"}),
    Figures: Form(
        left_out=["values", "intervals", "differences"],
        more=dict.fromkeys([*SCORES, *RESPONSES], NUMBER),
        patterns={f"^({'|'.join(SCORES)})_(interval|difference)$": PAIR},
    ),
    Score: Form(spread=["figures"]),
    Control: Form(spread=["figures", "lost"]),
    JudgeAgreement: Form(names={"class_name": "class", "interval": "agreement_interval"}),
    Selection: Form(
        names={"rule": "by", "variation": VARIATION, "scores": "configurations"},
    ),
    ExplanationMeta: Form(
        names={"class_name": "unit"},
        spread=["target", "lost"],
        left_out=["settings"],
        optional=["responses_hash", "guide_hashes"],
    ),
    MeasuredUnit: Form(spread=["unit"]),
    ResponsesMeta: Form(
        names={"variation": VARIATION, "sharing": SHARING, "decided": DECIDED}, spread=["measured"]
    ),
    Decided: Form(names={"name": "class"}),
    RankedConfiguration: Form(
        spread=["configuration"], left_out=["means"], more=dict.fromkeys(MEASURES, MEASURE)
    ),
    Attributions: Form(more={"kind": {"const": "attributions"}}),
    AttributionRanking: Form(more={"kind": {"const": "attributions"}}),
    PicturePrediction: Form(names={"class_name": "class"}),
    Predictions: Form(
        left_out=["recordings", "pictures"],
        more={"files": list[RecordingPrediction] | list[PicturePrediction]},
    ),
}


def schema_of(kind: Any) -> Schema:
    """The schema of values of a type."""
    if kind in PLAIN:
        return PLAIN[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(each) for each in inner]}
    if origin is tuple and Ellipsis not in inner:
        return {"type": "array", "prefixItems": [schema_of(each) for each in inner], "items": False}
    if origin in (tuple, list, Sequence):
        return {"type": "array", "items": schema_of(inner[0])}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": schema_of(inner[1])}
    if is_dataclass(origin or kind):
        return object_of(origin or kind, inner)
    raise TypeError(f"{kind} has no schema")


def object_of(kind: Any, inner: Sequence[Any] = ()) -> Schema:
    """The schema of a dataclass, of a generic one for the types `inner`."""
    form, hints = FORMS.get(kind, Form()), get_type_hints(kind)
    found: Schema = {"type": "object", "properties": {}, "required": []}
    described = inspect.getdoc(kind) or ""
    found["description"] = " ".join(described.split("\n\n")[0].split())
    for each in fields(kind):
        wanted = inner[0] if isinstance(hints[each.name], TypeVar) else hints[each.name]
        if each.name in form.spread:
            optional = types.NoneType in get_args(wanted)
            spread(found, get_args(wanted)[0] if optional else wanted, required=not optional)
        elif each.name not in (*form.left_out, *form.more):
            name = form.names.get(each.name, each.name)
            found["properties"][name] = setting_schema(each, wanted)
            # null counts as missing
            optional = each.name in form.optional or types.NoneType in get_args(wanted)
            if each.default is each.default_factory is MISSING and not optional:
                found["required"].append(name)
    for name, more in form.more.items():
        found["properties"][name] = more if isinstance(more, dict) else schema_of(more)
    if form.patterns:
        found["patternProperties"] = dict(form.patterns)
    return found | {"additionalProperties": False}


def setting_schema(each: Any, kind: Any) -> Schema:
    """The schema of a field; of a setting with its meaning and range."""
    found = dict(schema_of(kind))
    if "help" not in each.metadata:
        return found
    range_ = {"minimum": each.metadata["min"], "maximum": each.metadata["max"]}
    return found | {n: v for n, v in range_.items() if v is not None} | {
        "description": each.metadata["help"]
    }  # fmt: skip


def spread(whole: Schema, kind: Any, required: bool) -> None:
    """Add the properties of a dataclass to those of the object that contains it."""
    part = object_of(kind)
    whole["properties"] |= part["properties"]
    whole["required"] += part["required"] if required else []
    if "patternProperties" in part:
        whole["patternProperties"] = part["patternProperties"]


def with_settings(meta: Schema, config: type[Any]) -> Schema:
    """A meta that has the settings of its command, too; those of the meta count."""
    settings = object_of(config)
    return meta | {"properties": settings["properties"] | meta["properties"]}


def meta_of(schema: Schema, kind: str, arrays: Mapping[str, str]) -> Schema:
    """The schema of the `meta` of arrays; `x-arrays` has the axes of each by their letters."""
    own = {"kind": {"const": kind}, "schema": {"type": "integer"}}
    return schema | {"properties": own | schema["properties"], "x-arrays": dict(arrays)}


def plain_object(properties: Mapping[str, Any]) -> Schema:
    """The schema of an object of these types."""
    found = {name: schema_of(kind) for name, kind in properties.items()}
    return {"type": "object", "properties": found, "additionalProperties": False}


def explanations() -> Schema:
    """Of `explanations.npz`."""
    meta = with_settings(object_of(ExplanationMeta), ExplainConfig)
    return meta_of(meta, "explanations", EXPLANATION_AXES | FIXED_AXES)


def counterfactual() -> Schema:
    """Of `counterfactual.npz`."""
    more = dict.fromkeys(("classifier_hash", "gan_hash", "version", "unit", "divide"), str)
    meta = plain_object(more | {"front_end": Mapping[str, object], "neuron": NEURON})
    return meta_of(with_settings(meta, CounterfactualConfig), "counterfactual", {})


def settings_of(command: str) -> Schema:
    """Of the `config.toml` of a command."""
    found = object_of(STAGES[command][0])
    properties = {name.replace("_", "-"): each for name, each in found["properties"].items()}
    return found | {"properties": properties, "required": []}


SCHEMAS: dict[str, Callable[[], Schema]] = {
    "run.json": lambda: plain_object(RUN),
    "metrics.jsonl": lambda: schema_of(Mapping[str, float | str | None]),
    "plan.json": lambda: object_of(Plan),
    "selection.json": lambda: {"anyOf": [object_of(Selection), object_of(AttributionRanking)]},
    "prediction.json": lambda: object_of(Prediction),
    "attributions.json": lambda: object_of(Attributions),
    "false-alarms.json": lambda: object_of(FoundAlarms),
    "explanations.npz": explanations,
    "responses.npz": lambda: meta_of(object_of(ResponsesMeta), "responses", REAL_AXES),
    "selection.npz": lambda: meta_of(
        plain_object({"by": str, "judges": list[str]}), "selection", {}
    ),
    "controls.npz": lambda: meta_of(plain_object({"seed": int}), "controls", {}),
    "attribution.npz": lambda: meta_of(object_of(AttributionMeta), "attribution", {}),
    "counterfactual.npz": counterfactual,
    "predict --json": lambda: object_of(Predictions),
    "layers --json": lambda: object_of(NetworkLayers),
    "counterfactual --json": lambda: object_of(Counterfactuals),
    "input --json": lambda: object_of(InputDescription),
    "rerun --json": lambda: object_of(Repetition),
    **{f"{name} config.toml": partial(settings_of, name) for name in STAGES},
}


def schema_file(name: str) -> str:
    """The name of the file of a schema."""
    return f"{name.replace(' --', '-').replace(' ', '-')}.schema.json"


def schema_text(name: str) -> str:
    """A schema as JSON text."""
    found = {"$schema": DIALECT, "title": name, **SCHEMAS[name]()}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def schema_sections() -> str:
    """Markdown: a section for each file, with its fields and a link to its schema."""
    return "\n\n".join(map(schema_section, SCHEMAS))


def schema_section(name: str) -> str:
    """Markdown of one file."""
    schema = SCHEMAS[name]()
    kinds = schema.get("anyOf", [schema])
    link = f"[{schema_file(name)}](schemas/{schema_file(name)})"
    parts = [f"## {name}", link, *(each.get("description", "") for each in kinds)]
    return "\n\n".join([*filter(None, parts), *map(fields_table, kinds)])


def fields_table(schema: Schema) -> str:
    """Markdown: a table of the fields of an object."""
    rows = [
        f"| `{name}` | {type_words(each)} | {each.get('description', '')} |"
        for name, each in schema.get("properties", {}).items()
    ]
    return "\n".join(["| field | type | |", "|---|---|---|", *rows]) if rows else ""


def type_words(schema: Schema) -> str:
    """The type of a value in words."""
    if "anyOf" in schema:
        return " or ".join(map(type_words, schema["anyOf"]))
    if choices := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return " or ".join(f"`{each}`" for each in choices)
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    inner = schema.get("items") or schema.get("additionalProperties")
    return f"{kind} of {type_words(inner)}" if isinstance(inner, dict) and inner else kind


if __name__ == "__main__":
    for name in SCHEMAS:
        (Path(sys.argv[1]) / schema_file(name)).write_text(schema_text(name))
