"""Charts of published figures as SVG that may stand inside a page: no style, text stays text."""

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# matplotlib keeps its settings and fonts for the whole process.
_ONE_AT_A_TIME = Lock()
# The reader's own fonts draw the text; the first is the one that it was measured with.
_FONTS = "'Noto Sans SC', 'Source Han Sans SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
_LONGEST_NAME, _LONGEST_LEGEND = 14, 24
_BAR, _LINE, _INK = "#8fb8de", "#b83280", "#333333"
_SMALLEST_LABELLED = 0.07


@dataclass(frozen=True, slots=True)
class RankedBar:
    """One place: its rate (0 to 1), the ends of its interval, and the published figure."""

    name: str
    value: float
    low: float | None
    high: float | None
    shown: str


@dataclass(frozen=True, slots=True)
class RuleLine:
    """Where on the scale a rubric gives full marks, or none."""

    at: float
    name: str


@dataclass(frozen=True, slots=True)
class StackedBar:
    """One group: the share (0 to 1) of each option with its published figure."""

    name: str
    shares: Sequence[tuple[float, str]]


def ranking(
    title: str, bars: Sequence[RankedBar], lines: Sequence[RuleLine], font: Path, chart_id: str
) -> str:
    """Draw places by their rate, the highest on top, with whiskers where there is an interval.

    Parameters
        font: a TrueType file with Chinese glyphs, to measure text with.
        chart_id: what tells this chart's parts from those of others on a page.

    Returns
        An `<svg>` element; the same figures give the same text.
    """
    ranked = sorted(bars, key=lambda bar: bar.value)

    def paint(axes: "Axes") -> None:
        axes.barh(range(len(ranked)), [bar.value for bar in ranked], color=_BAR, height=0.55)
        for place, bar in enumerate(ranked):
            if bar.low is not None and bar.high is not None:
                axes.plot([bar.low, bar.high], [place, place], color=_INK, linewidth=1.2)
                for whisker in (bar.low, bar.high):
                    axes.plot(
                        [whisker] * 2, [place - 0.14, place + 0.14], color=_INK, linewidth=1.2
                    )
            # Beside the scale, where neither a whisker nor a line runs through it.
            axes.text(1.02, place, bar.shown, va="center", color=_INK)
        for place, line in enumerate(sorted(lines, key=lambda line: line.at)):
            axes.axvline(line.at, color=_LINE, linewidth=1.2, linestyle="--")
            # Two lines may lie close together: their names go away from each other.
            side = "left" if place or len(lines) == 1 else "right"
            top = len(ranked) - 0.45
            axes.text(line.at, top, line.name, ha=side, va="bottom", color=_LINE)
        axes.set_ylim(-0.6, len(ranked) - 0.4)
        axes.set_yticks(range(len(ranked)), [_cut(bar.name, _LONGEST_NAME) for bar in ranked])

    return _draw(title, paint, 1.0 + 0.42 * len(ranked), font, chart_id)


def stacked(
    title: str, bars: Sequence[StackedBar], options: Sequence[str], font: Path, chart_id: str
) -> str:
    """Draw a bar of all answers for each group, in the given order from the top.

    Parameters and return value as for `ranking`; `options` are named in a legend below.
    """

    def paint(axes: "Axes") -> None:
        upwards = list(reversed(bars))
        colours = _colours(len(options))
        left = [0.0] * len(upwards)
        for place, option in enumerate(options):
            shares = [bar.shares[place] for bar in upwards]
            axes.barh(
                range(len(upwards)),
                [share for share, _shown in shares],
                left=left,
                color=colours[place],
                edgecolor="white",
                height=0.6,
                label=_cut(option, _LONGEST_LEGEND),
            )
            for row, (share, shown) in enumerate(shares):
                if share >= _SMALLEST_LABELLED:
                    ink = "white" if place < len(options) / 2 else "black"
                    middle = left[row] + share / 2
                    axes.text(middle, row, shown, ha="center", va="center", color=ink, fontsize=8)
                left[row] += share
        axes.set_yticks(range(len(upwards)), [_cut(bar.name, _LONGEST_NAME) for bar in upwards])
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.42, -0.42 / len(upwards) - 0.06),
            ncols=min(4, len(options)),
            frameon=False,
        )

    height = 1.3 + 0.42 * len(bars) + 0.13 * len(options)
    return _draw(title, paint, height, font, chart_id)


def _colours(count: int) -> list[Any]:
    from matplotlib import colormaps  # noqa: PLC0415 - see `_draw`

    return [colormaps["cividis"](0.08 + 0.9 * place / max(1, count - 1)) for place in range(count)]


def _cut(name: str, longest: int) -> str:
    plain = "".join(sign if sign.isprintable() else "\ufffd" for sign in name)
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def _draw(
    title: str, paint: Callable[["Axes"], None], height: float, font: Path, chart_id: str
) -> str:
    # Late, and never on residents' pages: matplotlib takes half a second to import.
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415

    with _ONE_AT_A_TIME, warnings.catch_warnings():
        # A sign that the measuring font lacks is drawn by one of the reader's.
        warnings.simplefilter("ignore", UserWarning)
        settings: dict[Any, Any] = {
            "font.family": [_family(font)],
            "svg.fonttype": "none",
            "svg.hashsalt": "minping",
            "text.parse_math": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
        with rc_context(settings):
            figure = Figure(figsize=(7.2, height), layout="tight")
            axes = figure.add_subplot()
            axes.set_xlim(0, 1)
            axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
            paint(axes)
            return _inside_a_page(_svg(figure), title, chart_id)


def _family(font: Path) -> str:
    from matplotlib import font_manager  # noqa: PLC0415 - see `_draw`

    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    if str(font) not in known:
        font_manager.fontManager.addfont(font)
    return font_manager.FontProperties(fname=font).get_name()


def _svg(figure: "Figure") -> bytes:
    file = BytesIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(file, format="svg", metadata=nothing, transparent=True)
    return file.getvalue()


# ---------------------------------------------------------------------------------------------
# What a strict policy of contents lets into a page
# ---------------------------------------------------------------------------------------------

_REFERENCE = re.compile(r"#([\w-]+)")


def _inside_a_page(svg: bytes, title: str, chart_id: str) -> str:
    """Return the chart without style sheets, style attributes and ids of no use.

    Their policy forbids a page all style that stands in it; attributes such as `fill` it allows.
    """
    from defusedxml.ElementTree import fromstring, tostring  # noqa: PLC0415 - see `_draw`

    root = fromstring(svg)
    text = svg.decode()
    used = set(_REFERENCE.findall(" ".join(re.findall(r'(?:url\(|href=")(#[\w-]+)', text))))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in {"metadata", "style"}:
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        attributes = {name.rpartition("}")[2]: value for name, value in element.items()}
        element.attrib.clear()
        element.attrib.update(_plain(attributes, used, chart_id))
    kept = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": title}
    root.attrib.clear()
    root.attrib.update(kept | {"class": "chart", "stroke-linejoin": "round"})
    drawn: str = tostring(root, encoding="unicode", short_empty_elements=False)
    return drawn


def _plain(attributes: dict[str, str], used: set[str], chart_id: str) -> dict[str, str]:
    found = dict(attributes)
    for rule in found.pop("style", "").split(";"):
        name, _colon, value = (part.strip() for part in rule.partition(":"))
        if name:
            found[name] = _FONTS if name == "font-family" else value
    if found.get("id") not in used:
        found.pop("id", None)
    return {
        name: _REFERENCE.sub(rf"#{chart_id}-\1", value) if name in {"href", "clip-path"} else value
        for name, value in found.items()
    } | ({"id": f"{chart_id}-{found['id']}"} if "id" in found else {})
