"""Expressions: who is asked a question (relevance), and what its answer must satisfy (constraint).

    q3 = 'b' and (q9 >= 18 or not selected(q4, 'home_visit'))

    expression = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation = "not" negation | "(" expression ")" | condition
    condition = "selected" "(" NAME "," TEXT ")" | "answered" "(" NAME ")"
              | operand ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) operand
    operand = NAME | NUMBER | TEXT | "count" "(" NAME ")"

NAME is a question's id, `QUESTION.ROW` of a matrix, or `QUESTION.OPTION` of a ranking (the rank).
TEXT stands in quotes: an option's code, or a date such as '2026-03-05'. There is no arithmetic.

**Blanks.** An expression is true, false or unknown. Whatever is compared with or selected from a
blank is unknown; `not`, `and` and `or` carry it on as in SQL (unknown or true is true). Only
`answered`, and `count`, which is 0 then, know a blank. A question is asked when its relevance is
true, so not when it is unknown; a constraint is broken when it is false, so not when unknown.

**Comparing.** Two numbers compare as numbers, two dates by day. Anything else is equal when its
text is, and has no order: `q9 > 5` is unknown of someone who chose 不清楚 there.

The page decides by the same rules from the tree that `to_json` makes; the server's word counts.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import assert_never

LONGEST = 1000
DEEPEST = 20
MOST_DIGITS = 15
"""So many digits a browser's numbers keep exactly."""

Answers = Mapping[str, str | Sequence[str]]
Json = str | list["Json"]

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<name>[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)?)
    |(?P<number>-?[0-9]+(\.[0-9]+)?)
    |(?P<text>'[^'\n]*'|"[^"\n]*")
    |(?P<sign><=|>=|!=|[=<>(),])""",
    re.VERBOSE,
)
_WORDS = frozenset({"and", "or", "not"})
_COMPARING = frozenset({"=", "!=", "<", "<=", ">", ">="})


class LogicError(ValueError):
    """An expression that cannot be read or does not fit; `position` counts signs from 1."""

    def __init__(self, position: int, reason: str) -> None:
        self.position = position
        self.reason = reason
        super().__init__(f"第 {position} 个字：{reason}")


@dataclass(frozen=True, slots=True)
class Given:
    """The answer to a question."""

    name: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Count:
    """How many options were chosen, rows answered or options ranked."""

    name: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a code or a date as it is written."""

    text: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands and the sign between them."""

    sign: str
    left: "Operand"
    right: "Operand"


@dataclass(frozen=True, slots=True)
class Selected:
    """Whether an option was chosen, alone or among others."""

    name: str
    code: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """Whether a question was answered at all."""

    name: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    inner: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    """All of several."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of several."""

    parts: tuple["Expression", ...]


Operand = Given | Count | Literal
Expression = Comparison | Selected | Answered | Not | And | Or


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Read an expression. Raises `LogicError` with the first place that cannot be read."""
    if len(text) > LONGEST:
        raise LogicError(LONGEST + 1, f"表达式最多 {LONGEST} 个字")
    tokens = deque(_tokens(text))
    expression = _disjunction(tokens, 1)
    if tokens[0].kind != "end":
        raise _unexpected(tokens[0], "and、or 或结尾")
    return expression


def is_true(text: str, answers: Answers) -> bool:
    """Say whether an expression is true of these answers; one that is empty always is."""
    return not text or evaluate(parse(text), answers) is True


def is_false(text: str, answers: Answers) -> bool:
    """Say whether an expression is false of these answers, not merely unknown."""
    return bool(text) and evaluate(parse(text), answers) is False


def evaluate(expression: Expression, answers: Answers) -> bool | None:
    """Return whether an expression is true of checked answers; None when that is unknown."""
    match expression:
        case And(parts):
            return _all(evaluate(part, answers) for part in parts)
        case Or(parts):
            return _not(_all(_not(evaluate(part, answers)) for part in parts))
        case Not(inner):
            return _not(evaluate(inner, answers))
        case Comparison(sign, left, right):
            return _compare(sign, _value(left, answers), _value(right, answers))
        case Selected(name, code):
            answer = answers.get(name)
            return None if answer is None else code in _several(answer)
        case Answered(name):
            return _count(name, answers) > 0
        case _:
            assert_never(expression)


def to_json(expression: Expression) -> Json:
    """Return the tree that the page evaluates.

    A list is an operation with its operands: `["and", …]`, `["or", …]`, `["not", x]`,
    `["=", a, b]` and the other signs, `["answer", NAME]`, `["count", NAME]`, `["answered", NAME]`,
    `["selected", NAME, CODE]`. A string is a literal, also when it is a number.
    """
    match expression:
        case And(parts):
            return ["and", *map(to_json, parts)]
        case Or(parts):
            return ["or", *map(to_json, parts)]
        case Not(inner):
            return ["not", to_json(inner)]
        case Comparison(sign, left, right):
            return [sign, _operand_json(left), _operand_json(right)]
        case Selected(name, code):
            return ["selected", name, code]
        case Answered(name):
            return ["answered", name]
        case _:
            assert_never(expression)


def conditions(expression: Expression) -> Iterator[Comparison | Selected | Answered]:
    """Yield every condition in an expression, in the order of writing."""
    match expression:
        case And(parts) | Or(parts):
            for part in parts:
                yield from conditions(part)
        case Not(inner):
            yield from conditions(inner)
        case _:
            yield expression


def is_number(text: str) -> bool:
    """Say whether a text compares as a number."""
    return _NUMBER.fullmatch(text) is not None


def is_date(text: str) -> bool:
    """Say whether a text compares as a date."""
    return _DATE.fullmatch(text) is not None


def _all(values: Iterator[bool | None]) -> bool | None:
    found = set(values)
    return False if False in found else None if None in found else True


def _not(value: bool | None) -> bool | None:  # noqa: FBT001 - the value that is turned round
    return None if value is None else not value


def _value(operand: Operand, answers: Answers) -> str | None:
    match operand:
        case Literal(text):
            return text
        case Count(name):
            return str(_count(name, answers))
        case Given(name):
            answer = answers.get(name)
            return answer if isinstance(answer, str) else None
        case _:
            assert_never(operand)


def _several(answer: str | Sequence[str]) -> Sequence[str]:
    return (answer,) if isinstance(answer, str) else answer


def _count(name: str, answers: Answers) -> int:
    """Count choices; a matrix or a ranking has its answers under `QUESTION.` and something."""
    parts = sum(key.startswith(f"{name}.") for key in answers)
    return parts + len(_several(answers.get(name, ())))


_ORDER: dict[str, Callable[[int], bool]] = {
    "=": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def _compare(sign: str, left: str | None, right: str | None) -> bool | None:
    if left is None or right is None:
        return None
    if is_number(left) and is_number(right):
        difference = Decimal(left).compare(Decimal(right))
        return _ORDER[sign](int(difference))
    if sign in {"=", "!="} or (is_date(left) and is_date(right)):
        return _ORDER[sign]((left > right) - (left < right))
    return None


def _operand_json(operand: Operand) -> Json:
    match operand:
        case Literal(text):
            return text
        case Count(name):
            return ["count", name]
        case Given(name):
            return ["answer", name]
        case _:
            assert_never(operand)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


def _tokens(text: str) -> Iterator[_Token]:
    start = 0
    while start < len(text):
        found = _TOKEN.match(text, start)
        if found is None:
            raise LogicError(start + 1, _unknown_sign(text[start]))
        kind = str(found.lastgroup)
        if kind == "name" and found[0] in _WORDS:
            kind = "word"
        if kind != "space":
            yield _Token(kind, found[0], start + 1)
        start = found.end()
    yield _Token("end", "", len(text) + 1)


def _unknown_sign(sign: str) -> str:
    if sign in "'\"":
        return "引号没有成对"
    if sign in "‘’“”（），＝＜＞！。":
        return f"“{sign}”须用半角符号"
    return f"不认识“{sign}”"


def _disjunction(tokens: deque[_Token], depth: int) -> Expression:
    parts = [_conjunction(tokens, depth)]
    while tokens[0].text == "or":
        tokens.popleft()
        parts.append(_conjunction(tokens, depth))
    return parts[0] if len(parts) == 1 else Or(tuple(parts))


def _conjunction(tokens: deque[_Token], depth: int) -> Expression:
    parts = [_negation(tokens, depth)]
    while tokens[0].text == "and":
        tokens.popleft()
        parts.append(_negation(tokens, depth))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _negation(tokens: deque[_Token], depth: int) -> Expression:
    if depth > DEEPEST:
        raise LogicError(tokens[0].position, f"括号和 not 最多套 {DEEPEST} 层")
    if tokens[0].text == "not":
        tokens.popleft()
        return Not(_negation(tokens, depth + 1))
    if tokens[0].text == "(":
        tokens.popleft()
        inner = _disjunction(tokens, depth + 1)
        _expect(tokens, ")")
        return inner
    return _condition(tokens)


def _condition(tokens: deque[_Token]) -> Expression:
    if _is_call(tokens, "selected"):
        name = _called_with(tokens)
        _expect(tokens, ",")
        code = _take(tokens, "text", "加引号的选项编码")
        _expect(tokens, ")")
        return Selected(name.text, code.text[1:-1], name.position)
    if _is_call(tokens, "answered"):
        name = _called_with(tokens)
        _expect(tokens, ")")
        return Answered(name.text, name.position)
    left = _operand(tokens)
    if tokens[0].text not in _COMPARING:
        raise _unexpected(tokens[0], "=、!=、<、<=、> 或 >=")
    return Comparison(tokens.popleft().text, left, _operand(tokens))


def _operand(tokens: deque[_Token]) -> Operand:
    if _is_call(tokens, "count"):
        name = _called_with(tokens)
        _expect(tokens, ")")
        return Count(name.text, name.position)
    token = tokens[0]
    match token.kind:
        case "name":
            tokens.popleft()
            return Given(token.text, token.position)
        case "number":
            if sum(sign.isdigit() for sign in token.text) > MOST_DIGITS:
                raise LogicError(token.position, f"数字最多 {MOST_DIGITS} 位")
            tokens.popleft()
            return Literal(token.text, token.position)
        case "text":
            tokens.popleft()
            return Literal(token.text[1:-1], token.position)
        case _:
            raise _unexpected(token, "题目编号、数字或加引号的文字")


def _is_call(tokens: deque[_Token], name: str) -> bool:
    return tokens[0].text == name and tokens[1].text == "("


def _called_with(tokens: deque[_Token]) -> _Token:
    """Take the function's name, the bracket and the question's id."""
    tokens.popleft()
    tokens.popleft()
    return _take(tokens, "name", "题目编号")


def _take(tokens: deque[_Token], kind: str, wanted: str) -> _Token:
    if tokens[0].kind != kind:
        raise _unexpected(tokens[0], wanted)
    return tokens.popleft()


def _expect(tokens: deque[_Token], sign: str) -> None:
    if tokens[0].text != sign:
        raise _unexpected(tokens[0], f"“{sign}”")
    tokens.popleft()


def _unexpected(token: _Token, wanted: str) -> LogicError:
    found = f"“{token.text}”" if token.text else "结尾"
    return LogicError(token.position, f"这里应为{wanted}，不是{found}")
