"""Every figure and sentence that scoring shows.

The only place of the module where a percent sign or the unit of points is typed, so that one
figure looks the same in a score sheet, a finding and a report. Decimal formatting is exact.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import assert_never

from analysis.scoring.rules import (
    Bands,
    Better,
    Checklist,
    Deduct,
    Judgement,
    Part,
    PartialStep,
    Points,
    Proportional,
    Role,
    Rounding,
    RoundingMode,
    Rule,
    Step,
    StepKind,
    Unknown,
)

PERCENT = re.compile(r"(?:0|[1-9][0-9]*)(?:\.([0-9]+))?%", re.ASCII)
LEVELS = ("一级", "二级", "三级", "四级")
HALF_UP = RoundingMode.HALF_UP
NO_GRADE = "无法定级"
OPEN_GRADE = "等级待定"
MOVED = "两次的测量值不同"
CRITERIA = "评分标准"
TEXT = "正文"
DOCUMENT = "文件"
NOT_OF_THIS_RULE = "这里用不到这一栏，请清空，或者改选细则"
BARE_SHARE = "请写成百分数，例如 90%"
PRINTED_PERCENT = "应当照印写百分数，例如 88.35%"
SHARES = "写成百分数，例如 90%。"
AS_PRINTED = "照印，例如 88.35%。"
NO_SHARE = "完成率法：这里得 0 分，不写是 0%。"


def read_percent(printed: str) -> Fraction:
    """Return the share that a printed percentage states. Raises `ValueError` for other text."""
    if not PERCENT.fullmatch(printed):
        raise ValueError(printed)
    return Fraction(printed.removesuffix("%")) / 100


def percent_places(printed: str) -> int:
    """Return how many decimals a printed percentage has."""
    match = PERCENT.fullmatch(printed)
    return len(match[1] or "") if match else 0


def read(printed: str) -> tuple[Fraction, Fraction]:
    """Return what a printed percentage or number states, and the unit of its last digit."""
    if PERCENT.fullmatch(printed):
        return read_percent(printed), Fraction(1, 100 * 10 ** percent_places(printed))
    return Fraction(printed), Fraction(1, 10 ** len(printed.partition(".")[2]))


def percent(share: Fraction) -> str:
    """Return a share as a percentage with two decimals, half up: 88.35%."""
    return f"{fixed(share * 100)}%"


def threshold(share: Fraction) -> str:
    """Return a target as it is printed, without idle zeros: 85%."""
    return f"{number(share * 100)}%"


def exact_percent(share: Decimal) -> str:
    """Return a share as a percentage with all its digits, without idle zeros: 97.5%."""
    text = format(share.scaleb(2), "f")
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"


def cannot_be_tables(reason: str) -> str:
    """Say that a rubric has something that the tables have no cell for."""
    return f"有表格写不下的内容，请下载 TOML 文件{f'：{reason}' if reason else ''}"


def measured(exact: Fraction, unit: str) -> str:
    """Return a measured value: a share as a percentage, else a number with its unit."""
    return f"{number(exact)} {unit}" if unit else percent(exact)


def bound(exact: Fraction, unit: str) -> str:
    """Return a threshold of a share or of a number with a unit."""
    return f"{number(exact)} {unit}" if unit else threshold(exact)


def fixed(exact: Fraction | Decimal) -> str:
    """Return a number with two decimals, half up."""
    return format(Rounding(HALF_UP, 2).show(Fraction(exact)), "f")


def number(exact: Fraction | Decimal) -> str:
    """Return a number without idle zeros, to at most four decimals: 8, 2.5, 0.3333."""
    text = format(Rounding(HALF_UP, 4).show(Fraction(exact)), "f")
    return text.rstrip("0").rstrip(".")


def counted(numerator: int, base: int) -> str:
    """Return counts with their percentage: 91/103 = 88.35%."""
    return f"{numerator}/{base} = {percent(Fraction(numerator, base))}"


def weighted(rate: Fraction, numerator: int, base: int) -> str:
    """Return a weighted rate beside its raw counts: 加权 78.25%（未加权 82/103 = 79.61%）."""
    return f"加权 {percent(rate)}（未加权 {counted(numerator, base)}）"


def range_of(low: Decimal, high: Decimal) -> str:
    """Return a range of points, or the one number that it is."""
    return f"{low} 分" if low == high else f"{low}–{high} 分"


# The working of one indicator


def working(
    rule: Rule, subject: str, rate: Fraction | None, scored: Points, shown: Decimal, role: Role
) -> str:
    """Return in one sentence how a rule came to the points.

    `subject` is the measurement as shown; `rate` is None where the rule is not over a rate.
    """
    own = [step for step in scored.steps if step.kind is not StepKind.CONDITION]
    conditions = [step for step in scored.steps if step.kind is StepKind.CONDITION]
    sentence = _working(rule, subject, rate or Fraction(0), own, None if conditions else shown)
    if not conditions:
        return sentence if _says_points(rule, own) else sentence + _result(rule, shown, role)
    outcome = f"得 {shown} 分" if role is Role.BASE else _result(rule, shown, role)[1:]
    return f"{sentence}；{'；'.join(map(_condition, conditions))}，{outcome}"


def _says_points(rule: Rule, steps: Sequence[Step]) -> bool:
    reached = bool(steps) and steps[0].kind is StepKind.REACHED
    return reached or isinstance(rule, Proportional | Unknown)


def _working(
    rule: Rule, subject: str, rate: Fraction, steps: Sequence[Step], shown: Decimal | None
) -> str:
    if steps and steps[0].kind is StepKind.REACHED:
        return f"{subject}，达到目标 {threshold(steps[0].value)}，得满分 {_full(rule)} 分"
    match rule:
        case Proportional():
            return _line(rule, subject, rate, steps, shown)
        case Deduct():
            how = _deduction(rule, subject, steps)
        case Bands():
            how = f"{subject}，在“{_band(rule, steps[0].cases)}”一档"
        case Checklist():
            how = _losses(rule, steps)
        case Judgement():
            how = f"{steps[0].name}评定：{subject}"
        case Unknown():
            how = rule.reason
        case _:
            assert_never(rule)
    return how


def _line(
    rule: Proportional, subject: str, rate: Fraction, steps: Sequence[Step], shown: Decimal | None
) -> str:
    if steps[0].kind is StepKind.CUT_OFF:
        compared = "不高于" if rule.cutoff_inclusive else "低于"
        return f"{subject} {compared} {threshold(rule.cutoff or Fraction(0))}，不得分"
    short = f"{subject} {_missing(rule.better)} {threshold(rule.target)}"
    formula = f"{short}，得分 = {_quotient(rule, rate)} × {number(rule.full)}"
    match steps[-1].kind:
        case StepKind.CAPPED:
            return f"{formula}，超过满分，得满分 {number(rule.full)} 分"
        case StepKind.FLOORED:
            return f"{formula}，不足 0，得 0 分"
        case _:
            return formula if shown is None else f"{formula} = {shown} 分"


def _missing(better: Better) -> str:
    return "低于" if better is Better.HIGH else "高于"


def _quotient(rule: Proportional, rate: Fraction) -> str:
    if rule.zero == 0:
        return f"{percent(rate)} ÷ {threshold(rule.full_at)}"
    zero = threshold(rule.zero)
    if rule.better is Better.LOW:
        return f"({zero} - {percent(rate)}) ÷ ({zero} - {threshold(rule.full_at)})"
    return f"({percent(rate)} - {zero}) ÷ ({threshold(rule.full_at)} - {zero})"


def _deduction(rule: Deduct, subject: str, steps: Sequence[Step]) -> str:
    by_kind = {step.kind: step.value for step in steps}
    short, loss = by_kind[StepKind.SHORTFALL], by_kind[StepKind.LOSS]
    emptied = "，扣完为止" if StepKind.FLOORED in by_kind else ""
    return (
        f"{subject} {_missing(rule.better)} {threshold(rule.target)} {fixed(short)} 个百分点，"
        f"每 {number(rule.step)} 个百分点扣 {number(rule.per_step)} 分"
        f"{_partial(rule.partial_step)}，扣 {fixed(loss)} 分{emptied}"
    )


def _partial(partial_step: PartialStep) -> str:
    match partial_step:
        case PartialStep.PROPORTIONAL:
            return ""
        case PartialStep.WHOLE:
            return "（不足一步不扣）"
        case PartialStep.STARTED:
            return "（不足一步按一步扣）"
        case _:
            assert_never(partial_step)


def _band(rule: Bands, place: int) -> str:
    band = rule.bands[place]
    low = f"{'≥' if band.inclusive else '>'} {bound(band.lower, rule.unit)}"
    if place == 0:
        return low
    higher = rule.bands[place - 1]
    return f"{low}，{'<' if higher.inclusive else '≤'} {bound(higher.lower, rule.unit)}"


def _losses(rule: Checklist, steps: Sequence[Step]) -> str:
    if not steps:
        return "各项齐全"
    full = {part.name: part.full for part in rule.parts}
    return "；".join(_loss(step, full.get(step.name, Fraction(0))) for step in steps)


def _loss(step: Step, full: Fraction) -> str:
    match step.kind:
        case StepKind.PART_POINTS:
            return f"“{step.name}”得 {number(step.value)} / {number(full)} 分"
        case StepKind.OVERFLOW:
            return f"“{step.name}”扣完后还有 {number(step.value)} 分，在总分上扣"
        case StepKind.CAPPED:
            return f"合计超过 {number(step.value)} 分，按 {number(step.value)} 分计"
        case _:
            lost = f"扣 {number(step.value)} 分"
            if step.cases:
                return f"“{step.name}”按 {step.cases} 例{lost}"
            return f"没有做到“{step.name}”，{lost}"


def _condition(step: Step) -> str:
    told = f"{step.name} {step.cases} 份" if step.cases else step.name
    return f"{told}，扣 {fixed(step.value)} 分"


def _result(rule: Rule, shown: Decimal, role: Role) -> str:
    match role:
        case Role.BASE:
            return f"，得 {shown} / {_full(rule)} 分"
        case Role.BONUS:
            return f"，加 {shown} 分（最多加 {_full(rule)} 分）"
        case Role.PENALTY:
            return f"，减 {abs(shown)} 分（最多减 {_full(rule)} 分）"
        case _:
            assert_never(role)


def _full(rule: Rule) -> str:
    return "" if isinstance(rule, Unknown) else number(rule.full)


# A rule by itself


def rule_text(rule: Rule) -> str:
    """Return in one sentence what a rule says, to be held against the printed criteria."""
    match rule:
        case Proportional():
            return _line_rule(rule)
        case Deduct():
            side = "低" if rule.better is Better.HIGH else "高"
            return (
                f"达到目标 {threshold(rule.target)} 得 {number(rule.full)} 分，每{side} "
                f"{number(rule.step)} 个百分点扣 {number(rule.per_step)} 分"
                f"{_partial(rule.partial_step)}，扣完为止"
            )
        case Bands():
            bands = [
                f"{_band(rule, place)} 得 {number(band.points)} 分"
                for place, band in enumerate(rule.bands)
            ]
            return "；".join(bands)
        case Checklist():
            limit = f"；最多 {number(rule.full)} 分" if rule.limit is not None else ""
            return "；".join(_part_rule(part) for part in rule.parts) + limit
        case Judgement():
            least = f"，要给至少 {number(rule.least)} 分" if rule.least else ""
            return f"由人评定，最多 {number(rule.full)} 分{least}"
        case Unknown():
            return unknown(rule.reason)
        case _:
            assert_never(rule)


def _line_rule(rule: Proportional) -> str:
    full = f"达到目标 {threshold(rule.target)} 得 {number(rule.full)} 分"
    ends = f"{threshold(rule.zero)} 得 0 分，{threshold(rule.full_at)} 得满分"
    text = f"{full}，达不到按比例（{ends}）"
    if rule.cutoff is None:
        return text
    side = "不高于" if rule.cutoff_inclusive else "低于"
    return f"{text}，{side} {threshold(rule.cutoff)} 不得分"


def _part_rule(part: Part) -> str:
    if part.rule is not None:
        return f"“{part.name}”：{rule_text(part.rule)}"
    full = "" if part.points is None else f" {number(part.points)} 分"
    if part.per_case is None:
        return f"“{part.name}”{full or ' 做不到则全部不得分'}"
    on = "，扣完后在总分上继续扣" if part.overflows else ""
    return f"“{part.name}”{full}，每例扣 {number(part.per_case)} 分{on}"


def missing() -> str:
    """Return what stands where no measurement was given."""
    return "没有测量值；缺失不按 0 分计"


def missing_facts(names: Sequence[str]) -> str:
    """Return what stands where a condition's fact was not given."""
    return f"没有提供{'、'.join(f'“{name}”' for name in names)}，暂不计分；缺失不按 0 分计"


def unknown(reason: str) -> str:
    """Return what stands where the criteria are lost."""
    return f"无法计分：{reason}"


# A score beside the published one


def other_measurement(published: str, now: str) -> str:
    """Return the difference between two measurements."""
    return f"测量值不同：文件印的是 {published}，本次是 {now}"


def other_score(published: Decimal, now: Decimal, reasons: Sequence[str]) -> str:
    """Return the difference between two scores, with its reasons."""
    because = "；".join(reasons) or "文件里没有能解释这个差别的数字"
    return f"得分不同：文件印的是 {published} 分，重算得 {now} 分。{because}"


def grade_text(settled: str | None, possible: Sequence[str]) -> str:
    """Return the grade, or which ones are still possible."""
    if settled is not None:
        return settled
    return f"{OPEN_GRADE}（可能是：{'、'.join(possible)}）" if len(possible) > 1 else NO_GRADE


def grade_line(settled: str | None, possible: Sequence[str]) -> str:
    """Return the line of the grade under a score sheet."""
    return f"等级：{grade_text(settled, possible)}"


def grade_question(low: Decimal, high: Decimal, below: str, above: str) -> str:
    """Return what must be asked where the total may fall between two grades."""
    where = f"{low}" if low == high else f"{low}–{high}"
    return f"总分 {where} 分可能落在“{below}”与“{above}”之间的空档，等级标准没有规定，应按哪一档？"


def published_total(total: Decimal, grade: str) -> str:
    """Return the printed total and grade, as a line under a score sheet."""
    return f"文件印的总分是 {total} 分" + (f"，等级“{grade}”" if grade else "")


def extent(indicators: int, lost: int, *, is_complete: bool) -> str:
    """Return how much of a document a rubric file holds."""
    whole = "收录完整" if is_complete else "只收录一部分"
    told = f"{indicators} 个指标，{whole}"
    return f"{told}，其中 {lost} 个在文件里遗失" if lost else told


def scope_note(*, is_partial: bool) -> str:
    """Return why a partial rubric has no total; empty for a complete one."""
    return "本文件只收录由调查得出的指标，不计总分，不定等级" if is_partial else ""


def share_of(shown: Decimal | None, weight: Decimal) -> str:
    """Return points of a weight: 4.50 / 8 分."""
    return f"{'—' if shown is None else shown} / {weight} 分"


def sum_of(low: Decimal, high: Decimal, weight: Decimal) -> str:
    """Return a sum, or its certain and possible ends, of a weight."""
    return f"{low} / {weight} 分" if low == high else f"{low}–{high} / {weight} 分"


def missing_codes(codes: Sequence[str]) -> str:
    """Return which indicators a sum lacks; empty where none."""
    return f"未计分：{'、'.join(codes)}" if codes else ""


def interval(low: Decimal, high: Decimal) -> str:
    """Return the range of points that the sampling error allows."""
    return f"计入抽样误差：{low}–{high} 分"


def other_reading(reading: str, text: str) -> str:
    """Return what another reading of the criteria gives."""
    return f"另一读法（{reading}）：{text}"


def same_reading(reading: str, shown: Decimal) -> str:
    """Return that another reading of the criteria gives the same points."""
    return f"另一读法（{reading}）：得分相同，{shown} 分"


# What sampling leaves open

JOINED = "不同调查的误差按相互独立合并（各调查的偏离平方和开方，即 MOVER 法）"
MOVED_TOGETHER = "误差按同升同降相加，这是偏宽的算法"


def joined(surveys: int) -> str:
    """Return how the intervals of a sum's parts were put together; empty where none has one."""
    if not surveys:
        return ""
    same = "同一调查测得的各项" if surveys > 1 else "各项"
    return f"总分的区间：{same}{MOVED_TOGETHER}{f'；{JOINED}' if surveys > 1 else ''}"


def grade_in_sample(grades: Sequence[str]) -> str:
    """Return whether sampling error could change the grade."""
    if len(grades) > 1:
        return f"计入抽样误差，等级可能改变，可能是：{'、'.join(grades)}"
    return f"计入抽样误差，等级不变：{grades[0]}"


def _moved(name: str, unit: str, number: str, *, is_more: bool) -> str:
    for word in ("满意", "知晓"):
        if word in name:
            return f"再多{number}{unit}{word if is_more else f'不{word}'}"
    return f"分子再{'多' if is_more else '少'}{number}{unit}"


def _moved_by(name: str, unit: str, moved: int) -> str:
    return _moved(name, unit, f" {abs(moved)} ", is_more=moved > 0)


def people(*, is_people: bool) -> str:
    """Return what the base of a rate counts."""
    return "人" if is_people else "次回答"


def points_after(name: str, unit: str, moved: int, counts: tuple[int, int], points: Decimal) -> str:
    """Return the points after some more people (below 0: fewer) are counted in the same base."""
    told = f"{_moved_by(name, unit, moved)}（{counts[0]}/{counts[1]}），得分变为 {points} 分"
    if abs(moved) == 1:
        return told
    return f"{_moved(name, unit, ' 1 ', is_more=moved > 0)}，得分不变；{told}"


def points_stay(name: str, unit: str, *, is_more: bool) -> str:
    """Return that no number of people in one direction changes the points."""
    return f"不论{_moved(name, unit, '几', is_more=is_more)}，得分都不变"


def grade_after(
    name: str, unit: str, moved: int, counts: tuple[int, int], grades: Sequence[str]
) -> str:
    """Return the grade after some more people (below 0: fewer) are counted, all else as it is."""
    return (
        f"{_moved_by(name, unit, moved)}（{counts[0]}/{counts[1]}），等级变为“{'、'.join(grades)}”"
    )


NOT_IN_PEOPLE = "这个率由几道题平均、折算或加权得出，不是分子除以基数，不能换算成人数"
SEVERAL_PARTS = "得分由清单的几个部分合成，不逐人推算"
GRADE_NOT_COMPLETE = "还有指标缺测量，等级未定，先补齐测量"
NO_INTERVAL = "测量值没有区间"
UNREADABLE_INTERVAL = "区间没有宽度、宽到没有信息，或没有写明置信度，不能由它推算样本量"
NEAR_STEP = "测量值正在得分跳变处，无法只靠增加访问解决"
NEAR_GRADE = "总分正在等级界线上，无法只靠增加访问解决"


def points_settled(within: Decimal) -> str:
    """Return that the points are known closely enough."""
    return f"得分已知到 ±{within} 分以内，不必增加访问"


def points_need(within: Decimal, more: int) -> str:
    """Return how many more interviews would settle the points."""
    return f"要把得分确定到 ±{within} 分，按现在的率约需再访问 {more} 人"


def points_open(within: Decimal, reason: str) -> str:
    """Return why no number of interviews can be named that would settle the points."""
    return f"能否确定到 ±{within} 分：{reason}"


def grade_needs(more: int, surveys: int) -> str:
    """Return how many more interviews would settle the grade."""
    spread = "（各调查按同一倍数增加，合计）" if surveys > 1 else ""
    return f"要使抽样误差不再影响等级，按现在的率约需再访问 {more} 人{spread}"


def grade_open(reason: str) -> str:
    """Return why no number of interviews can be named that would settle the grade."""
    return f"等级能否确定：{reason}"


GRADE_SETTLED = "抽样误差不影响等级，不必为等级增加访问"


# A line as the annexes print it


def rounding(used: Rounding) -> str:
    """Return how points are rounded."""
    modes = {
        RoundingMode.HALF_UP: "四舍五入",
        RoundingMode.HALF_EVEN: "四舍六入五成双",
        RoundingMode.DOWN: "只舍不入",
    }
    first = (
        "率不先取位"
        if used.round_rate_first is None
        else f"百分数先四舍五入到 {used.round_rate_first} 位小数"
    )
    return f"得分取 {used.places} 位小数，{modes[used.mode]}；{first}"


def measured_ratio(amount: Decimal, of: Decimal, unit: str) -> str:
    """Return a ratio as measured: two amounts with their quotient, a percentage or a number."""
    exact = Fraction(amount) / Fraction(of)
    if of == 1:
        return measured(exact, unit)
    return f"{amount}/{of} = {measured(exact, unit)}"


def judged(points: Decimal, author: str, reason: str) -> str:
    """Return what a person gave, and why."""
    return f"{author}评定 {points} 分：{reason}"


def number_of(count: int, unit: str) -> str:
    """Return a number of what the bands count, or of cases."""
    return f"{count} {unit or '例'}"


def of_part(name: str, told: str) -> str:
    """Return what was found of one part."""
    return f"{name}：{told}"


def deduction(deducted: Decimal, full: Fraction, weight: Decimal) -> str:
    """Return what was taken off the most that the criteria give, and where that is no weight."""
    taken = f"扣 {deducted} 分" if deducted else "不扣分"
    if full == weight:
        return taken
    return f"{taken}（评分标准最多给 {number(full)} 分，分值印的是 {weight} 分）"


def overflowed(overflow: Decimal) -> str:
    """Return what is taken off the total besides."""
    return f"另在总分上扣 {overflow} 分"


# Many objects beside each other


def place(number: int | None, best: int, worst: int, *, is_tied: bool) -> str:
    """Return a place, or that there is none yet and which are possible."""
    if number is None:
        return f"暂不排名（可能第 {best}–{worst} 名）" if best < worst else "暂不排名"
    return f"并列第 {number} 名" if is_tied else f"第 {number} 名"


def missing_measurements(codes: Sequence[str]) -> str:
    """Return which measurements are missing; empty where none."""
    return f"缺测量：{'、'.join(codes)}" if codes else ""


def grade_counts(grades: Mapping[str, int], open_grades: int) -> str:
    """Return how many objects have which grade."""
    told = [f"{name} {count} 个" for name, count in grades.items()]
    return f"等级分布：{'，'.join([*told, f'{OPEN_GRADE} {open_grades} 个'])}" if told else ""


def not_scored_for_anyone(codes: Sequence[str]) -> str:
    """Return which indicators are left out of everybody's points; empty where none."""
    return f"评分标准遗失、各对象都没有计分的指标：{'、'.join(codes)}" if codes else ""


# Findings of an audit


def effect(points: str, total: str, grades: Sequence[str], printed_grade: str) -> str:
    """Return what a finding would change."""
    told = [f"本处 {points} 分" if points else "", f"总分 {total} 分" if total else ""]
    if grades:
        kept = "仍是" if list(grades) == [printed_grade] else "应为"
        told.append(f"等级{kept}“{'”或“'.join(grades)}”")
    return f"影响：{'，'.join(part for part in told if part)}"


def change(low: Decimal, high: Decimal) -> str:
    """Return a change of points with its sign, or the range of it."""
    ends = [f"{end:+}" for end in dict.fromkeys((low, high))]
    return " 到 ".join(ends)


def score_against_rule(place: str, printed: Decimal, measured: str, expected: str) -> str:
    """Return that a printed score does not follow from the rule."""
    return f"{place}印的得分是 {printed} 分，按评分细则由{measured}应得 {expected}"


def rounding_difference(place: str, printed: Decimal, shown: Decimal, exact: Fraction) -> str:
    """Return that a printed score differs by the way of rounding only."""
    return (
        f"{place}印的得分是 {printed} 分，本文件的进位方式给出 {shown} 分"
        f"（精确值 {number(exact)}），只差在进位方式"
    )


def score_not_determined(place: str, printed: Decimal, measured: str, possible: str) -> str:
    """Return that the printed measurement allows several scores."""
    return f"{place}印的得分是 {printed} 分，但由{measured}只能推出 {possible}"


def score_without_measurement(place: str, printed: Decimal) -> str:
    """Return that no measurement is printed for a score."""
    return f"{place}印的得分是 {printed} 分，文件没有印出它所依据的测量值"


def not_computable(reason: str) -> str:
    """Return that the criteria are lost."""
    return f"评分标准无法辨认，不能核对：{reason}"


def weight_against_criteria(weight: Decimal, full: Fraction, reading: str) -> str:
    """Return that criteria and weight state different full marks."""
    where = f"（{reading}）" if reading else ""
    return f"分值印的是 {weight} 分，评分标准{where}最多只给 {number(full)} 分"


def criteria_above_weight(weight: Decimal, full: Fraction, reading: str) -> str:
    """Return that the criteria give more than the weight."""
    where = f"（{reading}）" if reading else ""
    return f"分值印的是 {weight} 分，评分标准{where}却可给到 {number(full)} 分"


def line_misses_target(formula: Fraction, full: Fraction, target: Fraction, reading: str) -> str:
    """Return that a printed formula jumps at its own target."""
    where = f"（{reading}）" if reading else ""
    return (
        f"评分标准{where}的算式在目标 {threshold(target)} 处给出 {number(formula)} 分，"
        f"与达到目标的 {number(full)} 分接不上"
    )


def parts_against_weight(weight: Decimal, total: Fraction, reading: str) -> str:
    """Return that the parts of the criteria do not add to the weight."""
    where = f"（{reading}）" if reading else ""
    return f"分值印的是 {weight} 分，评分标准{where}各项合计是 {number(total)} 分"


def score_against_deduction(
    place: str, printed: Decimal, weight: Decimal, deducted: Decimal, said: str
) -> str:
    """Return that score and deduction do not add to the weight."""
    left = weight - deducted
    return f"{place}印的得分是 {printed} 分，而{said}说扣 {deducted} 分，{weight} 分应剩 {left} 分"


def total_out_of_reach(printed: Decimal, bound: Decimal, *, is_most: bool) -> str:
    """Return that the printed scores cannot lead to the printed total."""
    end = "最多" if is_most else "至少"
    return f"总分印的是 {printed} 分，没有印出得分的不论多少，由印出的各得分{end}是 {bound} 分"


def column_does_not_add(place: str, printed: str, total: str) -> str:
    """Return that a column is not the sum it states."""
    return f"{place}印的合计是 {printed}，各行相加是 {total}"


def amounts_disagree(name: str, first: str, one: Decimal, second: str, other: Decimal) -> str:
    """Return that one amount is stated in two ways."""
    return f"“{name}”：{first}是 {one}，{second}是 {other}"


def number_against_counts(place: str, printed: str, exact: Fraction) -> str:
    """Return that a printed number is not the quotient it states."""
    return f"{place}印的是 {printed}，由所印的两个数得 {fixed(exact)}"


def scores_disagree(first: str, one: Decimal, second: str, other: Decimal) -> str:
    """Return that two printed scores differ."""
    return f"{first}印的得分是 {one} 分，{second}印的是 {other} 分"


def measurements_disagree(first: str, one: str, second: str, other: str) -> str:
    """Return that two printed measurements cannot both hold."""
    return f"{first}是 {one}，{second}是 {other}，两者不能同时成立"


def names_disagree(table: str, text: str) -> str:
    """Return that text and table discuss differently named indicators."""
    return f"得分表的指标是“{table}”，正文评的却是“{text}”"


def percent_against_counts(place: str, printed: str, counts: str) -> str:
    """Return that a printed percentage is not that of its counts or amounts."""
    return f"{place}印的是 {printed}，而 {counts}"


def divided(amount: Decimal, of: Decimal) -> str:
    """Return amounts with their percentage: 716.11/780.35 = 91.77%."""
    return f"{amount}/{of} = {percent(Fraction(amount) / Fraction(of))}"


def impossible_percent(place: str, printed: str, base: int) -> str:
    """Return that no count gives the percentage."""
    return f"{place}印的是 {printed}，但 {base} 份里没有任何份数能得出这个百分数"


def frequencies_against_n(place: str, total: int, n: int) -> str:
    """Return that a table's frequencies do not add to its n."""
    return f"{place}各行人数合计 {total}，与印出的 {n} 不符"


def sum_of_scores(path: Sequence[str], printed: Decimal, basis: str, total: Decimal) -> str:
    """Return that a printed sum is not the sum of its parts."""
    return f"{level(path)}印的得分是 {printed} 分，按{basis}合计是 {total} 分"


def sum_of_weights(path: Sequence[str], printed: Decimal, total: Decimal) -> str:
    """Return that weights do not add to the printed full marks."""
    return f"{level(path)}印的满分是 {printed} 分，各指标分值合计是 {total} 分"


def indicator_count(place: str, level: int, printed: int, found: int) -> str:
    """Return that the stated number of indicators of a level is not that of the table."""
    return f"{place}说有 {printed} 个{LEVELS[level - 1]}指标，评分表里列出 {found} 个"


def grade_gap(low: Decimal, high: Decimal) -> str:
    """Return that totals between two grades have none."""
    return f"等级标准有空档：{low} 到 {high} 之间的总分{NO_GRADE}"


def grade_against_scale(printed: str, total: Decimal, scale: str) -> str:
    """Return that the printed grade is not the scale's."""
    return f"印的等级是“{printed}”，按等级标准 {total} 分应为“{scale}”"


def score_above_weight(place: str, printed: Decimal, weight: Decimal) -> str:
    """Return that a printed score passes the weight."""
    return f"{place}印的得分是 {printed} 分，超过了分值 {weight} 分"


def level(path: Sequence[str]) -> str:
    """Return a level of the rubric, or the whole."""
    return f"“{'／'.join(path)}”" if path else "总分"


def measured_from(place: str, shown: str) -> str:
    """Return a printed measurement with its place."""
    return f"{place}（{shown}）"


def figure(name: str, shown: str, *, is_at_least: bool) -> str:
    """Return a printed figure with its name, and whether it is only reached or passed."""
    reached = f"达到或超过 {shown}" if is_at_least else shown
    return f"{name} {reached}" if name else reached


def mean_of(figures: Sequence[str], share: Fraction) -> str:
    """Return several figures with their mean."""
    return f"{'、'.join(figures)}的平均 {percent(share)}"


def stated_parts(told: Sequence[str], *, is_at_least: bool) -> str:
    """Return what a document says of the parts of a checklist."""
    return f"{'至少' if is_at_least else ''}{'、'.join(told)}"


def stated_part(name: str, told: str) -> str:
    """Return what is said of one part."""
    return f"“{name}”{told}"


def met(*, is_met: bool) -> str:
    """Return whether a part is met."""
    return "做到" if is_met else "没有做到"


def cases(count: int) -> str:
    """Return a number of cases that cost points."""
    return f" {count} 例"


def given(points: Decimal) -> str:
    """Return the points that a part was given."""
    return f"得 {points} 分"
