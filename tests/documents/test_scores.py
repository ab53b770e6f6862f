"""Every published figure of the seven documents, recomputed: agreement, or a finding."""

from decimal import Decimal
from fractions import Fraction

import pytest

from analysis.scoring.audit import FindingKind as K
from analysis.scoring.audit import audit, of_indicator
from analysis.scoring.feed import (
    Content,
    Count,
    Judgement,
    Measurement,
    PartContent,
    Parts,
    Rate,
    Ratio,
    Ticks,
)
from analysis.scoring.rubric import (
    Indicator,
    PartStatement,
    PrintedFigure,
    PrintedMeasurement,
    Rubric,
    Scope,
    bundled,
    load_bundled,
)
from analysis.scoring.rules import Checklist, ConditionKind, Role, full_points
from analysis.scoring.rules import Judgement as JudgementRule
from analysis.scoring.score import State, score

BEIAN = "beian-2020-public-health"
SUINING = "suining-2022-public-health"
RESIDENTS = "public-health-2021"
HUOQIU = "huoqiu-2020-ankang-code"
LONGHUA = "longhua-2020-medical-insurance"
CITY = "beian-2020-city-management"
POVERTY = "beian-2020-poverty-relief"


DOCUMENTS = {rubric_id: load_bundled(rubric_id) for rubric_id in bundled()}
# How many indicators each document has, how many of them are lost, what their weights and their
# printed scores add to, and the printed total.
EXTENT = {
    CITY: (39, 0, "100", "92.86", "92.86"),
    POVERTY: (10, 0, "100", "99.5", "99.5"),
    BEIAN: (32, 0, "100", "90.31", "90.31"),
    HUOQIU: (10, 1, "110", None, None),
    LONGHUA: (22, 6, "100", None, "98"),
    RESIDENTS: (26, 0, "100", "86", "86"),
    SUINING: (28, 0, "100", "90.18", "90.18"),
}


def counted(numerator: int, base: int) -> Rate:
    return Rate(numerator, base, Fraction(numerator, base), "作肯定回答的人数占比")


# What the report measured, the score that follows, and whether the report prints the same.
RECOMPUTED = [
    (BEIAN, "C25", counted(91, 103), "8.00"),
    (BEIAN, "C26", counted(94, 103), "7.00"),
    (BEIAN, "C27", Ratio(Decimal("0.245")), "1.53"),
    (BEIAN, "C28", counted(73, 103), "4.42"),
    (BEIAN, "C29", counted(83, 103), "5.00"),
    (BEIAN, "C30", counted(38, 103), "2.63"),
    (BEIAN, "C32", counted(365, 412), "10.00"),
    (SUINING, "satisfaction", counted(88, 100), "4.50"),
    (RESIDENTS, "satisfaction", counted(51, 60), "4.00"),
    (CITY, "C22", Ratio(Decimal(1)), "5.00"),
    (CITY, "B11", Ratio(Decimal("637.08"), Decimal("637.08")), "1.00"),
    (CITY, "B12", Ratio(Decimal("716.11"), Decimal("780.35")), "3.86"),
    (CITY, "B13", Ratio(Decimal("5.3"), Decimal("5.3")), "1.00"),
    (CITY, "A35", Count(0), "3.00"),
    (CITY, "B31", Ratio(Decimal(34), Decimal(34)), "1.00"),
    (CITY, "B42", Ratio(Decimal(1)), "1.00"),
    (CITY, "B52", Count(0), "1.00"),
    (CITY, "C15", Ratio(Decimal("19.82"), Decimal(18)), "4.00"),
    (POVERTY, "1", Ratio(Decimal("356.64"), Decimal(300)), "15.00"),
    (POVERTY, "2-2", Count(0), "5.00"),
    (POVERTY, "8", Judgement(Decimal(3), "评价工作组", "四项机制"), "3.00"),
    (RESIDENTS, "07", Ratio(Decimal("1932.88"), Decimal("1932.88")), "4.00"),
    (RESIDENTS, "11", Ratio(Decimal("23.23")), "4.00"),
    (RESIDENTS, "12", Count(2), "4.00"),
    (SUINING, "02", Ticks({"set": True, "clear": False}), "1.00"),
    (SUINING, "11", Ratio(Decimal(283835), Decimal(290664)), "4.00"),
    (SUINING, "12", Count(5), "0.00"),
    (SUINING, "18", counted(1491, 1620), "2.00"),
    (SUINING, "19", counted(29752, 40698), "4.00"),
    (
        SUINING,
        "20",
        Parts({"task": Ratio(Decimal(22458), Decimal(21218)), "standard": counted(20232, 22458)}),
        "2.00",
    ),
    (
        SUINING,
        "22",
        Parts({"task": Ratio(Decimal("1.2949")), "standard": counted(1721, 1739)}),
        "2.00",
    ),
    (POVERTY, "6", Judgement(Decimal(42), "评价工作组", "专项资金使用扣 3"), "42.00"),
]
# Where the score does not follow from the measurement: what does, and which findings say so.
CONTRADICTED = [
    (BEIAN, "C31", counted(82, 103), "4.68", {K.SCORE_AGAINST_RULE, K.TEXT_AGAINST_TABLE}),
    (SUINING, "04", Ratio(Decimal("2179.98"), Decimal(2353)), "2.63", {K.SCORE_AGAINST_RULE}),
    (RESIDENTS, "13", Count(160), "0.00", {K.SCORE_AGAINST_RULE}),
    (RESIDENTS, "14", Ticks({"kept": False}), "0.00", {K.SCORE_AGAINST_RULE}),
    (
        RESIDENTS,
        "10",
        Parts(
            {
                "rules": 3,
                "adjusted": 0,
                "papers": 0,
                "filed": 0,
                "means": Judgement(Decimal(1), "评价组", "落实到位"),
            }
        ),
        "5.40",
        {K.SCORE_AGAINST_RULE},
    ),
    (
        POVERTY,
        "3-1",
        Parts(
            {
                "rules": False,
                "plan": True,
                "results": True,
                "rectified": Judgement(Decimal(1), "评价工作组", "仍在处理"),
            }
        ),
        "4.00",
        {K.SCORE_AGAINST_RULE},
    ),
    (
        CITY,
        "A14",
        Ticks({"plan": False, "duties": True, "tasks": True}),
        "2.00",
        {K.SCORE_AGAINST_RULE},
    ),
]
# Where there is nothing to recompute from: the finding that says so, or no result at all.
NOT_RECOMPUTED = [
    (SUINING, "awareness", {K.SCORE_WITHOUT_MEASUREMENT}),
    (LONGHUA, "satisfaction", {K.NOT_COMPUTABLE, K.WEIGHT_AGAINST_CRITERIA}),
    (HUOQIU, "10", set()),
]


@pytest.mark.parametrize(("rubric_id", "code", "content", "points"), RECOMPUTED)
def test_a_published_score_follows_from_its_measurement(
    rubric_id: str, code: str, content: Content, points: str
) -> None:
    line = score(load_bundled(rubric_id), [Measurement(code, content)]).line(code)
    assert str(line.shown) == points
    assert {each.points for each in line.indicator.published.scores} == {Decimal(points)}


@pytest.mark.parametrize(("rubric_id", "code", "content", "points", "kinds"), CONTRADICTED)
def test_a_published_score_that_does_not_follow_has_a_finding(
    rubric_id: str, code: str, content: Content, points: str, kinds: set[K]
) -> None:
    line = score(load_bundled(rubric_id), [Measurement(code, content)]).line(code)
    assert str(line.shown) == points
    assert Decimal(points) not in {each.points for each in line.indicator.published.scores}
    assert kinds <= {finding.kind for finding in of_indicator(line.indicator)}
    assert line.differences


@pytest.mark.parametrize(("rubric_id", "code", "kinds"), NOT_RECOMPUTED)
def test_a_score_without_a_basis_has_a_finding(rubric_id: str, code: str, kinds: set[K]) -> None:
    rubric = load_bundled(rubric_id)
    found = {finding.kind for finding in of_indicator(rubric.indicator(code))}
    assert found == kinds
    assert score(rubric, []).line(code).state is not State.SCORED


def test_no_survey_fed_indicator_of_any_document_is_left_out() -> None:
    fed = {
        (rubric_id, indicator.code)
        for rubric_id in bundled()
        for indicator in load_bundled(rubric_id).indicators
        if indicator.measure
    }
    checked = {(row[0], row[1]) for row in (*RECOMPUTED, *CONTRADICTED, *NOT_RECOMPUTED)}
    assert fed <= checked


WITHOUT, UNSURE = [K.SCORE_WITHOUT_MEASUREMENT], [K.SCORE_NOT_DETERMINED]
LOST, WRONG = [K.NOT_COMPUTABLE], [K.SCORE_AGAINST_RULE]
# Every contradiction of every document, by indicator; "" is the document as a whole.
FINDINGS = {
    CITY: {
        "A11": [K.PARTS_AGAINST_WEIGHT, *UNSURE],
        "A12": WRONG,
        "A14": WRONG,
        **dict.fromkeys(("A15", "B14", "B21", "B22", "B23", "B41", "B51", "C32"), UNSURE),
        "B12": [K.LINE_MISSES_TARGET],
        "B31": [K.IMPOSSIBLE_PERCENTAGE, K.PERCENTAGE_AGAINST_COUNTS],
        "B52": [K.TEXT_AGAINST_TABLE],
        "B53": WITHOUT,
        "C13": [K.LINE_MISSES_TARGET],
        "C16": WITHOUT,
        "C21": [K.TEXT_AGAINST_TABLE],
        "C22": [K.WEIGHT_AGAINST_CRITERIA],
        "": [
            *[K.SUM_OF_WEIGHTS] * 2,
            *[K.INDICATOR_COUNT] * 3,
            K.COLUMN_DOES_NOT_ADD,
            *[K.TEXT_AGAINST_TABLE] * 3,
            K.PERCENTAGE_AGAINST_COUNTS,
        ],
    },
    POVERTY: {
        "1": [K.TEXT_AGAINST_TABLE],
        "3-1": WRONG,
        "7": WITHOUT,
        "": [
            *[K.SUM_OF_SCORES] * 2,
            K.COLUMN_DOES_NOT_ADD,
            *[K.TEXT_AGAINST_TABLE] * 2,
            K.PERCENTAGE_AGAINST_COUNTS,
            K.GRADE_AGAINST_SCALE,
        ],
    },
    BEIAN: {
        "C01": [K.WEIGHT_AGAINST_CRITERIA, K.TEXT_AGAINST_TABLE, *WRONG],
        "C02": WITHOUT,
        "C03": UNSURE,
        "C05": UNSURE,
        "C07": [K.TEXT_AGAINST_TABLE, *WRONG],
        "C08": [K.WEIGHT_AGAINST_CRITERIA, K.LINE_MISSES_TARGET, *WRONG],
        "C10": [K.WEIGHT_AGAINST_CRITERIA, K.TEXT_AGAINST_TABLE, *WRONG, *WRONG],
        "C13": [K.LINE_MISSES_TARGET],
        "C17": [K.PERCENTAGE_AGAINST_COUNTS],
        "C20": [K.TEXT_AGAINST_TABLE],
        "C24": WITHOUT,
        "C28": [
            *[K.IMPOSSIBLE_PERCENTAGE, K.PERCENTAGE_AGAINST_COUNTS] * 2,
            K.COLUMN_DOES_NOT_ADD,
        ],
        "C30": [K.TEXT_AGAINST_TABLE, *WRONG],
        "C31": [K.TEXT_AGAINST_TABLE, *WRONG, K.IMPOSSIBLE_PERCENTAGE],
        "": [*[K.SUM_OF_SCORES] * 5, K.INDICATOR_COUNT],
    },
    HUOQIU: {"2": [K.PARTS_AGAINST_WEIGHT], "8": LOST, "": [K.SUM_OF_WEIGHTS] * 3},
    LONGHUA: {
        **dict.fromkeys(("01", "02", "03", "04", "05", "08", "09", "10"), WITHOUT),
        **dict.fromkeys(("12", "13", "14", "15", "16", "17", "18"), WITHOUT),
        "11": [K.LINE_MISSES_TARGET, *WITHOUT],
        **dict.fromkeys(("lost-1", "lost-2", "lost-3", "06", "07"), LOST),
        "satisfaction": [*LOST, K.WEIGHT_AGAINST_CRITERIA],
        "": [*[K.SUM_OF_WEIGHTS] * 3, K.TOTAL_OUT_OF_REACH, *[K.GRADE_GAP] * 3],
    },
    RESIDENTS: dict.fromkeys(("10", "13", "14", "15", "19"), WRONG),
    SUINING: {
        **dict.fromkeys(("01", "03", "06", "07", "10", "15", "16", "27", "awareness"), WITHOUT),
        **dict.fromkeys(("05", "08", "09", "14", "23", "24"), UNSURE),
        "04": WRONG,
        "17": [*UNSURE, *UNSURE, K.PERCENTAGE_AGAINST_COUNTS],
        "": [K.PERCENTAGE_AGAINST_COUNTS],
    },
}


@pytest.mark.parametrize("rubric_id", bundled())
def test_a_document_contradicts_itself_here_and_nowhere_else(rubric_id: str) -> None:
    found: dict[str, list[K]] = {}
    for finding in audit(DOCUMENTS[rubric_id]):
        found.setdefault(finding.code, []).append(finding.kind)
    assert found == FINDINGS[rubric_id]


@pytest.mark.parametrize("rubric_id", bundled())
def test_a_document_is_held_whole(rubric_id: str) -> None:
    rubric = DOCUMENTS[rubric_id]
    base = [each for each in rubric.indicators if each.role is Role.BASE]
    scores = [printed_score(each) for each in rubric.indicators]
    known = [(each.role, given) for each, given in scores if given is not None]
    total = rubric.published.total_points
    assert rubric.scope is Scope.COMPLETE
    assert (
        len(rubric.indicators),
        sum(each.is_lost for each in rubric.indicators),
        str(sum(each.weight for each in base)),
        str(rubric.adjustments.total(known).normalize()) if len(known) == len(scores) else None,
        None if total is None else str(total),
    ) == EXTENT[rubric_id]


def printed_score(indicator: Indicator) -> tuple[Indicator, Decimal | None]:
    printed = indicator.published.scores
    return indicator, printed[0].points if printed else None


# What each finding about a figure says: the printed one, and the recomputed one.
FIGURES = [
    (CITY, K.PERCENTAGE_AGAINST_COUNTS, "B31", "96.67%", "100.00%"),
    (CITY, K.PERCENTAGE_AGAINST_COUNTS, "", "71.76%", "90.55%"),
    (CITY, K.COLUMN_DOES_NOT_ADD, "", "8.39", "8.40"),
    (CITY, K.SUM_OF_WEIGHTS, "", "24", "45"),
    (CITY, K.SUM_OF_WEIGHTS, "", "21", "45"),
    (CITY, K.INDICATOR_COUNT, "", "18", "39"),
    (CITY, K.PARTS_AGAINST_WEIGHT, "A11", "2", "1.5"),
    (POVERTY, K.COLUMN_DOES_NOT_ADD, "", "356.64", "356.63"),
    (POVERTY, K.PERCENTAGE_AGAINST_COUNTS, "", "57.7%", "58.22%"),
    (POVERTY, K.SUM_OF_SCORES, "", "8.5", "7.5"),
    (POVERTY, K.SUM_OF_SCORES, "", "17.5", "18.5"),
    (POVERTY, K.GRADE_AGAINST_SCALE, "", "优秀", "综合评价好"),
    (BEIAN, K.COLUMN_DOES_NOT_ADD, "C28", "100.00%", "91.39%"),
    (BEIAN, K.SUM_OF_SCORES, "", "90.31", "89.28"),
    (HUOQIU, K.PARTS_AGAINST_WEIGHT, "2", "10", "12"),
    (HUOQIU, K.SUM_OF_WEIGHTS, "", "100", "110"),
    (HUOQIU, K.SUM_OF_WEIGHTS, "", "50", "67"),
    (HUOQIU, K.SUM_OF_WEIGHTS, "", "20", "25"),
    (LONGHUA, K.SUM_OF_WEIGHTS, "", "18", "11"),
    (LONGHUA, K.TOTAL_OUT_OF_REACH, "", "98", "96"),
    (RESIDENTS, K.SCORE_AGAINST_RULE, "10", "4.5", "5.40 分"),
    (SUINING, K.SCORE_AGAINST_RULE, "04", "2.68", "2.63 分"),
    (SUINING, K.SCORE_NOT_DETERMINED, "14", "4", "4.00–4.60 分"),
    (SUINING, K.PERCENTAGE_AGAINST_COUNTS, "17", "91.49%", "91.45%"),
    (SUINING, K.PERCENTAGE_AGAINST_COUNTS, "", "41", "32.53"),
]


@pytest.mark.parametrize(("rubric_id", "kind", "code", "printed", "recomputed"), FIGURES)
def test_a_finding_has_the_printed_and_the_recomputed_figure(
    rubric_id: str, kind: K, code: str, printed: str, recomputed: str
) -> None:
    told = {
        (each.kind, each.code, each.printed, each.recomputed)
        for each in audit(DOCUMENTS[rubric_id])
    }
    assert (kind, code, printed, recomputed) in told


@pytest.mark.parametrize(
    ("rubric_id", "code", "low", "high", "total", "grades"),
    [
        (SUINING, "04", "-0.05", "-0.05", ("90.13", "90.13"), ()),
        (CITY, "A12", "-2.00", "-1.00", ("90.86", "91.86"), ("优",)),
        (RESIDENTS, "13", "-3.50", "-3.50", ("82.50", "82.50"), ()),
        (BEIAN, "C31", "-0.32", "-0.32", ("89.99", "89.99"), ("优秀",)),
    ],
)
def test_a_finding_says_what_it_would_change(
    rubric_id: str, code: str, low: str, high: str, total: tuple[str, str], grades: tuple[str, ...]
) -> None:
    found = next(
        each
        for each in audit(DOCUMENTS[rubric_id])
        if each.code == code and each.kind is K.SCORE_AGAINST_RULE
    )
    assert found.effect is not None
    assert found.effect.total is not None
    assert (str(found.effect.change.low), str(found.effect.change.high)) == (low, high)
    assert (str(found.effect.total.low), str(found.effect.total.high)) == total
    assert found.effect.grades == grades


def as_measured(indicator: Indicator, printed: PrintedMeasurement) -> list[Measurement]:
    """The lowest and the highest that a statement allows; empty where it leaves a part out."""
    facts = {
        each.id: False if each.kind is ConditionKind.TICK else 0 for each in indicator.conditions
    }
    if not printed.parts:
        high = Fraction(1) if printed.high is None else printed.high
        ends = [ratio(printed.low), ratio(max(printed.low, high))]
        return [Measurement(indicator.code, each, conditions=facts) for each in ends]
    rule = indicator.rule
    assert isinstance(rule, Checklist)
    if set(printed.parts) != {part.id for part in rule.parts} or printed.at_least:
        return []
    parts = {name: as_part(stated) for name, stated in printed.parts.items()}
    return [Measurement(indicator.code, Parts(parts), conditions=facts)]


def ratio(value: Fraction) -> Ratio:
    return Ratio(Decimal(value.numerator), Decimal(value.denominator))


def as_part(stated: PartStatement) -> PartContent:
    if isinstance(stated, PrintedFigure):
        return ratio(stated.value)
    return Judgement(stated, "文件", "文件") if isinstance(stated, Decimal) else stated


def scored_indicators() -> list[tuple[Rubric, Indicator]]:
    return [
        (rubric, each)
        for rubric in DOCUMENTS.values()
        for each in rubric.indicators
        if each.published.scores
    ]


@pytest.mark.parametrize(
    ("rubric", "indicator"),
    scored_indicators(),
    ids=lambda each: each.id if isinstance(each, Rubric) else each.code,
)
def test_every_published_score_agrees_or_has_a_finding(
    rubric: Rubric, indicator: Indicator
) -> None:
    """Through the score sheet, which shares the rules with the audit but not the comparison."""
    told = {finding.kind for finding in of_indicator(indicator)}
    if indicator.is_lost or is_judged(indicator):
        assert K.SCORE_AGAINST_RULE not in told
        return
    ranges = [
        [abs(score(rubric, [end]).line(indicator.code).shown or Decimal(0)) for end in ends]
        for each in indicator.published.measurements
        if (ends := as_measured(indicator, each))
    ]
    printed = [each.points for each in indicator.published.scores]
    fits = all(min(ends) <= points <= max(ends) for ends in ranges for points in printed)
    is_settled = all(min(ends) == max(ends) for ends in ranges)
    if ranges:
        assert fits == (K.SCORE_AGAINST_RULE not in told)
        assert is_settled or not fits or K.SCORE_NOT_DETERMINED in told
    else:
        assert told & {K.SCORE_WITHOUT_MEASUREMENT, K.SCORE_NOT_DETERMINED, K.SCORE_AGAINST_RULE}


def is_judged(indicator: Indicator) -> bool:
    rule = indicator.rule
    return rule.is_judged if isinstance(rule, Checklist) else isinstance(rule, JudgementRule)


def test_what_the_beian_report_measured_does_not_settle_its_grade() -> None:
    """Early registration has three towns and no total, vaccination only a lower bound."""
    rubric = load_bundled(BEIAN)
    measured = [
        as_measured(each, each.published.measurements[-1 if each.code == "C31" else 0])
        for each in rubric.indicators
        if each.published.measurements and each.code not in {"C05", "C08"}
    ]
    sheet = score(rubric, [ends[0] for ends in measured if ends])
    assert sheet.total is not None
    assert sheet.grade is not None
    assert sheet.total.missing == ("C02", "C03", "C05", "C08", "C24")
    assert (str(sheet.total.points.low), str(sheet.total.points.high)) == ("78.96", "89.96")
    assert (sheet.grade.settled, sheet.grade.possible) == (None, ("优秀", "良好"))


@pytest.mark.parametrize("rubric_id", bundled())
def test_no_rule_gives_more_than_its_weight(rubric_id: str) -> None:
    for indicator in load_bundled(rubric_id).indicators:
        full = full_points(indicator.rule)
        assert full is None or full <= Fraction(indicator.weight)


def test_bonuses_and_penalties_keep_to_their_caps() -> None:
    given = [
        Measurement("7", Ticks({"faster": True})),
        Measurement("8", Judgement(Decimal(3), "评价工作组", "四项机制")),
        Measurement("9", Parts({"no_directive": False, "national": 4, "provincial": 1})),
    ]
    sheet = score(DOCUMENTS[POVERTY], given)
    assert sheet.total is not None
    level = next(each for each in sheet.subtotals if each.path == ("加减分",))
    assert [str(sheet.line(code).shown) for code in ("7", "8", "9")] == ["2.00", "3.00", "-15.00"]
    assert (str(level.points.low), str(level.points.high)) == ("-10.00", "-10.00")
    assert (str(sheet.total.points.high), str(sheet.total.weight)) == ("90.00", "100")


def test_a_total_in_a_gap_of_longhua_brings_a_question() -> None:
    grade = score(DOCUMENTS[LONGHUA], []).grade
    assert grade is not None
    assert grade.settled is None
    assert [question.partition("落在")[2].partition("之间")[0] for question in grade.questions] == [
        "“良好”与“优秀”",
        "“中”与“良好”",
        "“较差”与“中”",
    ]
