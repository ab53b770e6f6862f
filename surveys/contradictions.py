"""What the parts of a questionnaire say of each other, and where they contradict."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import chain

from surveys import logic
from surveys.languages import LANGUAGES
from surveys.questionnaire import (
    Base,
    Composite,
    DontKnow,
    Item,
    Measure,
    MeasureKind,
    OptionKind,
    Question,
    QuestionKind,
    Questionnaire,
    Table,
    TableLayout,
)

# Names that a form or a frame gives to something else than answers.
RESERVED = frozenset({"key", "area", "channel", "batch"})

_CHOICES = frozenset({QuestionKind.SINGLE, QuestionKind.MULTIPLE})
_POINTS = frozenset({QuestionKind.SCALE, QuestionKind.MATRIX})
_ANSWERED = frozenset(QuestionKind) - {QuestionKind.INFORMATION}
_CODED = _ANSWERED - {QuestionKind.TEXT}
# Which kinds a key says something about; with the others it would be dropped in silence.
_KINDS = {
    "longest": _CHOICES | {QuestionKind.TEXT},
    "multiline": frozenset({QuestionKind.TEXT}),
    "fewest": frozenset({QuestionKind.MULTIPLE, QuestionKind.RANKING}),
    "most": frozenset({QuestionKind.MULTIPLE, QuestionKind.RANKING}),
    "points": _POINTS,
    "ends": _POINTS | {QuestionKind.NPS},
    "rows": frozenset({QuestionKind.MATRIX}),
    "lowest": frozenset({QuestionKind.NUMBER}),
    "highest": frozenset({QuestionKind.NUMBER}),
    "decimals": frozenset({QuestionKind.NUMBER}),
    "unit": frozenset({QuestionKind.NUMBER}),
    "earliest": frozenset({QuestionKind.DATE}),
    "latest": frozenset({QuestionKind.DATE}),
    "options": _ANSWERED,
    "constraint": _CODED,
    "constraint_message": _CODED,
}
_COUNTED = _CHOICES | {QuestionKind.SCALE, QuestionKind.NPS, QuestionKind.NUMBER}
_ORDERED = frozenset({QuestionKind.NUMBER, QuestionKind.DATE, QuestionKind.NPS})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a file: the place as a key path, and the reason in Chinese."""

    place: str
    reason: str


def contradictions(questionnaire: Questionnaire) -> Iterator[Fault]:
    """Yield everything in which a questionnaire of the right shape contradicts itself."""
    by_id = {
        part.id: part
        for question in questionnaire.questions
        for part in (question, *question.parts)
    }
    yield from _doubled("sections", (section.id for section in questionnaire.sections))
    yield from _doubled("questions", (question.id for question in questionnaire.questions))
    yield from _doubled("measures", (measure.id for measure in questionnaire.measures))
    yield from _doubled("tables", (table.id for table in questionnaire.tables))
    yield from chain.from_iterable(map(_question_faults, questionnaire.questions))
    yield from _logic_faults(questionnaire)
    yield from _translation_faults(questionnaire)
    for measure in questionnaire.measures:
        yield from _measure_faults(measure, by_id)
    yield from _reading_faults(questionnaire)
    for table in questionnaire.tables:
        yield from _table_faults(table, by_id)


def _doubled(place: str, ids: Iterable[str]) -> Iterator[Fault]:
    for name, count in Counter(ids).items():
        if count > 1:
            yield Fault(f"{place}.{name}", f"编号“{name}”出现了 {count} 次")


def _question_faults(question: Question) -> Iterator[Fault]:
    place = f"questions.{question.id}"
    if question.id in RESERVED:
        yield Fault(place, "这个编号已被系统使用，请换一个")
    yield from _doubled(f"{place}.options", question.codes)
    yield from _doubled(f"{place}.rows", (row.id for row in question.rows))
    for key in fields(Question):
        suits = question.kind in _KINDS.get(key.name, frozenset(QuestionKind))
        if not suits and getattr(question, key.name) != key.default:
            yield Fault(f"{place}.{key.name}", f"{question.kind} 题不能写这一项")
    yield from _option_faults(question)
    yield from _limit_faults(question)
    if question.kind is QuestionKind.MATRIX and not question.rows:
        yield Fault(f"{place}.rows", "矩阵题至少要有一行")
    if bool(question.constraint) is not bool(question.constraint_message):
        yield Fault(f"{place}.constraint_message", "条件与不符时的提示须一起写")


def _option_faults(question: Question) -> Iterator[Fault]:
    place = f"questions.{question.id}.options"
    ordinary = [option for option in question.options if option.kind is OptionKind.ORDINARY]
    match question.kind:
        case QuestionKind.SINGLE | QuestionKind.MULTIPLE:
            is_listed = True
        case QuestionKind.SCALE | QuestionKind.MATRIX:
            is_listed = question.points is None
        case QuestionKind.RANKING:
            is_listed = True
            if question.options and len(ordinary) < 2:
                yield Fault(place, "至少要有 2 个可以排序的选项")
        case _:
            is_listed = False
    if is_listed and len(question.options) < 2:
        yield Fault(place, f"至少要有 2 项，现有 {len(question.options)} 项")
    for option in question.options:
        if not is_listed and option.kind is OptionKind.ORDINARY:
            yield Fault(f"{place}.{option.code}", "这种题只能有不清楚、不适用的选项")
        if option.takes_text and question.kind not in _CHOICES:
            yield Fault(f"{place}.{option.code}.takes_text", "只有单选题、多选题的选项能写这一项")
        if option.exclusive and question.kind is not QuestionKind.MULTIPLE:
            yield Fault(f"{place}.{option.code}.exclusive", "只有多选题的选项能写这一项")


def _limit_faults(question: Question) -> Iterator[Fault]:
    """Yield limits that nothing can meet."""
    place = f"questions.{question.id}"
    if question.ends and question.points is None and question.kind is not QuestionKind.NPS:
        yield Fault(f"{place}.ends", "写明 points 时才能写两端的文字")
    choices = question.ranked if question.kind is QuestionKind.RANKING else question.options
    for name, limit in (("fewest", question.fewest), ("most", question.most)):
        if limit is not None and limit > len(choices):
            yield Fault(f"{place}.{name}", f"只有 {len(choices)} 个选项")
    for low, high in (("fewest", "most"), ("lowest", "highest"), ("earliest", "latest")):
        least, greatest = getattr(question, low), getattr(question, high)
        if least is not None and greatest is not None and least > greatest:
            yield Fault(f"{place}.{high}", f"不能小于 {low}")


def _logic_faults(questionnaire: Questionnaire) -> Iterator[Fault]:
    known: dict[str, Question] = {}
    for section in questionnaire.sections:
        yield from _expression_faults(f"sections.{section.id}.relevant", section.relevant, known)
        for question in section.questions:
            place = f"questions.{question.id}"
            yield from _expression_faults(f"{place}.relevant", question.relevant, known)
            known |= {part.id: part for part in (question, *question.parts)}
            known |= {
                f"{question.id}.{option.code}": question
                for option in question.ranked
                if question.kind is QuestionKind.RANKING
            }
            yield from _expression_faults(f"{place}.constraint", question.constraint, known)


def _expression_faults(place: str, text: str, known: dict[str, Question]) -> Iterator[Fault]:
    if not text:
        return
    try:
        expression = logic.parse(text)
    except logic.LogicError as error:
        yield Fault(place, str(error))
        return
    for condition in logic.conditions(expression):
        yield from (Fault(place, str(error)) for error in _condition_faults(condition, known))


def _condition_faults(
    condition: logic.Comparison | logic.Selected | logic.Answered, known: dict[str, Question]
) -> Iterator[logic.LogicError]:
    match condition:
        case logic.Comparison(_, left, right):
            yield from _operand_faults(left, known)
            yield from _operand_faults(right, known)
            yield from _comparison_faults(condition, known)
        case logic.Selected(name, code, position):
            yield from _name_faults(name, position, known)
            if name in known and known[name].kind not in _CHOICES:
                yield logic.LogicError(position, f"题目“{name}”不是单选题或多选题")
            elif name in known and code not in known[name].codes:
                yield logic.LogicError(position, f"题目“{name}”没有选项“{code}”")
        case logic.Answered(name, position):
            yield from _name_faults(name, position, known)


def _operand_faults(
    operand: logic.Operand, known: dict[str, Question]
) -> Iterator[logic.LogicError]:
    match operand:
        case logic.Given(name, position):
            yield from _name_faults(name, position, known)
            if name in known and not _is_compared(name, known[name]):
                reason = f"题目“{name}”不能直接比较，请用 selected、count 或 answered"
                yield logic.LogicError(position, reason)
        case logic.Count(name, position):
            yield from _name_faults(name, position, known)
        case logic.Literal():
            pass


def _is_compared(name: str, question: Question) -> bool:
    if question.kind is QuestionKind.RANKING:
        return name != question.id
    return question.kind not in {QuestionKind.MULTIPLE, QuestionKind.MATRIX}


def _name_faults(
    name: str, position: int, known: dict[str, Question]
) -> Iterator[logic.LogicError]:
    if name not in known:
        yield logic.LogicError(position, f"前面没有题目“{name}”，只能引用前面的题目")
    elif known[name].kind not in _CODED:
        # Texts are erased one day; whether a question was asked must not change with it.
        yield logic.LogicError(position, f"题目“{name}”的回答不能用在条件里")


def _comparison_faults(
    comparison: logic.Comparison, known: dict[str, Question]
) -> Iterator[logic.LogicError]:
    """Yield what can never be true: a code that does not exist, an order that there is none."""
    sides = (comparison.left, comparison.right)
    for side, other in (sides, sides[::-1]):
        if not isinstance(side, logic.Given) or side.name not in known:
            continue
        question = known[side.name]
        if not _is_compared(side.name, question):
            continue
        if comparison.sign not in {"=", "!="} and not _is_ordered(question):
            yield logic.LogicError(side.position, f"题目“{side.name}”的选项不能比大小")
        elif isinstance(other, logic.Literal) and not _can_be(other.text, question):
            reason = f"题目“{side.name}”没有“{other.text}”这样的回答"
            yield logic.LogicError(other.position, reason)


def _is_ordered(question: Question) -> bool:
    is_numbered = question.kind in _ORDERED or question.points is not None
    return is_numbered or question.kind is QuestionKind.RANKING


def _can_be(text: str, question: Question) -> bool:
    match question.kind:
        case QuestionKind.DATE if logic.is_date(text):
            return True
        case QuestionKind.NUMBER | QuestionKind.RANKING if logic.is_number(text):
            return True
        case QuestionKind.RANKING:
            return False
        case _:
            return text in question.codes


def _translation_faults(questionnaire: Questionnaire) -> Iterator[Fault]:
    known = questionnaire.texts
    for tag, texts in questionnaire.translations.items():
        place = f"translations.{tag}"
        if tag not in LANGUAGES:
            yield Fault(place, f"不支持的语言，可以用 {'、'.join(LANGUAGES)}")
        if tag == questionnaire.language:
            yield Fault(place, "这就是问卷本来的语言")
        for name in texts:
            if name not in known:
                yield Fault(f"{place}.{name}", "问卷里没有这一处文字")


def _measure_faults(measure: Measure, questions: dict[str, Question]) -> Iterator[Fault]:
    place = f"measures.{measure.id}"
    if len(measure.items) > 1 and measure.composite is None:
        yield Fault(f"{place}.composite", "含多道题，须写明合成方式（mean、pooled 或 person）")
    if len(measure.items) == 1 and measure.composite is not None:
        yield Fault(f"{place}.composite", "只有一道题，不能写合成方式")
    if measure.per_option and len(measure.items) > 1:
        yield Fault(f"{place}.per_option", "逐项占比只能对一道题")
    if measure.composite in {None, Composite.POOLED} and any(
        item.weight != 1 for item in measure.items
    ):
        yield Fault(f"{place}.items", "只有 mean 和 person 能给题目写权重（weight）")
    for item in measure.items:
        if item.question not in questions:
            yield Fault(f"{place}.items", f"没有题目“{item.question}”")
        else:
            yield from _item_faults(measure, item, questions[item.question])


def _item_faults(measure: Measure, item: Item, question: Question) -> Iterator[Fault]:
    place = f"measures.{measure.id}.items.{item.question}"
    if question.kind is QuestionKind.MATRIX:
        yield Fault(place, "矩阵题须写明是哪一行（题目编号.行编号）")
        return
    if not question.is_chosen_once and question.kind is not QuestionKind.MULTIPLE:
        yield Fault(place, "这种题不能算率")
        return
    for name, codes in (
        ("positive", item.positive),
        ("unsure", item.unsure),
        ("credit", frozenset(item.credit)),
    ):
        for code in sorted(codes - set(question.codes)):
            yield Fault(f"{place}.{name}", f"题目“{question.id}”没有选项“{code}”")
    unsure = item.unsure or {option.code for option in question.unsure}
    if not measure.per_option:
        for code in sorted((item.positive | set(item.credit)) & unsure):
            reason = f"选项“{code}”是不清楚或不适用，不能算作肯定回答"
            yield Fault(f"{place}.positive", reason)
    if (question.kind is QuestionKind.MULTIPLE) is not measure.per_option:
        yield Fault(place, "多选题须用逐项占比（per_option），单选题不能用")
    yield from _credit_faults(measure, item, question, frozenset(unsure))


def _credit_faults(
    measure: Measure, item: Item, question: Question, unsure: frozenset[str]
) -> Iterator[Fault]:
    """Yield what does not go with the kind of a measure: a rate, a score or a net promoter one."""
    place = f"measures.{measure.id}.items.{item.question}"
    match measure.kind:
        case MeasureKind.SCORE:
            for code in sorted(set(question.codes) - unsure - set(item.credit)):
                yield Fault(f"{place}.credit", f"没有写明选项“{code}”计多少分（0–100）")
            yield from _faults_of_no_rate(measure, item, unsure)
        case MeasureKind.NPS:
            if question.kind is not QuestionKind.NPS:
                yield Fault(place, "净推荐值只能对 nps 题")
            if item.credit:
                yield Fault(f"{place}.credit", "净推荐值的算法是固定的，不能写这一项")
            yield from _faults_of_no_rate(measure, item, unsure)
        case _:
            yield from _faults_of_a_rate(measure, item, question.codes)


def _faults_of_a_rate(measure: Measure, item: Item, known: tuple[str, ...]) -> Iterator[Fault]:
    place = f"measures.{measure.id}.items.{item.question}"
    if not item.positive:
        yield Fault(f"{place}.positive", "没有写明哪些选项算作肯定回答")
    if measure.per_option and item.credit:
        yield Fault(f"{place}.credit", "逐项占比不能折算")
    for code, credit in sorted(item.credit.items()):
        if code in known and code not in item.positive:
            yield Fault(f"{place}.credit", f"选项“{code}”不在 positive 里")
        if credit > 1:
            yield Fault(f"{place}.credit", f"选项“{code}”折算不能大于 1")


def _faults_of_no_rate(measure: Measure, item: Item, unsure: frozenset[str]) -> Iterator[Fault]:
    """Yield what would give points to people who gave none."""
    place = f"measures.{measure.id}"
    if item.positive:
        yield Fault(f"{place}.items.{item.question}.positive", f"{measure.kind} 不能写这一项")
    if measure.per_option:
        yield Fault(f"{place}.per_option", f"{measure.kind} 不能写这一项")
    if measure.dont_know is DontKnow.IN_BASE and unsure:
        yield Fault(f"{place}.dont_know", "不清楚没有分数，只能写 left_out")
    if measure.base is not Base.VALID:
        yield Fault(f"{place}.base", "没有作答就没有分数，只能写 valid")


def _reading_faults(questionnaire: Questionnaire) -> Iterator[Fault]:
    by_id = {measure.id: measure for measure in questionnaire.measures}
    for measure in questionnaire.measures:
        if measure.reading_of is None:
            continue
        place = f"measures.{measure.id}.reading_of"
        if measure.reading_of not in by_id or measure.reading_of == measure.id:
            yield Fault(place, f"没有另一个测量项“{measure.reading_of}”")
        elif by_id[measure.reading_of].reading_of is not None:
            yield Fault(place, f"“{measure.reading_of}”自己就是另一种口径，请写它所指的测量项")


def _table_faults(table: Table, questions: dict[str, Question]) -> Iterator[Fault]:
    place = f"tables.{table.id}"
    if len(table.headings) != len(table.questions):
        yield Fault(f"{place}.headings", f"有 {len(table.questions)} 道题，标题须同样多")
    known = [questions[name] for name in table.questions if name in questions]
    for name in table.questions:
        if name not in questions:
            yield Fault(f"{place}.questions", f"没有题目“{name}”")
        elif questions[name].kind is QuestionKind.MATRIX:
            yield Fault(f"{place}.questions", f"矩阵题“{name}”须写明是哪一行（题目编号.行编号）")
        elif questions[name].kind not in _COUNTED:
            yield Fault(f"{place}.questions", f"题目“{name}”不能列频数")
    is_beside = table.layout is TableLayout.SIDE_BY_SIDE
    if is_beside and any(question.kind is QuestionKind.NUMBER for question in known):
        yield Fault(f"{place}.questions", "并列的表里不能有数字题")
    texts = {tuple(option.text for option in question.choices) for question in known}
    if is_beside and len(texts) > 1:
        yield Fault(f"{place}.questions", "并列的题目选项文字须完全相同")
