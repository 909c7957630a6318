"""A process that books while the calendar crosses an edge, jumps forward, and jumps back.

python edge_of_time.py NAME

It runs under libfaketime and takes a line of JSON for each ledger: folder, zone, moments. For each moment (UTC,
`2026-10-31 16:59:58`) the clock is set to it, and the process books in six forks until it has booked for long
enough behind the next full two seconds. It answers each line with `booked`.
"""

import json
import os
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from booking import Diary, attempt_of, claim_of, open_ledger

from orchestrator.core.errors import BudgetExceededError
from orchestrator.ledger.budgets import BudgetSettings, Limits

FORMAT = "%Y-%m-%d %H:%M:%S"
AT_ONCE = 6
BEHIND_S = 0.7
PAUSE_S = 0.05
"""After a refusal. The dozen processes then ask every four milliseconds, on both sides of an edge."""


def limits_in(zone: str) -> Limits:
    """Return limits that a few dozen holds of each day and month reach."""
    return Limits(
        BudgetSettings(time_zone=zone, limits=[{"scope": "all", "day": "0.000060", "month": "0.000100"}])
    )


def jump(moment: datetime) -> None:
    """Set the clock that libfaketime shows, by its `@` form: a start that counts from the process's own."""
    clock = Path(os.environ["FAKETIME_TIMESTAMP_FILE"])
    for _ in range(3):  # the form knows whole seconds only
        shown = datetime.now(UTC)
        if abs((moment - shown).total_seconds()) < 1:
            return
        began = datetime.strptime(clock.read_text().strip(), f"@{FORMAT}").replace(tzinfo=UTC)
        new = clock.with_suffix(".new")
        new.write_text((began + (moment - shown)).strftime(f"@{FORMAT}\n"))
        new.replace(clock)
    raise AssertionError(f"the clock shows {datetime.now(UTC)} and not {moment}")


def book(folder: Path, zone: str, name: str, start: int) -> None:
    """Once the pipe `start` is closed: hold, be under way for a while, settle; until a limit was met, too."""
    chance = random.Random(name)  # noqa: S311 -- repeatable, no secret
    ledger, diary = open_ledger(folder / "ledger.sqlite3", limits_in(zone)), Diary(folder / "diary")
    ledger.check_writable()
    os.read(start, 1)
    number, refused, until_s = 0, False, time.monotonic() + 2 + BEHIND_S
    while time.monotonic() < until_s or not refused:
        number += 1
        operation = f"{name}-{number}"
        try:
            hold = ledger.hold(claim_of(operation, bound=4000))
        except BudgetExceededError:
            refused = True
            diary.add("refused", operation)
            time.sleep(PAUSE_S)
            continue
        diary.add("held", operation, hold.period.day, hold.period.month)
        time.sleep(chance.uniform(0, 0.3))
        cost = chance.randint(0, 1000)
        ledger.settle(hold, attempt_of(cost))
        diary.add("settled", operation, cost)
    ledger.close()


def fork(folder: Path, zone: str, name: str, start: int, release: int) -> int:
    """Book in a process of its own, once all have closed `release`."""
    child = os.fork()
    if child:
        return child
    try:
        os.close(release)
        book(folder, zone, name, start)
        os._exit(0)
    except BaseException as wrong:  # noqa: BLE001 -- a child must end here, whatever it met
        print(repr(wrong), flush=True)
        os._exit(1)


def cross(name: str, folder: Path, zone: str, moments: list[str]) -> None:
    """Book in one ledger, at each of the moments."""
    for leg, text in enumerate(moments):
        start, release = os.pipe()
        # Processes of one thread each: libfaketime reads its file without a lock.
        children = [fork(folder, zone, f"{name}-{leg}-{number}", start, release) for number in range(AT_ONCE)]
        # When they have their ledger open, or nearly: the edge is two seconds away.
        jump(datetime.strptime(text, FORMAT).replace(tzinfo=UTC))
        os.close(release)
        os.close(start)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        cross(sys.argv[1], Path(order["folder"]), order["zone"], order["moments"])
        print("booked", flush=True)


if __name__ == "__main__":
    main()
