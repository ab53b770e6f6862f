"""Two readings of one measure beside each other, tried on the answers that have come in."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from analysis.scoring.rubric import Rubric
from app.access import current_staff
from app.db import reading
from app.desk.views import blueprint
from app.errors import Sentence
from app.services import evaluating, publishing, readings, results, rubrics
from app.services.readings import Trial
from surveys.questionnaire import (
    Base,
    Composite,
    DontKnow,
    Item,
    Measure,
    MeasureKind,
    Question,
    Questionnaire,
)

_BASES = {
    Base.INTERVIEWED: _("实际调查人数（没有问到、没有作答的都算）"),
    Base.ROUTED: _("问到该题的人数（没有作答的也算）"),
    Base.VALID: _("有效作答人数"),
}
_DONT_KNOW = {DontKnow.IN_BASE: _("计入基数，不算肯定"), DontKnow.LEFT_OUT: _("不计入基数")}
_COMPOSITES = {
    Composite.MEAN: _("各题比率的平均"),
    Composite.POOLED: _("各题人次合在一起"),
    Composite.PERSON: _("先算每人，再平均"),
}
_SIDES = ("a", "b")
_MOST = Decimal(100)
_NUMBER = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two definitions as it stands in the address; `trial` is what it finds."""

    name: str
    subject: str
    measure: Measure
    questions: tuple[Question, ...]
    faults: tuple[Sentence, ...]
    trial: Trial | None = None


@blueprint.get("/surveys/<id:survey_id>/readings")
def readings_page(survey_id: int) -> ResponseReturnValue:
    """Show what two definitions find in the collected answers, and what each would earn.

    The definitions stand in the address and change nothing.
    """
    with reading() as session:
        survey = publishing.find_survey(session, survey_id, current_staff().area)
        evidence = results.load_evidence(session, survey)
        offered = rubrics.offered(session, current_staff().area)
    asked = evidence.questionnaire
    scored = {
        f"{rubric.id}:{indicator.code}": (rubric, indicator)
        for rubric, indicator in readings.scored_by_rate(offered)
    }
    subjects = dict(_subjects(asked))
    rubric, code = _chosen_indicator(evidence, offered, scored)
    sides = [_tried(evidence, _side(asked, subjects, name), rubric, code) for name in _SIDES]
    return render_template(
        "desk/readings.html",
        survey=survey,
        evidence=evidence,
        sides=sides,
        subjects=[(name, measure.name) for name, measure in subjects.items()],
        scored=scored,
        chosen=f"{rubric.id}:{code}" if rubric else "",
        bases=_BASES,
        dont_know=_DONT_KNOW,
        composites=_COMPOSITES,
        doubts=results.doubts,
    )


def _subjects(asked: Questionnaire) -> Iterator[tuple[str, Measure]]:
    """Yield what a definition may begin with: every measure, and every question with one choice."""
    for measure in asked.measures:
        if not measure.per_option:
            yield measure.id, measure
    for part in (part for question in asked.questions for part in question.parts):
        if part.is_chosen_once:
            item = Item(part.id, unsure=frozenset(option.code for option in part.unsure))
            name = f"{part.number}. {part.text}"
            yield (
                f"question:{part.id}",
                Measure("trial", name, MeasureKind.SHARE, (item,), Base.VALID, DontKnow.IN_BASE),
            )


def _chosen_indicator(
    evidence: results.Evidence,
    offered: Mapping[str, Rubric],
    scored: Mapping[str, tuple[Rubric, object]],
) -> tuple[Rubric | None, str]:
    chosen = request.args.get("indicator")
    if chosen is None:
        fed = {rubric.id for rubric, _fed in evaluating.rubrics_for(evidence, offered)}
        chosen = next((name for name in scored if name.partition(":")[0] in fed), "")
    if chosen not in scored:
        return None, ""
    return scored[chosen][0], chosen.partition(":")[2]


def _side(asked: Questionnaire, subjects: Mapping[str, Measure], name: str) -> Side:
    first = next(iter(subjects))
    subject = request.args.get(f"{name}.subject", first)
    subject = subject if subject in subjects else first
    measure, faults = subjects[subject], list[Sentence]()
    # What was ticked belongs to the questions that were on the page, not to newly chosen ones.
    if request.args.get(f"{name}.of") == subject:
        measure = _defined(measure, asked, name, faults)
    if measure.kind is not MeasureKind.NPS:
        faults += [
            _("第%(number)s题还没有选哪些选项算肯定。", number=asked.question(item.question).number)
            for item in measure.items
            if not (item.credit if measure.kind is MeasureKind.SCORE else item.positive)
        ]
    questions = tuple(asked.question(item.question) for item in measure.items)
    return Side(name, subject, measure, questions, tuple(faults))


def _defined(measure: Measure, asked: Questionnaire, name: str, faults: list[Sentence]) -> Measure:
    given = request.args
    items = tuple(
        _item(measure, item, asked.question(item.question), name, faults) for item in measure.items
    )
    composite = measure.composite
    if composite is not None and given.get(f"{name}.composite") in set(Composite):
        composite = Composite(given[f"{name}.composite"])
    base, dont_know = given.get(f"{name}.base"), given.get(f"{name}.dont_know")
    return replace(
        measure,
        items=items,
        composite=composite,
        base=Base(base) if base in set(Base) else measure.base,
        dont_know=DontKnow(dont_know) if dont_know in set(DontKnow) else measure.dont_know,
    )


def _item(
    measure: Measure, item: Item, question: Question, name: str, faults: list[Sentence]
) -> Item:
    place = f"{name}.{item.question}"
    most = _MOST if measure.kind is MeasureKind.SCORE else Decimal(1)
    ticked = set(request.args.getlist(place)) & set(question.codes)
    credit = {}
    for code in question.codes:
        worth = _number(f"{place}.{code}", question, most, faults)
        is_counted = measure.kind is MeasureKind.SCORE or code in ticked
        if worth is not None and is_counted and (worth != 1 or most != 1):
            credit[code] = worth
    weight = _number(f"{place}.weight", question, _MOST, faults)
    return replace(item, positive=frozenset(ticked), credit=credit, weight=weight or Decimal(1))


def _number(
    field: str, question: Question, most: Decimal, faults: list[Sentence]
) -> Decimal | None:
    text = request.args.get(field, "").strip()
    if not text:
        return None
    # Few places: a credit is kept exactly, as a fraction of whole answers.
    number = Decimal(text) if _NUMBER.fullmatch(text) else None
    if number is None or number > most:
        faults.append(
            _("第%(number)s题的数字应在 0 和 %(most)s 之间。", number=question.number, most=most)
        )
        return None
    return number


def _tried(evidence: results.Evidence, side: Side, rubric: Rubric | None, code: str) -> Side:
    if side.faults:
        return side
    return replace(side, trial=readings.try_definition(evidence, side.measure, rubric, code))
