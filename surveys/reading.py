"""From a TOML file or a JSON snapshot to a `Questionnaire`, or to every fault in it at once."""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from surveys.contradictions import Fault, contradictions
from surveys.questionnaire import (
    Measure,
    Question,
    Questionnaire,
)

FORMAT = "minping.questionnaire/1"
_ADAPTER = TypeAdapter(Questionnaire)

# pydantic words its errors in English for programmers; the authors of these files are neither.
# A reader with types of its own gives them a type of this name and words them in Chinese itself.
OWN_ERROR = "own"
_REASONS = {
    "missing": "缺少这一项",
    "unexpected_keyword_argument": "不认识的项，请检查拼写",
    "enum": "取值只能是 {expected}",
    "string_type": "应为文字",
    "string_too_short": "不能为空",
    "string_too_long": "最多 {max_length} 个字符",
    "string_pattern_mismatch": "只能用小写字母、数字、_ 和 -，以字母开头",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "int_from_float": "应为整数",
    "bool_type": "应为 true 或 false",
    "bool_parsing": "应为 true 或 false",
    "tuple_type": "应为列表",
    "frozen_set_type": "应为列表",
    "dataclass_type": "应为一组键值",
    "decimal_type": "应为数字",
    "decimal_parsing": "应为数字",
    "finite_number": "应为数字",
    "date_type": "应为日期，如 2026-03-05",
    "date_parsing": "应为日期，如 2026-03-05",
    "date_from_datetime_parsing": "应为日期，如 2026-03-05",
    "date_from_datetime_inexact": "应为日期，如 2026-03-05",
    "dict_type": "应为一组键值",
    "too_long": "最多 {max_length} 项，现有 {actual_length} 项",
    "too_short": "至少要有 {min_length} 项，现有 {actual_length} 项",
    "greater_than_equal": "不能小于 {ge}",
    "less_than_equal": "不能大于 {le}",
}


class QuestionnaireError(ValueError):
    """A file that is no questionnaire; `faults` names every place and reason, never only one."""

    def __init__(self, file: str, faults: Iterable[Fault]) -> None:
        self.file = file
        self.faults = tuple(faults)
        super().__init__(
            "\n".join(f"{file}：{fault.place}：{fault.reason}" for fault in self.faults)
        )


def load(path: Path) -> Questionnaire:
    """Read and check one TOML file. Raises `QuestionnaireError` with every fault found."""
    try:
        return parse_toml(path.read_text(encoding="utf-8-sig"), path.name)  # Notepad adds a BOM
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionnaireError(path.name, [Fault("文件", f"无法读取：{error}")]) from error


def parse_toml(text: str, file: str) -> Questionnaire:
    """Check one questionnaire in TOML. Raises `QuestionnaireError` with every fault found."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise QuestionnaireError(file, [Fault("文件", f"不是有效的 TOML：{error}")]) from error
    return parse_document(document, file)


def parse_json(text: str, file: str) -> Questionnaire:
    """Check one snapshot as `dump_json` wrote it. Raises `QuestionnaireError`."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise QuestionnaireError(file, [Fault("文件", f"不是有效的 JSON：{error}")]) from error
    return parse_document(document, file)


def parse_document(document: Any, file: str) -> Questionnaire:  # noqa: ANN401 - TOML and JSON enter here
    """Check decoded TOML or JSON: first its shape, then what its parts say of each other."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise QuestionnaireError(file, [Fault("format", f"应为 {FORMAT}")])
    body = {key: value for key, value in document.items() if key != "format"}
    try:
        # By way of JSON, where strict reading still knows lists and words from the rest: without
        # it `required = "no"` would quietly become false.
        questionnaire = _ADAPTER.validate_json(json.dumps(body, default=str), strict=True)
    except ValidationError as error:
        raise QuestionnaireError(file, shape_faults(error)) from error
    if faults := list(contradictions(questionnaire)):
        raise QuestionnaireError(file, faults)
    return replace(
        questionnaire,
        measures=tuple(_with_unsure(questionnaire, measure) for measure in questionnaire.measures),
    )


def dump_json(questionnaire: Questionnaire) -> str:
    """Write the canonical snapshot: the same questionnaire always gives the same text."""
    document = {"format": FORMAT, **_ADAPTER.dump_python(questionnaire, mode="json")}
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(questionnaire: Questionnaire) -> str:
    """Return the SHA-256 of the canonical snapshot, as 64 hexadecimal digits."""
    return hashlib.sha256(dump_json(questionnaire).encode()).hexdigest()


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file format, generated from the dataclasses."""
    schema = _ADAPTER.json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = FORMAT
    schema["properties"] = {"format": {"const": FORMAT}, **schema["properties"]}
    schema["required"] = ["format", *schema["required"]]
    return schema


def shape_faults(error: ValidationError) -> Iterator[Fault]:
    """Word what pydantic found in a file: the place as a key path, the reason in Chinese."""
    details = error.errors(include_url=False, include_input=False)
    places = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    for detail in details:
        # A list whose only entry is faulty is reported as too short as well; once is enough.
        if detail["type"] == "too_short" and detail["loc"] in places:
            continue
        own = detail["msg"] if detail["type"] == OWN_ERROR else "取值不对"
        reason = _REASONS.get(detail["type"], own)
        context = {name: _in_chinese(value) for name, value in detail.get("ctx", {}).items()}
        yield Fault(_place(detail["loc"]), reason.format(**context))


def _in_chinese(value: object) -> str:
    """Write a list of allowed words as a Chinese reader expects it."""
    return str(value).replace(" or ", "、").replace(", ", "、").replace("'", "")


def _place(location: tuple[int | str, ...]) -> str:
    """Write a key path with positions counted from 1, as a person counts."""
    words = [f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in location]
    return "".join(words).removeprefix(".")


def _with_unsure(questionnaire: Questionnaire, measure: Measure) -> Measure:
    return replace(
        measure,
        items=tuple(
            item
            if item.unsure
            else replace(item, unsure=_unsure_codes(questionnaire.question(item.question)))
            for item in measure.items
        ),
    )


def _unsure_codes(question: Question) -> frozenset[str]:
    return frozenset(option.code for option in question.unsure)
