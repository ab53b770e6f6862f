"""How a survey's sample was drawn: entered, kept in versions, and laid out over its answers."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import pandas as pd
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from analysis.designs import Design, Lonely, Sample
from analysis.display import LARGEST_SMALLEST, SMALLEST_GROUP
from app.errors import InvalidInput, Problem, Sentence
from app.errors import say as _
from app.models import SampleKind, Staff, Survey, SurveyDesign, SurveyState
from app.services.survey_areas import Place, tree_of_today
from surveys.questionnaire import Questionnaire

# No question can be named so.
_VILLAGE, _STRATUM, _WEIGHT = "#village", "#stratum", "#weight"
_VILLAGES, _PEOPLE = "#villages", "#people"
_DRAWN = {SampleKind.STRATIFIED, SampleKind.CLUSTERED}
MOST_PEOPLE = 2_000_000_000


class Strata(StrEnum):
    """What the sample was drawn from separately."""

    TOWN = "town"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class DesignPlan:
    """What is entered of a design; `is_finite` takes the sample as part of a counted population.

    `margins` has, for each question, how many people the population has per option.
    """

    kind: SampleKind
    strata: Strata = Strata.TOWN
    is_finite: bool = False
    lonely: Lonely = Lonely.REFUSE
    smallest: int = SMALLEST_GROUP
    margins: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of the population with its people and villages, as the areas had them."""

    name: str
    people: int | None
    villages: int
    towns: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """A frame with the columns of its design; with `faults` no rate can be computed from it."""

    frame: pd.DataFrame
    design: Design
    faults: tuple[Sentence, ...] = ()
    smallest: int = SMALLEST_GROUP
    note: Sentence = ""


def load_designs(session: Session, survey: Survey) -> Sequence[SurveyDesign]:
    """Return every version of a survey's design, the newest first."""
    query = select(SurveyDesign).where(SurveyDesign.survey_id == survey.id)
    newest = query.order_by(SurveyDesign.number.desc()).options(joinedload(SurveyDesign.staff))
    return session.scalars(newest).all()


def load_design(session: Session, survey: Survey) -> SurveyDesign | None:
    """Return the version that counts; None where nobody has entered a design."""
    return next(iter(load_designs(session, survey)), None)


def load_smallest(session: Session, survey: Survey) -> int:
    """Return how many people a survey must have in a group to show it."""
    stored = load_design(session, survey)
    return int(stored.document["smallest"]) if stored else SMALLEST_GROUP


def save_design(
    session: Session,
    survey: Survey,
    questionnaire: Questionnaire,
    plan: DesignPlan,
    staff: Staff,
    now: datetime,
) -> SurveyDesign:
    """Save a design as the next version. Raises `InvalidInput`, or `Problem` if two do at once."""
    before = load_design(session, survey)
    after_opening = survey.state is not SurveyState.DRAFT
    tree = tree_of_today(session, survey)
    branch = [*tree.places.values()]
    strata = _strata(branch, tree.towns, plan.strata)
    faults = dict(_faults(plan, strata, branch, questionnaire, tree.root))
    if after_opening and not plan.reason.strip():
        faults["reason"] = _("调查已经开放，请写明为什么现在设定或修改。")
    if faults:
        raise InvalidInput(faults)
    made = SurveyDesign(
        survey_id=survey.id,
        number=before.number + 1 if before else 1,
        staff_id=staff.id,
        kind=plan.kind,
        document=_document(plan, strata, branch),
        made_at=now,
        after_opening=after_opening,
        reason=plan.reason.strip(),
    )
    try:
        with session.begin_nested():
            session.add(made)
            session.flush()
    except IntegrityError as race:
        raise Problem(_("别人刚刚修改了抽样设计，请刷新后再改。")) from race
    return made


def plan_of(stored: SurveyDesign) -> DesignPlan:
    """Return a version as it was entered."""
    document = stored.document
    return DesignPlan(
        kind=stored.kind,
        strata=Strata(document["strata"]),
        is_finite=document["finite"],
        lonely=Lonely(document["lonely"]),
        smallest=document["smallest"],
        margins=document["margins"],
        reason=stored.reason,
    )


def strata_of(stored: SurveyDesign) -> list[Stratum]:
    """Return the parts that a version draws from."""
    return [
        Stratum(each["name"], each["people"], each["villages"], tuple(each["towns"]))
        for each in stored.document["parts"]
    ]


def lay_design(
    frame: pd.DataFrame, villages: Sequence[int], stored: SurveyDesign | None, *, has_posters: bool
) -> Laid:
    """Add the columns of a design to a frame.

    Parameters
        frame: as `build_frame` makes it, with towns (or the survey's own area) in `area`.
        villages: the area of each row as it was recorded.
        has_posters: some chose to answer by themselves, so that no sample was drawn.
    """
    smallest = stored.document["smallest"] if stored else SMALLEST_GROUP
    note = _note(stored)
    # Whoever sees a poster may answer: with such answers among them no sampling error can be
    # inferred (STATISTICS.md §2), and saying so beats an interval that misleads.
    if has_posters or (stored and stored.kind is SampleKind.SELF_SELECTED):
        return Laid(frame, Design(Sample.SELF_SELECTED), (), smallest, note)
    if stored is None:
        return Laid(frame, Design(Sample.SIMPLE))
    plan = plan_of(stored)
    if plan.kind is SampleKind.CENSUS:
        return Laid(frame, Design(Sample.CENSUS), (), smallest, note)
    laid, faults = _laid(frame, villages, strata_of(stored), stored.document, plan)
    return Laid(laid, _design(plan, stored, len(frame)), faults, smallest, note)


def _note(stored: SurveyDesign | None) -> Sentence:
    if stored is None or not stored.after_opening:
        return ""
    return _(
        "抽样设计第 %(number)s 版是在调查开放之后设定的。理由：%(reason)s",
        number=stored.number,
        reason=stored.reason,
    )


def _design(plan: DesignPlan, stored: SurveyDesign, n: int) -> Design:
    margins = plan.margins
    people = sum(each.people or 0 for each in strata_of(stored))
    if plan.kind is SampleKind.SIMPLE and not margins:
        return Design(Sample.SIMPLE, population=max(people, n) if plan.is_finite else None)
    clusters: tuple[str, ...] = ()
    sizes: tuple[str, ...] = (_PEOPLE,) if plan.is_finite else ()
    if plan.kind is SampleKind.CLUSTERED:
        # In the second stage each person is drawn by themselves; their key tells them apart.
        clusters, sizes = (_VILLAGE,), ()
        if plan.is_finite:
            clusters, sizes = (_VILLAGE, "key"), (_VILLAGES, _PEOPLE)
    return Design(
        Sample.DRAWN,
        weight=None if sizes else _WEIGHT,
        stratum=_STRATUM if plan.kind in _DRAWN else None,
        clusters=clusters,
        sizes=sizes,
        lonely=plan.lonely,
        margins=margins,
    )


def _laid(
    frame: pd.DataFrame,
    villages: Sequence[int],
    strata: Sequence[Stratum],
    document: Mapping[str, Any],
    plan: DesignPlan,
) -> tuple[pd.DataFrame, tuple[Sentence, ...]]:
    of_town = {town: each for each in strata for town in each.towns}
    if plan.kind is SampleKind.SIMPLE:
        whole = Stratum("", sum(each.people or 0 for each in strata), 0, ())
        places = [whole] * len(frame)
        outside = 0
    else:
        found = [of_town.get(town) for town in frame["area"]]
        places = [each for each in found if each is not None]
        outside = len(found) - len(places)
    people_of: Mapping[str, int] = document["village_people"]
    homeless = sum(str(village) not in people_of for village in villages)
    faults = tuple(_laying_faults(plan, outside, homeless, places, villages, people_of))
    if faults:
        return frame, faults
    drawn = Counter(each.name for each in places)
    is_clustered = plan.kind is SampleKind.CLUSTERED
    sizes = (
        [people_of[str(village)] for village in villages]
        if is_clustered and plan.is_finite
        else [each.people for each in places]
    )
    columns: dict[str, Any] = {
        _STRATUM: [each.name for each in places],
        _VILLAGE: list(villages),
        _VILLAGES: [each.villages for each in places],
        _PEOPLE: sizes,
        _WEIGHT: [(each.people or drawn[each.name]) / drawn[each.name] for each in places],
    }
    return frame.assign(**columns), ()


def _laying_faults(
    plan: DesignPlan,
    outside: int,
    homeless: int,
    places: Sequence[Stratum],
    villages: Sequence[int],
    people_of: Mapping[str, int],
) -> Iterator[Sentence]:
    if outside:
        yield _("有 %(count)s 份答卷不在任何一层里，请更新抽样设计。", count=outside)
    if plan.kind is SampleKind.CLUSTERED and homeless:
        yield _("有 %(count)s 份答卷没有记到村，不能按村计算抽样误差。", count=homeless)
    elif plan.is_finite and not outside:
        drawn = Counter(each.name for each in places)
        held = {each.name: each.people or 0 for each in places}
        if plan.kind is SampleKind.CLUSTERED:
            named = {str(village): people_of[str(village)] for village in villages}
            drawn, held = Counter(map(str, villages)), named
        if full := [name for name, count in drawn.items() if count > held[name]]:
            names = "、".join(full)
            yield _("答卷比登记的人口还多：%(names)s。请核对人口后更新抽样设计。", names=names)


def _strata(branch: Sequence[Place], towns: Sequence[Place], by: Strata) -> list[Stratum]:
    labels = [town.name if by is Strata.TOWN else town.stratum or "" for town in towns]
    found = []
    for label in dict.fromkeys(labels):
        members = [town for town, own in zip(towns, labels, strict=True) if own == label]
        known = [town.population for town in members]
        below = [area for area in branch if area.parent_id in {member.id for member in members}]
        found.append(
            Stratum(
                label,
                None if None in known else sum(each or 0 for each in known),
                len(below),
                tuple(member.id for member in members),
            )
        )
    return found


def _faults(
    plan: DesignPlan,
    strata: Sequence[Stratum],
    branch: Sequence[Place],
    questionnaire: Questionnaire,
    area: Place,
) -> Iterator[tuple[str, Sentence]]:
    if not SMALLEST_GROUP <= plan.smallest <= LARGEST_SMALLEST:
        yield (
            "smallest",
            _("应在 %(low)s 和 %(high)s 之间。", low=SMALLEST_GROUP, high=LARGEST_SMALLEST),
        )
    if plan.kind in _DRAWN:
        if not strata:
            yield "kind", _("“%(area)s”下面没有片区，不能分层。", area=area.name)
        if unnamed := sum(not each.name for each in strata):
            yield (
                "strata",
                _("有 %(count)s 个片区没有填分层，请管理员在“片区”里补上。", count=unnamed),
            )
    lacking = [each.name for each in strata if not each.people]
    if lacking and (plan.kind in _DRAWN or (plan.kind is SampleKind.SIMPLE and plan.is_finite)):
        names = "、".join(lacking)
        yield "kind", _("这些片区没有人口，请管理员在“片区”里补上：%(names)s。", names=names)
    if plan.kind is SampleKind.CLUSTERED and plan.is_finite:
        towns = {town for each in strata for town in each.towns}
        villages = [each.name for each in branch if each.parent_id in towns and not each.population]
        if villages:
            names = "、".join(villages[:10])
            yield (
                "is_finite",
                _("这些村没有人口，请管理员在“片区”里补上：%(names)s。", names=names),
            )
    if fault := next(_margin_faults(plan, questionnaire), None):
        yield "margins", fault


def _margin_faults(plan: DesignPlan, questionnaire: Questionnaire) -> Iterator[Sentence]:
    if plan.margins and plan.kind in {SampleKind.CENSUS, SampleKind.SELF_SELECTED}:
        yield _("普查和自愿参与的样本不按总体边际调整。")
    totals = {name: sum(counts.values()) for name, counts in plan.margins.items()}
    parts = {part.id: part for each in questionnaire.questions for part in each.parts}
    for name, counts in plan.margins.items():
        if name not in parts or not parts[name].is_chosen_once:
            yield _("“%(name)s”不是只选一个的题。", name=name)
        elif set(counts) != set(parts[name].codes):
            differing = "、".join(sorted(set(counts) ^ set(parts[name].codes)))
            yield _("“%(name)s”的类别与题目的选项不一致：%(codes)s。", name=name, codes=differing)
        elif empty := [code for code, people in counts.items() if not 0 < people <= MOST_PEOPLE]:
            names = "、".join(empty)
            yield _("“%(name)s”的这些类别没有人：%(codes)s。", name=name, codes=names)
    if len(set(totals.values())) > 1:
        said = "、".join(f"{name} {total}" for name, total in totals.items())
        yield _("各题的总人数应当相同：%(totals)s。", totals=said)


def _document(
    plan: DesignPlan, strata: Sequence[Stratum], branch: Sequence[Place]
) -> dict[str, Any]:
    towns = {town for each in strata for town in each.towns}
    return {
        "strata": plan.strata.value,
        "finite": plan.is_finite,
        "lonely": plan.lonely.value,
        "smallest": plan.smallest,
        "margins": {name: dict(counts) for name, counts in plan.margins.items()},
        "parts": [
            {
                "name": each.name,
                "people": each.people,
                "villages": each.villages,
                "towns": list(each.towns),
            }
            for each in strata
        ],
        "village_people": {
            str(each.id): each.population or 0 for each in branch if each.parent_id in towns
        },
    }
