"""The feed `minping.feed/1`: the measurements that a rubric is scored with.

Numbers that are not counts are strings, because a JSON number becomes a float in most readers.
The format is published as a JSON Schema in `feed.schema.json`; what a schema cannot say (a
numerator above its base, an indicator given twice) is refused here as well.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, Never, TypeVar, assert_never

W = TypeVar("W", bound=StrEnum)

FORMAT = "minping.feed/1"
FORMAT_OF_MANY = "minping.feeds/1"
UNKNOWN_KEY = "不认识的键"
# No figure of a report has so many digits; a file of them would be a load.
LONGEST_DECIMAL = 40
DECIMAL = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)
FRACTION = re.compile(r"(0|[1-9][0-9]*)(/[1-9][0-9]*)?", re.ASCII)


class FeedError(ValueError):
    """A feed that cannot be read: where in the JSON, and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}：{reason}")
        self.path = path
        self.reason = reason


class Kind(StrEnum):
    """What is measured."""

    RATE = "rate"
    RATIO = "ratio"
    COUNT = "count"
    TICKS = "ticks"
    PARTS = "parts"
    JUDGEMENT = "judgement"


class Weighting(StrEnum):
    """Which weights a rate was computed with."""

    RAW = "raw"
    DESIGN = "design"
    RAKED = "raked"


@dataclass(frozen=True, slots=True)
class Interval:
    """The ends of an interval for a rate, as shares between 0 and 1, and how they were found."""

    low: Decimal
    high: Decimal
    method: str
    confidence: Decimal


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of respondents, with everything that lets a reader check it.

    `value` is the rate; for a composite of several questions, and where `weighting` is not raw,
    it need not be numerator ÷ base, which are raw counts.
    `left_out` counts, by reason, the answers outside the base; `seal` is the digest of the
    sealed survey, None until it is sealed. `respondents` is how many people gave the answers in
    the base; None says that the base counts people.
    """

    numerator: int
    base: int
    value: Fraction
    definition: str
    interval: Interval | None = None
    interval_note: str = ""
    survey: str = ""
    seal: str | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    respondents: int | None = None
    weighting: Weighting = Weighting.RAW


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio that may pass 1: a decimal, or two amounts."""

    numerator: Decimal
    denominator: Decimal = Decimal(1)

    @property
    def value(self) -> Fraction:
        """The exact ratio."""
        return Fraction(self.numerator) / Fraction(self.denominator)


@dataclass(frozen=True, slots=True)
class Count:
    """Cases of one thing, or of each part of a checklist."""

    count: int | None = None
    parts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ticks:
    """Which parts of a checklist are met."""

    ticks: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Points that a person gave, with the reason."""

    points: Decimal
    author: str
    reason: str


PartContent = bool | int | Rate | Ratio | Judgement


@dataclass(frozen=True, slots=True)
class Parts:
    """What was found of each part of a checklist whose parts are measured in different ways."""

    parts: Mapping[str, PartContent]


Content = Rate | Ratio | Count | Ticks | Parts | Judgement


@dataclass(frozen=True, slots=True)
class Measurement:
    """One indicator's measurement.

    `conditions` states the facts that the rubric's conditions ask for (cases, or yes and no);
    `source` says in words where the figure is from.
    """

    indicator: str
    content: Content
    source: str = ""
    conditions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SurveyRef:
    """The survey that a feed was made from."""

    id: str
    title: str
    questionnaire: str


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """What is scored where an evaluation has many objects: a township, a department."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Feed:
    """Measurements by indicator code, of a survey or of one object of an evaluation.

    `made_at` is written by whoever made the feed. `survey` is None only where `about` is not.
    """

    survey: SurveyRef | None
    measurements: tuple[Measurement, ...]
    made_at: str | None = None
    about: ObjectRef | None = None


class Fields:
    """The fields of one JSON or TOML table: each is read once, and `close` refuses the rest.

    `fail` makes the reader's own error from a path and a reason, so that feeds and rubric files
    share this class and keep their own exceptions.
    """

    def __init__(self, raw: object, path: str, fail: Callable[[str, str], Exception]) -> None:
        self._path, self._fail = path, fail
        if not isinstance(raw, dict):
            self.refuse("", "这里应当是一组键和值")
        self._raw: dict[str, Any] = raw
        self._read: set[str] = set()

    def refuse(self, key: str, reason: str) -> Never:
        """Raise the reader's error at this key."""
        raise self._fail(self.where(key), reason)

    def where(self, key: str) -> str:
        """Return the path of a key."""
        return f"{self._path}.{key}" if self._path and key else self._path or key

    def has(self, key: str) -> bool:
        """Whether the key is there and not null."""
        return self._raw.get(key) is not None

    def take(self, key: str) -> Any:  # noqa: ANN401 - raw JSON or TOML enters here
        """Return the raw value of a key that must be there."""
        self._read.add(key)
        if key not in self._raw:
            self.refuse(key, "缺少这一项")
        return self._raw[key]

    def skip_null(self, *keys: str) -> None:
        """Count absent or null keys as read."""
        self._read.update(key for key in keys if not self.has(key))

    def text(self, key: str) -> str:
        """Return a string that is not blank."""
        raw = self.take(key)
        if not isinstance(raw, str) or not raw.strip():
            self.refuse(key, "应当是非空的文字")
        return raw

    def text_or_empty(self, key: str) -> str:
        """Return a string, empty where the key is absent."""
        raw = self.take(key) if key in self._raw else ""
        if not isinstance(raw, str):
            self.refuse(key, "应当是文字")
        return raw

    def integer(self, key: str) -> int:
        """Return a whole number from 0 up."""
        raw = self.take(key)
        if not isinstance(raw, int) or isinstance(raw, bool) or raw < 0:
            self.refuse(key, "应当是不小于 0 的整数")
        return raw

    def flag(self, key: str) -> bool:
        """Return yes or no."""
        raw = self.take(key)
        if not isinstance(raw, bool):
            self.refuse(key, "应当是 true 或 false")
        return raw

    def decimal(self, key: str) -> Decimal:
        """Return an exact decimal, written as a string."""
        raw = self.take(key)
        if not isinstance(raw, str) or not DECIMAL.fullmatch(raw):
            self.refuse(key, '应当是写成文字的小数，例如 "0.85"')
        if len(raw) > LONGEST_DECIMAL:
            self.refuse(key, f"位数太多，最多 {LONGEST_DECIMAL} 位")
        return Decimal(raw)

    def fraction(self, key: str) -> Fraction:
        """Return an exact fraction, written as a string."""
        raw = self.take(key)
        if not isinstance(raw, str) or not FRACTION.fullmatch(raw):
            self.refuse(key, '应当是写成文字的分数，例如 "365/412"')
        return Fraction(raw)

    def word(self, key: str, words: type[W]) -> W:
        """Return one of a closed list of words."""
        raw = self.take(key)
        if not isinstance(raw, str) or raw not in set(words):
            self.refuse(key, f"应当是 {'、'.join(words)} 之一")
        return words(raw)

    def table(self, key: str) -> "Fields":
        """Return the table at this key."""
        return Fields(self.take(key), self.where(key), self._fail)

    def tables(self, key: str) -> tuple["Fields", ...]:
        """Return the tables of a list at this key, empty where it is absent."""
        raw = self.take(key) if key in self._raw else []
        if not isinstance(raw, list):
            self.refuse(key, "应当是一个列表")
        return tuple(
            Fields(entry, f"{self.where(key)}[{place}]", self._fail)
            for place, entry in enumerate(raw)
        )

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings, empty where the key is absent."""
        raw = self.take(key) if key in self._raw else []
        if not isinstance(raw, list) or not all(isinstance(entry, str) for entry in raw):
            self.refuse(key, "应当是文字的列表")
        return tuple(raw)

    def counts(self, key: str) -> dict[str, int]:
        """Return numbers of cases by name, empty where the key is absent."""
        inner = self._inner(key)
        return {name: inner.integer(name) for name in inner.names}

    def facts(self, key: str) -> dict[str, int]:
        """Return numbers of cases, or yes and no, by name, empty where the key is absent."""
        inner = self._inner(key)
        return {
            name: inner.flag(name) if isinstance(inner.take(name), bool) else inner.integer(name)
            for name in inner.names
        }

    def flags(self, key: str) -> dict[str, bool]:
        """Return yes or no by name, empty where the key is absent."""
        inner = self._inner(key)
        return {name: inner.flag(name) for name in inner.names}

    @property
    def names(self) -> tuple[str, ...]:
        """All keys."""
        return tuple(self._raw)

    def close(self) -> None:
        """Refuse the first key that nobody asked for."""
        for key in self._raw:
            if key not in self._read:
                self.refuse(key, UNKNOWN_KEY)

    def _inner(self, key: str) -> "Fields":
        raw = self.take(key) if key in self._raw else {}
        return Fields(raw, self.where(key), self._fail)


def parse(text: str) -> Feed:
    """Read a feed.

    Raises: `FeedError` with the JSON path and the reason.
    Source: `feed.schema.json`.
    """
    return _feed(Fields(_read_json(text), "$", FeedError))


def parse_many(text: str) -> tuple[Feed, ...]:
    """Read the feeds of many objects out of one file, or the one feed that it holds.

    Raises: `FeedError` with the JSON path and the reason, also where two feeds are about the same.
    """
    fields = Fields(_read_json(text), "$", FeedError)
    if fields.text("format") == FORMAT:
        return (_feed(fields),)
    if fields.text("format") != FORMAT_OF_MANY:
        fields.refuse("format", f"应当是 {FORMAT} 或 {FORMAT_OF_MANY}")
    if not fields.has("feeds"):
        fields.refuse("feeds", "缺少这一项")
    feeds = tuple(map(_feed, fields.tables("feeds")))
    fields.close()
    doubled = _doubled(feed.about.id for feed in feeds if feed.about)
    if doubled:
        fields.refuse("feeds", f"同一对象有两份测量数据：{'、'.join(doubled)}")
    return feeds


def parse_measurement(text: str) -> Measurement:
    """Read one measurement as it stands in a feed. Raises: `FeedError`."""
    return _measurement(Fields(_read_json(text), "$", FeedError))


def dump(feed: Feed) -> str:
    """Return the feed as JSON text that `parse` reads back unchanged."""
    return _text(_feed_json(feed))


def dump_many(feeds: Iterable[Feed]) -> str:
    """Return feeds as one JSON text that `parse_many` reads back unchanged."""
    return _text({"format": FORMAT_OF_MANY, "feeds": [_feed_json(feed) for feed in feeds]})


def dump_measurement(measurement: Measurement) -> str:
    """Return one measurement as JSON text that `parse_measurement` reads back unchanged."""
    return json.dumps(as_json(measurement), ensure_ascii=False)


def _text(raw: dict[str, object]) -> str:
    return json.dumps(raw, ensure_ascii=False, indent=2) + "\n"


def _feed_json(feed: Feed) -> dict[str, object]:
    survey, about = feed.survey, feed.about
    raw: dict[str, object] = {"format": FORMAT}
    if survey is not None:
        raw["survey"] = {
            "id": survey.id,
            "title": survey.title,
            "questionnaire": survey.questionnaire,
        }
    if about is not None:
        raw["object"] = {"id": about.id, "name": about.name}
    measurements = [as_json(measurement) for measurement in feed.measurements]
    return {**raw, "made_at": feed.made_at, "measurements": measurements}


def as_json(measurement: Measurement) -> dict[str, object]:
    """Return one measurement as it stands in a feed."""
    raw: dict[str, object] = {"indicator": measurement.indicator, **_content(measurement.content)}
    if measurement.conditions:
        raw["conditions"] = dict(measurement.conditions)
    if measurement.source:
        raw["source"] = measurement.source
    return raw


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    raw = dict(pairs)
    if len(raw) != len(pairs):
        raise FeedError("$", f"有重复的键：{'、'.join(_doubled(key for key, _ in pairs))}")
    return raw


def _doubled(names: Iterable[str]) -> list[str]:
    listed = list(names)
    return sorted({name for name in listed if listed.count(name) > 1})


def _read_json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_without_doubles)
    except json.JSONDecodeError as fault:
        reason = f"不是合法的 JSON，第 {fault.lineno} 行第 {fault.colno} 列"
        raise FeedError("$", reason) from None
    except RecursionError:
        raise FeedError("$", "嵌套太深") from None


def _feed(fields: Fields) -> Feed:
    if fields.text("format") != FORMAT:
        fields.refuse("format", f"应当是 {FORMAT}")
    about = _about(fields.table("object")) if fields.has("object") else None
    # A feed says what it measures: a survey, an object, or an object by a survey.
    is_survey = about is None or "survey" in fields.names
    survey = _survey(fields.table("survey")) if is_survey else None
    feed = Feed(survey, _measurements(fields), _or_none(fields, "made_at"), about)
    fields.close()
    return feed


def _survey(fields: Fields) -> SurveyRef:
    survey = SurveyRef(fields.text("id"), fields.text("title"), fields.text("questionnaire"))
    fields.close()
    return survey


def _about(fields: Fields) -> ObjectRef:
    about = ObjectRef(fields.text("id"), fields.text("name"))
    fields.close()
    return about


def _measurements(fields: Fields) -> tuple[Measurement, ...]:
    if not fields.has("measurements"):
        fields.refuse("measurements", "缺少这一项")
    measurements = tuple(map(_measurement, fields.tables("measurements")))
    doubled = _doubled(measurement.indicator for measurement in measurements)
    if doubled:
        fields.refuse("measurements", f"同一指标有两个测量值：{'、'.join(doubled)}")
    return measurements


def _measurement(fields: Fields) -> Measurement:
    measurement = Measurement(
        indicator=fields.text("indicator"),
        content=READERS[fields.word("kind", Kind)](fields),
        source=fields.text_or_empty("source"),
        conditions=fields.facts("conditions"),
    )
    fields.close()
    return measurement


def _rate(fields: Fields) -> Rate:
    rate = Rate(
        numerator=fields.integer("numerator"),
        base=fields.integer("base"),
        value=fields.fraction("value"),
        definition=fields.text("definition"),
        interval=_interval(fields),
        interval_note=fields.text_or_empty("interval_note"),
        survey=fields.text_or_empty("survey"),
        seal=_or_none(fields, "seal"),
        left_out=fields.counts("left_out"),
        respondents=fields.integer("respondents") if fields.has("respondents") else None,
        weighting=_weighting(fields),
    )
    fields.skip_null("respondents")
    if rate.respondents == 0:
        fields.refuse("respondents", "没有人作答，率不可计算")
    if rate.base == 0:
        fields.refuse("base", "基数是 0，率不可计算")
    if rate.numerator > rate.base:
        fields.refuse("numerator", "分子大于基数")
    if rate.value > 1:
        fields.refuse("value", "率不能大于 1")
    return rate


def _weighting(fields: Fields) -> Weighting:
    if fields.has("weighting"):
        return fields.word("weighting", Weighting)
    fields.skip_null("weighting")
    return Weighting.RAW


def _interval(fields: Fields) -> Interval | None:
    if not fields.has("interval"):
        fields.skip_null("interval")
        return None
    inner = fields.table("interval")
    interval = Interval(
        low=inner.decimal("low"),
        high=inner.decimal("high"),
        method=inner.text("method"),
        confidence=inner.decimal("confidence"),
    )
    inner.close()
    if not interval.low <= interval.high <= 1:
        inner.refuse("low", "区间的两端应当从低到高，都在 0 与 1 之间")
    return interval


def _ratio(fields: Fields) -> Ratio:
    if fields.has("value"):
        return Ratio(fields.decimal("value"))
    numerator, denominator = fields.decimal("numerator"), fields.decimal("denominator")
    if not denominator:
        fields.refuse("denominator", "分母是 0，比值不可计算")
    return Ratio(numerator, denominator)


def _count(fields: Fields) -> Count:
    if fields.has("count"):
        return Count(count=fields.integer("count"))
    if not fields.has("parts"):
        fields.refuse("count", "应当有 count 或者 parts")
    return Count(parts=fields.counts("parts"))


def _ticks(fields: Fields) -> Ticks:
    if not fields.has("ticks"):
        fields.refuse("ticks", "缺少这一项")
    return Ticks(fields.flags("ticks"))


def _parts(fields: Fields) -> Parts:
    inner = fields.table("parts")
    return Parts({name: _part(inner, name) for name in inner.names})


def _part(fields: Fields, name: str) -> PartContent:
    raw = fields.take(name)
    if isinstance(raw, bool):
        return raw
    if not isinstance(raw, dict):
        return fields.integer(name)
    inner = fields.table(name)
    kind = inner.word("kind", Kind)
    if kind not in PART_READERS:
        inner.refuse("kind", f"一项的测量值只能是 {'、'.join(PART_READERS)} 之一")
    content = PART_READERS[kind](inner)
    inner.close()
    return content


def _judgement(fields: Fields) -> Judgement:
    return Judgement(fields.decimal("points"), fields.text("author"), fields.text("reason"))


PART_READERS: dict[Kind, Callable[[Fields], Rate | Ratio | Judgement]] = {
    Kind.RATE: _rate,
    Kind.RATIO: _ratio,
    Kind.JUDGEMENT: _judgement,
}
READERS: dict[Kind, Callable[[Fields], Content]] = {
    **PART_READERS,
    Kind.COUNT: _count,
    Kind.TICKS: _ticks,
    Kind.PARTS: _parts,
}


def _or_none(fields: Fields, key: str) -> str | None:
    if fields.has(key):
        return fields.text(key)
    fields.skip_null(key)
    return None


def _content(content: Content) -> dict[str, object]:
    match content:
        case Rate():
            return _rate_json(content)
        case Ratio(numerator, denominator):
            return {"kind": Kind.RATIO, **_ratio_json(numerator, denominator)}
        case Count(count, parts):
            counted = {"parts": dict(parts)} if count is None else {"count": count}
            return {"kind": Kind.COUNT, **counted}
        case Ticks(ticks):
            return {"kind": Kind.TICKS, "ticks": dict(ticks)}
        case Parts(parts):
            return {"kind": Kind.PARTS, "parts": {key: _part_json(parts[key]) for key in parts}}
        case Judgement(points, author, reason):
            given = {"points": _plain(points), "author": author, "reason": reason}
            return {"kind": Kind.JUDGEMENT, **given}
        case _:
            assert_never(content)


def _part_json(content: PartContent) -> object:
    return content if isinstance(content, int) else _content(content)


def _ratio_json(numerator: Decimal, denominator: Decimal) -> dict[str, str]:
    if denominator == 1:
        return {"value": _plain(numerator)}
    return {"numerator": _plain(numerator), "denominator": _plain(denominator)}


def _rate_json(rate: Rate) -> dict[str, object]:
    interval = rate.interval
    return {
        "kind": Kind.RATE,
        "numerator": rate.numerator,
        "base": rate.base,
        "value": str(rate.value),
        "definition": rate.definition,
        "interval": None if interval is None else _interval_json(interval),
        "interval_note": rate.interval_note,
        "survey": rate.survey,
        "seal": rate.seal,
        "left_out": dict(rate.left_out),
        **({} if rate.respondents is None else {"respondents": rate.respondents}),
        "weighting": rate.weighting,
    }


def _interval_json(interval: Interval) -> dict[str, object]:
    return {
        "low": _plain(interval.low),
        "high": _plain(interval.high),
        "method": interval.method,
        "confidence": _plain(interval.confidence),
    }


def _plain(number: Decimal) -> str:
    # str() would write 0.0000001 as 1E-7, which the format does not know.
    return format(number, "f")
