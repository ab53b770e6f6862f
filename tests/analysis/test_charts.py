"""Charts: text that is text, nothing that a strict policy refuses, the same bytes each time."""

import re
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree as ET

import pytest

from analysis.charts import RankedBar, RuleLine, StackedBar, ranking, stacked
from app.services.drawing import font_path

NAMES = ("忠门镇", "东埔镇<b>&\x01", "$x^2$ 镇", "长" * 90)


def draw_ranking(chart_id: str = "a") -> str:
    bars = [
        RankedBar(name, 0.5 + place / 10, 0.4, 0.9, f"第{place}")
        for place, name in enumerate(NAMES)
    ]
    return ranking("满意度", bars, [RuleLine(0.85, "满分线")], font_path(), chart_id)


def draw_stacked(chart_id: str = "b") -> str:
    bars = [StackedBar(name, [(0.5, "半"), (0.46, "近半"), (0.04, "零头")]) for name in NAMES]
    return stacked("第1题", bars, ["满意", "一般", "不满意"], font_path(), chart_id)


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(svg).iter("text")]  # noqa: S314 - our own


@pytest.mark.parametrize("draw", [draw_ranking, draw_stacked])
def test_a_strict_policy_refuses_nothing_in_it(draw: object) -> None:
    svg = draw()  # type: ignore[operator]
    assert not re.search(r"style|<script|https?:|\bon\w+=", svg)
    ids = re.findall(r' id="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"#([\w-]+)\)", svg)) | set(re.findall(r'href="#([\w-]+)"', svg)) == set(
        ids
    )


def test_two_charts_share_no_id() -> None:
    one, other = (set(re.findall(r' id="([^"]+)"', draw_ranking(name))) for name in "ab")
    assert one
    assert not one & other


def test_names_are_text_cut_visibly_and_never_formulas() -> None:
    shown = texts(draw_ranking())
    assert {"忠门镇", "东埔镇<b>&\ufffd", "$x^2$ 镇", "长" * 13 + "…"} <= set(shown)
    assert {"第0", "第3", "满分线", "100%"} <= set(shown)
    assert "Noto Sans SC" in draw_ranking()


def test_a_sliver_has_no_label_and_every_option_is_in_the_legend() -> None:
    shown = texts(draw_stacked())
    assert shown.count("半") == len(NAMES)
    assert "零头" not in shown
    assert {"满意", "一般", "不满意"} <= set(shown)


def test_the_same_figures_give_the_same_chart_in_any_thread() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _number: (draw_ranking(), draw_stacked()), range(6)))
    assert len(set(made)) == 1
