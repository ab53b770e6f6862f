"""A questionnaire on paper: the notice, every question with boxes, and who answers which.

Drawn at 12 points and more, for old eyes. Lengths are in PDF points; a row is drawn downwards
from its upper edge. The words are those of the locale that the caller has set.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm

from app.errors import say as _
from app.formats import day
from app.models import Notice, Survey
from app.routing_words import routing_hint
from app.services.drawing import (
    HAIRLINE,
    CannotPrint,
    Pen,
    blank_pages,
    font_path,
    registered_font,
    visible,
)
from surveys.answers import fewest_ranks
from surveys.keying import signs
from surveys.languages import LANGUAGES, Language
from surveys.questionnaire import Option, Question, QuestionKind, Questionnaire, Section

TEXT_SIZE = 12.5
QUESTION_SIZE = 13.0
BOX = 12.0
RANK_BOX = 20.0

_TITLE_SIZE, _SECTION_SIZE, _EDGE_SIZE = 18.0, 15.0, 10.0
_LEFT, _RIGHT = 18 * mm, A4[0] - 18 * mm
_WIDTH = _RIGHT - _LEFT
_TOP, _BOTTOM = A4[1] - 20 * mm, 18 * mm
_LINE = 1.45  # of the size
_GAP = 9.0
_BOX_GAP = 5.0
_COLUMN_GAP = 14.0
_MOST_COLUMNS = 3
_RULE = 25.0  # between lines to write on: large hands
_MOST_HEADING_LINES = 4
# Scripts whose letters join, stack or run from the right need shaping, which reportlab has not.
_UNSHAPED = {"bo"}
_CHOOSE = _("选一项")
_WAYS = {
    QuestionKind.MULTIPLE: _("可以选几项"),
    QuestionKind.MATRIX: _("每行选一项"),
    QuestionKind.RANKING: _("在方框里写名次，1 是第一"),
    QuestionKind.NUMBER: _("填数字"),
    QuestionKind.DATE: _("填日期"),
    QuestionKind.TEXT: _("写文字"),
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A piece that is never cut in two; `draw` gets the pen and the row's upper edge."""

    height: float
    draw: Callable[[Pen, float], None]


_Block = tuple[_Row, ...]


def printable_languages(questionnaire: Questionnaire) -> tuple[Language, ...]:
    """Return the languages in which a questionnaire can be printed, its own first."""
    return tuple(
        language
        for language in questionnaire.languages
        if language.direction == "ltr" and language.tag not in _UNSHAPED
    )


def draw_questionnaire(survey: Survey, asked: Questionnaire, font: Path | None = None) -> bytes:
    """Return a questionnaire as a PDF on A4, in the language that `asked` is in.

    `survey` has its notice loaded. Raises `CannotPrint` when no font is found, the font lacks a
    character, or the language's letters need shaping.
    """
    language = LANGUAGES.get(asked.language)
    if language is not None and language not in printable_languages(asked):
        raise CannotPrint(str(_("这种文字还不能排印，请选别的语言。")))
    written = BytesIO()
    title = visible(survey.title)
    with registered_font(font_path(font)) as registered:
        pen = Pen(blank_pages(written, f"{title} {_('纸质问卷')}", A4), registered)
        pages = _paged([*_opening(pen, survey, asked), *_questions(pen, asked)])
        for number, page in enumerate(pages, 1):
            _draw_edges(pen, survey, asked, f"{number}/{len(pages)}")
            y = _TOP
            for row in page:
                row.draw(pen, y)
                y -= row.height
            pen.canvas.showPage()
        pen.canvas.save()
    return written.getvalue()


def _paged(blocks: Sequence[_Block]) -> list[list[_Row]]:
    """Deal blocks out to pages; one that fits a page is never on two."""
    pages: list[list[_Row]] = [[]]
    room = _TOP - _BOTTOM
    for block in blocks:
        height = sum(row.height for row in block)
        if height > room and pages[-1]:
            pages.append([])
            room = _TOP - _BOTTOM
        for row in block:
            if row.height > room and pages[-1]:
                pages.append([])
                room = _TOP - _BOTTOM
            pages[-1].append(row)
            room -= row.height
    return pages


def _draw_edges(pen: Pen, survey: Survey, asked: Questionnaire, place: str) -> None:
    """Say on every page what it is part of: sheets come apart."""
    slip = f"{_('问卷编号')} ____________"
    slip_x = _RIGHT - pen.font.stringWidth(slip, _EDGE_SIZE)
    pen.write_block(_LEFT, A4[1] - 13 * mm, pen.fitted(survey.title, slip_x - _LEFT - 10, 10))
    pen.write(slip_x, A4[1] - 13 * mm, slip, _EDGE_SIZE)
    what = _(
        "说明第 %(notice)s 版 · 问卷 %(code)s 第 %(version)s 版",
        notice=survey.notice_number,
        code=asked.id,
        version=asked.version,
    )
    pen.write(_LEFT, 10 * mm, str(what), _EDGE_SIZE)
    number = str(_("第 %(place)s 页", place=place))
    pen.write(_RIGHT - pen.font.stringWidth(number, _EDGE_SIZE), 10 * mm, number, _EDGE_SIZE)


# What stands before the first question


def _opening(pen: Pen, survey: Survey, asked: Questionnaire) -> Iterator[_Block]:
    yield (*_text(pen, survey.title, _TITLE_SIZE, bold=True), _space(_GAP), _for_staff())
    yield (_space(_GAP), *_text(pen, asked.introduction))
    for label, text in _notice(survey.notice):
        yield _text(pen, f"{label}{text}")
    how = _("请在方框里打“√”。选错了，把错的方框涂黑，再在对的方框里打“√”。")
    yield (*_text(pen, str(how), bold=True), _space(_GAP))


def _notice(notice: Notice) -> Iterator[tuple[str, str]]:
    """Yield what residents are told, in the words of their page (components/notice.html)."""
    until = _(
        "%(day)s。到期删除您写的文字和答题用时，只留下看不出是谁的选项。", day=day(notice.erase_at)
    )
    told = (
        (_("谁在调查："), notice.organiser),
        (_("做什么用："), notice.purpose),
        (_("收集什么："), notice.collected),
        (_("谁能看到："), notice.readers),
        (_("保存到："), until),
        (_("自愿参加："), _("可以不答，也可以中途退出，不影响您享受任何服务。")),
    )
    yield from ((str(label), str(text)) for label, text in told if text)
    yield "", str(_("有疑问请联系：%(contact)s", contact=notice.contact))


def _for_staff() -> _Row:
    """Return the frame that the fieldworker fills in; nothing in it is about the resident."""
    labels = [str(_("问卷编号")), str(_("片区")), str(_("日期"))]
    height, note = 32.0, str(_("调查员填写"))

    def draw(pen: Pen, top: float) -> None:
        pen.canvas.setLineWidth(HAIRLINE)
        pen.canvas.roundRect(_LEFT, top - height, _WIDTH, height, 3)
        base, x = top - height / 2 - TEXT_SIZE / 3, _LEFT + 8
        pen.write(x, base, note, _EDGE_SIZE)
        x += pen.font.stringWidth(note, _EDGE_SIZE) + 14
        share = (_RIGHT - 8 - x) / len(labels)
        for label in labels:
            pen.write(x, base, label, TEXT_SIZE)
            begin = x + pen.font.stringWidth(label, TEXT_SIZE) + 4
            _line(pen, begin, x + share - 10, base)
            x += share

    return _Row(height + 4, draw)


# Questions


def _questions(pen: Pen, asked: Questionnaire) -> Iterator[_Block]:
    for section in asked.sections:
        heading = _section_heading(pen, asked, section)
        for question in section.questions:
            # A heading is never the last thing on a page.
            yield (*heading, *_question(pen, asked, question), _space(_GAP))
            heading = ()


def _section_heading(pen: Pen, asked: Questionnaire, section: Section) -> _Block:
    hint = routing_hint(asked, section)
    return (
        _space(_GAP / 2),
        *_text(pen, section.title, _SECTION_SIZE, bold=True),
        *(_text(pen, hint) if hint else ()),
        _space(_GAP / 2),
    )


def _question(pen: Pen, asked: Questionnaire, question: Question) -> _Block:
    if question.kind is QuestionKind.INFORMATION:
        hint = routing_hint(asked, question)
        return _text(pen, f"{hint}{question.text}")
    heading = f"{question.number}. {question.text}"
    how = f"{_how(question)}{routing_hint(asked, question)}"
    notes = (how, question.hint, question.constraint_message)
    return (
        *_text(pen, heading, QUESTION_SIZE, bold=True),
        *(row for note in notes if note for row in _text(pen, note)),
        *_answers(pen, question),
    )


def _how(question: Question) -> str:
    """Say how a question is answered, with its limits."""
    said = [str(_WAYS.get(question.kind, _CHOOSE))]
    if question.kind is QuestionKind.MULTIPLE and question.fewest and question.fewest > 1:
        said.append(str(_("至少选 %(fewest)s 项", fewest=question.fewest)))
    if question.kind is QuestionKind.MULTIPLE and question.most:
        said.append(str(_("最多选 %(most)s 项", most=question.most)))
    if question.kind is QuestionKind.RANKING:
        most = question.most or len(question.ranked)
        said.append(str(_("至少排 %(fewest)s 个", fewest=fewest_ranks(question))))
        said.append(str(_("最多排 %(most)s 个", most=most)))
    for bound, words in (
        (question.lowest, _("不小于 %(bound)s", bound=question.lowest)),
        (question.highest, _("不大于 %(bound)s", bound=question.highest)),
        (question.earliest, _("不早于 %(bound)s", bound=question.earliest)),
        (question.latest, _("不晚于 %(bound)s", bound=question.latest)),
    ):
        if bound is not None:
            said.append(str(words))
    if not question.required:
        said.append(str(_("可以不答")))
    return str(_("%(how)s。", how=str(_("，")).join(said)))


def _answers(pen: Pen, question: Question) -> _Block:
    match question.kind:
        case QuestionKind.MATRIX:
            return _table(pen, question) or tuple(
                row
                for part in question.parts
                for row in (*_text(pen, f"{part.number}. {part.text}"), *_choices(pen, part))
            )
        case QuestionKind.NUMBER:
            return (_blank(question.unit), *_options(pen, question, question.unsure))
        case QuestionKind.DATE:
            return (_date(), *_options(pen, question, question.unsure))
        case QuestionKind.TEXT:
            careful = _("请不要写姓名、电话、身份证号、住址等能认出您的内容。")
            lines = (_ruled(),) * (3 if question.multiline else 1)
            unsure = _options(pen, question, question.unsure)
            return (*_text(pen, str(careful)), *lines, *unsure)
        case QuestionKind.RANKING:
            ranks = _options(pen, question, question.ranked, RANK_BOX)
            return (*ranks, *_options(pen, question, question.unsure))
        case _:
            return _choices(pen, question)


def _choices(pen: Pen, question: Question) -> _Block:
    """Return the boxes of a question; numbered points in one row, with the words of their ends."""
    points = question.choices[: len(question.choices) - len(question.options)]
    scale = (_scale(question, [point.code for point in points]),) if points else ()
    return (*scale, *_options(pen, question, question.options))


def _scale(question: Question, codes: Sequence[str]) -> _Row:
    low, high = question.ends or ("", "")
    step = min(_WIDTH / len(codes), 60.0)
    words = TEXT_SIZE * _LINE if question.ends else 0.0
    height = words + BOX * 1.8

    def draw(pen: Pen, top: float) -> None:
        base = top - TEXT_SIZE
        right = _LEFT + step * (len(codes) - 1) + BOX + _BOX_GAP + 2 * TEXT_SIZE
        if question.ends:
            pen.write(_LEFT, base, f"{codes[0]} {low}", TEXT_SIZE)
            ending = f"{codes[-1]} {high}"
            width = pen.font.stringWidth(ending, TEXT_SIZE)
            pen.write(max(right - width, _LEFT + _WIDTH / 2), base, ending, TEXT_SIZE)
        for place, code in enumerate(codes):
            x = _LEFT + place * step
            _box(pen, x, base - words, BOX)
            pen.write(x + BOX + _BOX_GAP, base - words, code, TEXT_SIZE)

    return _Row(height, draw)


def _options(pen: Pen, question: Question, options: Sequence[Option], side: float = BOX) -> _Block:
    """Return boxes with letters, in columns where the words are short, in the order of the page."""
    rows: list[_Row] = []
    for takes_text, some in groupby(options, key=lambda option: option.takes_text):
        if takes_text:
            rows += [
                _boxes(pen, [_labelled(question, one)], 1, side, has_line=True) for one in some
            ]
            continue
        labels = [_labelled(question, option) for option in some]
        columns = _columns(pen, labels, side)
        rows += [
            _boxes(pen, labels[start : start + columns], columns, side)
            for start in range(0, len(labels), columns)
        ]
    return tuple(rows)


def _labelled(question: Question, option: Option) -> str:
    return f"{signs(question)[option.code]}. {visible(option.text)}"


def _columns(pen: Pen, labels: Sequence[str], side: float) -> int:
    widest = max(pen.font.stringWidth(label, TEXT_SIZE) for label in labels)
    widest += side + _BOX_GAP + _COLUMN_GAP
    return max(1, min(_MOST_COLUMNS, len(labels), int((_WIDTH + _COLUMN_GAP) / widest)))


def _boxes(
    pen: Pen, labels: Sequence[str], columns: int, side: float, *, has_line: bool = False
) -> _Row:
    step = (_WIDTH + _COLUMN_GAP) / columns
    room = step - side - _BOX_GAP - _COLUMN_GAP
    wrapped = [pen.wrapped(label, room, TEXT_SIZE) for label in labels]
    lines = max(map(len, wrapped))
    last = pen.font.stringWidth(wrapped[-1][-1], TEXT_SIZE)
    if has_line and last > room - 40 * mm:  # no room left to write beside it
        wrapped = [(*wrapped[0], "")]
        lines, last = lines + 1, 0.0
    height = max(lines * TEXT_SIZE * _LINE, side * 1.2) + (6.0 if has_line else 2.0)

    def draw(pen: Pen, top: float) -> None:
        first = top - max(TEXT_SIZE, side) - (4.0 if has_line else 0.0)
        for place, label in enumerate(wrapped):
            x = _LEFT + place * step
            _box(pen, x, first, side)
            for number, line in enumerate(label):
                y = first - number * TEXT_SIZE * _LINE
                pen.write(x + side + _BOX_GAP, y, line, TEXT_SIZE)
        if has_line:
            y = first - (lines - 1) * TEXT_SIZE * _LINE
            _line(pen, _LEFT + side + _BOX_GAP + last + 6, _RIGHT, y)

    return _Row(height, draw)


def _table(pen: Pen, question: Question) -> _Block:
    """Return a matrix as a table; nothing where its headings need more room than there is."""
    # A point says its number itself.
    labels = [
        one.text if one.text.startswith(one.code) else _labelled(question, one)
        for one in question.choices
    ]
    first = _WIDTH * 0.36
    step = (_WIDTH - first) / len(labels)
    wrapped = [pen.wrapped(label, step - 6, TEXT_SIZE) for label in labels]
    lines = max(map(len, wrapped))
    if lines > _MOST_HEADING_LINES:
        return ()
    head = lines * TEXT_SIZE * _LINE + 4

    def draw_head(pen: Pen, top: float) -> None:
        for place, label in enumerate(wrapped):
            middle = _LEFT + first + (place + 0.5) * step
            for number, line in enumerate(label):
                x = middle - pen.font.stringWidth(line, TEXT_SIZE) / 2
                pen.write(x, top - TEXT_SIZE - number * TEXT_SIZE * _LINE, line, TEXT_SIZE)
        _line(pen, _LEFT, _RIGHT, top - head)

    return (
        _Row(head, draw_head),
        *(_table_row(pen, part, first, step, len(labels)) for part in question.parts),
    )


def _table_row(pen: Pen, part: Question, first: float, step: float, count: int) -> _Row:
    words = pen.wrapped(f"{part.number}. {part.text}", first - 6, TEXT_SIZE)
    height = len(words) * TEXT_SIZE * _LINE + 8

    def draw(pen: Pen, top: float) -> None:
        for number, line in enumerate(words):
            pen.write(_LEFT, top - TEXT_SIZE - 3 - number * TEXT_SIZE * _LINE, line, TEXT_SIZE)
        for place in range(count):
            x = _LEFT + first + (place + 0.5) * step - BOX / 2
            _box(pen, x, top - height / 2 - BOX / 2 + 2, BOX)
        _line(pen, _LEFT, _RIGHT, top - height)

    return _Row(height, draw)


# Pieces


def _text(pen: Pen, text: str, size: float = TEXT_SIZE, *, bold: bool = False) -> _Block:
    def row(line: str) -> _Row:
        return _Row(
            size * _LINE, lambda pen, top: pen.write(_LEFT, top - size, line, size, bold=bold)
        )

    return tuple(
        row(line) for part in text.splitlines() for line in pen.wrapped(part, _WIDTH, size)
    )


def _space(height: float) -> _Row:
    return _Row(height, lambda _pen, _top: None)


def _box(pen: Pen, x: float, base: float, side: float) -> None:
    pen.canvas.setLineWidth(1)
    pen.canvas.rect(x, base - side * 0.15, side, side)


def _line(pen: Pen, left: float, right: float, y: float) -> None:
    pen.canvas.setLineWidth(HAIRLINE)
    pen.canvas.line(left, y, right, y)


def _blank(unit: str) -> _Row:
    """Return a line for a number, with its unit behind it."""
    width = 45 * mm

    def draw(pen: Pen, top: float) -> None:
        base = top - _RULE + 5
        _line(pen, _LEFT, _LEFT + width, base)
        pen.write(_LEFT + width + 5, base, visible(unit), TEXT_SIZE)

    return _Row(_RULE, draw)


def _date() -> _Row:
    parts = ((28 * mm, str(_("年"))), (16 * mm, str(_("月"))), (16 * mm, str(_("日"))))

    def draw(pen: Pen, top: float) -> None:
        base, x = top - _RULE + 5, _LEFT
        for width, word in parts:
            _line(pen, x, x + width, base)
            pen.write(x + width + 3, base, word, TEXT_SIZE)
            x += width + 8 + pen.font.stringWidth(word, TEXT_SIZE)

    return _Row(_RULE, draw)


def _ruled() -> _Row:
    return _Row(_RULE, lambda pen, top: _line(pen, _LEFT, _RIGHT, top - _RULE + 3))
