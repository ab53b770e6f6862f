"""报告核对: a report that an evaluator uploads or types in, and where it contradicts itself."""

import json
from collections.abc import Sequence

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from analysis.scoring.audit import findings_document
from analysis.scoring.book import (
    ABOUT,
    BY_KEY,
    GRADES,
    INDICATORS,
    Book,
    BookFault,
    BookRefused,
    Column,
    Line,
)
from app.access import current_staff, record
from app.attachments import attachment, json_attachment
from app.db import reading, transaction
from app.desk.rubric_forms import NO_FAULTS, Grid, Group, faults_of, grid, with_blanks
from app.desk.rubrics import UploadForm, blueprint, find_template, read_file, sent_text
from app.errors import Problem, TableRefused
from app.models import Area
from app.services import areas, audit, evaluating, report_audit, rubric_tables, rubrics
from app.services.rubric_tables import typed_book

_BLANKS, _MORE = 3, 8
_ABOUT = ("title", "source.document", "full_marks", "published.total.points", "published.grade")
_FIGURES = INDICATORS.choose(
    "weight",
    "measured.percent",
    "measured.number",
    "measured.numerator",
    "measured.base",
    "published.annex.points",
    "published.text.points",
)
_NEW = INDICATORS.choose("path.0", "path.1", "code", "name") + INDICATORS.choose(
    "rule.kind",
    "rule.target",
    "rule.per_step",
    "rule.step",
    "rule.partial_step",
    "rule.cutoff",
    "rule.cutoff_inclusive",
)
# Further sheets that the form shows whole.
_SHEETS = ("subtotals", "tables", "columns", "amounts", "measurements")


@blueprint.get("/audit")
def audit_home() -> ResponseReturnValue:
    """Ask for a report: as a file, or for which rubric it is to be typed in."""
    return _audit_home(UploadForm())


def _audit_home(form: UploadForm, refusal: TableRefused | None = None) -> str:
    with reading() as session:
        own = rubrics.load_stored(session, current_staff().area)
    return render_template(
        "desk/report_audit.html",
        form=form,
        refusal=refusal,
        bundled=evaluating.rubrics(),
        own=[(rubrics.own_id(each), each) for each in own],
    )


@blueprint.post("/audit")
def audit_file() -> ResponseReturnValue:
    """Audit a report from a file; nothing is stored."""
    form = UploadForm()
    if not form.validate_on_submit():
        return _audit_home(form), 422
    try:
        draft = read_file(form)
    except TableRefused as refusal:
        return _audit_home(form, refusal), 422
    return render_template("desk/findings.html", **_findings(draft))


def _findings(draft: rubrics.Draft) -> dict[str, object]:
    rows = report_audit.findings_of(draft.rubric)
    return {
        "draft": draft,
        "rubric": draft.rubric,
        "findings": report_audit.by_kind(rows),
        "count": len(rows),
        "areas": _areas(),
    }


def _areas() -> Sequence[Area]:
    with reading() as session:
        return areas.load_branch(session, current_staff().area)


@blueprint.get("/audit/form")
def audit_form() -> ResponseReturnValue:
    """Show the form to type a report's figures in, with those of a rubric's document if asked."""
    name, has_figures = request.args.get("rubric", ""), request.args.get("figures") == "1"
    return _typing_page(name, has_figures, _base(name, has_figures=has_figures) or {}, _BLANKS)


@blueprint.post("/audit/form")
def audit_typed() -> ResponseReturnValue:
    """Audit what was typed; every fault stands beside its field, and nothing is stored."""
    name, has_figures = request.form.get("rubric", ""), request.form.get("figures") == "1"
    base, typed = _base(name, has_figures=has_figures), typed_book(request.form)
    book = rubric_tables.with_figures(base or {}, typed)
    if request.form.get("act") == "more":
        return _typing_page(name, has_figures, book, _MORE)
    try:
        draft = rubrics.read_tables(rubric_tables.completed(book))
    except BookRefused as refusal:
        return _typing_page(name, has_figures, book, 0, refusal.faults), 422
    except TableRefused as refusal:
        raise Problem(refusal.faults[0]) from None
    return _typing_page(name, has_figures, book, 0, (), draft)


def _base(name: str, *, has_figures: bool) -> Book | None:
    with reading() as session:
        text = find_template(session, name)
    if text is None:
        return None
    book = rubrics.book_of_text(text)
    return book if has_figures else rubric_tables.without_results(book)


def _typing_page(
    name: str,
    has_figures: bool,  # noqa: FBT001 - travels with the page
    book: Book,
    blanks: int,
    faults: Sequence[BookFault] = (),
    draft: rubrics.Draft | None = None,
) -> str:
    known = _base(name, has_figures=has_figures) or {}
    grids = _grids(book, len(known.get(INDICATORS.key, ())), blanks, is_free=not name)
    return render_template(
        "desk/report_form.html",
        name=name,
        figures=has_figures,
        grids=grids,
        faults=faults_of(faults, grids) if faults else NO_FAULTS,
        **(_findings(draft) if draft else {"draft": None}),
    )


def _grids(book: Book, known: int, blanks: int, *, is_free: bool) -> list[Grid]:
    about = book.get(ABOUT.key, ()) or [Line(1, {})]
    made = [Grid(ABOUT, [Line(1, about[0].cells)], [Group(ABOUT.title, ABOUT.choose(*_ABOUT))])]
    made += _indicator_grids(book.get(INDICATORS.key, ()), known, blanks if is_free else 0)
    if is_free:
        made.append(grid(GRADES, book.get(GRADES.key, ()), blanks))
    made += [grid(BY_KEY[key], book.get(key, ()), blanks) for key in _SHEETS]
    return made


def _indicator_grids(lines: Sequence[Line], known: int, blanks: int) -> list[Grid]:
    kept = with_blanks(lines, blanks)
    made = [Grid(INDICATORS, [line], [Group(_heading(line), _FIGURES)]) for line in kept[:known]]
    typed: tuple[Column, ...] = _NEW + _FIGURES
    return made + [
        Grid(INDICATORS, [line], [Group(_heading(line) or _("新的指标"), typed)])
        for line in kept[known:]
    ]


def _heading(line: Line) -> str:
    return " ".join(line.cells[key] for key in ("code", "name") if line.cells.get(key))


@blueprint.post("/audit/findings")
def export_findings() -> Response:
    """Hand out the findings about a report that the page carries, as Excel or JSON."""
    draft = sent_text()
    form = request.form.get("form", "")
    title = f"{draft.rubric.title} {_('核对结果')}"
    if form == "json":
        content = json.dumps(findings_document(draft.rubric), ensure_ascii=False, indent=2)
        made = json_attachment(content, title, "findings")
    elif form == "xlsx":
        made = attachment([report_audit.findings_sheet(draft.rubric)], form, title, "findings")
    else:
        raise Problem
    with transaction() as session:
        staff, action = current_staff(), audit.Action.FINDINGS_EXPORTED
        record(
            session,
            audit.rubric_exported(staff.name, action, staff.area, draft.rubric.id[:64], form),
        )
    return made
