"""Quality review: signals beside submissions, and what a person decides; nothing is changed."""

import hmac
import uuid
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from analysis import quality
from analysis.frames import Answer, SubmissionRow, build_frame
from analysis.quality import Circumstance, Comparison, Flag, Found, Signal
from app.config import Keys
from app.errors import InvalidInput, NotFound, Problem, Sentence
from app.errors import say as _
from app.formats import BEIJING
from app.models import (
    Channel,
    Origin,
    Review,
    ReviewReason,
    ReviewState,
    Staff,
    Submission,
    Survey,
    SurveyState,
)
from app.services import designing
from app.services.collecting import load_questionnaire
from app.services.inclusion import is_current, is_kept
from app.services.once import add_once
from app.services.survey_areas import tree_of
from surveys.questionnaire import Question, QuestionKind, Questionnaire

RECORDS_ON_A_PAGE = 50
LONGEST_WORDS = 500
# Long enough that no two of a survey's submissions share one.
_REFERENCE_DIGITS = 20
# The same draws of the interviewers' test whenever a page is opened.
_SEED = 20261122


@dataclass(frozen=True, slots=True)
class Record:
    """One submission as a reviewer may see it.

    `reference` names it to staff. It is made from the key and a secret, because whoever holds a
    receipt can learn the key, and would then find the answers of the person with the receipt.
    Channel, town and interviewer are None where too few share them.
    """

    key: uuid.UUID
    reference: str
    flags: tuple[Flag, ...]
    review: Review | None
    answers: Mapping[str, Answer]
    channel: str | None
    town: str | None
    interviewer: str | None

    @property
    def state(self) -> ReviewState:
        """What the last decision made of it; a submission without one stands."""
        return ReviewState.VALID if self.review is None else self.review.state

    @property
    def seen(self) -> int:
        """The number of the last decision, 0 without one."""
        return 0 if self.review is None else self.review.number


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a reviewer of one survey looks at.

    `records` are in the order of their references, which says nothing; `names` are those of the
    interviewers and towns that `compared` speaks of.
    """

    survey: Survey
    questionnaire: Questionnaire
    records: tuple[Record, ...]
    found: tuple[Found, ...]
    compared: tuple[Comparison, ...]
    opt_in: Fraction | None
    interviewers: Mapping[int, str]
    towns: Mapping[int, str]

    @property
    def states(self) -> Mapping[ReviewState, int]:
        """How many submissions are in each state."""
        counts = Counter(record.state for record in self.records)
        return {state: counts[state] for state in ReviewState}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decides of one submission; `seen` is the last decision that they knew of."""

    state: ReviewState
    reason: ReviewReason | None
    words: str
    seen: int


def reference(keys: Keys, survey_id: int, key: uuid.UUID) -> str:
    """Return the name under which staff speak of one submission."""
    text = f"review/{survey_id}/{key}"
    return hmac.digest(keys.lookup, text.encode(), "sha256").hex()[:_REFERENCE_DIGITS]


def load_case(session: Session, survey: Survey, keys: Keys) -> Case:
    """Read the collected submissions of a survey with their signals and their last decisions.

    Replayed answers are nobody's, and what was withdrawn with its import may have come again.
    """
    questionnaire = load_questionnaire(session, survey.questionnaire.digest)
    tree = tree_of(session, survey)
    stored = session.scalars(
        select(Submission)
        .where(Submission.survey_id == survey.id, is_kept())
        .where(Submission.origin == Origin.COLLECTED)
        .order_by(Submission.key)
    ).all()
    reviews = _current_reviews(session, survey)
    town_names = {place.id: place.name for place in (tree.root, *tree.towns)}
    asked_by = {row.interviewer_id for row in stored if row.interviewer_id is not None}
    query = select(Staff.id, Staff.name).where(Staff.id.in_(asked_by))
    names = {number: name for number, name in session.execute(query)}  # noqa: C416 - rows, not pairs
    rows = [
        SubmissionRow(
            str(row.key),
            tree.town_of(row.area_id),
            row.channel.value,
            row.batch_id,
            row.answers,
        )
        for row in stored
    ]
    frame = build_frame(questionnaire, rows)
    about = quality.lay_out_circumstances(_circumstance(row) for row in stored)
    compared = quality.compare_interviewers(frame, about, _measured(questionnaire), _SEED)
    found = (
        quality.too_fast(frame, about, questionnaire),
        quality.straight_line(frame, questionnaire),
        quality.identical(frame),
        quality.bursts(frame, about),
        quality.departing_interviewers(frame, about, compared),
        quality.outside_hours(frame, about),
    )
    flags: dict[str, list[Flag]] = defaultdict(list)
    for each in found:
        for flag in each.flags:
            flags[flag.key].append(flag)
    described = _described(
        {
            row.key: (row.channel, row.area, submission.interviewer_id)
            for row, submission in zip(rows, stored, strict=True)
        },
        designing.load_smallest(session, survey),
    )
    records = []
    for submission in stored:
        key = str(submission.key)
        channel, town, interviewer = described[key]
        records.append(
            Record(
                submission.key,
                reference(keys, survey.id, submission.key),
                tuple(flags[key]),
                reviews.get(submission.key),
                submission.answers,
                None if channel is None else str(channel),
                town_names.get(town) if isinstance(town, int) else None,
                names.get(interviewer) if isinstance(interviewer, int) else None,
            )
        )
    return Case(
        survey,
        questionnaire,
        tuple(sorted(records, key=lambda record: record.reference)),
        found,
        compared,
        quality.opt_in_share(frame),
        names,
        town_names,
    )


def chosen_records(
    case: Case, signal: Signal | None, state: ReviewState | None
) -> Sequence[Record]:
    """Return the records with a signal and in a state, those with the most signals first.

    Without a state those that are flagged or were reviewed. While answers come in it is never
    more: the list before and after one card is answered would show what was answered.
    """
    lists_all = state is not None and case.survey.state is SurveyState.CLOSED
    chosen = [
        record
        for record in case.records
        if (signal is None or any(flag.signal is signal for flag in record.flags))
        and (state is None or record.state is state)
        and (lists_all or record.flags or record.review)
    ]
    return sorted(chosen, key=lambda record: (-len(record.flags), record.reference))


def find_record(case: Case, name: str) -> Record:
    """Return the record with this reference. Raises `NotFound`."""
    for record in case.records:
        if hmac.compare_digest(record.reference.encode(), name.encode()):
            return record
    raise NotFound


def load_reviews(session: Session, record: Record) -> Sequence[Review]:
    """Return every decision about one submission, the newest first."""
    query = select(Review).where(Review.submission_key == record.key)
    newest = query.options(joinedload(Review.staff)).order_by(Review.number.desc())
    return session.scalars(newest).all()


def decide(
    session: Session, record: Record, decision: Decision, staff: Staff, now: datetime
) -> Review:
    """Add a decision about one submission.

    Raises `InvalidInput`, and `Problem` when nothing changes or somebody else decided meanwhile.
    """
    before = record.review
    _check(decision)
    words = decision.words.strip()
    taken = _("这份答卷刚被别人审核过，请刷新页面再决定。")
    if record.seen != decision.seen:
        raise Problem(taken)
    old = (before.state, before.reason) if before else (ReviewState.VALID, None)
    reason = None if decision.state is ReviewState.VALID else decision.reason
    if (decision.state, reason) == old:
        raise Problem(_("这份答卷已经是这个状态，没有变化。"))
    made = Review(
        submission_key=record.key,
        number=decision.seen + 1,
        state=decision.state,
        reason=reason,
        words=words,
        staff_id=staff.id,
        at=now,
    )
    add_once(session, [made], taken)
    return made


def _check(decision: Decision) -> None:
    faults: dict[str, Sentence] = {}
    words = decision.words.strip()
    if decision.state is not ReviewState.VALID and decision.reason is None:
        faults["reason"] = _("请选择理由。")
    if decision.state is ReviewState.VALID and not words:
        faults["words"] = _("恢复有效要写明为什么。")
    if decision.reason is ReviewReason.OTHER and not words:
        faults["words"] = _("选了“其他”，请写明是什么理由。")
    if len(words) > LONGEST_WORDS:
        faults["words"] = _("最多 %(most)s 个字。", most=LONGEST_WORDS)
    if faults:
        raise InvalidInput(faults)


def answer_lines(
    questionnaire: Questionnaire, answers: Mapping[str, Answer]
) -> Iterator[tuple[str, str, str]]:
    """Return number, text and coded answer of every question, never what was written in words."""
    for question in questionnaire.questions:
        if question.kind not in {QuestionKind.INFORMATION, QuestionKind.TEXT}:
            for part in question.parts:
                yield part.number, part.text, _answer_text(part, answers)


def _answer_text(question: Question, answers: Mapping[str, Answer]) -> str:
    names = {option.code: option.text for option in question.choices}
    ranks = {answers.get(f"{question.id}.{option.code}"): option for option in question.ranked}
    if question.kind is QuestionKind.RANKING and set(ranks) != {None}:
        placed = sorted((int(str(rank)), one.text) for rank, one in ranks.items() if rank)
        return " › ".join(text for _rank, text in placed)
    answer = answers.get(question.id)
    if answer is None:
        return "—"
    given = [answer] if isinstance(answer, str) else answer
    return "、".join(names.get(code, code) for code in given)


def _current_reviews(session: Session, survey: Survey) -> dict[uuid.UUID, Review]:
    query = (
        select(Review)
        .join(Submission, Submission.key == Review.submission_key)
        .where(Submission.survey_id == survey.id, is_current())
        .options(joinedload(Review.staff))
    )
    return {review.submission_key: review for review in session.scalars(query)}


def _circumstance(row: Submission) -> Circumstance:
    # Of a sheet from a table the hour is that of the import, and says nothing of the person.
    came_live = (
        row.batch_id is not None
        or row.interviewer_id is not None
        or row.channel in {Channel.SCANNED, Channel.POSTER}
    )
    received = row.received_hour.astimezone(BEIJING) if came_live else None
    return Circumstance(str(row.key), row.duration_seconds, received, row.interviewer_id)


def _measured(questionnaire: Questionnaire) -> list[str]:
    """Return the questions with one option each from which rates are made, in printed order."""
    measured = {item.question for measure in questionnaire.measures for item in measure.items}
    return [
        part.id
        for question in questionnaire.questions
        for part in question.parts
        if part.id in measured and part.is_chosen_once
    ]


def _described(
    rows: Mapping[str, tuple[Hashable, ...]], smallest: int
) -> dict[str, tuple[Hashable, ...]]:
    """Return of each row's attributes those that may be said, None in place of the others.

    From the first on, as long as enough rows share all that is said. Nor may those about whom
    something is not said be few, or not saying it would tell.
    """
    width = len(next(iter(rows.values()), ()))
    said: dict[str, tuple[Hashable, ...]] = dict.fromkeys(rows, ())
    groups: list[list[str]] = [list(rows)]
    for place in range(width):
        deeper: list[list[str]] = []
        for group in groups:
            by_value: dict[Hashable, list[str]] = defaultdict(list)
            for key in group:
                by_value[rows[key][place]].append(key)
            small = sum(len(some) for some in by_value.values() if len(some) < smallest)
            if 0 < small < smallest:
                continue
            for value, some in by_value.items():
                if len(some) >= smallest:
                    said |= {key: (*said[key], value) for key in some}
                    deeper.append(some)
        groups = deeper
    return {key: (*given, *(None,) * (width - len(given))) for key, given in said.items()}
