"""The audit chain: what staff did, each row bound to the one before it by a keyed digest."""

import hmac
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from itertools import chain
from typing import Any, TypeAlias

from sqlalchemy import Select, func, insert, null, select
from sqlalchemy.orm import Session

from app.config import Keys
from app.errors import Problem
from app.errors import say as _
from app.models import (
    AnswerImport,
    ApiToken,
    Area,
    AuditEntry,
    BackCheckOutcome,
    BackCheckPlan,
    Batch,
    CardState,
    Channel,
    ExternalRate,
    ImportMapping,
    InclusionRule,
    Notice,
    Poster,
    Review,
    Seal,
    Staff,
    StoredRubric,
    Survey,
    SurveyDesign,
    SurveyState,
)
from app.services.inclusion import Inclusion
from app.services.ledger import Moved, write_ranges

COMMAND_LINE = "command line"
PAGE_LENGTH = 50
MOST_EXPORTED = 50_000
# What the first row is chained to, and the head of an empty chain.
START = "0" * 64

_FORMAT = "minping.audit/1"
# Any number will do that no other advisory lock of this database uses.
_POSTGRES_LOCK = 0x6D70_6175_6469_74
_CHUNK = 500
# Whose old place is looked for; a chain with more broken rows than this is plainly not sound.
_MOST_TRACED = 50

Facts: TypeAlias = Mapping[str, str | int | bool | None]


class Action(StrEnum):
    """What may be done that is worth a row; the words are stored."""

    SURVEY_MADE = "survey_made"
    SURVEY_OPENED = "survey_opened"
    SURVEY_PAUSED = "survey_paused"
    SURVEY_CLOSED = "survey_closed"
    NOTICE_CORRECTED = "notice_corrected"
    ERASE_DATE_CHANGED = "erase_date_changed"
    TEXTS_VIEWED = "texts_viewed"
    TEXTS_ERASED = "texts_erased"
    AREA_ADDED = "area_added"
    AREA_CHANGED = "area_changed"
    AREA_MOVED = "area_moved"
    AREA_CLOSED = "area_closed"
    AREA_REOPENED = "area_reopened"
    BATCH_MADE = "batch_made"
    SHEET_PRINTED = "sheet_printed"
    LIST_PRINTED = "list_printed"
    SERIALS_EXPORTED = "serials_exported"
    POSTER_PRINTED = "poster_printed"
    CARD_SHOWN = "card_shown"
    INTERVIEWED = "interviewed"
    QUESTIONNAIRE_PRINTED = "questionnaire_printed"
    DOUBLE_ENTRY_SET = "double_entry_set"
    SLIP_KEYED = "slip_keyed"
    SLIP_SETTLED = "slip_settled"
    SLIP_WITHDRAWN = "slip_withdrawn"
    ANSWERS_IMPORTED = "answers_imported"
    IMPORT_SET_ASIDE = "import_set_aside"
    MAPPING_SAVED = "mapping_saved"
    DESIGN_SAVED = "design_saved"
    RATE_ENTERED = "rate_entered"
    RATE_WITHDRAWN = "rate_withdrawn"
    SUBMISSION_VIEWED = "submission_viewed"
    SUBMISSION_REVIEWED = "submission_reviewed"
    INCLUSION_CHANGED = "inclusion_changed"
    BACK_CHECKS_DRAWN = "back_checks_drawn"
    BACK_CHECK_RECORDED = "back_check_recorded"
    CARDS_ISSUED = "cards_issued"
    CARDS_RETURNED = "cards_returned"
    CARDS_LOST = "cards_lost"
    CARDS_VOIDED = "cards_voided"
    EXPIRY_MOVED = "expiry_moved"
    TARGET_SET = "target_set"
    AREAS_TAKEN_IN = "areas_taken_in"
    FEED_DOWNLOADED = "feed_downloaded"
    EVALUATION_MADE = "evaluation_made"
    EVALUATION_CLOSED = "evaluation_closed"
    DEADLINE_MOVED = "deadline_moved"
    SOURCES_CHOSEN = "sources_chosen"
    MEASUREMENT_ENTERED = "measurement_entered"
    MEASUREMENT_RETURNED = "measurement_returned"
    MEASUREMENT_ACCEPTED = "measurement_accepted"
    SCORES_REPORTED = "scores_reported"
    EVIDENCE_ADDED = "evidence_added"
    EVIDENCE_DOWNLOADED = "evidence_downloaded"
    EVIDENCE_ERASED = "evidence_erased"
    RATES_EXPORTED = "rates_exported"
    TABLES_EXPORTED = "tables_exported"
    SCORES_EXPORTED = "scores_exported"
    ANSWERS_EXPORTED = "answers_exported"
    AUDIT_EXPORTED = "audit_exported"
    SURVEY_SEALED = "survey_sealed"
    SEAL_EXPORTED = "seal_exported"
    RUBRIC_SAVED = "rubric_saved"
    RUBRIC_PUT_IN_USE = "rubric_put_in_use"
    RUBRIC_EXPORTED = "rubric_exported"
    FINDINGS_EXPORTED = "findings_exported"
    AREAS_IMPORTED = "areas_imported"
    TOKEN_MADE = "token_made"  # noqa: S105 - the name of an act
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - the name of an act
    STAFF_ADDED = "staff_added"
    STAFF_CLOSED = "staff_closed"
    STAFF_UNLOCKED = "staff_unlocked"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - the name of an act
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - the name of an act
    STAFF_CHANGED = "staff_changed"
    FACTOR_ENROLLED = "factor_enrolled"
    FACTOR_RESET = "factor_reset"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    RECOVERY_CODE_USED = "recovery_code_used"
    SIGNED_IN = "signed_in"


@dataclass(frozen=True, slots=True)
class Act:
    """One act: by whom, on what, in which branch of the area tree, from what to what.

    Rows can never be taken back, so no code, no password and no resident or holder of cards is
    named in one: `object` is a kind and a number ("batch 7", "batch 7 card 3").
    """

    actor: str
    action: Action
    object: str
    area_path: str
    before: Facts | None = None
    after: Facts | None = None
    reason: str = ""


# ---------------------------------------------------------------------------------------------
# What each act says
# ---------------------------------------------------------------------------------------------

_MOVES = {
    SurveyState.OPEN: Action.SURVEY_OPENED,
    SurveyState.PAUSED: Action.SURVEY_PAUSED,
    SurveyState.CLOSED: Action.SURVEY_CLOSED,
}


def survey_made(actor: str, survey: Survey) -> Act:
    """Say that a survey was made."""
    after = {"title": survey.title, "questionnaire": survey.questionnaire.code}
    return Act(actor, Action.SURVEY_MADE, f"survey {survey.id}", survey.area.path, None, {**after})


def survey_moved(actor: str, survey: Survey, before: SurveyState) -> Act:
    """Say that a survey was opened, paused or closed; `before` is the state it was in."""
    return Act(
        actor,
        _MOVES[survey.state],
        f"survey {survey.id}",
        survey.area.path,
        {"state": before.value},
        {"state": survey.state.value},
    )


def notice_corrected(
    actor: str, survey: Survey, before: Notice, after: Notice, reason: str
) -> Sequence[Act]:
    """Say what of a notice was corrected, and apart from it that the erase date was moved."""
    texts = [
        name
        for name in ("organiser", "purpose", "collected", "readers", "contact")
        if getattr(before, name) != getattr(after, name)
    ]
    acts = []
    if texts:
        acts.append((Action.NOTICE_CORRECTED, texts))
    if before.erase_at != after.erase_at:
        acts.append((Action.ERASE_DATE_CHANGED, ["erase_at"]))
    return [
        Act(
            actor,
            action,
            f"survey {survey.id}",
            survey.area.path,
            _version(before, changed),
            _version(after, changed),
            reason,
        )
        for action, changed in acts
    ]


def _version(notice: Notice, names: Sequence[str]) -> Facts:
    return {"notice": notice.number, **{name: str(getattr(notice, name)) for name in names}}


def texts_viewed(actor: str, survey: Survey, shown: int) -> Act:
    """Say that somebody read what residents wrote, and how many texts there were on the page."""
    return Act(
        actor, Action.TEXTS_VIEWED, f"survey {survey.id}", survey.area.path, None, {"texts": shown}
    )


def texts_erased(actor: str, survey: Survey, counts: Facts) -> Act:
    """Say how much of a survey was erased at its date, and never what."""
    return Act(
        actor, Action.TEXTS_ERASED, f"survey {survey.id}", survey.area.path, None, {**counts}
    )


def area_added(actor: str, area: Area) -> Act:
    """Say that an area was added to the tree."""
    after: Facts = {name: fact for name, fact in area_facts(area).items() if fact is not None}
    return Act(actor, Action.AREA_ADDED, f"area {area.id}", area.path, None, after)


def area_facts(area: Area) -> Facts:
    """Return what an area is called and counted as."""
    return {"title": area.name, "population": area.population, "stratum": area.stratum}


def area_changed(actor: str, area: Area, before: Facts) -> Act:
    """Say what of an area was changed; `before` is its facts until then."""
    after = area_facts(area)
    changed = [name for name in after if after[name] != before[name]]
    return Act(
        actor,
        Action.AREA_CHANGED,
        f"area {area.id}",
        area.path,
        {name: before[name] for name in changed},
        {name: after[name] for name in changed},
    )


def area_moved(actor: str, area: Area, before: Area, after: Area) -> Act:
    """Say that an area went from one parent to another, with everything below it."""
    named = f"area {area.id}"
    old, new = ({"parent": f"{each.id} {each.name}"} for each in (before, after))
    return Act(actor, Action.AREA_MOVED, named, area.path, {**old}, {**new})


def area_closed(actor: str, area: Area, count: int) -> Act:
    """Say that an area was closed, and how many areas that were."""
    after: Facts = {"title": area.name, "changed": count}
    return Act(actor, Action.AREA_CLOSED, f"area {area.id}", area.path, None, after)


def area_reopened(actor: str, area: Area) -> Act:
    """Say that an area is in use again."""
    after = {"title": area.name}
    return Act(actor, Action.AREA_REOPENED, f"area {area.id}", area.path, None, {**after})


def batch_made(actor: str, batch: Batch) -> Act:
    """Say that cards were made. Who holds them stands with the batch: it may be a person."""
    after = {"survey": batch.survey_id, "size": batch.size}
    return Act(actor, Action.BATCH_MADE, f"batch {batch.id}", batch.area.path, None, {**after})


def sheet_printed(actor: str, batch: Batch, serials: range, layout: str, read_back: int) -> Act:
    """Say which codes were handed out as a sheet to print, and how many were read back before."""
    after: Facts = {
        "survey": batch.survey_id,
        "first": serials[0],
        "last": serials[-1],
        "form": layout,
        "read_back": read_back,
    }
    return Act(actor, Action.SHEET_PRINTED, f"batch {batch.id}", batch.area.path, None, after)


def serials_handed_out(actor: str, action: Action, batch: Batch, serials: range, form: str) -> Act:
    """Say that serials, and no code, were handed out as a list to sign or as a table."""
    after: Facts = {"first": serials[0], "last": serials[-1], "form": form}
    return Act(actor, action, f"batch {batch.id}", batch.area.path, None, after)


def poster_printed(actor: str, poster: Poster, form: str) -> Act:
    """Say that a poster was handed out to print on paper of this size."""
    after: Facts = {"survey": poster.survey_id, "form": form}
    return Act(actor, Action.POSTER_PRINTED, f"poster {poster.id}", poster.area.path, None, after)


def card_shown(actor: str, batch: Batch, serial: int, form: str) -> Act:
    """Say that one code was shown, as a page or as an image; by batch and serial, never itself."""
    named = f"batch {batch.id} card {serial}"
    return Act(actor, Action.CARD_SHOWN, named, batch.area.path, None, {"form": form})


def interviewed(actor: str, survey: Survey, area: Area, channel: Channel) -> Act:
    """Say that somebody asked a resident in person or by telephone; never which answers came."""
    after = {"form": channel.value}
    return Act(actor, Action.INTERVIEWED, f"survey {survey.id}", area.path, None, {**after})


def questionnaire_printed(actor: str, survey: Survey, area: Area, language: str) -> Act:
    """Say that the questionnaire was handed out to be printed, by whom of which branch."""
    after: Facts = {"form": "pdf", "language": language, "notice": survey.notice_number}
    named = f"survey {survey.id}"
    return Act(actor, Action.QUESTIONNAIRE_PRINTED, named, area.path, None, after)


def double_entry_set(actor: str, survey: Survey, before: int | None, after: int) -> Act:
    """Say how many of a hundred paper slips are to be keyed by two people."""
    return Act(
        actor,
        Action.DOUBLE_ENTRY_SET,
        f"survey {survey.id}",
        survey.area.path,
        {"share": before},
        {"share": after},
    )


def slip_act(actor: str, action: Action, survey: Survey, area: Area, reason: str = "") -> Act:
    """Say that a paper slip was keyed, settled or taken back; never its number.

    These rows cannot be written anew: beside the answers of the same transaction, a number here
    would name the slip they came from.
    """
    return Act(actor, action, f"survey {survey.id}", area.path, reason=reason)


def answers_imported(actor: str, survey: Survey, made: AnswerImport) -> Act:
    """Say how many answer sheets came in a file, and how many of its rows were left out."""
    after: Facts = {
        "survey": survey.id,
        "source": made.source,
        "form": made.channel.value,
        "added": made.stored,
        "left_out": made.left_out,
        "file_digest": made.file_digest,
    }
    named = f"import {made.id}"
    return Act(actor, Action.ANSWERS_IMPORTED, named, survey.area.path, None, after)


def import_set_aside(actor: str, survey: Survey, made: AnswerImport, reason: str) -> Act:
    """Say that everything a file brought was set aside, and why."""
    after = {"survey": survey.id, "rows": made.stored}
    named = f"import {made.id}"
    return Act(actor, Action.IMPORT_SET_ASIDE, named, survey.area.path, None, {**after}, reason)


def mapping_saved(actor: str, survey: Survey, made: ImportMapping) -> Act:
    """Say that it was saved which columns of another system's tables answer which questions."""
    after = {"name": made.name, "questionnaire": survey.questionnaire.code}
    named = f"mapping {made.id}"
    return Act(actor, Action.MAPPING_SAVED, named, survey.area.path, None, {**after})


def design_saved(actor: str, survey: Survey, design: SurveyDesign) -> Act:
    """Say that a version of a survey's sampling design was saved, and whether it was open then."""
    kept = ("strata", "finite", "lonely", "smallest")
    facts = {"kind": design.kind.value, **{name: design.document[name] for name in kept}}
    return Act(
        actor,
        Action.DESIGN_SAVED,
        f"survey {survey.id} design {design.number}",
        survey.area.path,
        None,
        {
            **facts,
            "margins": "、".join(design.document["margins"]),
            "after_opening": design.after_opening,
        },
        design.reason,
    )


def rate_entered(actor: str, survey: Survey, rate: ExternalRate, area: Area) -> Act:
    """Say that a rate of another source was entered."""
    named = f"external rate {rate.id}"
    return Act(actor, Action.RATE_ENTERED, named, area.path, None, _rate_facts(survey, rate))


def rate_withdrawn(actor: str, survey: Survey, rate: ExternalRate, area: Area, reason: str) -> Act:
    """Say that a rate of another source was withdrawn, and why."""
    facts = _rate_facts(survey, rate)
    named = f"external rate {rate.id}"
    return Act(actor, Action.RATE_WITHDRAWN, named, area.path, facts, None, reason)


def _rate_facts(survey: Survey, rate: ExternalRate) -> Facts:
    return {
        "survey": survey.id,
        "measure": rate.measure_id,
        "numerator": rate.numerator,
        "base": rate.base,
        "source": rate.source,
    }


def submission_viewed(actor: str, survey: Survey, name: str) -> Act:
    """Say that somebody looked at one submission; `name` is what staff call it by."""
    return Act(actor, Action.SUBMISSION_VIEWED, _named(survey, name), survey.area.path)


def submission_reviewed(
    actor: str, survey: Survey, name: str, before: Review | None, after: Review
) -> Act:
    """Say what somebody decided of one submission, and what was decided before."""
    return Act(
        actor,
        Action.SUBMISSION_REVIEWED,
        _named(survey, name),
        survey.area.path,
        None if before is None else _decision(before),
        _decision(after),
        after.words,
    )


def _named(survey: Survey, name: str) -> str:
    return f"survey {survey.id} submission {name}"


def _decision(review: Review) -> Facts:
    reason = None if review.reason is None else review.reason.value
    return {"state": review.state.value, "review_reason": reason}


def inclusion_changed(actor: str, survey: Survey, before: Inclusion, after: InclusionRule) -> Act:
    """Say how the rule was changed that decides which submissions count."""
    return Act(
        actor,
        Action.INCLUSION_CHANGED,
        f"survey {survey.id}",
        survey.area.path,
        _rule(before.number, before.excluded, queried=before.excludes_queried),
        _rule(after.number, after.excluded, queried=after.excludes_queried),
        after.reason,
    )


def _rule(number: int, excluded: Iterable[str], *, queried: bool) -> Facts:
    return {
        "rule": number,
        "excluded": ", ".join(sorted(excluded)),
        "excludes_queried": queried,
    }


def back_checks_drawn(actor: str, survey: Survey, plan: BackCheckPlan, added: int) -> Act:
    """Say how many interviews were drawn to be checked, and with which seed."""
    after: Facts = {"rows": added, "seed": plan.seed, "percent": plan.percent}
    return Act(
        actor, Action.BACK_CHECKS_DRAWN, f"survey {survey.id}", survey.area.path, None, after
    )


def back_check_recorded(
    actor: str, survey: Survey, area: Area, number: int, outcome: BackCheckOutcome
) -> Act:
    """Say that somebody was asked again, or not reached; never what was said."""
    named = f"survey {survey.id} back-check {number}"
    after = {"outcome": outcome.value}
    return Act(actor, Action.BACK_CHECK_RECORDED, named, area.path, None, {**after})


def rubric_saved(actor: str, stored: StoredRubric, before: str | None) -> Act:
    """Say that a version of a rubric was made or changed; `before` is the digest that it had."""
    old = None if before is None else {"file_digest": before}
    named = f"rubric {stored.id}"
    return Act(actor, Action.RUBRIC_SAVED, named, stored.area.path, old, _rubric_facts(stored))


def rubric_put_in_use(actor: str, stored: StoredRubric) -> Act:
    """Say that scores may rest on a version from now on."""
    facts = _rubric_facts(stored)
    named = f"rubric {stored.id}"
    return Act(actor, Action.RUBRIC_PUT_IN_USE, named, stored.area.path, None, facts)


def _rubric_facts(stored: StoredRubric) -> Facts:
    return {
        "rubric": stored.slug,
        "version": stored.version,
        "title": stored.title,
        "file_digest": stored.digest,
    }


def rubric_exported(actor: str, action: Action, area: Area, rubric_id: str, form: str) -> Act:
    """Say that a rubric, or what contradicts itself in one, was handed out as a file."""
    return Act(
        actor, action, f"area {area.id}", area.path, None, {"rubric": rubric_id, "form": form}
    )


_CARD_MOVES = {
    CardState.ISSUED: Action.CARDS_ISSUED,
    CardState.RETURNED: Action.CARDS_RETURNED,
    CardState.LOST: Action.CARDS_LOST,
    CardState.VOID: Action.CARDS_VOIDED,
}


def cards_moved(actor: str, moved: Moved) -> Act:
    """Say which cards were issued, taken back, reported lost or made void, as ranges.

    To whom stands in the ledger: it may be a person.
    """
    after: Facts = {"cards": write_ranges(moved.changed), "changed": moved.count}
    batch = moved.batch
    return Act(
        actor,
        _CARD_MOVES[moved.to],
        f"batch {batch.id}",
        batch.area.path,
        None,
        after,
        moved.reason,
    )


def expiry_moved(actor: str, batch: Batch, before: date | None) -> Act:
    """Say that the last day of a batch was moved; none is the end of the survey."""
    named, days = f"batch {batch.id}", (before, batch.expires_at)
    old, new = ({"expires_at": None if day is None else str(day)} for day in days)
    return Act(actor, Action.EXPIRY_MOVED, named, batch.area.path, {**old}, {**new})


def target_set(
    actor: str, survey: Survey, area: Area, channel: Channel, before: int | None, after: int
) -> Act:
    """Say how many answer sheets are wanted from an area by one channel."""
    return Act(
        actor,
        Action.TARGET_SET,
        f"survey {survey.id}",
        area.path,
        {"target": before},
        {"area": area.name, "channel": channel.value, "target": after},
    )


def areas_taken_in(actor: str, survey: Survey, names: Sequence[str]) -> Act:
    """Say which areas an open survey took in, and how many they are."""
    shown = "、".join(names)
    after: Facts = {"added": len(names), "area": shown if len(shown) <= 200 else f"{shown[:199]}…"}
    named = f"survey {survey.id}"
    return Act(actor, Action.AREAS_TAKEN_IN, named, survey.area.path, None, after)


def feed_downloaded(actor: str, survey: Survey, rubric_id: str) -> Act:
    """Say that a survey's measurements were handed out."""
    after = {"rubric": rubric_id}
    return Act(
        actor, Action.FEED_DOWNLOADED, f"survey {survey.id}", survey.area.path, None, {**after}
    )


def survey_sealed(actor: str, survey: Survey, seal: Seal) -> Act:
    """Say that a survey was sealed, and as what: whoever has this row can tell the bundle."""
    after: Facts = {"revision": seal.revision, "seal": seal.digest, "root": seal.root}
    return Act(
        actor,
        Action.SURVEY_SEALED,
        f"survey {survey.id}",
        survey.area.path,
        None,
        after,
        seal.reason,
    )


def seal_exported(actor: str, survey: Survey, seal: Seal) -> Act:
    """Say that a sealed bundle was handed out."""
    after: Facts = {"revision": seal.revision, "seal": seal.digest}
    return Act(actor, Action.SEAL_EXPORTED, f"survey {survey.id}", survey.area.path, None, after)


def staff_facts(staff: Staff) -> Facts:
    """Return what an account is; passwords and codes are never part of it."""
    return {
        "name": staff.name,
        "role": staff.role.value,
        "area": staff.area.name,
        "closed": staff.is_closed,
        "initial_password": staff.must_change_password,
        "failed_sign_ins": staff.failed_sign_ins,
        "second_factor": staff.factor_seed is not None,
    }


def results_exported(
    actor: str, action: Action, survey: Survey, form: str, rubric_id: str | None = None
) -> Act:
    """Say that figures of a survey were handed out as a file of this form."""
    after: Facts = {"form": form} if rubric_id is None else {"form": form, "rubric": rubric_id}
    return Act(actor, action, f"survey {survey.id}", survey.area.path, None, after)


def audit_exported(actor: str, branch: Area, form: str, rows: int) -> Act:
    """Say that so many entries of a branch were handed out as a file of this form."""
    after: Facts = {"form": form, "rows": rows}
    return Act(actor, Action.AUDIT_EXPORTED, f"area {branch.id}", branch.path, None, after)


def token_changed(actor: str, action: Action, token: ApiToken) -> Act:
    """Say that a token of the API was made or revoked; never the token itself."""
    after: Facts = {
        "name": token.name,
        "area": token.area.name,
        "expires_on": str(token.expires_on),
        "reads_answers": token.reads_answers,
    }
    return Act(actor, action, f"api token {token.id}", token.area.path, None, after)


def by_token(token: ApiToken) -> str:
    """Return the actor of what a machine reads with this token."""
    return f"api token {token.id} {token.name}"


def areas_imported(actor: str, branch: Area, added: int, changed: int) -> Act:
    """Say how many areas of a branch a table added and changed."""
    after = {"added": added, "changed": changed}
    return Act(actor, Action.AREAS_IMPORTED, f"area {branch.id}", branch.path, None, {**after})


def staff_act(actor: str, action: Action, staff: Staff) -> Act:
    """Say what its owner did with an account."""
    after = {"name": staff.name, "role": staff.role.value}
    return Act(actor, action, f"staff {staff.id}", staff.area.path, None, {**after})


def staff_changed(
    actor: str, action: Action, staff: Staff, before: Facts | None, reason: str = ""
) -> Act:
    """Say what was done to an account; `before` is its facts until then."""
    after = staff_facts(staff)
    return Act(actor, action, f"staff {staff.id}", staff.area.path, before, after, reason)


# ---------------------------------------------------------------------------------------------
# Adding a row
# ---------------------------------------------------------------------------------------------


def record_act(session: Session, keys: Keys, act: Act, now: datetime) -> None:
    """Append one act to the chain, in the transaction that does it: both are kept, or neither.

    Call it last: from here to the commit other acts wait, and whoever waits must hold nothing
    that this transaction still needs.
    """
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        # An advisory lock, because locking the last row would need the right to change it. On
        # SQLite the transaction is the only writer already. The primary key has the last word.
        session.execute(select(func.pg_advisory_xact_lock(_POSTGRES_LOCK)))
    head = load_head(session)
    row = _Row(
        at=now,
        actor=_storable(act.actor, 64),
        action=_storable(act.action, 64),
        object=_storable(act.object, 200),
        area_path=act.area_path,
        before=_storable_facts(act.before),
        after=_storable_facts(act.after),
        reason=_storable(act.reason, 2000),
    )
    stored = {name: getattr(row, name) for name in _Row.__slots__}
    stored["before"] = null() if row.before is None else row.before
    stored["after"] = null() if row.after is None else row.after
    digest = _digest(keys.audit, head.digest, head.number + 1, row)
    session.execute(insert(AuditEntry).values(number=head.number + 1, digest=digest, **stored))


@dataclass(frozen=True, slots=True)
class _Row:
    """What of a row its digest covers, beside its number and the digest before it."""

    at: datetime
    actor: str
    action: str
    object: str
    area_path: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str


def _digest(key: bytes, previous: str, number: int, row: _Row) -> str:
    covered = {name: getattr(row, name) for name in _Row.__slots__}
    covered["at"] = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    # Names and sorted keys: no two rows are written alike, and neither database changes it.
    text = json.dumps([_FORMAT, previous, number, covered], sort_keys=True, separators=(",", ":"))
    return hmac.digest(key, text.encode("ascii"), "sha256").hex()


def _storable(text: str, most: int) -> str:
    # An act must not fail because of how its record is worded; PostgreSQL stores no NUL, and no
    # database a lone surrogate.
    kept = (
        "\ufffd" if unicodedata.category(sign) in {"Cc", "Cs"} and sign not in "\n\t" else sign
        for sign in text
    )
    return "".join(kept)[:most]


def _storable_facts(facts: Facts | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    return {
        _storable(name, 64): value
        if value is None or isinstance(value, int)
        else _storable(str(value), 2000)
        for name, value in facts.items()
    }


# ---------------------------------------------------------------------------------------------
# Reading and checking
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Head:
    """Number and digest of a row; of the last one, whoever noted them sees a tail cut off."""

    number: int
    digest: str

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


class FaultKind(StrEnum):
    """What is wrong at one number of the chain."""

    CHANGED = "changed"
    MISSING = "missing"
    REORDERED = "reordered"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one number.

    `other` is the last number that is missing, or the number under which the row was written.
    """

    number: int
    kind: FaultKind
    other: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many rows there are, where the chain ends, and every fault in order of number."""

    count: int
    head: Head
    faults: Sequence[Fault]


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries to show; `before` is the number where the page before ended."""

    action: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


def load_entries(session: Session, branch: Area, wanted: EntryFilter) -> Sequence[AuditEntry]:
    """Return the newest entries of a branch, one more than a page holds if there are more."""
    return session.scalars(_entries(branch, wanted).limit(PAGE_LENGTH + 1)).all()


def load_every_entry(session: Session, branch: Area, wanted: EntryFilter) -> Sequence[AuditEntry]:
    """Return all entries of a branch, the newest first. Raises `Problem` beyond `MOST_EXPORTED`."""
    found = session.scalars(_entries(branch, wanted).limit(MOST_EXPORTED + 1)).all()
    if len(found) > MOST_EXPORTED:
        raise Problem(_("记录超过 %(most)s 条，请按日期筛选后分几次导出。", most=MOST_EXPORTED))
    return found


def _entries(branch: Area, wanted: EntryFilter) -> Select[AuditEntry]:
    query = select(AuditEntry).where(AuditEntry.area_path.startswith(branch.path))
    if wanted.action:
        query = query.where(AuditEntry.action == wanted.action)
    if wanted.actor:
        query = query.where(AuditEntry.actor == wanted.actor)
    if wanted.since is not None:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.at < wanted.until)
    if wanted.before is not None:
        query = query.where(AuditEntry.number < wanted.before)
    return query.order_by(AuditEntry.number.desc())


def load_head(session: Session) -> Head:
    """Return where the chain ends; number 0 when there is none yet."""
    query = select(AuditEntry.number, AuditEntry.digest).order_by(AuditEntry.number.desc())
    last = session.execute(query.limit(1)).one_or_none()
    return Head(0, START) if last is None else Head(last.number, last.digest)


def is_kept(session: Session, noted: Head) -> bool:
    """Say whether a row that was noted is still there with its digest."""
    if noted.number == 0:
        return noted.digest == START
    query = select(AuditEntry.digest).where(AuditEntry.number == noted.number)
    found = session.scalar(query)
    return found is not None and hmac.compare_digest(found.encode(), noted.digest.encode())


def verify_chain(session: Session, keys: Keys) -> Verdict:
    """Walk the whole chain in order and name every fault.

    A tail that was cut off leaves a sound, shorter chain: only a head noted before shows it.
    The row after a gap can be tied to nothing; the gap stands for it.
    """
    faults: list[Fault] = []
    suspects: dict[int, tuple[_Row, str]] = {}
    after_gap: set[int] = set()
    head, count = Head(0, START), 0
    for number, digest, row in _walk(session):
        if number > head.number + 1:
            faults.append(Fault(head.number + 1, FaultKind.MISSING, number - 1))
            after_gap.add(number)
        if row is None:
            faults.append(Fault(number, FaultKind.CHANGED))
        elif not _is_sound(keys.audit, head, number, digest, row):
            suspects[number] = (row, digest)
        count += 1
        if number > 0:  # no row is written under another; what stands there was moved
            head = Head(number, digest)
    faults += _judge(session, keys.audit, suspects, after_gap)
    return Verdict(count, head, sorted(faults, key=lambda fault: fault.number))


def _is_sound(key: bytes, before: Head, number: int, digest: str, row: _Row) -> bool:
    made = _digest(key, before.digest, number, row)
    return number == before.number + 1 and hmac.compare_digest(made.encode(), digest.encode())


def _judge(
    session: Session, key: bytes, suspects: dict[int, tuple[_Row, str]], after_gap: set[int]
) -> Iterator[Fault]:
    origins = _origins(session, key, dict(list(suspects.items())[:_MOST_TRACED]))
    for number in suspects:
        origin = origins.get(number)
        if origin is not None and origin != number:
            yield Fault(number, FaultKind.REORDERED, origin)
        elif number in after_gap or (origin == number and number - 1 in suspects):
            continue  # as it was written; the fault lies in what should stand before it
        else:
            yield Fault(number, FaultKind.CHANGED)


def _origins(session: Session, key: bytes, suspects: dict[int, tuple[_Row, str]]) -> dict[int, int]:
    """Return under which number each of these rows was written, where that can be found."""
    if not suspects:
        return {}
    found: dict[int, int] = {}
    # A row that was moved is chained to one that is in its place, or to another that was moved;
    # where a gap was closed, the last rows were written under numbers that are gone now.
    places = [*suspects, *range(max(suspects) + 1, max(suspects) + 11)]
    moved = [(number, digest) for number in places for _row, digest in suspects.values()]
    in_place = session.execute(select(AuditEntry.number + 1, AuditEntry.digest))
    for number, previous in chain([(1, START)], moved, in_place):
        for now, (row, digest) in suspects.items():
            if now not in found and _digest(key, previous, number, row) == digest:
                found[now] = number
    return found


def _walk(session: Session) -> Iterator[tuple[int, str, _Row | None]]:
    """Yield number, digest and content of every row in order; no content if it is unreadable."""
    query = select(AuditEntry.number, AuditEntry.digest).order_by(AuditEntry.number).limit(_CHUNK)
    chunk = session.execute(query).all()
    while chunk:
        rows = _rows(session, [number for number, _digest in chunk])
        for number, digest in chunk:
            yield number, digest, rows.get(number)
        after = query.where(AuditEntry.number > chunk[-1][0])
        chunk = session.execute(after).all()


def _rows(session: Session, numbers: Sequence[int]) -> dict[int, _Row]:
    columns = [getattr(AuditEntry, name) for name in _Row.__slots__]
    query = select(AuditEntry.number, *columns).where(AuditEntry.number.in_(numbers))
    try:
        return {number: _Row(*rest) for number, *rest in session.execute(query)}
    except (ValueError, TypeError):
        # Somebody wrote what is no instant or no JSON (SQLite lets them): find out which row.
        if len(numbers) == 1:
            return {}
        middle = len(numbers) // 2
        return _rows(session, numbers[:middle]) | _rows(session, numbers[middle:])
