"""Every published score of a survey-fed indicator, recomputed: agreement, or a finding."""

from decimal import Decimal
from fractions import Fraction

import pytest

from analysis.scoring.audit import FindingKind as K
from analysis.scoring.audit import audit, of_indicator
from analysis.scoring.feed import Judgement, Measurement, Rate, Ratio, Ticks
from analysis.scoring.rubric import Indicator, bundled, load_bundled
from analysis.scoring.rules import ConditionKind, full_points
from analysis.scoring.score import State, score

BEIAN = "beian-2020-public-health"
SUINING = "suining-2022-public-health"
RESIDENTS = "public-health-2021"
HUOQIU = "huoqiu-2020-ankang-code"
LONGHUA = "longhua-2020-medical-insurance"
CITY = "beian-2020-city-management"
POVERTY = "beian-2020-poverty-relief"


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
    (POVERTY, "6", Judgement(Decimal(42), "评价工作组", "专项资金使用扣 3"), "42.00"),
]
# Where the score does not follow from the measurement: what does, and which findings say so.
CONTRADICTED = [
    (BEIAN, "C31", counted(82, 103), "4.68", {K.SCORE_AGAINST_RULE, K.TEXT_AGAINST_TABLE}),
]
# Where there is nothing to recompute from: the finding that says so, or no result at all.
NOT_RECOMPUTED = [
    (SUINING, "awareness", K.SCORE_WITHOUT_MEASUREMENT),
    (LONGHUA, "satisfaction", K.NOT_COMPUTABLE),
    (HUOQIU, "10", None),
]


@pytest.mark.parametrize(("rubric_id", "code", "content", "points"), RECOMPUTED)
def test_a_published_score_follows_from_its_measurement(
    rubric_id: str, code: str, content: Rate | Ratio | Judgement, points: str
) -> None:
    line = score(load_bundled(rubric_id), [Measurement(code, content)]).line(code)
    assert str(line.shown) == points
    assert {each.points for each in line.indicator.published.scores} == {Decimal(points)}


@pytest.mark.parametrize(("rubric_id", "code", "content", "points", "kinds"), CONTRADICTED)
def test_a_published_score_that_does_not_follow_has_a_finding(
    rubric_id: str, code: str, content: Rate, points: str, kinds: set[K]
) -> None:
    line = score(load_bundled(rubric_id), [Measurement(code, content)]).line(code)
    assert str(line.shown) == points
    assert Decimal(points) not in {each.points for each in line.indicator.published.scores}
    assert kinds <= {finding.kind for finding in of_indicator(line.indicator)}
    assert line.differences


@pytest.mark.parametrize(("rubric_id", "code", "kind"), NOT_RECOMPUTED)
def test_a_score_without_a_basis_has_a_finding(rubric_id: str, code: str, kind: K | None) -> None:
    rubric = load_bundled(rubric_id)
    found = {finding.kind for finding in of_indicator(rubric.indicator(code))}
    assert found == ({kind} if kind else set())
    assert score(rubric, []).line(code).state is not State.SCORED


def test_no_survey_fed_indicator_of_any_document_is_left_out() -> None:
    fed = {
        (rubric_id, indicator.code)
        for rubric_id in bundled()
        for indicator in load_bundled(rubric_id).indicators
        if indicator.measure
    }
    checked = {(row[0], row[1]) for row in (*RECOMPUTED, *CONTRADICTED, *NOT_RECOMPUTED)}
    assert checked == fed | {(POVERTY, "6")}


BEIAN_FINDINGS = {
    "C01": [K.WEIGHT_AGAINST_CRITERIA, K.TEXT_AGAINST_TABLE, K.SCORE_AGAINST_RULE],
    "C02": [K.SCORE_WITHOUT_MEASUREMENT],
    "C03": [K.SCORE_WITHOUT_MEASUREMENT],
    "C05": [K.SCORE_NOT_DETERMINED],
    "C07": [K.TEXT_AGAINST_TABLE, K.SCORE_AGAINST_RULE],
    "C08": [K.WEIGHT_AGAINST_CRITERIA, K.LINE_MISSES_TARGET, K.SCORE_AGAINST_RULE],
    "C10": [
        K.WEIGHT_AGAINST_CRITERIA,
        K.TEXT_AGAINST_TABLE,
        K.SCORE_AGAINST_RULE,
        K.SCORE_AGAINST_RULE,
    ],
    "C13": [K.LINE_MISSES_TARGET],
    "C17": [K.PERCENTAGE_AGAINST_COUNTS],
    "C20": [K.TEXT_AGAINST_TABLE],
    "C24": [K.SCORE_WITHOUT_MEASUREMENT],
    "C28": [K.IMPOSSIBLE_PERCENTAGE, K.PERCENTAGE_AGAINST_COUNTS] * 2,
    "C30": [K.TEXT_AGAINST_TABLE, K.SCORE_AGAINST_RULE],
    "C31": [K.TEXT_AGAINST_TABLE, K.SCORE_AGAINST_RULE, K.IMPOSSIBLE_PERCENTAGE],
    "": [*[K.SUM_OF_SCORES] * 5, K.INDICATOR_COUNT],
}


def test_the_beian_report_contradicts_itself_here_and_nowhere_else() -> None:
    found: dict[str, list[K]] = {}
    for finding in audit(load_bundled(BEIAN)):
        found.setdefault(finding.code, []).append(finding.kind)
    assert found == BEIAN_FINDINGS


@pytest.mark.parametrize(
    ("rubric_id", "kinds"),
    [
        (SUINING, [K.SCORE_WITHOUT_MEASUREMENT]),
        (RESIDENTS, []),
        (HUOQIU, []),
        (LONGHUA, [K.NOT_COMPUTABLE, K.GRADE_GAP, K.GRADE_GAP, K.GRADE_GAP]),
        (CITY, [K.WEIGHT_AGAINST_CRITERIA]),
        (POVERTY, [K.GRADE_AGAINST_SCALE]),
    ],
)
def test_the_other_documents_contradict_themselves_here(rubric_id: str, kinds: list[K]) -> None:
    assert [finding.kind for finding in audit(load_bundled(rubric_id))] == kinds


def test_the_beian_annex_adds_to_its_printed_total() -> None:
    rubric = load_bundled(BEIAN)
    assert len(rubric.indicators) == 32
    assert sum(indicator.weight for indicator in rubric.indicators) == 100
    assert sum(each.published.scores[0].points for each in rubric.indicators) == Decimal("90.31")


def as_measured(indicator: Indicator) -> Measurement | None:
    """The printed measurement, where the report prints one value; its conditions as not met."""
    printed = indicator.published.measurements
    if not printed:
        return None
    facts = {
        each.id: False if each.kind is ConditionKind.TICK else 0 for each in indicator.conditions
    }
    if printed[0].ticks:
        return Measurement(indicator.code, Ticks(printed[0].ticks), conditions=facts)
    low = printed[-1].low if indicator.code == "C31" else printed[0].low
    content = Ratio(Decimal(low.numerator), Decimal(low.denominator))
    return Measurement(indicator.code, content, conditions=facts)


def test_what_the_beian_report_measured_does_not_settle_its_grade() -> None:
    """Early registration has three towns and no total, vaccination only a lower bound."""
    rubric = load_bundled(BEIAN)
    measured = [as_measured(each) for each in rubric.indicators if each.code not in {"C05", "C08"}]
    sheet = score(rubric, [each for each in measured if each is not None])
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
