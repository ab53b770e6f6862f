"""Cross-tables of a survey: which can be asked for, and what they hold."""

from collections.abc import Mapping

from analysis.crosstables import CrossTable, can_cross, cross_table
from analysis.rates import Group
from app.errors import Problem
from app.errors import say as _
from app.services.results import Evidence, group_order
from surveys.questionnaire import Question, Questionnaire


def crossable(questionnaire: Questionnaire) -> tuple[Question, ...]:
    """Return the questions that can be counted by group, the rows of a matrix one by one."""
    parts = (part for question in questionnaire.questions for part in question.parts)
    return tuple(part for part in parts if can_cross(part))


def cross(evidence: Evidence, question_id: str, by: str, inside: Mapping[str, Group]) -> CrossTable:
    """Return a question's answers by `area`, `channel` or another question with one choice.

    `inside` narrows the people down by area or channel; where that is what the groups are, one
    group is left. Raises `Problem` for a question that is not there or cannot be crossed.
    """
    order = group_order(evidence, by)
    found = {part.id: part for part in crossable(evidence.questionnaire)}
    if question_id not in found:
        raise Problem(_("没有“%(question)s”这道可以统计的题。", question=question_id))
    if question_id == by:
        raise Problem(_("一道题不能和自己交叉，请另选一题或另选分组。"))
    filters = {name: value for name, value in inside.items() if name != by}
    asked, smallest = found[question_id], evidence.smallest
    table = cross_table(evidence.frame, asked, by, order, inside=filters, smallest=smallest)
    if by not in inside:
        return table
    rows = tuple(row for row in table.rows if row.group == inside[by])
    return CrossTable(table.question, by, table.options, table.hidden, table.total, rows)
