"""What is wrong with an answer, in the reader's language, and where on the page."""

from typing import assert_never

from flask_babel import gettext as _

from surveys.answers import AnswerFault, FaultKind, fewest_ranks
from surveys.questionnaire import Question, QuestionKind

_TYPED = {QuestionKind.TEXT, QuestionKind.NUMBER, QuestionKind.DATE}


def fault_sentence(question: Question, fault: AnswerFault) -> str:
    """Say what is wrong, with the number of the question or of the row of a matrix."""
    rows = {part.id: part.number for part in question.parts}
    number = rows.get(fault.field, question.number)
    reason = _reason(question, fault.kind)
    sentence: str = _("第 %(number)s 题%(reason)s", number=number, reason=reason)
    return sentence


def most_sentence(question: Question) -> str:
    """Say how many may be chosen, as the page says it at once to who chooses too many."""
    return fault_sentence(question, AnswerFault(question.id, FaultKind.TOO_MANY))


def fault_anchor(question: Question, fault: AnswerFault) -> str:
    """Return the id of the first control to be mended."""
    rows = {part.id: part for part in question.parts}
    if question.kind is QuestionKind.MATRIX:
        part = rows.get(fault.field, question.parts[0])
        return f"{part.id}-{part.codes[0]}"
    if fault.field:
        return f"{fault.field}-in"
    if question.kind in _TYPED:
        return f"{question.id}-in"
    if question.kind is QuestionKind.RANKING:
        return f"{question.id}.{question.ranked[0].code}-in"
    return f"{question.id}-{question.codes[0]}"


def _reason(question: Question, kind: FaultKind) -> str:  # noqa: C901, PLR0912 - one sentence each
    reason: str
    match kind:
        case FaultKind.MISSING:
            is_typed = question.kind in _TYPED
            reason = _("还没有填。") if is_typed else _("还没有选。")
        case FaultKind.UNKNOWN_OPTION:
            reason = _("的选项有误，请重新选。")
        case FaultKind.TOO_MANY:
            most = question.most if question.kind is QuestionKind.MULTIPLE else 1
            reason = _("只能选一个。") if most == 1 else _("最多选 %(most)s 个。", most=most)
        case FaultKind.TOO_FEW if question.kind is QuestionKind.RANKING:
            reason = _("至少排 %(fewest)s 个。", fewest=fewest_ranks(question))
        case FaultKind.TOO_FEW:
            reason = _("至少选 %(fewest)s 个。", fewest=question.fewest)
        case FaultKind.EXCLUSIVE:
            reason = _("选了“以上都没有”一类的选项，就不能再选别的。")
        case FaultKind.TOO_LONG:
            reason = _("写得太长，最多 %(longest)s 个字。", longest=question.longest)
        case FaultKind.MISSING_TEXT:
            reason = _("选了“其他”，请写明是什么。")
        case FaultKind.TEXT_WITHOUT_CHOICE:
            reason = _("写了字，但没有选它上面的选项：请选上，或者把字删去。")
        case FaultKind.TYPED_AND_UNSURE:
            reason = _("已经填了，就不要再选“不清楚”一类的选项。")
        case FaultKind.NO_NUMBER:
            reason = _("请填数字。")
        case FaultKind.TOO_MANY_DECIMALS if question.decimals == 0:
            reason = _("请填整数。")
        case FaultKind.TOO_MANY_DECIMALS:
            reason = _("最多 %(decimals)s 位小数。", decimals=question.decimals)
        case FaultKind.TOO_LOW:
            reason = _("不能小于 %(lowest)s。", lowest=question.lowest)
        case FaultKind.TOO_HIGH:
            reason = _("不能大于 %(highest)s。", highest=question.highest)
        case FaultKind.NO_DATE:
            reason = _("请填日期，例如 2026-03-05。")
        case FaultKind.TOO_EARLY:
            reason = _("不能早于 %(earliest)s。", earliest=question.earliest)
        case FaultKind.TOO_LATE:
            reason = _("不能晚于 %(latest)s。", latest=question.latest)
        case FaultKind.NO_RANK:
            reason = _("的名次有误，请重新选。")
        case FaultKind.TIED:
            reason = _("有两个名次相同，请重新选。")
        case FaultKind.RANK_LEFT_OUT:
            reason = _("的名次要从 1 开始，中间不能空。")
        case FaultKind.CONSTRAINT:
            reason = _("：%(message)s", message=question.constraint_message)
        case _:
            assert_never(kind)
    return reason
