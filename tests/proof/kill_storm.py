"""Processes that book and reconcile on one ledger file, killed (-9) at random moments.

python kill_storm.py FOLDER KILLS SEED

It prints what it did as JSON. Nothing here may end but by a kill: an error of a child is an error of the storm.
"""

import ctypes
import gc
import itertools
import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from booking import Diary, attempt_of, audit, claim_of, limits_of, open_ledger, operation_of, reconcile

from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.money import NanoUsd
from orchestrator.core.run import Run
from orchestrator.ledger.reconcile import OrphanPolicy

LIMITS = limits_of(
    all={"day": 12_000_000, "week": 14_000_000, "month": 15_000_000},
    tenant={"hour": 1_300_000, "day": 1_300_000},
)
RUN_LIMIT = NanoUsd(400_000)
AT_ONCE = 4
LIFE_MEAN_S = 0.012
"""Short enough that many die while they open the file."""
RECONCILERS = 0.1


def book(path: Path, diary: Diary, name: str, chance: random.Random) -> None:
    """Hold, settle and close without end, and write down what was acknowledged."""
    ledger = open_ledger(path, LIMITS)
    for number in itertools.count():
        operation, bound, tenant = f"{name}-{number}", chance.randint(1, 2000), chance.choice("abcdefgh")
        try:
            run = Run("storm", RUN_LIMIT) if chance.random() < 0.2 else None
            hold = ledger.hold(claim_of(operation, bound=bound, tenant=tenant, run=run))
        except BudgetExceededError:
            diary.add("refused", operation)
            continue
        diary.add("held", operation)
        if chance.random() < 0.05:
            continue
        cost = chance.randint(0, bound)
        ledger.settle(hold, attempt_of(cost))
        diary.add("settled", operation, cost)
        ledger.record_request(operation_of(operation, cost=cost, moment=hold.held_at, tenant=tenant))
        diary.add("closed", operation, cost)


def settle_the_dead(path: Path, diary: Diary, chance: random.Random) -> None:
    """Reconcile without end: this too is killed in the middle."""
    ledger = open_ledger(path, LIMITS)
    # As `orchestrator ledger reconcile` does: whoever made the file may have been killed before it was one.
    ledger.check_writable()
    while True:
        for one in reconcile(path, ledger, chance.choice(list(OrphanPolicy))):
            diary.add("reconciled", one.orphan.hold.request.operation_id, one.cost_nusd)


def start(path: Path, diary: Path, number: int, chance: random.Random) -> tuple[int, str]:
    """Fork a process with a task; it never returns."""
    role = "reconciler" if chance.random() < RECONCILERS and path.exists() else "booker"
    seed = chance.random()
    process = os.fork()
    if process:
        return process, role
    _end_with_the_parent()
    try:
        own = random.Random(seed)  # noqa: S311 -- repeatable, no secret
        if role == "booker":
            book(path, Diary(diary), f"{number}", own)
        else:
            settle_the_dead(path, Diary(diary), own)
    except BaseException:  # noqa: BLE001 -- its parent's code is not to be run on
        traceback.print_exc()
    os._exit(1)


def _end_with_the_parent() -> None:
    """Let the system kill this process when its parent is gone: nobody else would, and it works without end."""
    # PR_SET_PDEATHSIG is 1.
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)


def kill(process: int) -> None:
    """Kill, and make sure that it was the kill that ended it."""
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if not os.WIFSIGNALED(status):
        raise SystemExit(f"a process ended by itself, with status {status}")


def main() -> None:
    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    path, diary = folder / "ledger.sqlite3", folder / "diary"
    chance = random.Random(seed)  # noqa: S311 -- repeatable, no secret
    done: Counter[str] = Counter()
    alive: list[tuple[int, str]] = []
    numbers = itertools.count()
    # No search for garbage in a child touches what it shares with this process, which would be copied for it.
    gc.freeze()
    for killed in range(kills):
        if killed == kills // 20:
            audit(path)  # the first deaths are in the making of the file
        while len(alive) < AT_ONCE:
            alive.append(start(path, diary, next(numbers), chance))
        time.sleep(chance.expovariate(AT_ONCE / LIFE_MEAN_S))
        process, role = alive.pop(chance.randrange(len(alive)))
        kill(process)
        done[role] += 1
    for process, _ in alive:
        kill(process)
    print(json.dumps(done))


if __name__ == "__main__":
    main()
