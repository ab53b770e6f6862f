"""Expressions: read, refused with their place, and decided as the table of cases says.

The page's script runs the same table: `logic_cases.json` holds the tree beside the expression.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveys.logic import (
    DEEPEST,
    LONGEST,
    And,
    Answered,
    Comparison,
    Count,
    Expression,
    Given,
    Literal,
    LogicError,
    Not,
    Operand,
    Or,
    Selected,
    evaluate,
    is_false,
    is_true,
    parse,
    to_json,
)

CASES = json.loads((Path(__file__).parent / "logic_cases.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['expression']} {case['answers']}")
def test_an_expression_is_decided_as_the_table_says(case: dict[str, Any]) -> None:
    expression = parse(case["expression"])
    assert evaluate(expression, case["answers"]) is case["expected"]
    assert to_json(expression) == case["tree"]


def test_the_table_shows_every_operation_true_and_false() -> None:
    shown = {(case["tree"][0], case["expected"]) for case in CASES}
    operations = ("and", "or", "not", "selected", "answered", "=", "!=", "<", "<=", ">", ">=")
    assert {(name, outcome) for name in operations for outcome in (True, False)} <= shown


def test_nothing_written_is_true_and_never_false() -> None:
    assert is_true("", {})
    assert not is_false("", {})


def test_the_unknown_is_neither_true_nor_false() -> None:
    assert not is_true("q1 = 'a'", {})
    assert not is_false("q1 = 'a'", {})


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("", 1, "这里应为题目编号、数字或加引号的文字，不是结尾"),
        ("q3 = ", 6, "这里应为题目编号、数字或加引号的文字，不是结尾"),
        ("q3 == 1", 5, "这里应为题目编号、数字或加引号的文字，不是“=”"),
        ("q3", 3, "这里应为=、!=、<、<=、> 或 >=，不是结尾"),
        ("(q3 = 1", 8, "这里应为“)”，不是结尾"),
        ("q3 = 1 q4 = 2", 8, "这里应为and、or 或结尾，不是“q4”"),
        ("q3 = “a”", 6, "““”须用半角符号"),
        ("q3 ＝ 'a'", 4, "“＝”须用半角符号"),
        ("q3 = 'a", 6, "引号没有成对"),
        ("q3 = 1 & q4 = 2", 8, "不认识“&”"),
        ("selected(q3)", 12, "这里应为“,”，不是“)”"),
        ("selected(q3, a)", 14, "这里应为加引号的选项编码，不是“a”"),
        ("answered('q3')", 10, "这里应为题目编号，不是“'q3'”"),
        ("not", 4, "这里应为题目编号、数字或加引号的文字，不是结尾"),
        ("q3 = 1234567890123456", 6, "数字最多 15 位"),
        ("q3 = 1" + " " * LONGEST, LONGEST + 1, f"表达式最多 {LONGEST} 个字"),
        ("not " * 30 + "q3 = 1", 81, f"括号和 not 最多套 {DEEPEST} 层"),
    ],
)
def test_a_fault_is_named_with_its_place(text: str, position: int, reason: str) -> None:
    with pytest.raises(LogicError) as caught:
        parse(text)
    assert (caught.value.position, caught.value.reason) == (position, reason)


def test_a_refusal_is_a_sentence() -> None:
    assert str(LogicError(6, "引号没有成对")) == "第 6 个字：引号没有成对"


def write(expression: Expression) -> str:
    match expression:
        case And(parts):
            return " and ".join(f"({write(part)})" for part in parts)
        case Or(parts):
            return " or ".join(f"({write(part)})" for part in parts)
        case Not(inner):
            return f"not ({write(inner)})"
        case Comparison(sign, left, right):
            return f"{write_operand(left)}{sign}{write_operand(right)}"
        case Selected(name, code):
            return f"selected({name}, '{code}')"
        case Answered(name):
            return f"answered( {name} )"


def write_operand(operand: Operand) -> str:
    match operand:
        case Given(name):
            return name
        case Count(name):
            return f"count({name})"
        case Literal(text):
            return f'"{text}"'


NAMES = st.from_regex(r"q[a-z0-9_-]{0,3}(\.[a-z][a-z0-9_-]{0,3})?", fullmatch=True)
TEXTS = st.text(st.characters(exclude_characters="'\"\n", exclude_categories=["Cs"]), max_size=5)
OPERANDS: st.SearchStrategy[Operand] = st.one_of(
    st.builds(Given, NAMES), st.builds(Count, NAMES), st.builds(Literal, TEXTS)
)
CONDITIONS: st.SearchStrategy[Expression] = st.one_of(
    st.builds(Comparison, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), OPERANDS, OPERANDS),
    st.builds(Selected, NAMES, TEXTS),
    st.builds(Answered, NAMES),
)


def _compound(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(And, several), st.builds(Or, several), st.builds(Not, inner))


EXPRESSIONS = st.recursive(CONDITIONS, _compound, max_leaves=6)
ANSWERS = st.dictionaries(
    NAMES, st.one_of(TEXTS, st.lists(TEXTS, min_size=1, max_size=3).map(tuple)), max_size=4
)


@given(EXPRESSIONS)
def test_what_is_written_reads_back_as_the_same(expression: Expression) -> None:
    text = write(expression)
    if len(text) <= LONGEST:
        assert parse(text) == expression


@given(EXPRESSIONS, ANSWERS)
def test_any_expression_of_any_answers_is_true_false_or_unknown(
    expression: Expression, answers: dict[str, str | tuple[str, ...]]
) -> None:
    outcome = evaluate(expression, answers)
    assert outcome in {True, False, None}
    opposite = evaluate(Not(expression), answers)
    assert opposite is (None if outcome is None else not outcome)


@given(
    st.one_of(
        st.text(max_size=60),
        st.text("q1='\" ()andortselc,.<>!-0", max_size=1200),
        st.lists(
            st.sampled_from(
                ["q1", "(", ")", "and", "or", "not", "=", "<", "'a'", "3", "selected(", ",", " "]
            ),
            max_size=60,
        ).map(" ".join),
    )
)
def test_junk_is_refused_and_never_crashes(text: str) -> None:
    try:
        expression = parse(text)
    except LogicError as error:
        refusal = error
    else:
        assert evaluate(expression, {}) in {True, False, None}
        return
    assert 1 <= refusal.position <= len(text) + 1
