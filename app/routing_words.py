"""A questionnaire's relevance in words, for paper: nobody there leads on to the next question."""

from typing import assert_never

from flask_babel import gettext as _

from surveys.logic import (
    And,
    Answered,
    Comparison,
    Count,
    Expression,
    Given,
    Literal,
    Not,
    Operand,
    Or,
    Selected,
    evaluate,
    parse,
)
from surveys.questionnaire import Question, QuestionKind, Questionnaire, Section

_OPPOSITE = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def routing_hint(questionnaire: Questionnaire, asked: Question | Section) -> str:
    """Say of whom a question or a section is asked; empty where it is asked of everybody."""
    if not asked.relevant:
        return ""
    who = _told(questionnaire, parse(asked.relevant), is_so=True, is_outermost=True)
    if isinstance(asked, Section):
        return str(_("这一部分只在这种情况下填写：%(who)s。", who=who))
    return str(_("只在这种情况下填写：%(who)s。", who=who))


def _told(
    questionnaire: Questionnaire,
    expression: Expression,
    *,
    is_so: bool,
    is_outermost: bool = False,
) -> str:
    match expression:
        case Not(inner):
            return _told(questionnaire, inner, is_so=not is_so, is_outermost=is_outermost)
        case And(parts) | Or(parts):
            # "Not (a and b)" is "not a or not b".
            between = _("，并且") if isinstance(expression, And) is is_so else _("，或者")
            said = [_told(questionnaire, part, is_so=is_so) for part in parts]
            joined = str(between).join(said)
            return joined if is_outermost else str(_("（%(inside)s）", inside=joined))
        case Selected(name, code):
            question = questionnaire.question(name)
            named = {"number": question.number, "option": _option(question, code)}
            yes, no = (
                _("第 %(number)s 题选了“%(option)s”", **named),
                _("第 %(number)s 题没有选“%(option)s”", **named),
            )
            return str(yes if is_so else no)
        case Answered(name):
            number = questionnaire.question(name).number
            yes, no = (
                _("第 %(number)s 题填了", number=number),
                _("第 %(number)s 题空着", number=number),
            )
            return str(yes if is_so else no)
        case Comparison():
            return _compared(questionnaire, expression, is_so=is_so)
        case _:
            assert_never(expression)


def _compared(questionnaire: Questionnaire, compared: Comparison, *, is_so: bool) -> str:
    sign = compared.sign if is_so else _OPPOSITE[compared.sign]
    chosen = _chosen_question(questionnaire, compared)
    if chosen is not None:
        options = "、".join(
            f"“{_option(chosen, code)}”"
            for code in chosen.codes
            if evaluate(compared, {chosen.id: code}) is is_so
        )
        return str(_("第 %(number)s 题选了%(options)s", number=chosen.number, options=options))
    left, right = (_operand(questionnaire, each) for each in (compared.left, compared.right))
    words = {
        "=": _("%(left)s是 %(right)s", left=left, right=right),
        "!=": _("%(left)s不是 %(right)s", left=left, right=right),
        "<": _("%(left)s小于 %(right)s", left=left, right=right),
        "<=": _("%(left)s不大于 %(right)s", left=left, right=right),
        ">": _("%(left)s大于 %(right)s", left=left, right=right),
        ">=": _("%(left)s不小于 %(right)s", left=left, right=right),
    }
    return str(words[sign])


def _chosen_question(questionnaire: Questionnaire, compared: Comparison) -> Question | None:
    """Return the question whose options a comparison is about, if it is about nothing else."""
    names = [each.name for each in (compared.left, compared.right) if isinstance(each, Given)]
    literals = [each for each in (compared.left, compared.right) if isinstance(each, Literal)]
    if len(names) != 1 or not literals or _ranked(questionnaire, names[0]):
        return None
    question = questionnaire.question(names[0])
    typed = {QuestionKind.NUMBER, QuestionKind.DATE, QuestionKind.TEXT}
    # What is typed may have an option beside it too: 不清楚 can be asked for by its code.
    is_option = literals[0].text in question.codes
    return question if is_option or question.kind not in typed else None


def _operand(questionnaire: Questionnaire, operand: Operand) -> str:
    match operand:
        case Literal(text):
            return text
        case Count(name):
            number = questionnaire.question(name).number
            return str(_("第 %(number)s 题填答的项数", number=number))
        case Given(name):
            if ranked := _ranked(questionnaire, name):
                question, option = ranked
                number = question.number
                said = _("第 %(number)s 题“%(option)s”的名次", number=number, option=option)
                return str(said)
            return str(_("第 %(number)s 题的答案", number=questionnaire.question(name).number))
        case _:
            assert_never(operand)


def _ranked(questionnaire: Questionnaire, name: str) -> tuple[Question, str] | None:
    """Return the ranking and the option's words that `QUESTION.OPTION` names."""
    question_id, _dot, code = name.partition(".")
    for question in questionnaire.questions:
        if question.id == question_id and question.kind is QuestionKind.RANKING and code:
            return question, _option(question, code)
    return None


def _option(question: Question, code: str) -> str:
    return next(option.text for option in question.choices if option.code == code)
