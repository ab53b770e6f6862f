"""Answer sheets from tables: every row through the one check, each stored once, undone together."""

import hmac
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app.config import Keys
from app.db import rows_hit
from app.errors import InvalidInput, NotFound, Problem, Sentence
from app.errors import say as _
from app.models import (
    AnswerImport,
    Channel,
    ImportedRow,
    ImportMapping,
    ImportState,
    Slip,
    Staff,
    Submission,
    SubmissionState,
    Survey,
    SurveyState,
)
from app.services import collecting
from app.services.answer_columns import (
    ColumnMapping,
    answer_columns,
    heading_at_fault,
    read_answers,
    saved_mapping,
    slip_number,
    template_mapping,
)
from app.services.survey_areas import Place, Tree, tree_of
from app.spreadsheets.reading import Row, row_fault
from app.wording import fault_reason
from surveys.answers import AnswerSheet, InvalidAnswers, check
from surveys.questionnaire import Questionnaire

# Cards and posters have ways of their own; nothing comes in under their names.
CHANNELS = (Channel.PAPER, Channel.TELEPHONED, Channel.INTERVIEWED, Channel.PUSHED)
# Storing so many holds SQLite's one writer for about a second (decision 21).
MOST_ROWS = 5_000
LONGEST_KEY = 100
LONGEST_NAME = 50
_CHUNK = 500
_STEP = "/"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Checked:
    """One row whose answers were checked; its number in its source only as a keyed hash."""

    row: Row
    row_hash: bytes
    area_id: int
    sheet: AnswerSheet


@dataclass(frozen=True, slots=True)
class Plan:
    """What a table would store: its new rows, how many had come before, and what is wrong.

    `faults` are sentences by row.
    """

    new: tuple[Checked, ...]
    known: int
    faults: Mapping[int, Sequence[Sentence]]


@dataclass(frozen=True, slots=True)
class ImportSource:
    """Where a table came from: its mapping's name, how people were asked, the file's SHA-256."""

    name: str
    channel: Channel
    file_digest: str


def find_mapping(
    session: Session, survey: Survey, mapping_id: int | None
) -> tuple[Questionnaire, ColumnMapping]:
    """Return a survey's questionnaire with a saved mapping, or without one the template's.

    Raises `NotFound` for a mapping that was not made for this questionnaire in this area.
    """
    questionnaire = collecting.load_questionnaire(session, survey.questionnaire.digest)
    if mapping_id is None:
        return questionnaire, template_mapping(questionnaire)
    for saved in load_mappings(session, survey):
        if saved.id == mapping_id:
            return questionnaire, saved_mapping(questionnaire, saved.name, saved.document)
    raise NotFound


def load_mappings(session: Session, survey: Survey) -> Sequence[ImportMapping]:
    """Return the mappings that were saved for a survey's questionnaire in its area."""
    query = select(ImportMapping).where(
        ImportMapping.area_id == survey.area_id,
        ImportMapping.questionnaire_id == survey.questionnaire_id,
    )
    return session.scalars(query.order_by(ImportMapping.name)).all()


def save_mapping(
    session: Session, survey: Survey, name: str, document: Mapping[str, object]
) -> ImportMapping:
    """Save where another system's tables have what. Raises `InvalidInput`."""
    faults: dict[str, Sentence] = {}
    if not name:
        faults["name"] = _("请填写来源的名称，例如：12345 热线。")
    elif any(each.name == name for each in load_mappings(session, survey)):
        faults["name"] = _("已经有这个名称，请换一个。")
    if not document["key"]:
        faults["key"] = _("请填写每行编号所在的列名。")
    if not document["columns"]:
        faults["key"] = _("请至少给一道题填写列名。")
    if faults:
        raise InvalidInput(faults)
    made = ImportMapping(
        area_id=survey.area_id,
        questionnaire_id=survey.questionnaire_id,
        name=name,
        document=dict(document),
    )
    session.add(made)
    session.flush()
    return made


# ---------------------------------------------------------------------------------------------
# Checking
# ---------------------------------------------------------------------------------------------


def references(tree: Tree) -> dict[str, list[Place]]:
    """Return the areas of a survey by what may name them: "村", "乡镇/村" and so on upwards."""
    found: dict[str, list[Place]] = defaultdict(list)
    names: dict[str, tuple[str, ...]] = {}
    for place in tree.places.values():
        above = place.path.removesuffix(f"{place.id}{_STEP}")
        names[place.path] = (*names.get(above, ()), place.name)
        for first in range(len(names[place.path])):
            found[_STEP.join(names[place.path][first:])].append(place)
    return found


def shortest_references(tree: Tree) -> list[str]:
    """Return for each area of a survey the shortest name that names no other."""
    shortest: dict[int, str] = {}
    for name, (area, *others) in references(tree).items():
        if not others and len(name) < len(shortest.get(area.id, name + _STEP)):
            shortest[area.id] = name
    return list(shortest.values())


def plan_import(
    session: Session,
    survey: Survey,
    mapping: ColumnMapping,
    rows: Sequence[Row],
    default: int,
    keys: Keys,
) -> Plan:
    """Check every row of a table; nothing is stored.

    Rows without an area of their own belong to the one with the id `default`. Raises `NotFound`
    when the survey has no such area, and `Problem` for more rows than can be stored while
    residents wait, or when the survey takes none.
    """
    ensure_taken(survey)
    if len(rows) > MOST_ROWS:
        raise Problem(_("一次最多导入 %(most)s 份答卷，请分成几个文件。", most=MOST_ROWS))
    questionnaire = collecting.load_questionnaire(session, survey.questionnaire.digest)
    tree = tree_of(session, survey)
    if default not in tree.places:
        raise NotFound
    reader = _Reader(survey, questionnaire, mapping, references(tree), tree.places[default])
    faults: dict[int, list[Sentence]] = {}
    checked: dict[bytes, Checked] = {}
    for row in rows:
        found = reader.read(row, keys, checked)
        if isinstance(found, Checked):
            checked[found.row_hash] = found
        else:
            faults[row.number] = found
    stored = _stored(session, list(checked))
    for row_hash, (digest, area_id) in stored.items():
        mine = checked.pop(row_hash)
        if (digest, area_id) != (mine.sheet.digest(), mine.area_id):
            what = _("这个编号以前导入过，内容不一样。请核对；要改的，先撤销那一次导入。")
            faults[mine.row.number] = [row_fault(mine.row.number, mapping.key, what)]
    if not mapping.source:
        for keyed in _keyed_slips(session, survey, mapping, checked):
            mine = checked.pop(keyed)
            what = _("这个编号的纸质问卷已经在本系统录入，不要再导入。")
            faults[mine.row.number] = [row_fault(mine.row.number, mapping.key, what)]
    differing = sum(number in faults for number in (row.number for row in rows))
    known = len(rows) - len(checked) - differing
    return Plan(tuple(checked.values()), known, dict(sorted(faults.items())))


def ensure_taken(survey: Survey) -> None:
    """Raise `Problem` unless a survey takes answers from tables: also late, but never after all.

    Paper arrives when the last day is over; a survey that was ended has its results.
    """
    if survey.state not in {SurveyState.OPEN, SurveyState.PAUSED}:
        raise Problem(_("调查开放以后、结束以前才能录入或导入答卷。"))
    if survey.notice.erased_at is not None:
        raise Problem(_("这次调查已经到期删除过内容，不能再录入或导入答卷。"))


class _Reader:
    """What stays the same from row to row of one table."""

    def __init__(
        self,
        survey: Survey,
        questionnaire: Questionnaire,
        mapping: ColumnMapping,
        places: Mapping[str, Sequence[Place]],
        default: Place,
    ) -> None:
        self._survey, self._questionnaire, self._mapping = survey, questionnaire, mapping
        self._places, self._default = places, default
        self._columns = answer_columns(questionnaire)

    def read(
        self, row: Row, keys: Keys, before: Mapping[bytes, Checked]
    ) -> Checked | list[Sentence]:
        """Return a row's checked answers, or everything that is wrong with it."""
        key = " ".join(row.cells[self._mapping.key].split())
        row_hash = _row_hash(keys, self._survey, self._mapping.source, key)
        twin = before.get(row_hash)
        faults: list[Sentence] = []
        if what := _key_fault(key, twin):
            faults.append(row_fault(row.number, self._mapping.key, what))
        area, what = self._area(row)
        if what:
            faults.append(row_fault(row.number, self._mapping.area, what))
        raw, cell_faults = read_answers(self._mapping, self._columns, row)
        faults += cell_faults
        try:
            # A sheet can no longer be handed back to the person: what is blank counts as blank.
            sheet = check(self._questionnaire, raw, accept_blanks=True)
        except InvalidAnswers as invalid:
            return [*faults, *self._sentences(row, invalid)]
        return faults or Checked(row, row_hash, area.id, sheet)

    def _area(self, row: Row) -> tuple[Place, Sentence | None]:
        name = row.cells.get(self._mapping.area, "") if self._mapping.area else ""
        if not name:
            return self._default, None
        found = self._places.get(_STEP.join(" ".join(one.split()) for one in name.split(_STEP)), ())
        if len(found) == 1:
            return found[0], None
        if not found:
            return self._default, _("本次调查的范围里没有“%(name)s”。", name=name)
        return self._default, _("有 %(count)s 个，请写成“上级/片区”。", count=len(found))

    def _sentences(self, row: Row, invalid: InvalidAnswers) -> Iterator[Sentence]:
        for fault in invalid.faults:
            question = self._questionnaire.question(fault.question)
            heading = heading_at_fault(self._mapping, self._columns, fault)
            yield row_fault(row.number, heading, fault_reason(question, fault.kind))


def _key_fault(key: str, twin: Checked | None) -> Sentence | None:
    if not key:
        return _("请填写编号，每份答卷一个，不能重复。")
    if len(key) > LONGEST_KEY:
        return _("太长，最多 %(most)s 个字。", most=LONGEST_KEY)
    return None if twin is None else _("与第 %(row)s 行重复。", row=twin.row.number)


def _row_hash(keys: Keys, survey: Survey, source: str, key: str) -> bytes:
    # The template's numbers are those on paper slips, however they are written.
    named = key if source else slip_number(key)
    text = "\0".join(["import", str(survey.id), source, named])
    return hmac.digest(keys.lookup, text.encode(), "sha256")


def _stored(session: Session, hashes: Sequence[bytes]) -> dict[bytes, tuple[str, int]]:
    """Return digest and area of what is stored for these rows already."""
    found = {}
    for some in _chunks(hashes):
        query = (
            select(ImportedRow.row_hash, Submission.digest, Submission.area_id)
            .join(Submission, Submission.key == ImportedRow.submission_key)
            .where(ImportedRow.row_hash.in_(some))
        )
        for row_hash, digest, area_id in session.execute(query):
            found[bytes(row_hash or b"")] = (digest, area_id)
    return found


def _keyed_slips(
    session: Session, survey: Survey, mapping: ColumnMapping, checked: Mapping[bytes, Checked]
) -> list[bytes]:
    """Return the rows whose slip somebody keyed by hand (app/services/slips.py)."""
    query = select(Slip.area_id, Slip.number).where(Slip.survey_id == survey.id)
    keyed = {(area, number) for area, number in session.execute(query)}
    return [
        row_hash
        for row_hash, each in checked.items()
        if (each.area_id, slip_number(each.row.cells[mapping.key])) in keyed
    ]


def imported_area(session: Session, survey: Survey, number: str, keys: Keys) -> int | None:
    """Return the area of the paper slip with this number that came in the template's table."""
    query = (
        select(Submission.area_id)
        .join(ImportedRow, ImportedRow.submission_key == Submission.key)
        .where(ImportedRow.row_hash == _row_hash(keys, survey, "", number))
    )
    return session.scalar(query)


def _chunks(rows: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]


# ---------------------------------------------------------------------------------------------
# Storing, and setting aside
# ---------------------------------------------------------------------------------------------


def store_import(
    session: Session,
    survey: Survey,
    plan: Plan,
    source: ImportSource,
    staff: Staff,
    keys: Keys,
    now: datetime,
) -> AnswerImport:
    """Store the new rows of a plan that was made a moment ago; its faulty ones are left out.

    Raises `Problem` when the survey ended meanwhile, or somebody stored one of these rows.
    """
    # Whoever ends the survey at this moment waits, or is waited for. So does another import: rows
    # are stored in the order of random keys, and two that share some would wait for each other.
    session.refresh(survey, ["state"], with_for_update={"key_share": True})
    ensure_taken(survey)
    made = AnswerImport(
        survey_id=survey.id,
        staff_id=staff.id,
        at=now,
        source=source.name,
        channel=source.channel,
        file_digest=source.file_digest,
        stored=len(plan.new),
        known=plan.known,
        left_out=len(plan.faults),
        state=ImportState.COUNTED,
        reason="",
    )
    session.add(made)
    session.flush()
    try:
        _insert_rows(session, survey, plan.new, made, keys, now)
    except IntegrityError:
        raise Problem(_("刚才有人导入了同样编号的答卷，请重新上传一次。")) from None
    return made


def _insert_rows(
    session: Session,
    survey: Survey,
    rows: Sequence[Checked],
    made: AnswerImport,
    keys: Keys,
    now: datetime,
) -> None:
    areas = {checked.area_id for checked in rows}
    invitations = {area: collecting.invite(survey, area, made.channel) for area in areas}
    # In the order of random keys: that of the file is nobody's business, and tables fill faster.
    keyed = sorted(((uuid.uuid4(), each) for each in rows), key=lambda pair: pair[0])
    for some in _chunks(keyed):
        arrived = [
            (invitations[each.area_id], collecting.Delivery(key, each.sheet)) for key, each in some
        ]
        collecting.record_new(session, arrived, keys, now)
        known = [
            {"row_hash": each.row_hash, "import_id": made.id, "submission_key": key}
            for key, each in some
        ]
        session.connection().execute(insert(ImportedRow), known)


def load_imports(session: Session, survey: Survey) -> Sequence[AnswerImport]:
    """Return the imports of a survey, the newest first."""
    query = select(AnswerImport).where(AnswerImport.survey_id == survey.id)
    newest = query.options(joinedload(AnswerImport.staff)).order_by(AnswerImport.id.desc())
    return session.scalars(newest).all()


def find_import(session: Session, survey: Survey, import_id: int) -> AnswerImport:
    """Return one import of a survey. Raises `NotFound`."""
    query = select(AnswerImport).where(
        AnswerImport.id == import_id, AnswerImport.survey_id == survey.id
    )
    found = session.scalar(query)
    if found is None:
        raise NotFound
    return found


def set_aside_import(session: Session, made: AnswerImport, reason: str) -> None:
    """Set all answers of an import aside; its rows may then come again.

    Raises `Problem` without a reason, or when somebody did it before.
    """
    if not reason.strip():
        raise Problem(_("请写明为什么撤销这次导入。"))
    claim = (
        update(AnswerImport)
        .where(AnswerImport.id == made.id, AnswerImport.state == ImportState.COUNTED)
        .values(state=ImportState.SET_ASIDE, reason=reason.strip())
    )
    if rows_hit(session, claim) == 0:
        raise Problem(_("这次导入已经撤销过了。"))
    keys = select(ImportedRow.submission_key).where(ImportedRow.import_id == made.id)
    answers = update(Submission).where(Submission.key.in_(keys))
    rows_hit(session, answers.values(state=SubmissionState.SET_ASIDE))
    rows_hit(
        session, update(ImportedRow).where(ImportedRow.import_id == made.id).values(row_hash=None)
    )
