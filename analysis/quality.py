"""Signals that choose what a person looks at; none of them says that somebody cheated.

Every signal names its method, its limit and where the limit is from, and flags single submissions
with what was measured. Careful people answer fast, agree and answer at night too: what to make of
a flagged submission is for a person to say, and for going back to those who were asked.

What anonymity forbids is not computed: no device and no instant finer than the hour is known of a
submission, so bursts are counted by batch, poster and interviewer, hour by hour.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from itertools import groupby
from math import ceil
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.differences import holm
from analysis.frames import ABOUT, asked_column, were_asked
from surveys.questionnaire import Question, QuestionKind, Questionnaire

SHORTEST_SECONDS_PER_ITEM = 2.0
"""Huang, Curran, Keeney, Poposki and DeShon (2012), Journal of Business and Psychology 27:99-114:
fewer than two seconds for each item is too fast to have read it."""

LONGEST_RUN = 5
"""The same option so often in a row. The index is Johnson's (2005), Journal of Research in
Personality 39:103-129; no limit holds for every questionnaire, and this one is the house's own."""

FEWEST_ANSWERS = 8
"""Shorter answer sheets are often alike by chance, and are not compared."""

CHANCE = 0.01
"""How likely it may be that chance alone flags any group of identical answer sheets."""

MOST_PER_HOUR = 30
"""So many from one batch, poster or interviewer in an hour; the house's own limit."""

FIRST_HOUR, LAST_HOUR = 7, 21
"""Working hours, the last one not included; the house's own."""

FEWEST_INTERVIEWS = 10
"""An interviewer with fewer in an area, or with fewer by colleagues there, is not compared."""

LEVEL = 0.05
"""The chance, after Holm, that any interviewer is flagged though none differs."""

DRAWS = 19_999
"""Tables that the interviewers' test draws; the smallest p value is 1 / (`DRAWS` + 1)."""


class Signal(StrEnum):
    """What made a submission worth a look."""

    TOO_FAST = "too_fast"
    STRAIGHT_LINE = "straight_line"
    IDENTICAL = "identical"
    BURST = "burst"
    INTERVIEWER = "interviewer"
    OUTSIDE_HOURS = "outside_hours"


class Circumstance(NamedTuple):
    """How one submission came in.

    `received` is the hour in the zone by which people there live, None where it says nothing: a
    table is imported long after people answered. `seconds` is how long answering took, None where
    nobody measured it or it was erased. `interviewer` asked, if anybody did.
    """

    key: str
    seconds: int | None
    received: datetime | None
    interviewer: int | None


@dataclass(frozen=True, slots=True)
class Flag:
    """One submission that a signal points at, with what was measured and the limit it passed."""

    key: str
    signal: Signal
    value: float
    limit: float


@dataclass(frozen=True, slots=True)
class Found:
    """What one signal found: its flags, and how many submissions it could judge at all."""

    signal: Signal
    flags: tuple[Flag, ...]
    judged: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One interviewer's answers to one question beside those of colleagues in the same area.

    `n` and `others` are how many answered; `statistic` is Pearson's chi-squared, `p` its chance by
    drawing tables with the same margins, `corrected` the same after Holm over all comparisons.
    """

    interviewer: int
    area: int
    question: str
    n: int
    others: int
    statistic: float
    p: float
    corrected: float


def lay_out_circumstances(rows: Iterable[Circumstance]) -> pd.DataFrame:
    """Lay circumstances out as a frame: `key`, `seconds`, `hour` (0-23), `day`, `interviewer`."""
    found = list(rows)
    return pd.DataFrame(
        {
            "key": pd.Series([row.key for row in found], dtype="str"),
            "seconds": pd.Series([row.seconds for row in found], dtype="Int64"),
            "hour": pd.Series([row.received and row.received.hour for row in found], dtype="Int64"),
            "day": pd.Series(
                [row.received and row.received.date().isoformat() for row in found], dtype="str"
            ),
            "interviewer": pd.Series([row.interviewer for row in found], dtype="Int64"),
        }
    )


def too_fast(
    frame: pd.DataFrame,
    about: pd.DataFrame,
    questionnaire: Questionnaire,
    *,
    seconds_per_item: float = SHORTEST_SECONDS_PER_ITEM,
) -> Found:
    """Flag who took fewer than `seconds_per_item` for each question or matrix row they were asked.

    Parameters
        frame: as `analysis.frames.build_frame` makes it.
        about: as `lay_out_circumstances` makes it, with the same rows in the same order.

    Returns
        Flags with the seconds per item. Judged are those whose time was measured.

    Raises
        ValueError: the frames' rows are not the same submissions (as for every signal).

    Source: Huang et al. (2012), see `SHORTEST_SECONDS_PER_ITEM`.
    """
    _match(frame, about)
    items = pd.Series(0, index=frame.index)
    for question in questionnaire.questions:
        if question.kind is not QuestionKind.INFORMATION:
            items = items + were_asked(frame, question.id) * len(question.parts)
    pace = about["seconds"].astype("Float64") / items.where(items > 0)
    return _below(frame, Signal.TOO_FAST, pace, seconds_per_item)


def straight_line(
    frame: pd.DataFrame, questionnaire: Questionnaire, *, longest: int = LONGEST_RUN
) -> Found:
    """Flag who chose the same option at least `longest` times in a row.

    Only questions that follow each other in one section and offer the same options make a run;
    where no such run is long enough, nobody is judged. Flags carry the length of the longest run.

    Source: the long-string index, Johnson (2005), see `LONGEST_RUN`.
    """
    blocks = [block for block in _blocks(questionnaire) if len(block) >= longest]
    if not blocks:
        return Found(Signal.STRAIGHT_LINE, (), 0)
    runs = pd.concat([_longest_run(frame, block) for block in blocks], axis=1).max(axis=1)
    return _from(frame, Signal.STRAIGHT_LINE, runs.where(runs > 0), longest)


def identical(
    frame: pd.DataFrame, *, fewest: int = FEWEST_ANSWERS, chance: float = CHANCE
) -> Found:
    """Flag groups of answer sheets that are alike in everything, and larger than chance explains.

    How many sheets with these answers to expect is computed as if the questions were answered
    independently with the shares found here; a group is flagged where a Poisson distribution with
    that mean gives so many with less than `chance`, divided by the number of different sheets
    (Bonferroni). People who agree answer alike, so that honest groups are flagged too. Flags carry
    the size of the group. Judged are sheets with at least `fewest` answered questions.

    Source: duplicates as a sign of fabrication, Kuriakose and Robbins (2016), Statistical Journal
    of the IAOS 32:283-291; the comparison with chance is the house's own.
    """
    from scipy.special import pdtrc  # noqa: PLC0415 - see analysis.intervals

    given = _answers_by_question(frame)
    is_judged = (given != "").sum(axis=1) >= fewest
    given = given[is_judged]
    if given.empty:
        return Found(Signal.IDENTICAL, (), 0)
    shares = pd.DataFrame({name: given[name].map(given[name].value_counts()) for name in given})
    expected = (shares / len(given)).prod(axis=1) * len(given)
    alike = given.groupby(list(given.columns), sort=False)
    sizes = alike[given.columns[0]].transform("size")
    tail = pd.Series(pdtrc(sizes - 1, expected), index=given.index)
    is_flagged = (sizes > 1) & (tail < chance / alike.ngroups)
    flags = tuple(
        Flag(frame.loc[row, "key"], Signal.IDENTICAL, float(sizes[row]), 2.0)
        for row in given.index[is_flagged]
    )
    return Found(Signal.IDENTICAL, flags, len(given))


def bursts(frame: pd.DataFrame, about: pd.DataFrame, *, most: int = MOST_PER_HOUR) -> Found:
    """Flag those who came with more than `most` others in one hour from one source.

    A source is a batch of cards, the poster of an area, or an interviewer. Flags carry how many
    came in that hour. A meeting where everybody scans at once is a burst too.
    """
    _match(frame, about)
    poster = frame["area"].where(frame["channel"] == "poster")
    hours = about["day"] + " " + about["hour"].astype("str")
    counts = pd.DataFrame(
        {
            name: source.groupby([source, hours]).transform("size")
            for name, source in (
                ("batch", frame["batch"]),
                ("poster", poster),
                ("interviewer", about["interviewer"]),
            )
        }
    )
    return _above(frame, Signal.BURST, counts.max(axis=1), most)


def outside_hours(
    frame: pd.DataFrame, about: pd.DataFrame, *, first: int = FIRST_HOUR, last: int = LAST_HOUR
) -> Found:
    """Flag what came in before hour `first` or from hour `last` on; flags carry the hour."""
    _match(frame, about)
    hour = about["hour"]
    is_flagged = ((hour < first) | (hour >= last)).fillna(value=False)
    flags = tuple(
        Flag(frame.loc[row, "key"], Signal.OUTSIDE_HOURS, float(hour[row]), float(last))
        for row in frame.index[is_flagged]
    )
    return Found(Signal.OUTSIDE_HOURS, flags, int(hour.notna().sum()))


def opt_in_share(frame: pd.DataFrame) -> Fraction | None:
    """Return the share of those who came by themselves, by an open link; None without anybody."""
    if frame.empty:
        return None
    return Fraction(int((frame["channel"] == "poster").sum()), len(frame))


def compare_interviewers(
    frame: pd.DataFrame,
    about: pd.DataFrame,
    questions: Sequence[str],
    seed: int,
    *,
    fewest: int = FEWEST_INTERVIEWS,
    draws: int = DRAWS,
) -> tuple[Comparison, ...]:
    """Compare each interviewer's answers with those of colleagues in the same area.

    Parameters
        questions: columns with one option each; a blank is left out.
        seed: of the tables that are drawn; the same seed gives the same p values.
        fewest: interviews that the interviewer, and the colleagues together, must have.
        draws: how many tables are drawn for each comparison.

    Returns
        One comparison for each interviewer, area and question with at least two different answers,
        the smallest corrected p value first. People in one village differ from those in the next,
        so that a difference may be the villages'.

    Source: Pearson's chi-squared of homogeneity of a 2 × k table, its p value by drawing tables
    with the same margins: Hope (1968), Journal of the Royal Statistical Society B 30:582-598, as
    R `chisq.test(simulate.p.value = TRUE)`. Holm (1979) over all comparisons.
    """
    _match(frame, about)
    chance = np.random.default_rng(seed)
    made = []
    asked = about["interviewer"].notna()
    for area, people in frame[asked].groupby("area"):
        who = about.loc[people.index, "interviewer"]
        for interviewer in sorted(who.unique()):
            is_mine = who == interviewer
            for question in questions:
                mine = people.loc[is_mine, question].dropna()
                others = people.loc[~is_mine, question].dropna()
                if min(len(mine), len(others)) < fewest:
                    continue
                table = pd.DataFrame({"mine": mine.value_counts(), "others": others.value_counts()})
                counts = table.fillna(0)[table.sum(axis=1) > 0].to_numpy(dtype=np.int64)
                if len(counts) < 2:
                    continue
                statistic, p = _homogeneity(counts, chance, draws)
                named = (int(interviewer), int(str(area)), question, len(mine), len(others))
                made.append((named, statistic, p))
    corrected = holm([p for _named, _statistic, p in made])
    compared = [
        Comparison(*named, statistic, p, after)
        for (named, statistic, p), after in zip(made, corrected, strict=True)
    ]
    return tuple(sorted(compared, key=lambda each: (each.corrected, each.p)))


def departing_interviewers(
    frame: pd.DataFrame,
    about: pd.DataFrame,
    compared: Sequence[Comparison],
    *,
    level: float = LEVEL,
) -> Found:
    """Flag the interviews of those who differ from colleagues, in the area where they do.

    Flags carry the smallest corrected p value. Judged are interviews that were compared at all.
    """
    smallest: dict[tuple[int, int], float] = {}
    for each in compared:
        who = each.interviewer, each.area
        smallest[who] = min(each.corrected, smallest.get(who, 1.0))
    flags, judged = [], 0
    for key, area, who in zip(frame["key"], frame["area"], about["interviewer"], strict=True):
        p = None if pd.isna(who) else smallest.get((int(who), int(area)))
        judged += p is not None
        if p is not None and p < level:
            flags.append(Flag(key, Signal.INTERVIEWER, p, level))
    return Found(Signal.INTERVIEWER, tuple(flags), judged)


def draw_back_checks(
    interviews: Mapping[str, int], drawn: Iterable[str], share: Fraction, seed: int
) -> list[str]:
    """Draw interviews to be checked by going back, the same share of every interviewer's.

    Parameters
        interviews: the interviewer of each submission, by its key.
        drawn: keys that were drawn before; they count towards the share.
        share: 0 to 1; each interviewer's number is rounded up, so that nobody is left out.
        seed: what the order is made from; the same seed draws the same interviews.

    Returns
        The keys drawn now, in the order in which chance put them.

    The order is that of SHA-256 over seed and key: nobody who knows a key can steer it without the
    seed, and everybody who knows both can repeat it, in any language.
    """
    before = set(drawn)

    def rank(key: str) -> str:
        return hashlib.sha256(f"{seed}/{key}".encode()).hexdigest()

    chosen: list[str] = []
    by_interviewer = sorted(interviews.items(), key=lambda pair: (pair[1], rank(pair[0])))
    for _interviewer, pairs in groupby(by_interviewer, key=lambda pair: pair[1]):
        keys = [key for key, _who in pairs]
        missing = ceil(share * len(keys)) - len(before.intersection(keys))
        chosen += [key for key in keys if key not in before][: max(missing, 0)]
    return sorted(chosen, key=rank)


def _match(frame: pd.DataFrame, about: pd.DataFrame) -> None:
    if list(frame["key"]) != list(about["key"]):
        raise ValueError("the two frames are not about the same submissions")


def _below(frame: pd.DataFrame, signal: Signal, values: pd.Series, limit: float) -> Found:
    return _flagged(frame, signal, values, values < limit, limit)


def _from(frame: pd.DataFrame, signal: Signal, values: pd.Series, limit: float) -> Found:
    return _flagged(frame, signal, values, values >= limit, limit)


def _above(frame: pd.DataFrame, signal: Signal, values: pd.Series, limit: float) -> Found:
    return _flagged(frame, signal, values, values > limit, limit)


def _flagged(
    frame: pd.DataFrame, signal: Signal, values: pd.Series, which: pd.Series, limit: float
) -> Found:
    flags = tuple(
        Flag(frame.loc[row, "key"], signal, float(values[row]), float(limit))
        for row in frame.index[which.fillna(value=False).astype("bool")]
    )
    return Found(signal, flags, int(values.notna().sum()))


def _blocks(questionnaire: Questionnaire) -> list[list[Question]]:
    """Return the runs of questions that follow each other and offer the same options."""
    found = []
    for section in questionnaire.sections:
        parts = [part for question in section.questions for part in question.parts]
        for _codes, same in groupby(parts, key=lambda part: (part.is_chosen_once, part.codes)):
            block = list(same)
            if block[0].is_chosen_once:
                found.append(block)
    return found


def _longest_run(frame: pd.DataFrame, block: Sequence[Question]) -> pd.Series:
    longest = run = pd.Series(0, index=frame.index)
    before = pd.Series(None, index=frame.index, dtype="object")
    for part in block:
        answer = frame[part.id].astype("object")
        run = (run.where(answer == before, 0) + 1).where(answer.notna(), 0)
        longest, before = longest.where(longest >= run, run), answer
    return longest


def _answers_by_question(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what each person answered to each question as one text; a blank is empty."""
    names = [str(name) for name in frame]
    about = {*ABOUT, *(name for name in names if name == asked_column(name))}
    texts: dict[str, pd.Series] = {}
    for name in names:
        if name not in about:
            question = name.partition(":")[0]
            text = frame[name].astype("str").where(frame[name].notna(), "")
            texts[question] = texts[question] + "|" + text if question in texts else text
    return pd.DataFrame(
        {name: text.where(text.str.strip("|") != "", "") for name, text in texts.items()}
    )


def _homogeneity(
    counts: npt.NDArray[np.int64], chance: np.random.Generator, draws: int
) -> tuple[float, float]:
    """Return chi-squared and p of a table with a row for each answer and two columns."""
    totals, n, size = counts.sum(axis=1), counts[:, 0].sum(), counts.sum()
    expected = totals * (n / size)
    scale = size**2 / (n * (size - n))

    def statistic(mine: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        far: npt.NDArray[np.float64] = ((mine - expected) ** 2 / totals).sum(axis=-1) * scale
        return far

    observed = float(statistic(counts[:, 0]))
    drawn = statistic(chance.multivariate_hypergeometric(totals, n, size=draws, method="marginals"))
    # Tables that are equally far off must not be told apart by rounding.
    as_far = int((drawn >= observed * (1 - 1e-9)).sum())
    return observed, (as_far + 1) / (draws + 1)
