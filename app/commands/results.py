"""The commands that print what was found: rates, points, the review, an evaluation."""

import json
from datetime import UTC, datetime

import click
from flask.cli import with_appcontext

from analysis.display import GroupStatus
from analysis.rates import Rate
from analysis.scoring.text import ranking_text, sheet_text
from analysis.scoring.uncertainty import sheet_dict
from app.commands.common import explained
from app.config import settings
from app.db import reading
from app.formats import counted, late_rule_mark, measured, percent, review_state_name
from app.services import (
    back_checks,
    documents,
    evaluating,
    evaluations,
    inclusion,
    publishing,
    results,
    reviewing,
    rubrics,
)
from app.signals import signal_names


@click.command("rates")
@with_appcontext
@click.argument("survey_id", metavar="SURVEY", type=int)
@click.option("--by", default="area", show_default=True, help="area、channel 或单选或量表题编号。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
def rates(survey_id: int, by: str, as_json: bool) -> None:
    """输出一次调查的各项比率：分子、基数、未计入、百分比、区间，总体和分组。"""
    with explained(), reading() as session:
        evidence = results.load_evidence(session, publishing.find_survey(session, survey_id))
        found = results.measure_results(evidence, by)
        if as_json:
            click.echo(
                json.dumps(documents.rates(evidence, found, by), ensure_ascii=False, indent=2)
            )
        else:
            _print_rates(evidence, found, by)


def _print_rates(evidence: results.Evidence, found: list[results.MeasureResult], by: str) -> None:
    click.echo(f"{evidence.survey.title}：有效答卷 {len(evidence.frame)} 份")
    sealed = evidence.stand.digest
    click.echo(f"封存摘要 {sealed}" if sealed else "临时数据，未封存")
    _say_review(evidence)
    if evidence.design_note:
        click.echo(str(evidence.design_note))
    for result in found:
        click.echo(f"\n{result.measure.name}（{result.measure.id}）：{result.definition}")
        if not result.rates:
            click.echo(f"  {_why(result.status)}，不可计算")
        for rate in result.rates:
            click.echo(f"  {_rate_line(evidence, result, rate)}")
        for group in result.groups:
            name = results.group_name(evidence, by, group.group)
            shown = _rate_line(evidence, result, group.rate) if group.rate else _why(group.status)
            click.echo(f"    {name}：{shown}")


def _say_review(evidence: results.Evidence) -> None:
    if evidence.excluded:
        click.echo(f"另有 {evidence.excluded} 份经审核按规则不计入")
    if mark := late_rule_mark(evidence.inclusion.late_changes):
        click.echo(mark)


def _why(status: GroupStatus) -> str:
    return "人数太少，不单列" if status is GroupStatus.SUPPRESSED else "还没有答卷"


def _rate_line(evidence: results.Evidence, result: results.MeasureResult, rate: Rate) -> str:
    option = ""
    if rate.option is not None:
        question = evidence.questionnaire.question(result.measure.items[0].question)
        option = next(one.text for one in question.options if one.code == rate.option) + " "
    shown = measured(rate.official, rate.kind, result.measure.decimals)
    if rate.weighted is not None:
        shown += f"（加权；未加权 {measured(rate.value, rate.kind, result.measure.decimals)}）"
    said = "；".join(["", *map(str, results.doubts(rate))])
    positive = counted(rate.numerator, rate.credit)
    left_out = f"未计入 {rate.left_out.total}"
    return f"{option}{positive}/{rate.base} = {shown}，{left_out}，{_interval(rate)}{said}"


def _interval(rate: Rate) -> str:
    if rate.interval is None:
        return rate.interval_note
    ends = f"{measured(rate.interval.low, rate.kind)}–{measured(rate.interval.high, rate.kind)}"
    return f"{percent(rate.interval.confidence, 0)} 区间 {ends}（{rate.interval.method.value}）"


@click.command("score")
@with_appcontext
@click.argument("survey_id", metavar="SURVEY", type=int)
@click.argument("rubric_id", metavar="RUBRIC")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
def score(survey_id: int, rubric_id: str, as_json: bool) -> None:
    """按指标体系给一次调查计分，每一分都写明怎么来的。"""
    with explained(), reading() as session:
        evidence = results.load_evidence(session, publishing.find_survey(session, survey_id))
        sheet = evaluating.score_survey(evidence, rubrics.find_rubric(session, rubric_id))
    if as_json:
        click.echo(json.dumps(sheet_dict(sheet), ensure_ascii=False, indent=2))
    else:
        _say_review(evidence)
        click.echo(sheet_text(sheet))


@click.command("review")
@with_appcontext
@click.argument("survey_id", metavar="SURVEY", type=int)
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
def review(survey_id: int, as_json: bool) -> None:
    """输出一次调查的质量信号、审核状态、纳入规则和回访结果；信号不是结论。"""
    with explained(), reading() as session:
        survey = publishing.find_survey(session, survey_id)
        case = reviewing.load_case(session, survey, settings().keys)
        rule = inclusion.load_inclusion(session, survey.id)
        checks = back_checks.load_checks(session, survey, survey.area)
    overall = back_checks.tally_of("合计", checks)
    if as_json:
        shown = _case_json(case, rule, overall)
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    click.echo(f"{survey.title}：收集的答卷 {len(case.records)} 份")
    names = signal_names()
    for found in case.found:
        click.echo(f"  {names[found.signal].name}：{len(found.flags)} / 可判断 {found.judged}")
    click.echo(f"  自愿参与（海报）：{percent(case.opt_in, 1)}")
    states = [f"{review_state_name(state)} {count}" for state, count in case.states.items()]
    click.echo("，".join(states))
    click.echo(late_rule_mark(rule.late_changes) or f"纳入规则第 {rule.number} 版")
    matched = f"{overall.confirmed.matched}/{overall.confirmed.base}"
    click.echo(
        f"回访：抽中 {overall.drawn}，核实 {matched} = {percent(overall.confirmed.value, 1)}"
    )


def _case_json(
    case: reviewing.Case, rule: inclusion.Inclusion, overall: back_checks.Tally
) -> dict[str, object]:
    interval = overall.confirmed.interval
    return {
        "survey": case.survey.id,
        "submissions": len(case.records),
        "signals": [
            {"signal": each.signal.value, "flagged": len(each.flags), "judged": each.judged}
            for each in case.found
        ],
        "opt_in_share": None if case.opt_in is None else str(case.opt_in),
        "interviewers": [
            {
                "interviewer": case.interviewers[each.interviewer],
                "area": case.towns[each.area],
                "question": each.question,
                "n": each.n,
                "others": each.others,
                "chi_squared": each.statistic,
                "p": each.p,
                "holm": each.corrected,
            }
            for each in case.compared
        ],
        "states": {state.value: count for state, count in case.states.items()},
        "rule": {
            "number": rule.number,
            "excluded": sorted(rule.excluded),
            "excludes_queried": rule.excludes_queried,
            "late_changes": rule.late_changes,
        },
        "back_checks": {
            "drawn": overall.drawn,
            "asked_again": overall.asked_again,
            "never_interviewed": overall.never_interviewed,
            "not_reached": overall.not_reached,
            "confirmed": overall.confirmed.matched,
            "base": overall.confirmed.base,
            "interval": None if interval is None else [interval.low, interval.high],
        },
    }


@click.command("evaluation")
@with_appcontext
@click.argument("evaluation_id", metavar="EVALUATION", type=int)
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
def evaluation(evaluation_id: int, as_json: bool) -> None:
    """给一次评价的全部对象计分、排名，写明缺什么、等级分布。"""
    with explained(), reading() as session:
        found = evaluations.find_evaluation(session, evaluation_id, None)
        ranking = evaluations.load_outcome(session, found, datetime.now(UTC)).ranking
    if as_json:
        click.echo(json.dumps(ranking.to_dict(), ensure_ascii=False, indent=2))
    else:
        click.echo(ranking_text(ranking))
