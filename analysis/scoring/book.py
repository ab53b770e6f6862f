"""A rubric as tables that people fill in: one row per indicator, and a sheet for what repeats.

Here are the sheets and their columns, under the names that the field uses. A workbook, a form on
a page and a rubric file say the same in three ways: `book_reading` and `book_writing` lead from
cells to a rubric file's keys and back, and the checks are those of the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from analysis.scoring import wording

LEVELS = 4


class Cell(StrEnum):
    """How a cell is read."""

    TEXT = "text"
    NUMBER = "number"
    SHARE = "share"
    BOUND = "bound"
    PERCENT = "percent"
    WHOLE = "whole"
    FLAG = "flag"
    WORD = "word"
    AMOUNTS = "amounts"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the key of the rubric file that its cells stand for, and its heading.

    `words` are what may be chosen, by what the file says for it; `note` explains in a sentence.
    """

    key: str
    name: str
    cell: Cell = Cell.TEXT
    words: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        """What may be chosen, empty for a free cell."""
        return tuple(FLAGS.values()) if self.cell is Cell.FLAG else tuple(self.words.values())


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet with its columns; `is_upright` has a row for each column instead, and one entry."""

    key: str
    title: str
    columns: tuple[Column, ...]
    is_upright: bool = False

    def choose(self, *keys: str) -> tuple[Column, ...]:
        """Return the columns that stand for these keys or for keys below them, in their order."""
        wanted = tuple(f"{key}." for key in keys)
        return tuple(each for each in self.columns if f"{each.key}.".startswith(wanted))


@dataclass(frozen=True, slots=True)
class Line:
    """A row: the number by which its faults are told, and its texts by the columns' keys."""

    number: int
    cells: Mapping[str, str]


Book: TypeAlias = Mapping[str, Sequence[Line]]
"""The rows of every sheet, by the sheet's key."""


@dataclass(frozen=True, slots=True)
class BookFault:
    """What is wrong in one cell: the keys of its sheet and column, and its row's number."""

    sheet: str
    row: int
    column: str
    reason: str


class BookRefused(ValueError):  # noqa: N818 - an expected outcome, named for what it is
    """Tables that are no rubric: every fault that could be told at once."""

    def __init__(self, faults: Sequence[BookFault]) -> None:
        super().__init__("；".join(fault.reason for fault in faults))
        self.faults = tuple(faults)


FLAGS = {"true": "是", "false": "否"}
RULE_KINDS = {
    "proportional": "完成率法",
    "deduct": "扣分法",
    "bands": "分档法",
    "checklist": "清单",
    "judgement": "评定",
    "unknown": "标准遗失",
}
ROLES = {"base": "基本", "bonus": "加分", "penalty": "减分"}
ROUNDINGS = {"half_up": "四舍五入", "half_even": "四舍六入五成双", "down": "截去"}
PARTIAL_STEPS = {"proportional": "按比例扣", "whole": "不扣", "started": "按一步扣"}
COMBINES = {"mean": "取平均", "range": "只有范围"}
CONDITIONS = {"count": "按份数", "tick": "有就扣完"}
SCOPES = {"complete": "整份文件", "partial": "只有一部分指标"}
BETTER = {"high": "越高越好", "low": "越低越好"}
# Where a printed figure stands, when nobody wrote it down.
PLACES = {"annex": "评分表", "text": wording.TEXT, "measured": "报告"}


def _numbers(prefix: str, names: Mapping[str, str]) -> tuple[Column, ...]:
    return tuple(Column(f"{prefix}{key}", name, Cell.NUMBER) for key, name in names.items())


def _path() -> tuple[Column, ...]:
    names = wording.LEVELS[:LEVELS]
    return tuple(Column(f"path.{place}", f"{name}指标") for place, name in enumerate(names))


RULE = (
    Column("rule.kind", "细则", Cell.WORD, RULE_KINDS),
    Column("rule.full", "细则满分", Cell.NUMBER, note="除标准遗失和分档法外，这条细则最多给几分。"),
    Column(
        "rule.target",
        "目标值",
        Cell.SHARE,
        note=f"完成率法、扣分法：到这里得满分。{wording.SHARES}",
    ),
    Column("rule.zero", "零分值", Cell.SHARE, note=wording.NO_SHARE),
    Column(
        "rule.full_at", "算式满分值", Cell.SHARE, note="完成率法：算式在这里给满分，不写同目标。"
    ),
    Column("rule.cutoff", "不得分界限", Cell.SHARE, note="完成率法：低于这里不得分。"),
    Column("rule.cutoff_inclusive", "界限本身也不得分", Cell.FLAG),
    Column("rule.per_step", "每步扣分", Cell.NUMBER, note="扣分法。"),
    Column("rule.step", "每步几个百分点", Cell.NUMBER, note="扣分法。"),
    Column("rule.partial_step", "不足一步", Cell.WORD, PARTIAL_STEPS, "扣分法，必须写明。"),
    Column("rule.better", "方向", Cell.WORD, BETTER, "扣分法，不写是越高越好。"),
    Column("rule.unit", "计数单位", note="分档法按个数计时写（次、人、项），按百分数计时不写。"),
    Column("rule.least", "评定下限", Cell.NUMBER, note="评定：要给就至少给几分。"),
    Column("rule.reason", "遗失的原因", note="标准遗失：为什么不能计分。"),
)
ROUNDING = (
    Column("rounding.mode", "进位", Cell.WORD, ROUNDINGS),
    Column("rounding.places", "得分小数位", Cell.WHOLE),
    Column("rounding.round_rate_first", "先把率取到几位小数", Cell.WHOLE),
)
FIGURE = (
    Column("percent", "印出的百分数", Cell.PERCENT, note=wording.AS_PRINTED),
    Column("number", "印出的数", Cell.NUMBER, note="不是百分数时写。"),
    Column("numerator", "分子", Cell.WHOLE),
    Column("base", "基数", Cell.WHOLE),
)


def _measured() -> tuple[Column, ...]:
    figure = tuple(
        Column(f"measured.{one.key}", f"测量值：{one.name}", one.cell, note=one.note)
        for one in FIGURE
    )
    return (*figure, Column("measured.place", "测量值所在位置"))


_CODE = Column("code", "代码", note="“指标”表里的代码。")
_READING = Column("reading", "读法", note="属于另一种读法时写它的名称。")

INDICATORS = Table(
    "indicators",
    "指标",
    (
        *_path(),
        Column("code", "代码"),
        Column("name", "指标名称"),
        Column("weight", "分值", Cell.NUMBER),
        Column("role", "性质", Cell.WORD, ROLES, "不写是基本。"),
        Column("criteria", "评分标准", note="照抄文件。"),
        *RULE,
        *_measured(),
        Column("published.annex.points", "评分表印的得分", Cell.NUMBER),
        Column("published.annex.place", "评分表得分所在位置"),
        Column("published.text.points", "正文印的得分", Cell.NUMBER),
        Column("published.text.place", "正文得分所在位置"),
        Column("published.deducted.points", "文件说扣了几分", Cell.NUMBER),
        Column("published.deducted.place", "扣分所在位置"),
        Column("published.name_in_text", "正文里的名称", note="和指标名称不同时写。"),
        Column("measure", "问卷测量项", note="由哪个测量项计分。"),
        *ROUNDING,
        Column("note", "说明"),
    ),
)
ABOUT = Table(
    "about",
    "说明",
    (
        Column("id", "代号", note="拉丁字母、数字和连字符。"),
        Column("title", "名称"),
        Column("source.document", "来源文件"),
        Column("source.place", "在文件的什么位置"),
        Column("scope", "范围", Cell.WORD, SCOPES),
        Column("full_marks", "满分", Cell.NUMBER),
        *ROUNDING,
        *_numbers("adjustments.", {"most_bonus": "加分最多", "most_penalty": "减分最多"}),
        *_numbers("published.total.", {"points": "印出的总分", "out_of": "印出的总分满分"}),
        Column("published.total.place", "总分所在位置"),
        Column("published.grade", "印出的等级"),
        Column("note", "备注"),
    ),
    is_upright=True,
)
GRADES = Table(
    "grades",
    "等级",
    (
        Column("name", "等级"),
        Column("lower", "下限", Cell.NUMBER),
        Column("lower_inclusive", "含下限", Cell.FLAG),
        Column("upper", "上限", Cell.NUMBER, note="没有上限时不写。"),
        Column("upper_inclusive", "含上限", Cell.FLAG),
    ),
)
BANDS = Table(
    "bands",
    "分档",
    (
        _CODE,
        Column("lower", "下限", Cell.BOUND, note="从高到低，最后一档从 0 起。"),
        Column("inclusive", "含下限", Cell.FLAG),
        Column("points", "得分", Cell.NUMBER),
        Column("part", "分项", note="属于清单里的一项时写它的代码。"),
        _READING,
    ),
)
PARTS = Table(
    "parts",
    "清单分项",
    (
        _CODE,
        Column("id", "分项代码"),
        Column("name", "分项名称"),
        Column("points", "分项分值", Cell.NUMBER),
        Column("per_case", "每例扣分", Cell.NUMBER),
        Column("overflows", "扣完后在总分上继续扣", Cell.FLAG),
        *(one for one in RULE if one.key != "rule.reason"),
        _READING,
    ),
)
CONDITIONS_TABLE = Table(
    "conditions",
    "条件",
    (
        _CODE,
        Column("id", "条件代码"),
        Column("name", "条件名称"),
        Column("kind", "怎么算", Cell.WORD, CONDITIONS),
        Column("zero_from", "几份起扣为 0", Cell.WHOLE),
        Column("each", "每份扣分", Cell.NUMBER),
    ),
)
READINGS = Table(
    "readings",
    "另一种读法",
    (
        _CODE,
        Column("id", "读法"),
        Column("reason", "为什么不是首选"),
        Column("criteria", "评分标准"),
        *RULE,
    ),
)
MEASUREMENTS = Table(
    "measurements",
    "测量值",
    (
        Column("code", "代码", note="“指标”表里的代码；不属于哪个指标时不写。"),
        Column("turn", "第几个", Cell.WHOLE, note="同一个测量值有几个数时写同一个号。"),
        Column("place", "所在位置"),
        Column("name", "数的名称"),
        *FIGURE,
        Column("amount", "金额", Cell.NUMBER),
        Column("of", "总额", Cell.NUMBER),
        Column("combine", "几个数时", Cell.WORD, COMBINES),
        Column("at_least", "至少这么多", Cell.FLAG),
        Column("part", "分项", note="清单里的一项的代码。"),
        Column("met", "分项做到", Cell.FLAG),
        Column("cases", "分项缺失数", Cell.WHOLE),
        Column("given", "分项得分", Cell.NUMBER),
    ),
)
TABLES = Table(
    "tables",
    "频数表",
    (
        _CODE,
        Column("place", "表", note="例如：表4。同一张表的各行写同一个名称。"),
        Column("answer", "选项"),
        Column("count", "人数", Cell.WHOLE),
        Column("percent", "印出的百分数", Cell.PERCENT),
        Column("n", "总人数", Cell.WHOLE, note="写在表的第一行。"),
        Column("percent_total", "印出的百分数合计", Cell.PERCENT, note="写在表的第一行。"),
    ),
)
SUBTOTALS = Table(
    "subtotals",
    "小计",
    (
        *_path(),
        Column("points", "印出的得分", Cell.NUMBER),
        Column("out_of", "印出的满分", Cell.NUMBER),
        Column("place", "所在位置"),
    ),
)
LEVEL_COUNTS = Table(
    "level_counts",
    "指标个数",
    (
        Column("level", "第几级", Cell.WHOLE),
        Column("count", "文件说有几个", Cell.WHOLE),
        Column("place", "所在位置"),
    ),
)
COLUMNS = Table(
    "columns",
    "合计列",
    (
        Column("place", "所在位置"),
        Column("amounts", "各行的数", Cell.AMOUNTS, note="用分号或换行隔开。"),
        Column("total", "印出的合计", Cell.NUMBER),
    ),
)
AMOUNTS = Table(
    "amounts",
    "同一数额",
    (
        Column("name", "数额的名称", note="同一个数额在几处出现时，每处一行，名称相同。"),
        Column("place", "所在位置"),
        Column("amount", "印出的数", Cell.NUMBER),
    ),
)

SHEETS = (
    INDICATORS,
    ABOUT,
    GRADES,
    BANDS,
    PARTS,
    CONDITIONS_TABLE,
    READINGS,
    MEASUREMENTS,
    TABLES,
    SUBTOTALS,
    LEVEL_COUNTS,
    COLUMNS,
    AMOUNTS,
)
# What belongs to one indicator, by its code.
OF_INDICATOR = (BANDS, PARTS, CONDITIONS_TABLE, READINGS, MEASUREMENTS, TABLES)
BY_KEY = {table.key: table for table in SHEETS}
