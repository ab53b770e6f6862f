"""A draft of a rubric in forms: one indicator with all that belongs to it, or the head."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session

from analysis.scoring.book import (
    ABOUT,
    BANDS,
    BY_KEY,
    CONDITIONS_TABLE,
    INDICATORS,
    MEASUREMENTS,
    PARTS,
    READINGS,
    TABLES,
    Book,
    BookFault,
    BookRefused,
    Column,
    Line,
    Table,
)
from app.access import current_staff, now, record
from app.db import reading, transaction
from app.desk.rubrics import blueprint, find
from app.errors import InvalidInput, Problem, Sentence, TableRefused
from app.models import RubricState, StoredRubric
from app.services import audit, rubric_tables, rubrics
from app.services.rubric_tables import ELSEWHERE, typed_book

_BLANKS, _MORE = 1, 5
_HEAD = ("about", "grades", "subtotals", "level_counts", "columns", "amounts", "measurements")
_MOST_PLACES = 10_000


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that a form shows together under a heading."""

    title: Sentence
    columns: Sequence[Column]


@dataclass(frozen=True, slots=True)
class Grid:
    """The rows of a sheet in a form, the empty ones at the end too."""

    table: Table
    lines: Sequence[Line]
    groups: Sequence[Group]
    note: Sentence = ""


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong in a form: by the field's name, and what stands in no field of it."""

    by_field: Mapping[str, Sequence[Sentence]]
    others: Sequence[Sentence]

    @property
    def sheets(self) -> set[str]:
        """The sheets that have a fault in one of their fields."""
        return {name.partition(".")[0] for name in self.by_field}


NO_FAULTS = Faults({}, ())


def faults_of(found: Sequence[BookFault], grids: Sequence[Grid]) -> Faults:
    """Put faults beside the fields of a form; those of cells that it does not show are told."""
    shown = {
        rubric_tables.field_name(grid.table.key, line.number, column.key)
        for grid in grids
        for line in grid.lines
        for group in grid.groups
        for column in group.columns
    }
    by_field: dict[str, list[Sentence]] = {}
    others: list[Sentence] = []
    for fault in found:
        name = rubric_tables.field_name(fault.sheet, fault.row, fault.column)
        if name in shown:
            by_field.setdefault(name, []).append(fault.reason)
        else:
            others.append(f"{_titled(fault)}：{fault.reason}")
    return Faults(by_field, others)


def _titled(fault: BookFault) -> str:
    table = BY_KEY[fault.sheet]
    names = [column.name for column in table.columns if column.key == fault.column]
    row = fault.row % ELSEWHERE
    return "".join([table.title, f" {row}" if row else "", *(f" “{name}”" for name in names)])


def grid(table: Table, lines: Sequence[Line], blanks: int, *without: str) -> Grid:
    """Return the rows of a sheet as one group, with empty rows at the end."""
    columns = [column for column in table.columns if column.key not in without]
    return Grid(table, with_blanks(lines, blanks), [Group(table.title, columns)])


def with_blanks(lines: Sequence[Line], blanks: int) -> list[Line]:
    """Return rows with empty ones at the end; the others keep the numbers that faults name."""
    last = max((line.number for line in lines), default=0)
    return [*lines, *(Line(last + at, {}) for at in range(1, blanks + 1))]


# ---------------------------------------------------------------------------------------------
# One indicator
# ---------------------------------------------------------------------------------------------

_INDICATOR_GROUPS = (
    Group(_("指标"), INDICATORS.choose("path", "code", "name", "weight", "role", "criteria")),
    Group(_("细则"), INDICATORS.choose("rule")),
    Group(_("问卷测量项、进位、说明"), INDICATORS.choose("measure", "rounding", "note")),
    Group(_("文件印的结果"), INDICATORS.choose("measured", "published")),
)
_OF_INDICATOR = (
    (PARTS, _("只有清单用：每项一行。")),
    (BANDS, _("只有分档法用：每档一行，从高到低。")),
    (CONDITIONS_TABLE, _("测量值以外、要扣分的事实。")),
    (READINGS, _("同一条标准的另一种读法。")),
    (MEASUREMENTS, _("上面写不下的测量值：几个数、金额、各分项的情况。")),
    (TABLES, _("文件印的频数表，每个选项一行。")),
)


@blueprint.get("/<id:stored_id>/indicator")
def indicator(stored_id: int) -> ResponseReturnValue:
    """Show one indicator of a draft in a form, or an empty form for one more."""
    with reading() as session:
        found = _draft(session, stored_id)
        book = rubrics.book_of_text(found.text)
    rows = rubric_tables.rows_of(book, _place())
    return _indicator_page(found, rows, _BLANKS)


@blueprint.post("/<id:stored_id>/indicator")
def change_indicator(stored_id: int) -> ResponseReturnValue:
    """Change, add or remove one indicator; every fault stands beside its field."""
    typed = typed_book(request.form)
    act = request.form.get("act", "save")
    with transaction() as session:
        found = _draft(session, stored_id)
        if act == "more":
            return _indicator_page(found, typed, _MORE)
        if act != "remove" and len(typed.get(INDICATORS.key, ())) != 1:
            raise Problem
        book = rubrics.book_of_text(found.text)
        changed = None if act == "remove" else typed
        try:
            _change(session, found, rubric_tables.with_indicator(book, _place(), changed))
        except BookRefused as refusal:
            return _indicator_page(found, typed, 0, refusal.faults), 422
    return redirect(url_for("rubrics.stored", stored_id=stored_id), 303)


def _place() -> int:
    place = request.args.get("at", 0, type=int)
    return min(max(place, 0), _MOST_PLACES)


def _indicator_page(
    found: StoredRubric, rows: Book, blanks: int, faults: Sequence[BookFault] = ()
) -> str:
    lines = with_blanks(rows.get(INDICATORS.key, ()), 0) or [Line(1, {})]
    grids = [Grid(INDICATORS, lines, _INDICATOR_GROUPS)]
    for table, note in _OF_INDICATOR:
        made = grid(table, rows.get(table.key, ()), blanks, "code")
        grids.append(Grid(table, made.lines, made.groups, note))
    name = lines[0].cells.get("name") or _("新的指标")
    return _form_page(found, name, grids, faults, at=_place(), is_new=not rows.get("indicators"))


def _form_page(
    found: StoredRubric,
    title: Sentence,
    grids: Sequence[Grid],
    faults: Sequence[BookFault],
    **shown: object,
) -> str:
    return render_template(
        "desk/rubric_form.html",
        stored=found,
        seen=request.form.get("seen", found.digest),
        title=title,
        grids=grids,
        faults=faults_of(faults, grids) if faults else NO_FAULTS,
        **shown,
    )


def _draft(session: Session, stored_id: int) -> StoredRubric:
    found = find(session, stored_id)
    if found.state is not RubricState.DRAFT:
        raise Problem(_("已经启用的版本不能改，请先做新的一版。"))
    return found


def _change(session: Session, found: StoredRubric, book: Book) -> None:
    """Change a draft, on record. Raises `BookRefused` and `Problem`."""
    staff, before = current_staff(), found.digest
    seen = request.form.get("seen", "")
    try:
        draft = rubrics.read_tables(book)
        rubrics.change_draft(session, found, draft, seen, staff, now())
    except TableRefused as refusal:
        raise Problem(refusal.faults[0]) from None
    except InvalidInput as refusal:
        faults = [BookFault("about", 1, key, str(what)) for key, what in refusal.faults.items()]
        raise BookRefused(faults) from None
    record(session, audit.rubric_saved(staff.name, found, before))


# ---------------------------------------------------------------------------------------------
# The head
# ---------------------------------------------------------------------------------------------


@blueprint.get("/<id:stored_id>/head")
def head(stored_id: int) -> ResponseReturnValue:
    """Show what belongs to no indicator in a form: source, grades, printed sums."""
    with reading() as session:
        found = _draft(session, stored_id)
        book = rubrics.book_of_text(found.text)
    return _head_page(found, rubric_tables.head_of(book), _BLANKS)


@blueprint.post("/<id:stored_id>/head")
def change_head(stored_id: int) -> ResponseReturnValue:
    """Change what belongs to no indicator."""
    typed = typed_book(request.form)
    with transaction() as session:
        found = _draft(session, stored_id)
        if request.form.get("act") == "more":
            return _head_page(found, typed, _MORE)
        book = rubrics.book_of_text(found.text)
        try:
            _change(session, found, rubric_tables.with_head(book, typed))
        except BookRefused as refusal:
            return _head_page(found, typed, 0, refusal.faults), 422
    return redirect(url_for("rubrics.stored", stored_id=stored_id), 303)


def _head_page(
    found: StoredRubric, rows: Book, blanks: int, faults: Sequence[BookFault] = ()
) -> str:
    grids = [
        grid(
            BY_KEY[key],
            rows.get(key, ()) or ([Line(1, {})] if key == ABOUT.key else ()),
            0 if key == ABOUT.key else blanks,
            *(("code", "part", "met", "cases", "given") if key == MEASUREMENTS.key else ()),
        )
        for key in _HEAD
    ]
    return _form_page(found, _("说明、等级和印出的合计"), grids, faults)
