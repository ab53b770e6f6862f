"""How numbers are written, and that only one module writes their signs."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.scoring import wording


@pytest.mark.parametrize(
    ("share", "shown"),
    [("91/103", "88.35%"), ("1/8", "12.50%"), ("1", "100.00%"), ("12345/1000000", "1.23%")],
)
def test_a_share_is_shown_as_a_percentage(share: str, shown: str) -> None:
    assert wording.percent(Fraction(share)) == shown


@pytest.mark.parametrize(
    ("exact", "shown"), [("8", "8"), ("2.5", "2.5"), ("1/3", "0.3333"), ("0", "0"), ("100", "100")]
)
def test_a_number_has_no_idle_zeros(exact: str, shown: str) -> None:
    assert wording.number(Fraction(exact)) == shown


@given(units=st.integers(0, 10_000), places=st.integers(0, 2))
def test_a_printed_percentage_is_read_exactly(units: int, places: int) -> None:
    printed = f"{units // 10**places}"
    if places:
        printed += f".{units % 10**places:0{places}d}"
    assert wording.read_percent(f"{printed}%") == Fraction(units, 100 * 10**places)
    assert wording.percent_places(f"{printed}%") == places


@pytest.mark.parametrize("printed", ["88", "88.35 %", "约88%", "-1%", "８８%", "%"])
def test_other_text_is_no_percentage(printed: str) -> None:
    with pytest.raises(ValueError, match=re.escape(printed)):
        wording.read_percent(printed)


@pytest.mark.parametrize(
    ("settled", "possible", "text"),
    [
        ("优", ("优",), "优"),
        (None, ("优", "良"), "等级待定（可能是：优、良）"),
        (None, ("无法定级",), "无法定级"),
    ],
)
def test_a_grade_is_settled_open_or_impossible(
    settled: str | None, possible: tuple[str, ...], text: str
) -> None:
    assert wording.grade_text(settled, possible) == text


SIGNS = re.compile(r"\} ?分|\d ?分|%[^ (sd]|\}%")
MODULES = sorted(Path(wording.__file__).parent.glob("*.py"))


@pytest.mark.parametrize(
    "module", [path for path in MODULES if path.name != "wording.py"], ids=lambda path: path.name
)
def test_only_wording_writes_percent_signs_and_the_unit_of_points(module: Path) -> None:
    typed = [
        line
        for line in module.read_text(encoding="utf-8").splitlines()
        if SIGNS.search(line) and not line.lstrip().startswith(("#", ">>>"))
    ]
    # Two sentences show how a printed percentage is written; they print none.
    assert [line for line in typed if "例如" not in line and "is_reachable(" not in line] == []
