"""Coded answer sheets as files: only of closed surveys, without what could tell who answered."""

import json
import tomllib
from fractions import Fraction
from functools import cache

from analysis import statistics_files
from analysis.datasets import YES_NO, Dataset, Variable, VariableKind, make_dataset
from analysis.rates import describe
from app.config import PROJECT
from app.errors import NotYet
from app.errors import say as _
from app.formats import channel_name, decimal
from app.models import Survey, SurveyState
from app.services.results import Evidence
from app.spreadsheets.writing import Sheet, Value, csv_bytes, xlsx

FORMS = ("csv", "xlsx", "sav", "parquet")
_FORMAT = "minping.answers/1"


def refuse_open(survey: Survey) -> None:
    """Raise `NotYet` while answers may still come in.

    Two files taken before and after one card was answered would show whose answers it led to: the
    ledger says which card.
    """
    if survey.state is not SurveyState.CLOSED:
        raise NotYet(_("调查结束以后才能导出单份答卷：答题期间前后两次导出相减，会露出刚答的人。"))


def answers_file(evidence: Evidence, form: str) -> bytes:
    """Return the coded answers of a closed survey in one of `FORMS`. Raises `NotYet`."""
    refuse_open(evidence.survey)
    if len(evidence.frame) < evidence.smallest:
        raise NotYet(_("有效答卷不足 5 份，为保护答题人不导出单份答卷。"))
    dataset = _dataset(evidence)
    match form:
        case "sav":
            return statistics_files.sav(dataset, evidence.survey.title, _facts(evidence))
        case "parquet":
            return statistics_files.parquet(dataset, _facts(evidence))
        case "csv":
            return csv_bytes(_answers_sheet(dataset))
        case _:
            return xlsx([_answers_sheet(dataset), codebook(dataset), _facts_sheet(evidence)])


def _dataset(evidence: Evidence) -> Dataset:
    towns = {town.id: town.name for town in evidence.towns}
    own = evidence.survey.area
    if (evidence.frame["area"] == own.id).any():
        towns = {own.id: own.name, **towns}
    channels = {name: channel_name(name) for name in sorted(evidence.channels)}
    return make_dataset(evidence.frame, evidence.questionnaire, towns, channels, evidence.smallest)


def _facts(evidence: Evidence) -> dict[str, str]:
    """Return what a file has to say of itself, so that its figures can be made again."""
    asked = evidence.questionnaire
    measures = [
        {"id": one.id, "name": one.name, "definition": describe(one, asked)}
        for one in asked.measures
    ]
    return {
        "format": _FORMAT,
        "survey": str(evidence.survey.id),
        "title": evidence.survey.title,
        "questionnaire": f"{asked.id}/{asked.version}",
        "questionnaire_digest": evidence.survey.questionnaire.digest,
        "submissions": str(len(evidence.frame)),
        "replayed": str(evidence.replayed),
        "measures": json.dumps(measures, ensure_ascii=False),
        "software": f"minping {_version()}",
    }


@cache
def _version() -> str:
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    version: str = tomllib.loads(text)["project"]["version"]
    return version


def _answers_sheet(dataset: Dataset) -> Sheet:
    names = [each.name for each in dataset.variables]
    columns = [_cells(each, dataset) for each in dataset.variables]
    return Sheet(_("单份答卷"), names, [*zip(*columns, strict=True)])


def _cells(variable: Variable, dataset: Dataset) -> list[Value]:
    cells = dataset.frame[variable.name]
    blank = cells.isna()
    found: list[Value] = []
    for cell, is_blank in zip(cells, blank, strict=True):
        if is_blank:
            found.append(None)
        elif variable.kind is VariableKind.NUMBER:
            found.append(_number(cell))
        elif variable.kind in {VariableKind.FLAG, VariableKind.RANK}:
            found.append(int(cell))
        else:
            found.append(int(cell) if str(cell).isdecimal() else str(cell))
    return found


def _number(value: float) -> Value:
    return int(value) if value.is_integer() else decimal(Fraction(value), 6).normalize()


def codebook(dataset: Dataset) -> Sheet:
    """Return what every column and every code means, in full."""
    headings = (_("变量"), _("含义"), _("编码"), _("SPSS 数值"), _("编码的含义"))
    rows: list[tuple[Value, ...]] = []
    for each in dataset.variables:
        known = [(value.code, value.number, value.label) for value in each.values]
        if each.kind is VariableKind.FLAG:
            known = [(str(number), number, text) for number, text in YES_NO.items()]
        rows += [(each.name, each.label, *value) for value in known] or [
            (each.name, each.label, None, None, None)
        ]
    return Sheet(_("编码表"), headings, rows)


def _facts_sheet(evidence: Evidence) -> Sheet:
    return Sheet(_("来历"), (_("项目"), _("内容")), [*_facts(evidence).items()])
