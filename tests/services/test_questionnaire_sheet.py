"""The questionnaire on paper, read back: its text, its boxes, and where its pages end."""

import ctypes
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pypdfium2  # type: ignore[import-untyped]  # no stubs and no types of its own
import pypdfium2.raw as pdfium  # type: ignore[import-untyped]
import pytest
from flask import Flask
from flask_babel import Babel, force_locale

from app.models import Notice, Survey
from app.services.drawing import CannotPrint
from app.services.questionnaire_sheet import BOX, RANK_BOX, draw_questionnaire, printable_languages
from surveys.library import bundled
from surveys.questionnaire import QuestionKind, Questionnaire
from surveys.reading import parse_toml

EVERY_KIND = parse_toml(
    (Path(__file__).parents[1] / "surveys/every_kind.toml").read_text(encoding="utf-8"), "every"
)
TITLE = "2026年度县级机关绩效评价群众满意度调查"


@pytest.fixture(autouse=True)
def _speaking_chinese() -> Iterator[None]:
    app = Flask("paper")
    folder = str(Path(__file__).parents[2] / "app/translations")
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = folder
    Babel(app, default_locale="zh_Hans_CN")
    with app.test_request_context():
        yield


def survey() -> Survey:
    notice = Notice(
        number=2,
        organiser="示范区卫健局",
        purpose="评价公共卫生服务",
        collected="选项，不记名",
        readers="评价人员",
        contact="卫健局 0594-0000000",
        erase_at=date(2028, 11, 22),
    )
    made = Survey(title=TITLE, notice_number=2)
    made.notice = notice
    return made


def texts(pdf: bytes) -> list[str]:
    """Return each page's text without blanks: lines break where they must."""
    document = pypdfium2.PdfDocument(pdf)
    pages = ["".join(page.get_textpage().get_text_range().split()) for page in document]
    document.close()
    return pages


def boxes(pdf: bytes) -> Counter[float]:
    """Count squares to tick or write in, by their side; bounds hold up to a point of stroke."""
    found: Counter[float] = Counter()
    document = pypdfium2.PdfDocument(pdf)
    for page in document:
        for each in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_PATH]):
            left, bottom, right, top = each.get_bounds()
            for side in (BOX, RANK_BOX):
                if all(side <= length <= side + 2.5 for length in (right - left, top - bottom)):
                    found[side] += 1
    document.close()
    return found


def folded(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("asked", [EVERY_KIND, *bundled().values()], ids=lambda one: one.id)
def test_everything_that_is_asked_is_on_paper(asked: Questionnaire) -> None:
    pages = texts(draw_questionnaire(survey(), asked))
    whole = "".join(pages)
    assert folded(asked.introduction) in whole
    for section in asked.sections:
        assert folded(section.title) in whole
    for question in asked.questions:
        is_information = question.kind is QuestionKind.INFORMATION
        number = "" if is_information else f"{question.number}."
        assert folded(f"{number}{question.text}") in whole, question.id
        for option in question.options:
            assert folded(option.text) in whole, (question.id, option.code)
        for row in question.rows:
            assert folded(row.text) in whole, (question.id, row.id)
        for end in question.ends or ():
            assert folded(end) in whole, (question.id, end)


def test_every_choice_has_a_box() -> None:
    single = sum(
        len(question.choices) * len(question.parts)
        for question in EVERY_KIND.questions
        if question.kind is not QuestionKind.RANKING
    )
    ranking = EVERY_KIND.question("wishes")
    count = single + len(ranking.unsure)
    found = boxes(draw_questionnaire(survey(), EVERY_KIND))
    assert found == {BOX: count, RANK_BOX: len(ranking.ranked)}


def test_each_page_says_what_it_is_part_of() -> None:
    pages = texts(draw_questionnaire(survey(), EVERY_KIND))
    assert len(pages) > 1
    for number, page in enumerate(pages, 1):
        assert TITLE in page
        assert f"第{number}/{len(pages)}页" in page
        assert "问卷编号" in page
        assert "说明第2版·问卷every-kind第1版" in page


def test_the_notice_is_whole_and_nothing_personal_is_asked() -> None:
    first = texts(draw_questionnaire(survey(), EVERY_KIND))[0]
    for said in (
        "谁在调查：示范区卫健局",
        "做什么用：评价公共卫生服务",
        "收集什么：选项，不记名",
        "谁能看到：评价人员",
        "保存到：2028年11月22日。",
        "自愿参加：可以不答",
        "有疑问请联系：卫健局0594-0000000",
        "调查员填写",
        "片区",
        "日期",
    ):
        assert said in first


@pytest.mark.parametrize(
    "said",
    [
        "填数字，不小于1，不大于366。只在这种情况下填写：第1题选了“去过”。",
        "只在这种情况下填写：第2题的答案大于1。",
        "带孩子去的次数不能多于总次数。",
        "可以选几项，最多选3项。",
        "这一部分只在这种情况下填写：第1题选了“去过”，或者第1题选了“记不清”。",
        "只在这种情况下填写：第6题选了“1很不满意”、“2”。",
        "第8-1题选了“不满意”，或者第8-2题选了“不满意”，或者第8-3题选了“不满意”。",
        "在方框里写名次，1是第一，至少排1个，最多排2个。",
        "只在这种情况下填写：第9题“开门时间”的名次是1。",
        "只在这种情况下填写：第5题选了“量血压”，并且第5题填答的项数不小于1。",
        "写文字，可以不答。",
        "年月日",
    ],
)
def test_how_and_by_whom_a_question_is_answered_is_told_in_words(said: str) -> None:
    assert said in "".join(texts(draw_questionnaire(survey(), EVERY_KIND)))


@pytest.mark.parametrize(
    ("relevant", "said"),
    [
        ("not selected(why, 'ill')", "第5题没有选“看病”。"),
        ("not answered(times)", "第2题空着。"),
        (
            "not (went = 'yes' and times > 3)",
            "第1题选了“没有去过”、“记不清”，或者第2题的答案不大于3。",
        ),
        (
            "went = 'no' or (times < 3 and answered(last))",
            "，或者（第2题的答案小于3，并且第4题填了）。",
        ),
        ("last >= '2026-01-01'", "第4题的答案不小于2026-01-01。"),
        ("times = 'unsure'", "第2题选了“记不清”。"),
        ("times != children", "第2题的答案不是第3题的答案。"),
    ],
)
def test_every_kind_of_condition_has_its_words(relevant: str, said: str) -> None:
    section = EVERY_KIND.sections[-1]
    asked = replace(section.questions[0], relevant=relevant)
    changed = replace(
        EVERY_KIND, sections=(*EVERY_KIND.sections[:-1], replace(section, questions=(asked,)))
    )
    assert said in "".join(texts(draw_questionnaire(survey(), changed)))


def test_a_question_that_fits_a_page_is_not_cut_in_two() -> None:
    pages = texts(draw_questionnaire(survey(), EVERY_KIND))
    for question in EVERY_KIND.questions:
        if question.kind is QuestionKind.INFORMATION:
            continue
        (page,) = [one for one in pages if folded(f"{question.number}.{question.text}") in one]
        _before, _heading, after = page.partition(folded(f"{question.number}.{question.text}"))
        for option in question.options:
            assert folded(option.text) in after, (question.id, option.code)


def test_a_question_longer_than_a_page_goes_on_on_the_next() -> None:
    first = EVERY_KIND.question("heard")
    many = tuple(
        replace(first.options[0], code=f"o{number}", text=f"很长的选项{'字' * 40}{number}")
        for number in range(60)
    )
    section = EVERY_KIND.sections[-1]
    long = replace(section, questions=(replace(first, options=many),))
    asked = replace(EVERY_KIND, sections=(long,))
    pdf = draw_questionnaire(survey(), asked)
    assert boxes(pdf)[BOX] == 60
    assert len(texts(pdf)) > 2


def test_type_is_large_enough_for_old_eyes() -> None:
    document = pypdfium2.PdfDocument(draw_questionnaire(survey(), EVERY_KIND))
    small = []
    for page in document:
        text = page.get_textpage()
        for at in range(text.count_chars()):
            size = pdfium.FPDFText_GetFontSize(text.raw, at)
            top = ctypes.c_double(text.get_charbox(at)[1]).value
            if size < 12 and 60 < top < page.get_height() - 60:
                small.append(text.get_text_range(at, 1))
    # Only what the fieldworker reads, and the page's own edges.
    assert "".join(small).strip() in {"", "调查员填写"}
    document.close()


def test_each_language_that_can_be_set_is_printed_in_itself() -> None:
    assert [one.tag for one in printable_languages(EVERY_KIND)] == ["zh-Hans", "en"]
    with force_locale("en"):
        whole = "".join(texts(draw_questionnaire(survey(), EVERY_KIND.in_language("en"))))
    assert folded("Would you recommend the village clinic to family and friends?") in whole
    assert folded("Answer only if “Yes” is chosen").lower() not in whole
    assert folded("Answer only if question 1 is answered “Yes”.") in whole
    with pytest.raises(CannotPrint):
        draw_questionnaire(survey(), EVERY_KIND.in_language("ar"))


def test_the_same_questionnaire_gives_the_same_bytes_with_an_embedded_font() -> None:
    pdf = draw_questionnaire(survey(), EVERY_KIND)
    assert pdf == draw_questionnaire(survey(), EVERY_KIND)
    assert b"/FontFile2" in pdf
    assert len(pdf) < 200_000
