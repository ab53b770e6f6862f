"""Measurements that no survey gives: what is asked for an indicator, read, entered, sent back.

What is entered is kept as a feed holds it, in versions that are never changed.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import assert_never

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from analysis.scoring import feed
from analysis.scoring.rubric import Indicator
from analysis.scoring.rules import (
    Bands,
    Checklist,
    ConditionKind,
    Judged,
    Judgement,
    Part,
    Rule,
    RuleError,
    Unknown,
    points,
)
from app.errors import InvalidInput, Problem, Sentence
from app.errors import say as _
from app.models import Entry, EntryState, Evaluation, EvaluationObject, EvaluationState, Role, Staff

LONGEST_NOTE = 1000
LONGEST_REASON = 500
_LONGEST_NUMBER = 20
_MOST_CASES = 1_000_000
YES, NO = "yes", "no"


class EntryConflict(Problem):
    """Somebody else changed the same measurement meanwhile; nothing of theirs is written over."""

    status = 409
    sentence = _("这一项刚被别人改过，您的还没有保存。请看现在的内容，需要时再做一次。")


# ---------------------------------------------------------------------------------------------
# What is asked, and how it is read
# ---------------------------------------------------------------------------------------------


class FieldKind(StrEnum):
    """What is typed into a field."""

    NUMBER = "number"
    CASES = "cases"
    TICK = "tick"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class EntryField:
    """One field of the form for an indicator. `is_optional` may stay empty."""

    name: str
    label: Sentence
    kind: FieldKind
    is_optional: bool = False


def is_judged(rule: Rule) -> bool:
    """Say whether a person's judgement is part of the rule: that is for the evaluators alone."""
    parts = rule.parts if isinstance(rule, Checklist) else ()
    return isinstance(rule, Judgement) or any(isinstance(part.rule, Judgement) for part in parts)


def fields_of(indicator: Indicator) -> tuple[EntryField, ...]:
    """Return what must be typed to measure an indicator; nothing where its criteria are lost."""
    return (*_fields_of_rule(indicator.rule), *_fields_of_conditions(indicator))


def _fields_of_rule(rule: Rule) -> Iterator[EntryField]:
    match rule:
        case Unknown():
            return
        case Checklist():
            for prefix, part in _named(rule):
                yield from _fields_of_part(prefix, part)
        case _:
            yield from _measured_fields("", "", rule)


def _named(rule: Checklist) -> Iterator[tuple[str, Part]]:
    # By number: the ids of a document's parts may hold what a field's name may not.
    return ((f"part{number}_", part) for number, part in enumerate(rule.parts))


def _fields_of_part(prefix: str, part: Part) -> Iterator[EntryField]:
    if part.rule is not None:
        yield from _measured_fields(prefix, f"{part.name}：", part.rule)
    elif part.per_case is None:
        yield EntryField(f"{prefix}met", part.name, FieldKind.TICK)
    else:
        label = _("“%(name)s”有几例（没有就填 0）", name=part.name)
        yield EntryField(f"{prefix}cases", label, FieldKind.CASES)


def _measured_fields(prefix: str, subject: str, rule: Rule) -> Iterator[EntryField]:
    if isinstance(rule, Judgement):
        most = _("%(subject)s评定得分（0 到 %(full)s）", subject=subject, full=rule.full)
        yield EntryField(f"{prefix}points", most, FieldKind.NUMBER)
        yield EntryField(
            f"{prefix}reason", _("%(subject)s评定理由", subject=subject), FieldKind.TEXT
        )
        return
    unit = rule.unit if isinstance(rule, Bands) else ""
    if unit:
        above = _("%(subject)s总数（%(unit)s）", subject=subject, unit=unit)
        below = _("%(subject)s除以多少（人均的填人数，不是人均的不填）", subject=subject)
    else:
        above = _("%(subject)s分子（达到要求的数）", subject=subject)
        below = _("%(subject)s分母（总数）", subject=subject)
    yield EntryField(f"{prefix}numerator", above, FieldKind.NUMBER)
    yield EntryField(f"{prefix}denominator", below, FieldKind.NUMBER, is_optional=bool(unit))


def _fields_of_conditions(indicator: Indicator) -> Iterator[EntryField]:
    for number, condition in enumerate(indicator.conditions):
        is_tick = condition.kind is ConditionKind.TICK
        kind = FieldKind.TICK if is_tick else FieldKind.CASES
        yield EntryField(f"condition{number}", condition.name, kind)


def read_measurement(indicator: Indicator, typed: Mapping[str, str], author: str) -> str:
    """Read what was typed for an indicator; return the measurement as a feed holds it (JSON).

    `author` stands with a judgement. Raises `InvalidInput` with every fault by its field.
    """
    found = {field.name: _tidy(typed.get(field.name, "")) for field in fields_of(indicator)}
    faults: dict[str, Sentence] = {}
    for field in fields_of(indicator):
        fault = _fault(field, found[field.name])
        if fault is not None:
            faults[field.name] = fault
    if not faults:
        faults = dict(_refused(indicator.rule, found, author))
    if faults:
        raise InvalidInput(faults)
    conditions = {
        condition.id: _fact(condition.kind, found[f"condition{number}"])
        for number, condition in enumerate(indicator.conditions)
    }
    content = _content(indicator.rule, found, author)
    measurement = feed.Measurement(indicator.code, content, conditions=conditions)
    return feed.dump_measurement(measurement)


def _tidy(text: str) -> str:
    # Full-width digits are digits.
    return unicodedata.normalize("NFKC", text).strip()


def _fault(field: EntryField, text: str) -> Sentence | None:
    if not text:
        return None if field.is_optional else _("请填写这一项；没有数字时先不要保存。")
    match field.kind:
        case FieldKind.NUMBER:
            is_number = feed.DECIMAL.fullmatch(text) and len(text) <= _LONGEST_NUMBER
            return None if is_number else _("请填写数字，如 97 或 0.85，不要写单位。")
        case FieldKind.CASES:
            is_count = text.isdecimal() and len(text) <= 7 and int(text) <= _MOST_CASES
            return None if is_count else _("请填写不小于 0 的整数。")
        case FieldKind.TICK:
            return None if text in {YES, NO} else _("请选择是否做到。")
        case FieldKind.TEXT:
            return None if len(text) <= LONGEST_REASON else _("太长了，请写短一些。")


def _refused(rule: Rule, found: Mapping[str, str], author: str) -> Iterator[tuple[str, Sentence]]:
    """Yield what the rules themselves cannot score, beside its field."""
    pairs = [("", rule)]
    if isinstance(rule, Checklist):
        pairs = [(prefix, part.rule) for prefix, part in _named(rule) if part.rule is not None]
    for prefix, each in pairs:
        if isinstance(each, Judgement):
            given = Fraction(found[f"{prefix}points"])
            try:
                points(each, Judged(given, author, found[f"{prefix}reason"]))
            except RuleError as refusal:
                yield f"{prefix}points", str(refusal)
        elif not Fraction(found[f"{prefix}denominator"] or 1):
            yield f"{prefix}denominator", _("分母是 0，不可计算。")


def _content(rule: Rule, found: Mapping[str, str], author: str) -> feed.Content:
    if isinstance(rule, Checklist):
        parts = {part.id: _part(prefix, part, found, author) for prefix, part in _named(rule)}
        return feed.Parts(parts)
    return _measured("", rule, found, author)


def _part(prefix: str, part: Part, found: Mapping[str, str], author: str) -> feed.PartContent:
    if part.rule is not None:
        return _measured(prefix, part.rule, found, author)
    if part.per_case is None:
        return found[f"{prefix}met"] == YES
    return int(found[f"{prefix}cases"])


def _measured(
    prefix: str, rule: Rule, found: Mapping[str, str], author: str
) -> feed.Ratio | feed.Judgement:
    if isinstance(rule, Judgement):
        given = Decimal(found[f"{prefix}points"])
        return feed.Judgement(given, author, found[f"{prefix}reason"])
    below = found[f"{prefix}denominator"] or "1"
    return feed.Ratio(Decimal(found[f"{prefix}numerator"]), Decimal(below))


def _fact(kind: ConditionKind, text: str) -> int:
    return text == YES if kind is ConditionKind.TICK else int(text)


def typed_before(indicator: Indicator, document: str) -> dict[str, str]:
    """Return what was typed for a measurement that `read_measurement` made."""
    measurement = feed.parse_measurement(document)
    content, rule = measurement.content, indicator.rule
    typed: dict[str, str] = {}
    if isinstance(rule, Checklist) and isinstance(content, feed.Parts):
        for prefix, part in _named(rule):
            typed |= _typed_of(prefix, content.parts[part.id])
    elif isinstance(content, feed.Ratio | feed.Judgement):
        typed = _typed_of("", content)
    for number, condition in enumerate(indicator.conditions):
        fact = measurement.conditions[condition.id]
        typed[f"condition{number}"] = _yes_no(fact) if isinstance(fact, bool) else str(fact)
    return typed


def shown_measurement(indicator: Indicator, entry: Entry) -> list[tuple[Sentence, str]]:
    """Return what was typed for an entry, each with the words of its field."""
    typed = typed_before(indicator, entry.document)
    return [(field.label, typed.get(field.name, "")) for field in fields_of(indicator)]


def figures_of(document: str) -> str:
    """Return the figures of a measurement in one line, without the words of a judgement."""
    content = feed.parse_measurement(document).content
    if not isinstance(content, feed.Parts):
        return _figure(content)
    return "；".join(f"{name}={_figure(part)}" for name, part in content.parts.items())


def _figure(content: feed.Content | feed.PartContent) -> str:
    typed = (
        {} if isinstance(content, feed.Count | feed.Ticks | feed.Parts) else _typed_of("", content)
    )
    return "/".join(text for name, text in typed.items() if text and name != "reason")


def _typed_of(prefix: str, content: feed.PartContent) -> dict[str, str]:
    match content:
        case bool():
            return {f"{prefix}met": _yes_no(content)}
        case int():
            return {f"{prefix}cases": str(content)}
        case feed.Judgement(given, _author, reason):
            return {f"{prefix}points": f"{given:f}", f"{prefix}reason": reason}
        case feed.Ratio(above, below):
            divisor = "" if below == 1 else f"{below:f}"
            return {f"{prefix}numerator": f"{above:f}", f"{prefix}denominator": divisor}
        case feed.Rate():  # a survey's, which nobody typed
            return {}
        case _:
            assert_never(content)


def _yes_no(is_met: bool) -> str:  # noqa: FBT001 - the value itself
    return YES if is_met else NO


# ---------------------------------------------------------------------------------------------
# Entering, sending back, taking
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Author:
    """Who does something to an evaluation, and when."""

    staff: Staff
    at: datetime


def is_owner(staff: Staff, evaluation: Evaluation) -> bool:
    """Say whether this person judges the evaluation's entries: an evaluator of its whole area."""
    judges = staff.role in {Role.EVALUATOR, Role.ADMINISTRATOR}
    return judges and evaluation.area.path.startswith(staff.area.path)


def load_newest(session: Session, objects: Sequence[int]) -> dict[tuple[int, str], Entry]:
    """Return the newest version of every entry of these objects, by object and indicator."""
    query = (
        select(Entry)
        .where(Entry.object_id.in_(objects))
        .options(joinedload(Entry.staff))
        .order_by(Entry.version)
    )
    return {(entry.object_id, entry.indicator): entry for entry in session.scalars(query)}


def load_versions(session: Session, scored: EvaluationObject, code: str) -> Sequence[Entry]:
    """Return every version of one entry, the newest first."""
    query = (
        select(Entry)
        .where(Entry.object_id == scored.id, Entry.indicator == code)
        .options(joinedload(Entry.staff))
        .order_by(Entry.version.desc())
    )
    return session.scalars(query).all()


def why_closed(
    evaluation: Evaluation,
    indicator: Indicator,
    newest: Entry | None,
    staff: Staff,
    now: datetime,
) -> Sentence | None:
    """Return why this person cannot enter this indicator now; None where it is open to them."""
    if isinstance(indicator.rule, Unknown):
        return _("这个指标的评分标准在文件里遗失了，不能填报，也不计分。")
    if indicator.code in evaluation.measures:
        return _("这个指标由问卷调查测量，不用填报。")
    if evaluation.state is EvaluationState.CLOSED:
        return _("这次评价已经结束，不能再改。")
    return None if is_owner(staff, evaluation) else _why_shut(evaluation, indicator, newest, now)


def is_to_do(newest: Entry | None) -> bool:
    """Say whether something is still to be entered: nothing was yet, or it was sent back."""
    return newest is None or newest.state is EntryState.RETURNED


def _why_shut(
    evaluation: Evaluation, indicator: Indicator, newest: Entry | None, now: datetime
) -> Sentence | None:
    """Return why the object's own staff cannot enter this indicator now."""
    if is_judged(indicator.rule):
        return _("这个指标由评价人员评定，您可以上传佐证材料。")
    if newest is not None and newest.state is EntryState.ACCEPTED:
        return _("这一项已被采纳。要更正，请联系评价人员退回。")
    until = evaluation.deadline
    if newest is not None and newest.state is EntryState.RETURNED and newest.due is not None:
        until = max(until, newest.due)
    return None if now <= until else _("填报已经截止。要补报，请联系评价人员延期或退回。")


def enter(
    session: Session,
    scored: EvaluationObject,
    indicator: Indicator,
    typed: Mapping[str, str],
    note: str,
    seen: int,
    author: Author,
) -> Entry:
    """Enter what was typed over the version that its author saw (0: none).

    Raises `EntryConflict` when another version came meanwhile, `Problem` where it is not open to
    this person, `InvalidInput` by field.
    """
    newest = _newest_seen(session, scored, indicator.code, seen)
    closed = why_closed(scored.evaluation, indicator, newest, author.staff, author.at)
    if closed is not None:
        raise Problem(closed)
    made = _version(scored, indicator.code, seen, author)
    # What those who judge enter themselves waits for nobody.
    is_judge = is_owner(author.staff, scored.evaluation)
    made.state = EntryState.ACCEPTED if is_judge else EntryState.ENTERED
    made.document = read_measurement(indicator, typed, author.staff.name)
    made.note = note.strip()
    return _add(session, made)


def return_entry(
    session: Session,
    scored: EvaluationObject,
    code: str,
    seen: int,
    reason: str,
    due: datetime | None,
    author: Author,
) -> Entry:
    """Send a measurement back for correction until `due`.

    Raises `InvalidInput`, `Problem` and `EntryConflict`.
    """
    faults: dict[str, Sentence] = {}
    if not reason.strip():
        faults["reason"] = _("请写明要更正什么。")
    if due is None or due <= author.at:
        faults["due"] = _("更正期限应晚于现在。")
    if faults:
        raise InvalidInput(faults)
    before = _to_judge(session, scored, code, seen)
    if before.state is EntryState.RETURNED:
        raise Problem(_("这一项已经退回了。"))
    made = _version(scored, code, seen, author)
    made.state, made.document, made.note = EntryState.RETURNED, before.document, before.note
    made.reason, made.due = reason.strip(), due
    return _add(session, made)


def accept_entry(
    session: Session,
    scored: EvaluationObject,
    code: str,
    seen: int,
    author: Author,
) -> Entry:
    """Take a measurement as it was entered. Raises `Problem` and `EntryConflict`."""
    before = _to_judge(session, scored, code, seen)
    if before.state is not EntryState.ENTERED:
        raise Problem(_("只有已填报、还没有审核的才能采纳。请刷新页面查看。"))
    made = _version(scored, code, seen, author)
    made.state, made.document, made.note = EntryState.ACCEPTED, before.document, before.note
    return _add(session, made)


def _to_judge(session: Session, scored: EvaluationObject, code: str, seen: int) -> Entry:
    if scored.evaluation.state is EvaluationState.CLOSED:
        raise Problem(_("这次评价已经结束，不能再改。"))
    newest = _newest_seen(session, scored, code, seen)
    if newest is None:
        raise Problem(_("这一项还没有填报。"))
    return newest


def _newest_seen(session: Session, scored: EvaluationObject, code: str, seen: int) -> Entry | None:
    versions = load_versions(session, scored, code)
    newest = versions[0] if versions else None
    if (newest.version if newest else 0) != seen:
        raise EntryConflict
    return newest


def _version(scored: EvaluationObject, code: str, seen: int, author: Author) -> Entry:
    return Entry(
        object_id=scored.id,
        indicator=code,
        version=seen + 1,
        staff_id=author.staff.id,
        at=author.at,
        reason="",
        due=None,
    )


def _add(session: Session, entry: Entry) -> Entry:
    try:
        # Of two at once both saw the same version: the key lets one of them in.
        with session.begin_nested():
            session.add(entry)
            session.flush()
    except IntegrityError:
        raise EntryConflict from None
    return entry
