"""Datasets in the formats of statistics programs: SPSS and Parquet."""

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from analysis.datasets import YES_NO, Dataset, Variable, VariableKind

# In bytes of UTF-8, of which a Chinese character takes three: what SPSS keeps of a label.
LONGEST_VARIABLE_LABEL = 255
LONGEST_VALUE_LABEL = 120
_LONGEST_FILE_LABEL = 64
_LONGEST_NOTE = 80


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many bytes of UTF-8; one that was cut ends in …."""
    if len(text.encode()) <= most:
        return text
    kept = text.encode()[: most - len("…".encode())]
    return f"{kept.decode(errors='ignore')}…"


def sav(dataset: Dataset, title: str, facts: Mapping[str, str]) -> bytes:
    """Write an SPSS file: numbers with Chinese labels, 不清楚 beside points declared missing.

    Labels beyond SPSS's limits are cut visibly; the codebook has them whole. `facts` become the
    file's notes.
    """
    # Late: pages that hand out no such file need none of it.
    import pyreadstat  # noqa: PLC0415

    frame = pd.DataFrame({each.name: _numbers(each, dataset.frame) for each in dataset.variables})
    missing: dict[str, list[Any]] = {
        each.name: [float(value.number) for value in each.values if value.is_unsure]
        for each in dataset.variables
    }
    labels: list[str | None] = [
        shortened(each.label, LONGEST_VARIABLE_LABEL) for each in dataset.variables
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "answers.sav"
        pyreadstat.write_sav(
            frame,
            path,
            file_label=shortened(title, _LONGEST_FILE_LABEL),
            column_labels=labels,
            compress=True,
            note=_notes(facts),
            variable_value_labels={
                each.name: known for each in dataset.variables if (known := _labels(each))
            },
            missing_ranges={name: values for name, values in missing.items() if values},
            variable_measure={each.name: _MEASURES[each.kind] for each in dataset.variables},
        )
        return path.read_bytes()


def _notes(facts: Mapping[str, str]) -> list[str]:
    """Return a line for each fact and one for its name; long lists stand in the other formats."""
    short = {name: text for name, text in facts.items() if len(text) <= 2 * _LONGEST_NOTE}
    return [shortened(line, _LONGEST_NOTE) for fact in short.items() for line in fact]


_MEASURES = {
    VariableKind.CODE: "nominal",
    VariableKind.FLAG: "nominal",
    VariableKind.NUMBER: "scale",
    VariableKind.RANK: "ordinal",
    VariableKind.MONTH: "nominal",
}


def _numbers(variable: Variable, frame: pd.DataFrame) -> "pd.Series[Any]":
    cells = frame[variable.name]
    match variable.kind:
        case VariableKind.CODE:
            numbers = {value.code: value.number for value in variable.values}
            return cells.astype("object").map(numbers).astype("float64")
        case VariableKind.MONTH:
            return cells.astype("object").where(cells.notna(), "")
        case _:
            return cells.astype("Float64").astype("float64")


def _labels(variable: Variable) -> dict[Any, str]:
    if variable.kind is VariableKind.FLAG:
        return {**YES_NO}
    return {value.number: shortened(value.label, LONGEST_VALUE_LABEL) for value in variable.values}


def parquet(dataset: Dataset, facts: Mapping[str, str]) -> bytes:
    """Write a Parquet file: options as codes, labels with each column, `facts` with the file."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    fields, columns = [], []
    for each in dataset.variables:
        column = pa.array(dataset.frame[each.name], from_pandas=True)
        values = {value.code: value.label for value in each.values}
        about = {"label": each.label, "values": json.dumps(values, ensure_ascii=False)}
        fields.append(pa.field(each.name, column.type, metadata=about))
        columns.append(column)
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=dict(facts)))
    file = BytesIO()
    pq.write_table(table, file)
    return file.getvalue()
