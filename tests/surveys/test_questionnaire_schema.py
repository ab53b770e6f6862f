"""The JSON Schema beside the format: kept equal to the dataclasses, and true to the files."""

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import surveys
from surveys.library import FOLDER, bundled
from surveys.reading import dump_json, json_schema, load

SCHEMA = Path(surveys.__path__[0]) / "questionnaire.schema.json"
FILES = [*sorted(FOLDER.glob("*.toml")), Path(__file__).parent / "every_kind.toml"]


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture
def document() -> dict[str, Any]:
    return copy.deepcopy(tomllib.loads(FILES[0].read_text(encoding="utf-8")))


def test_the_stored_schema_is_the_generated_one() -> None:
    remedy = "run: flask --app wsgi questionnaires schema > surveys/questionnaire.schema.json"
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json_schema(), remedy


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_fits_the_schema(path: Path, validator: Draft202012Validator) -> None:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    validator.validate(json.loads(json.dumps(document, default=str)))  # JSON knows no dates


def test_a_snapshot_fits_the_schema(validator: Draft202012Validator) -> None:
    for found in [*bundled().values(), load(FILES[-1])]:
        validator.validate(json.loads(dump_json(found)))


def test_a_misspelt_key_does_not_fit(
    document: dict[str, Any], validator: Draft202012Validator
) -> None:
    document["sections"][0]["questions"][0]["requird"] = False
    assert not validator.is_valid(document)


def test_a_missing_key_does_not_fit(
    document: dict[str, Any], validator: Draft202012Validator
) -> None:
    del document["source"]
    assert not validator.is_valid(document)


def test_an_unknown_kind_does_not_fit(
    document: dict[str, Any], validator: Draft202012Validator
) -> None:
    document["measures"][0]["kind"] = "happiness"
    assert not validator.is_valid(document)


@pytest.mark.parametrize("change", [{"format": "minping.questionnaire/2"}, {"version": 0}])
def test_another_format_or_version_does_not_fit(
    change: dict[str, Any], document: dict[str, Any], validator: Draft202012Validator
) -> None:
    assert not validator.is_valid(document | change)
