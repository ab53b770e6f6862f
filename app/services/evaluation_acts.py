"""What the audit log says of evaluations: figures and versions, never what somebody wrote."""

from collections.abc import Mapping
from datetime import datetime

from app.models import Entry, Evaluation, EvaluationObject, EvidenceFile, ScoreOrigin
from app.services.audit import Act, Action, Facts
from app.services.entries import figures_of


def evaluation_made(actor: str, evaluation: Evaluation, objects: int) -> Act:
    """Say that an evaluation was made, and with which edition of a rubric."""
    after: Facts = {
        "title": evaluation.name,
        "rubric": evaluation.rubric_id,
        "file_digest": evaluation.rubric_digest,
        "objects": objects,
        "survey": evaluation.survey_id,
        "deadline": evaluation.deadline.isoformat(timespec="minutes"),
        "erase_at": evaluation.erase_at.isoformat(),
    }
    return _of_evaluation(actor, Action.EVALUATION_MADE, evaluation, None, after)


def evaluation_closed(actor: str, evaluation: Evaluation) -> Act:
    """Say that an evaluation was closed."""
    return _of_evaluation(
        actor,
        Action.EVALUATION_CLOSED,
        evaluation,
        {"state": "open"},
        {"state": evaluation.state.value},
    )


def deadline_moved(
    actor: str, evaluation: Evaluation, before: datetime, after: datetime, reason: str
) -> Act:
    """Say that the deadline was moved, and why."""
    return _of_evaluation(
        actor,
        Action.DEADLINE_MOVED,
        evaluation,
        {"deadline": before.isoformat(timespec="minutes")},
        {"deadline": after.isoformat(timespec="minutes")},
        reason,
    )


def sources_chosen(
    actor: str, evaluation: Evaluation, before: Mapping[str, str], after: Mapping[str, str]
) -> Act:
    """Say which measure of the survey feeds which indicator from now on."""
    return _of_evaluation(
        actor,
        Action.SOURCES_CHOSEN,
        evaluation,
        {"sources": _listed(before)},
        {"sources": _listed(after)},
    )


def outcome_exported(actor: str, action: Action, evaluation: Evaluation, form: str) -> Act:
    """Say that scores or measurements of an evaluation were handed out as a file."""
    after: Facts = {"form": form, "rubric": evaluation.rubric_id}
    return _of_evaluation(actor, action, evaluation, None, after)


def evidence_erased(actor: str, evaluation: Evaluation, files: int) -> Act:
    """Say how many files were erased at their date."""
    after: Facts = {"files": files}
    return _of_evaluation(actor, Action.EVIDENCE_ERASED, evaluation, None, after)


def entry_made(
    actor: str, action: Action, scored: EvaluationObject, before: Entry | None, entry: Entry
) -> Act:
    """Say that a measurement was entered, returned or taken; `before` is the version until then."""
    facts = None if before is None else _entry_facts(before)
    return _of_object(actor, action, scored, facts, _entry_facts(entry), entry.reason)


def _entry_facts(entry: Entry) -> Facts:
    facts: Facts = {
        "indicator": entry.indicator,
        "version": entry.version,
        "state": entry.state.value,
        "figures": figures_of(entry.document),
    }
    if entry.due is not None:
        facts = {**facts, "deadline": entry.due.isoformat(timespec="minutes")}
    return facts


def scores_reported(
    actor: str, scored: EvaluationObject, origin: ScoreOrigin, changed: Mapping[str, str]
) -> Act:
    """Say that an object's self-evaluation, or its score of the year before, was typed in."""
    after: Facts = {"origin": origin.value, "scores": _listed(changed)}
    return _of_object(actor, Action.SCORES_REPORTED, scored, None, after)


def evidence_moved(actor: str, action: Action, scored: EvaluationObject, file: EvidenceFile) -> Act:
    """Say that a file was handed in or out: by its digest, since its name may name a person."""
    after: Facts = {
        "indicator": file.indicator,
        "form": file.suffix,
        "bytes": file.size,
        "file_digest": file.digest,
    }
    return _of_object(actor, action, scored, None, after)


def _listed(pairs: Mapping[str, str]) -> str:
    return "；".join(f"{code or '*'}={text or '-'}" for code, text in pairs.items())


def _of_evaluation(
    actor: str,
    action: Action,
    evaluation: Evaluation,
    before: Facts | None,
    after: Facts | None,
    reason: str = "",
) -> Act:
    named = f"evaluation {evaluation.id}"
    return Act(actor, action, named, evaluation.area.path, before, after, reason)


def _of_object(
    actor: str,
    action: Action,
    scored: EvaluationObject,
    before: Facts | None,
    after: Facts,
    reason: str = "",
) -> Act:
    named = f"evaluation {scored.evaluation_id} object {scored.id}"
    return Act(actor, action, named, scored.area.path, before, after, reason)
