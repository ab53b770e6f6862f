"""What the signals of the quality review are called, how they work, and where limits are from."""

from dataclasses import dataclass

from analysis import quality
from analysis.quality import Signal
from app.errors import Sentence
from app.errors import say as _


@dataclass(frozen=True, slots=True)
class SignalWording:
    """What a signal is called, how it is computed, and what its measured value counts."""

    name: Sentence
    method: Sentence
    unit: Sentence


def signal_names() -> dict[Signal, SignalWording]:
    """Return what every signal of the quality review is called and how it works."""
    return {
        Signal.TOO_FAST: SignalWording(
            _("答得太快"),
            _(
                "平均每题不到 %(seconds)s 秒（Huang 等，2012）。只判断记下了用时的答卷。",
                seconds=f"{quality.SHORTEST_SECONDS_PER_ITEM:g}",
            ),
            _("秒/题"),
        ),
        Signal.STRAIGHT_LINE: SignalWording(
            _("一路选同一项"),
            _(
                "选项相同的连续几道题，连选同一项 %(run)s 次以上（long-string，Johnson，2005；"
                "界限是本系统定的）。问卷里没有这样的题组就不判断。",
                run=quality.LONGEST_RUN,
            ),
            _("题连选同一项"),
        ),
        Signal.IDENTICAL: SignalWording(
            _("答卷完全相同"),
            _(
                "几份答卷每题都一样，而且比各题互不相关时碰巧相同的多得多（泊松分布，"
                "Bonferroni 校正，概率小于 %(chance)s）。意见一致的人也会答得一样。",
                chance=quality.CHANCE,
            ),
            _("份完全相同"),
        ),
        Signal.BURST: SignalWording(
            _("短时间大量提交"),
            _(
                "同一批卡、同一片区的海报或同一位调查员，一小时内超过 %(most)s 份"
                "（界限是本系统定的）。大家在会上一起扫码也会这样。",
                most=quality.MOST_PER_HOUR,
            ),
            _("份在同一小时"),
        ),
        Signal.INTERVIEWER: SignalWording(
            _("调查员与同片区同事不同"),
            _(
                "卡方齐性检验，p 值由边际固定的随机表得出（Hope，1968），"
                "Holm 校正后小于 %(level)s。各村本来也可能不同。",
                level=quality.LEVEL,
            ),
            _("为校正后的 p 值"),
        ),
        Signal.OUTSIDE_HOURS: SignalWording(
            _("不在通常的时间"),
            _(
                "北京时间 %(first)s 点以前或 %(last)s 点以后收到（界限是本系统定的）。",
                first=quality.FIRST_HOUR,
                last=quality.LAST_HOUR,
            ),
            _("点收到"),
        ),
    }
