"""Runs a service with failpoints armed: ``python -m spine_common.testing.chaos.launch MODULE``.

The only thing that arms one, so that no setting of the product can.
"""

import asyncio
import contextlib
import ctypes
import importlib
import json
import os
import random
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

import structlog

from spine_common.core import clock
from spine_common.core.errors import DatabaseUnavailable
from spine_common.framework import context
from spine_common.framework.failpoints import Action, Failpoint, arm
from spine_common.testing.chaos.mutations import mutate
from spine_common.testing.chaos.rules import Rule, read_rules

RULES = "SPINE_CHAOS_RULES"
ONCE = "SPINE_CHAOS_ONCE"
SEED = "SPINE_CHAOS_SEED"
CLOCK = "SPINE_CHAOS_CLOCK"
MUTATION = "SPINE_CHAOS_MUTATION"
_PR_SET_PDEATHSIG = 1


class _Armed:
    """The rules of one failpoint in this process."""

    def __init__(self, rules: list[Rule], once: Path, chance: random.Random) -> None:
        self._rules = rules
        self._once = once
        self._chance = chance
        self._hits = 0

    async def __call__(self) -> None:
        self._hits += 1
        for rule in self._rules:
            if self._is_due(rule):
                _tell(rule)
                await _do(rule)

    def _is_due(self, rule: Rule) -> bool:
        # Whoever handles a command has its execution in what is logged.
        if rule.only not in {None, structlog.contextvars.get_contextvars().get("execution_id")}:
            return False
        if rule.nth is not None and self._hits < rule.nth:
            return False
        if self._chance.random() >= rule.chance:
            return False
        return rule.nth is None or self._is_first(rule)

    def _is_first(self, rule: Rule) -> bool:
        # By service: its replicas share the rule, other services have rules of their own.
        marker = self._once / f"{sys.argv[1]}.{rule}"
        with contextlib.suppress(FileExistsError):
            marker.touch(exist_ok=False)
            return True
        return False


def _tell(rule: Rule) -> None:
    said = {"event": "failpoint", "name": rule.place, "action": rule.action}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


async def _do(rule: Rule) -> None:
    match rule.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "sleep":
            await asyncio.sleep(rule.argument)
        case "thread":
            # What computes in a thread can't be interrupted, whatever happens on the loop.
            threads = context._computing()  # noqa: SLF001 - those the stages compute in
            await asyncio.get_running_loop().run_in_executor(threads, time.sleep, rule.argument)
        case "block":
            time.sleep(rule.argument)  # noqa: ASYNC251 - blocking the loop is the fault
        case "fail":
            raise DatabaseUnavailable("The reply got lost.")
        case _:
            raise RuntimeError(f"crashed at {rule.place}")


def shift_clock(seconds: float) -> None:
    """Let this process believe that it is another time; to be called before the rest is loaded."""
    real_time, real_ns, real_now = time.time, time.time_ns, clock.utc_now
    time.time = lambda: real_time() + seconds
    time.time_ns = lambda: real_ns() + int(seconds * 1e9)
    clock.utc_now = lambda: real_now() + timedelta(seconds=seconds)


def die_with_the_test() -> None:
    """End this process with the one that started it, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Arm what the environment says and run the module's ``main``."""
    die_with_the_test()
    if seconds := float(os.environ.get(CLOCK, "0")):
        shift_clock(seconds)
    by_place: dict[Failpoint, list[Rule]] = {}
    for rule in read_rules(os.environ.get(RULES, "")):
        by_place.setdefault(rule.place, []).append(rule)
    once, chance = Path(os.environ.get(ONCE, ".")), random.Random(os.environ.get(SEED))  # noqa: S311 - a schedule, no secret
    actions: dict[Failpoint, Action] = {
        place: _Armed(rules, once, chance) for place, rules in by_place.items()
    }
    arm(actions)
    service = importlib.import_module(sys.argv[1])
    if name := os.environ.get(MUTATION):
        mutate(name)
    service.main()


if __name__ == "__main__":
    main()
