"""The columns of a built dataset and their types."""

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ...errors import DataError
from ..catalogue import MODALITIES, Property, Source

if TYPE_CHECKING:
    from datasets import Features


def text_columns(extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Names of the text columns in their order: id, the modalities, and columns a build adds."""
    return ("material_id", *MODALITIES, *extra)


def dataset_features(source: Source, extra: tuple[str, ...] = ()) -> "Features":
    """Types of all columns: text, float64 for quantities, ``ClassLabel`` (negative, positive) for classes."""
    from datasets import ClassLabel, Features, Value

    types: dict[str, ClassLabel | Value] = {name: Value("string") for name in text_columns(extra)}
    for prop in source.properties:
        types[prop.name] = ClassLabel(names=class_names(prop)) if prop.classes else Value("float64")
    return Features(types)


def class_names(prop: Property) -> list[str]:
    """Names of the classes by their number: 0 is the negative one, 1 the positive."""
    if prop.classes is None:
        raise ValueError(f"{prop.name} is no class property")
    return [prop.classes.negative, prop.classes.positive]


def dataset_schema(source: Source, extra: tuple[str, ...] = ()) -> pa.Schema:
    """Arrow schema of a shard; its metadata carries the features, so that any reader finds the class names.

    Equal to ``dataset_features(...).arrow_schema`` (a test compares them), without the seconds and the 150 MB that
    importing ``datasets`` costs each worker.
    """
    fields = [pa.field(name, pa.string()) for name in text_columns(extra)]
    types: dict[str, object] = {field.name: {"dtype": "string", "_type": "Value"} for field in fields}
    for prop in source.properties:
        if prop.classes:
            fields.append(pa.field(prop.name, pa.int64()))
            types[prop.name] = {"names": class_names(prop), "_type": "ClassLabel"}
        else:
            fields.append(pa.field(prop.name, pa.float64()))
            types[prop.name] = {"dtype": "float64", "_type": "Value"}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": types}})})


def conform(table: pa.Table, source: Source, extra: tuple[str, ...] = ()) -> pa.Table:
    """Give a table the columns, order and types of the dataset; a class may come as bool, 0/1 or its name.

    Raises:
        DataError: A column is missing or one of its values is of no known form; the message names the column.
    """
    schema = dataset_schema(source, extra)
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise DataError(f"{source.id}: no column {', '.join(missing)} among {', '.join(table.column_names)}")
    by_name = {prop.name: prop for prop in source.properties}
    columns = []
    for field in schema:
        values = table[field.name].combine_chunks()
        prop = by_name.get(field.name)
        try:
            columns.append(_classes(values, prop) if prop and prop.classes else values.cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(f"{source.id}: column {field.name} is {values.type}, not {field.type}: {error}") from error
    return pa.table(columns, schema=schema)


def _classes(values: pa.Array, prop: Property) -> pa.Array:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        codes = pc.index_in(values, pa.array(class_names(prop), values.type)).cast(pa.int64())
        unknown = pc.and_(pc.is_null(codes), pc.is_valid(values))
    else:
        codes = values.cast(pa.int64())
        unknown = pc.fill_null(pc.or_(pc.less(codes, 0), pc.greater(codes, 1)), fill_value=False)
    if pc.any(unknown).as_py():
        example = values.filter(unknown)[0].as_py()
        raise DataError(f"column {prop.name}: {example!r} is none of the classes {', '.join(class_names(prop))}")
    return codes
