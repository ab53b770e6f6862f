"""Sealing what a closed survey came to, and finding out whether a seal still holds.

A bundle can be judged by whoever has it, without a database and without keys (`verify`); whether
the database still holds what was sealed, only where the keys are (`check_database`).
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from analysis import archive
from analysis.frames import build_frame
from app.config import Keys
from app.errors import InvalidInput, Problem, Sentence
from app.errors import say as _
from app.models import Seal, Submission, Survey, SurveyState
from app.services import bundles, merkle, results, seals
from app.services.audit import Head
from app.services.bundles import Difference
from app.services.inclusion import is_counted, load_reviews
from app.services.results import Evidence
from surveys.answers import AnswerSheet
from surveys.questionnaire import QuestionKind, Questionnaire
from surveys.reading import QuestionnaireError, digest, parse_json

SUBMISSIONS, QUESTIONNAIRE, RATES = "submissions.parquet", "questionnaire.json", "rates.json"
LEAVES = "leaves.txt"
LONGEST_REASON = 500

# What a bundle does not hold: neither the key, which a phone knows, nor the batch, which may have
# been a household's, nor the channel, which no rate is sealed by.
_LEFT_OUT = ["key", "batch", "channel"]
# What a bundle says of each submission beside its answers.
_VERDICT = ["counts", "review", "review_reason"]
_UNREVIEWED = ("valid", "")


@dataclass(frozen=True, slots=True)
class Sealing:
    """Who seals, when, and why if it corrects an earlier seal; `head` ends the audit log now."""

    actor: str
    at: datetime
    head: Head
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure that a new revision changed; None where it was not there before or after."""

    before: archive.Figure | None
    after: archive.Figure | None


@dataclass(frozen=True, slots=True)
class _Row:
    """One submission as a seal holds it."""

    key: uuid.UUID
    digest: str
    counts: bool


def seal_survey(session: Session, survey: Survey, sealing: Sealing, keys: Keys) -> Seal:
    """Seal what a closed survey came to, or a correction of it; return the seal.

    Raises `InvalidInput` when a correction has no reason, and `Problem` when there is nothing to
    seal, or what is there is not what came in.
    """
    last = seals.load_last_seal(session, survey.id)
    if survey.state is not SurveyState.CLOSED:
        raise Problem(_("调查结束以后才能封存。"))
    if last is not None and not sealing.reason:
        raise InvalidInput({"reason": _("更正要写明理由。")})
    if len(sealing.reason) > LONGEST_REASON:
        raise InvalidInput({"reason": _("最多 %(most)s 个字。", most=LONGEST_REASON)})
    evidence = results.load_evidence(session, survey)
    if last is not None and evidence.stand.is_current:
        raise Problem(_("封存以后没有改动，不用再封存。"))
    rows = _load_rows(session, evidence)
    if not rows:
        raise Problem(_("还没有答卷，没有可以封存的内容。"))
    made = _make(session, evidence, rows, sealing, last, keys)
    try:
        with session.begin_nested():
            session.add(made)
            session.flush()
    except IntegrityError:
        raise Problem(_("刚有人封存了这次调查，请刷新页面查看。")) from None
    return made


def _load_rows(session: Session, evidence: Evidence) -> list[_Row]:
    """Read what is to be sealed. Raises `Problem` when answers are not those that came in."""
    asked = evidence.questionnaire
    counts = is_counted(evidence.inclusion).label("counts")
    query = select(Submission.key, Submission.digest, Submission.answers, counts)
    stored = session.execute(query.where(Submission.survey_id == evidence.survey.id)).all()
    changed = sum(
        AnswerSheet(asked.id, asked.version, row.answers).digest() != row.digest for row in stored
    )
    if changed:
        raise Problem(
            _(
                "有 %(count)s 份答卷与收到时的摘要不符，数据库可能被改动过，不能封存。",
                count=changed,
            )
        )
    return [_Row(row.key, row.digest, bool(row.counts)) for row in stored]


def _make(
    session: Session,
    evidence: Evidence,
    rows: Sequence[_Row],
    sealing: Sealing,
    last: Seal | None,
    keys: Keys,
) -> Seal:
    document = evidence.survey.questionnaire.document
    areas = [town.id for town in evidence.towns]
    results.measure_results(evidence)  # says in words what keeps a rate from being computed
    found = archive.figures(
        evidence.questionnaire, evidence.frame, evidence.design, areas, evidence.smallest
    )
    leaves = sorted(seals.leaf_of(keys, row.key, row.digest, counts=row.counts) for row in rows)
    manifest = {
        **_about(evidence, sealing, last),
        "submissions": len(rows),
        "counted": sum(row.counts for row in rows),
        "root": merkle.root(leaves).hex(),
        "changes": [] if last is None else _changes(session, evidence.survey, last, found),
    }
    facts = {
        "questionnaire": document,
        "measures": bundles.to_json(
            {figure["measure"]: figure["definition"] for figure in found}
        ).decode(),
        "code": manifest["code"],
    }
    parts = {
        SUBMISSIONS: archive.write_parquet(_table(session, evidence), facts),
        QUESTIONNAIRE: document.encode(),
        RATES: bundles.to_json(found),
        LEAVES: "".join(f"{leaf.hex()}\n" for leaf in leaves).encode(),
    }
    bundle, digest = bundles.write_bundle(manifest, parts)
    return Seal(
        survey_id=evidence.survey.id,
        revision=manifest["revision"],
        at=sealing.at,
        actor=sealing.actor,
        reason=sealing.reason,
        digest=digest,
        root=manifest["root"],
        contents=evidence.stand.contents,
        manifest=manifest,
        leaves=b"".join(leaves),
        bundle=bundle,
    )


def _about(evidence: Evidence, sealing: Sealing, last: Seal | None) -> dict[str, Any]:
    survey, asked = evidence.survey, evidence.questionnaire
    return {
        "survey": {
            "id": survey.id,
            "title": survey.title,
            "area": survey.area.name,
            "opens_at": survey.opens_at.isoformat(timespec="seconds"),
            "closes_at": survey.closes_at.isoformat(timespec="seconds"),
        },
        "questionnaire": {
            "id": asked.id,
            "version": asked.version,
            "digest": survey.questionnaire.digest,
        },
        "revision": 1 if last is None else last.revision + 1,
        "replaces": None if last is None else last.digest,
        "reason": sealing.reason,
        "sealed_at": sealing.at.isoformat(timespec="seconds"),
        "sealed_by": sealing.actor,
        "audit_head": str(sealing.head),
        "code": archive.code_digest(),
        "replayed": evidence.replayed,
        "design": archive.design_facts(evidence.design),
        "smallest": evidence.smallest,
        "inclusion": {
            "rule": evidence.inclusion.number,
            "excluded": sorted(evidence.inclusion.excluded),
            "excludes_queried": evidence.inclusion.excludes_queried,
            "late_changes": evidence.inclusion.late_changes,
        },
        "areas": [{"id": town.id, "name": town.name} for town in evidence.towns],
    }


def _table(session: Session, evidence: Evidence) -> pd.DataFrame:
    """Return every submission, coded, in an order that says nothing of when they came in.

    `counts` says whether the rates count it, `review` and `review_reason` what review made of it;
    `withdrawn` was taken back together with its import.
    """
    reviews = load_reviews(session, evidence.survey)
    every = evidence.everything.frame
    out = every[~every["key"].isin(evidence.frame["key"])]
    # The columns of the design as they are for what counts; the rest has no weight.
    kept = pd.concat(
        [evidence.frame.assign(counts=True), out[_asked(out)].assign(counts=False)],
        ignore_index=True,
    )
    kept = kept.assign(
        review=[reviews.get(key, _UNREVIEWED)[0] for key in kept["key"]],
        review_reason=[reviews.get(key, _UNREVIEWED)[1] for key in kept["key"]],
    )
    withdrawn = build_frame(evidence.questionnaire, results.load_withdrawn(session, evidence))
    withdrawn = withdrawn.assign(counts=False, review="withdrawn", review_reason="")
    frame = pd.concat([kept, withdrawn], ignore_index=True).drop(columns=_LEFT_OUT)
    for question in evidence.questionnaire.questions:
        if question.kind is QuestionKind.DATE:  # a day of birth is nearly a name
            months = pd.to_datetime(frame[question.id]).dt.to_period("M")
            frame[question.id] = months.dt.to_timestamp()
    return frame.sort_values(list(frame.columns), ignore_index=True)


def _asked(frame: pd.DataFrame) -> list[str]:
    return [column for column in frame.columns if not column.startswith("#")]


# ---------------------------------------------------------------------------------------------
# What a revision changed
# ---------------------------------------------------------------------------------------------


def _changes(
    session: Session, survey: Survey, last: Seal, found: Sequence[archive.Figure]
) -> list[dict[str, archive.Figure | None]]:
    stored = seals.load_bundle(session, survey, last.revision).bundle
    before = json.loads(bundles.read_bundle(stored).parts[RATES])
    return [asdict(change) for change in compare(before, found)]


def compare(before: Sequence[archive.Figure], after: Sequence[archive.Figure]) -> Iterator[Change]:
    """Yield every figure that differs, in the order of the second list, then what it lacks."""
    old = {archive.place_of(figure): figure for figure in before}
    for figure in after:
        was = old.pop(archive.place_of(figure), None)
        if was is None or not archive.are_same(was, figure):
            yield Change(was, figure)
    yield from (Change(figure, None) for figure in old.values())


# ---------------------------------------------------------------------------------------------
# Does it hold?
# ---------------------------------------------------------------------------------------------


def verify(content: bytes) -> tuple[bundles.Bundle, list[Difference]]:
    """Judge a bundle by itself: every byte, the root, and the rates, computed anew.

    Needs no database and no key. Raises `NotABundle` when it cannot be taken apart.
    """
    bundle = bundles.read_bundle(content)
    found = bundles.compare_parts(content, bundle)
    if found:  # what was changed is not read any further
        return bundle, found
    try:
        return bundle, list(_contradictions(bundle))
    except (ValueError, KeyError, TypeError, QuestionnaireError):
        return bundle, [Difference(bundles.MANIFEST, _("各部分的形式不对，无法重算。"))]


def _contradictions(bundle: bundles.Bundle) -> Iterator[Difference]:
    manifest = bundle.manifest
    leaves = [bytes.fromhex(line) for line in bundle.parts[LEAVES].decode().splitlines()]
    if merkle.root(leaves).hex() != manifest["root"]:
        yield Difference(LEAVES, _("算出的根与封存时的不同。"))
    frame, facts = archive.read_parquet(bundle.parts[SUBMISSIONS])
    if not len(frame) == len(leaves) == manifest["submissions"]:
        yield Difference(SUBMISSIONS, _("答卷份数与叶子数、封存时的份数不一致。"))
    document = bundle.parts[QUESTIONNAIRE].decode()
    asked = parse_json(document, QUESTIONNAIRE)
    if digest(asked) != manifest["questionnaire"]["digest"] or facts["questionnaire"] != document:
        yield Difference(QUESTIONNAIRE, _("不是封存时的问卷。"))
    yield from _recomputed(bundle, asked, frame)


def _recomputed(
    bundle: bundles.Bundle, asked: Questionnaire, frame: pd.DataFrame
) -> Iterator[Difference]:
    counted = frame[frame["counts"]].drop(columns=_VERDICT).reset_index(drop=True)
    if len(counted) != bundle.manifest["counted"]:
        yield Difference(SUBMISSIONS, _("计入的份数与封存时的不一致。"))
    counted = counted.assign(key=[str(number) for number in range(len(counted))])
    areas = [area["id"] for area in bundle.manifest["areas"]]
    design = archive.read_design(bundle.manifest["design"])
    anew = archive.figures(asked, counted, design, areas, bundle.manifest["smallest"])
    for change in compare(json.loads(bundle.parts[RATES]), anew):
        figure = change.after or change.before or {}
        place = place_name(figure, bundle.manifest["areas"])
        yield Difference(
            f"{RATES} {place} ({', '.join(_differing(change))})",
            _(
                "写的是 %(written)s，按答卷重算是 %(computed)s。",
                written=brief(change.before),
                computed=brief(change.after),
            ),
        )


def _differing(change: Change) -> list[str]:
    """Return which keys of a figure differ; in one line its counts alone are written."""
    before, after = change.before or {}, change.after or {}
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def place_name(figure: Mapping[str, Any], areas: Sequence[Mapping[str, Any]]) -> str:
    """Return what a figure is about: measure, option, area."""
    names = {area["id"]: area["name"] for area in areas}
    area = figure.get("area")
    parts = [figure["measure"], figure.get("option"), names.get(area, area)]
    return " ".join(str(part) for part in parts if part is not None)


def brief(figure: archive.Figure | None) -> str:
    """Write a figure in one line; what is not there is a dash."""
    if figure is None:
        return "—"
    if figure["status"] != "shown":
        return str(figure["status"])
    return f"{figure['credit']}/{figure['base']} = {figure['value']}"


def check_database(session: Session, survey: Survey, seal: Seal, keys: Keys) -> list[Sentence]:
    """Say how what the database holds of a survey differs from what was sealed; [] if it does not.

    `seal` has its leaves loaded.
    """
    evidence = results.load_evidence(session, survey)
    found: list[Sentence] = []
    try:
        rows = _load_rows(session, evidence)
    except Problem as problem:
        return [problem.sentence]
    sealed = set(seals.split_leaves(seal.leaves))
    here = {seals.leaf_of(keys, row.key, row.digest, counts=row.counts) for row in rows}
    if lost := len(sealed - here):
        found.append(_("封存的答卷有 %(count)s 份已改动或不在。", count=lost))
    if more := len(here - sealed):
        found.append(_("有 %(count)s 份答卷不在封存之内，或封存后改动过。", count=more))
    if not found and not evidence.stand.is_current:
        found.append(_("答卷未变，但计算方法（抽样设计等）在封存后改动过。"))
    return found
