"""The residents' script and style run on old phones: ES5, and CSS of Chrome 78 and iOS 12."""

import re
from pathlib import Path

import pytest
import tree_sitter_javascript
from tree_sitter import Language, Node, Parser

from app.headers import resident_script

PAGES = Path(__file__).parents[2] / "app/templates/respond"

# The kinds of node that the grammar of ES5 needs. Anything newer (arrow functions, let and const,
# templates, classes, spread, optional chaining, async …) is a kind that is not in this list.
ES5 = {
    "program",
    "expression_statement",
    "string",
    "string_fragment",
    "escape_sequence",
    "call_expression",
    "parenthesized_expression",
    "function_expression",
    "function_declaration",
    "formal_parameters",
    "identifier",
    "statement_block",
    "variable_declaration",
    "variable_declarator",
    "member_expression",
    "property_identifier",
    "arguments",
    "binary_expression",
    "unary_expression",
    "update_expression",
    "number",
    "assignment_expression",
    "augmented_assignment_expression",
    "ternary_expression",
    "try_statement",
    "catch_clause",
    "finally_clause",
    "return_statement",
    "throw_statement",
    "if_statement",
    "else_clause",
    "for_statement",
    "for_in_statement",
    "while_statement",
    "do_statement",
    "break_statement",
    "continue_statement",
    "switch_statement",
    "switch_body",
    "switch_case",
    "switch_default",
    "subscript_expression",
    "object",
    "pair",
    "array",
    "regex",
    "regex_pattern",
    "regex_flags",
    "new_expression",
    "this",
    "true",
    "false",
    "null",
    "undefined",
    "comment",
    "empty_statement",
    "sequence_expression",
}
SIGNS_AFTER_ES5 = {"async", "await", "**", "**=", "??", "??=", "||=", "&&=", "of", "`", "...", "?."}
# Names that parse as ES5 and are missing on old engines.
NAMES_AFTER_ES5 = re.compile(
    r"\b(Promise|fetch|Symbol|Map|Set|WeakMap|Proxy|Reflect|includes|startsWith|endsWith|padStart"
    r"|repeat|assign|entries|values|fromEntries|from|find|findIndex|flat|flatMap|at|matchAll"
    r"|replaceAll|structuredClone|replaceWith|append|prepend|remove|closest|URLSearchParams)\b"
)

STYLE = (PAGES / "style.css").read_text(encoding="utf-8")
PROPERTIES = {
    "box-sizing",
    "margin",
    "margin-top",
    "font-family",
    "font-size",
    "line-height",
    "color",
    "background",
    "max-width",
    "padding",
    "border",
    "border-radius",
    "border-color",
    "border-left",
    "border-top",
    "min-width",
    "min-height",
    "width",
    "height",
    "float",
    "clear",
    "font",
    "font-weight",
    "display",
    "position",
    "left",
    "right",
    "top",
    "outline",
    "outline-offset",
    "text-align",
    "text-decoration",
    "letter-spacing",
    "opacity",
    "overflow-wrap",
    "unicode-bidi",
}
EXTRAS = {"accent-color", "scroll-margin-top"}  # without them the page is a little less handsome
SELECTORS = {":checked", ":focus", "::placeholder"}


def nodes(code: str) -> list[Node]:
    parser = Parser(Language(tree_sitter_javascript.language()))
    waiting, found = [parser.parse(code.encode()).root_node], []
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting.extend(node.children)
    return found


def faults(code: str) -> list[str]:
    """Return what in a script is newer than ES5, by line."""
    return [
        f"line {node.start_point.row + 1}: {node.type}"
        for node in nodes(code)
        if node.is_error
        or node.is_missing
        or (node.is_named and node.type not in ES5)
        or (node.type == "catch_clause" and node.child_by_field_name("parameter") is None)
        or (not node.is_named and node.type in SIGNS_AFTER_ES5)
    ]


def test_the_script_is_es5() -> None:
    assert faults(str(resident_script())) == []
    assert NAMES_AFTER_ES5.findall(str(resident_script())) == []


@pytest.mark.parametrize(
    "newer",
    [
        "const a = 1",
        "let a",
        "f(() => 1)",
        "`a`",
        "a?.b",
        "a ?? b",
        "a ** b",
        "class A {}",
        "f(...a)",
        "for (var a of b) {}",
        "var {a} = b",
        "function f(a = 1) {}",
        "x = {a}",
        "x = {f() {}}",
        "async function f() {}",
        "function* f() {}",
        "try {} catch {}",
        "var a = ;",
    ],
)
def test_what_is_newer_is_found(newer: str) -> None:
    assert faults(newer)


def test_the_script_cannot_end_its_own_element() -> None:
    assert "</" not in resident_script()
    assert "<!--" not in resident_script()


def test_the_style_uses_old_properties() -> None:
    used = set(re.findall(r"[{;]\s*([a-z-]+)\s*:", STYLE))
    assert used - PROPERTIES - EXTRAS == set(), "Chrome 78 and iOS 12 must know it, or put it apart"


def test_the_style_uses_old_selectors_functions_and_units() -> None:
    selectors = " ".join(re.findall(r"([^{}]+)\{", STYLE))
    assert set(re.findall(r"::?[a-z-]+", selectors)) <= SELECTORS
    assert re.findall(r"[a-z-]+\(", STYLE) == []
    assert set(re.findall(r"(?<![\w#])\d*\.?\d+([a-z]+|%)", STYLE)) <= {"rem", "em", "px", "%"}
    assert "@" not in STYLE


def test_the_style_leaves_the_phones_own_text_size_alone() -> None:
    assert "text-size-adjust" not in STYLE
    layout = (PAGES / "layout.html").read_text(encoding="utf-8")
    assert "maximum-scale" not in layout
    assert "user-scalable" not in layout
