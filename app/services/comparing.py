"""Whether rates differ by more than chance: between two surveys, and between the towns of one."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.designs import Estimate
from analysis.differences import Difference, between_surveys, fisher, holm
from analysis.rates import Group, Rate
from app.errors import Sentence
from app.errors import say as _
from app.services.results import Evidence, MeasureResult, group_name, measure_results
from surveys.questionnaire import Measure

_FEW = 5


@dataclass(frozen=True, slots=True)
class Comparison:
    """One rate beside another; `corrected` is p after Holm's correction over all beside it.

    Without a `difference` there is nothing to test, and `note` says why.
    """

    name: Sentence
    measure: Measure
    first: Rate | None
    second: Rate | None
    difference: Difference | None
    p: float | None
    corrected: float | None
    note: Sentence


def compare_surveys(first: Evidence, second: Evidence) -> list[Comparison]:
    """Compare every measure that both surveys define alike; the second minus the first.

    The two samples must be independent, such as two years.
    """
    earlier = {result.measure.id: result for result in measure_results(first)}
    found = []
    for result in measure_results(second):
        before = earlier.get(result.measure.id)
        if before is None or result.measure.per_option:
            continue
        if before.definition != result.definition or before.measure != result.measure:
            note = _("两次调查的定义不同，不能比较。")
            found.append(_untested(result.measure.name, result.measure, note))
        else:
            found.append(
                _compared(result.measure.name, result.measure, _only(before), _only(result))
            )
    return _corrected(found)


def compare_towns(evidence: Evidence, measure_id: str, reference: Group) -> list[Comparison]:
    """Compare every town with one of them, by one measure; the other town minus that one.

    Towns are strata, or as good as independent, so that their errors add up. What is withheld is
    not compared.
    """
    result = next(one for one in measure_results(evidence) if one.measure.id == measure_id)
    rates = {each.group: each.rate for each in result.groups}
    return _corrected(
        [
            _compared(
                group_name(evidence, "area", group), result.measure, rates.get(reference), rate
            )
            for group, rate in rates.items()
            if group != reference
        ]
    )


def _only(result: MeasureResult) -> Rate | None:
    return result.rates[0] if result.rates else None


def _compared(
    name: Sentence, measure: Measure, first: Rate | None, second: Rate | None
) -> Comparison:
    if first is None or second is None:
        return _untested(name, measure, _("没有可以列出的比率。"), first, second)
    if first.error is None or second.error is None:
        return _untested(name, measure, _("没有抽样误差可用，不能检验。"), first, second)
    difference = between_surveys(_estimate(first), _estimate(second))
    p, note = difference.p, _("t 检验")
    if _is_plain(first) and _is_plain(second) and _is_few(first, second):
        p = fisher((first.numerator, first.base), (second.numerator, second.base))
        note = _("Fisher 精确检验（人数少）")
    elif p is None:
        note = _("两边都没有误差，不用检验。")
    return Comparison(name, measure, first, second, difference, p, None, note)


def _untested(
    name: Sentence,
    measure: Measure,
    note: Sentence,
    first: Rate | None = None,
    second: Rate | None = None,
) -> Comparison:
    return Comparison(name, measure, first, second, None, None, None, note)


def _estimate(rate: Rate) -> Estimate:
    return Estimate(
        value=float(rate.official),
        error=rate.error or 0.0,
        # Of a census nothing is left to chance, whatever it is compared with.
        freedom=rate.freedom or 1,
        n=rate.respondents,
        design_effect=rate.design_effect,
        weight_sum=float(rate.respondents),
    )


def _is_plain(rate: Rate) -> bool:
    """Whether the rate is one count out of another, of people who were drawn one by one."""
    is_share = rate.credit == rate.numerator and rate.base == rate.respondents
    return rate.weighted is None and is_share and rate.freedom is not None


def _is_few(first: Rate, second: Rate) -> bool:
    """Whether a cell of the two by two table expects fewer than five people (Cochran 1954)."""
    positive = first.numerator + second.numerator
    people = first.base + second.base
    smaller = min(first.base, second.base)
    return smaller * min(positive, people - positive) < _FEW * people


def _corrected(found: Sequence[Comparison]) -> list[Comparison]:
    corrected = iter(holm([each.p for each in found if each.p is not None]))
    return [
        Comparison(
            each.name,
            each.measure,
            each.first,
            each.second,
            each.difference,
            each.p,
            None if each.p is None else next(corrected),
            each.note,
        )
        for each in found
    ]
