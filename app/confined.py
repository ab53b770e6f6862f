"""A program of ours in a child process that is given bytes and little else.

For what may be hostile, or takes long: what happens to the child happens to it alone. It is started
by its path and not as part of the application, with an empty environment, and knows no setting, no
key and no database. This file is both sides of it: imported here, run there.
"""

import os
import runpy
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take: address space and result in bytes, processor and wall clock in s."""

    memory: int
    cpu_seconds: int
    result: int
    wall_seconds: float


class ChildFailed(Exception):  # noqa: N818 - an expected outcome, named for what it is
    """The child ended without a result, or with more than it may write."""


class ChildTooSlow(ChildFailed):
    """The child was ended because its time was over."""


def run_confined(program: Path, content: bytes, limits: Limits, *arguments: str) -> bytes:
    """Run this program with `content` on standard input; return what it wrote.

    Raises `ChildFailed` or `ChildTooSlow`.
    """
    most = (limits.memory, limits.cpu_seconds, limits.result)
    # -I: neither the environment nor the working folder adds a module.
    command = [sys.executable, "-I", "-X", "utf8", __file__, *map(str, most), str(program)]
    # Windows cannot start a program without this one.
    environment = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    with TemporaryFile() as answer:
        try:
            subprocess.run(  # noqa: S603 - our own program, nothing of a person's in the command
                [*command, *arguments],
                input=content,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                env=environment,
                timeout=limits.wall_seconds,
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise ChildTooSlow from error
        except subprocess.CalledProcessError as error:
            raise ChildFailed from error
        answer.seek(0)
        written = answer.read(limits.result + 1)
    if len(written) > limits.result:  # only where the system knows no such limit
        raise ChildFailed
    return written


def _limit_resources(memory: int, cpu_seconds: int, result: int) -> None:
    if sys.platform == "win32":  # knows no such limits; there the wall clock alone ends it
        return
    import resource  # noqa: PLC0415 - exists on Unix only

    limits = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: result,
        resource.RLIMIT_CORE: 0,
    }
    for limit, most in limits.items():
        with suppress(ValueError):  # macOS refuses a limit below what is in use already
            resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    _limit_resources(*map(int, sys.argv[1:4]))
    sys.argv = sys.argv[4:]
    runpy.run_path(sys.argv[0], run_name="__main__")
