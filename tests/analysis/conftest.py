from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import pytest

from analysis.frames import SubmissionRow, build_frame
from surveys.questionnaire import (
    Base,
    Composite,
    DontKnow,
    Item,
    Measure,
    MeasureKind,
    Option,
    OptionKind,
    Question,
    QuestionKind,
    Questionnaire,
    Section,
    Source,
    Table,
    TableLayout,
)

Answers = Mapping[str, str | Sequence[str]]
FrameOf = Callable[..., pd.DataFrame]

GRADES = (
    Option("good", "满意"),
    Option("fair", "基本满意"),
    Option("bad", "不满意"),
    Option("unsure", "不清楚", OptionKind.DONT_KNOW),
)


def single(question_id: str, number: int, text: str, options: tuple[Option, ...]) -> Question:
    return Question(question_id, str(number), text, QuestionKind.SINGLE, options)


def graded(question_id: str) -> Item:
    return Item(question_id, frozenset({"good", "fair"}), frozenset({"unsure"}))


def satisfaction(
    measure_id: str,
    *items: Item,
    base: Base = Base.VALID,
    dont_know: DontKnow = DontKnow.IN_BASE,
    composite: Composite | None = None,
) -> Measure:
    kind = MeasureKind.SATISFACTION
    return Measure(measure_id, "满意度", kind, items, base, dont_know, composite)


QUESTIONS = (
    single("knows", 1, "您知道吗？", (Option("yes", "知道"), Option("no", "不知道"))),
    Question(
        "heard",
        "2",
        "您从哪里知道？（可多选）",
        QuestionKind.MULTIPLE,
        (Option("paper", "报纸"), Option("leaflet", "传单"), Option("visit", "入户")),
        required=False,
    ),
    single("attitude", 3, "您对服务态度满意吗？", GRADES),
    single("skill", 4, "您对医疗水平满意吗？", GRADES),
    # Noise: everybody answers it, no measure and no table has it. Whoever counts it is wrong.
    single("noise", 5, "您今天来过吗？", (Option("yes", "来过"), Option("good", "满意"))),
)

MEASURES = (
    Measure(
        "awareness",
        "知晓率",
        MeasureKind.AWARENESS,
        (Item("knows", frozenset({"yes"})),),
        Base.VALID,
        DontKnow.IN_BASE,
    ),
    satisfaction("valid", graded("attitude")),
    satisfaction("valid_sure", graded("attitude"), dont_know=DontKnow.LEFT_OUT),
    satisfaction("interviewed", graded("attitude"), base=Base.INTERVIEWED),
    satisfaction(
        "interviewed_sure",
        graded("attitude"),
        base=Base.INTERVIEWED,
        dont_know=DontKnow.LEFT_OUT,
    ),
    satisfaction("mean", graded("attitude"), graded("skill"), composite=Composite.MEAN),
    satisfaction("pooled", graded("attitude"), graded("skill"), composite=Composite.POOLED),
    Measure(
        "channels",
        "知晓渠道",
        MeasureKind.SHARE,
        (Item("heard", frozenset({"paper", "leaflet", "visit"})),),
        Base.VALID,
        DontKnow.IN_BASE,
        per_option=True,
    ),
)

TABLES = (
    Table(
        "grades",
        "满意情况",
        TableLayout.SIDE_BY_SIDE,
        ("skill", "attitude"),
        ("医疗水平", "服务态度"),
    ),
    Table("heard", "渠道", TableLayout.STACKED, ("heard",), ("渠道",), show_total=False),
)


@pytest.fixture(scope="session")
def questionnaire() -> Questionnaire:
    return Questionnaire(
        id="clinic",
        version=1,
        title="卫生院满意度调查",
        language="zh-Hans",
        introduction="",
        source=Source("made up for the tests", "nowhere"),
        sections=(Section("all", "全部", QUESTIONS),),
        measures=MEASURES,
        tables=TABLES,
    )


@pytest.fixture(scope="session")
def frame_of(questionnaire: Questionnaire) -> FrameOf:
    """Build a frame from answers, one mapping per person; everybody answers the noise question."""

    def build(*people: Answers, areas: Sequence[int] = ()) -> pd.DataFrame:
        rows = (
            SubmissionRow(f"key-{i}", area, "scanned", 7, {"noise": "good", **answers})
            for i, (answers, area) in enumerate(
                zip(people, areas or [1] * len(people), strict=True)
            )
        )
        return build_frame(questionnaire, rows)

    return build
