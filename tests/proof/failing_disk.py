"""Processes that book on a disk that fails: ENOSPC and EIO at random system calls, and at each one in turn.

fiu-run -x python failing_disk.py FOLDER SEED

libfiu stands between SQLite and the system; its faults are on only while the ledger works, so what is
written into the diary arrives. It prints how many calls failed, by their name, as JSON.
"""

import ctypes
import errno
import itertools
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from booking import Diary, assert_balanced, attempt_of, claim_of, limits_of, open_ledger, operation_of

from orchestrator.core.errors import BudgetExceededError, LedgerError
from orchestrator.ledger.ledger import Ledger

LIMITS = limits_of(all={"day": 2_000_000}, tenant={"day": 1_900_000})
CALLS = (
    "posix/io/rw/pwrite",
    "posix/io/rw/pwrite/reduce",
    "posix/io/rw/write",
    "posix/io/rw/ftruncate",
    "posix/io/sync/fsync",
    "posix/io/sync/fdatasync",
    "posix/io/oc/open",
    "posix/io/dir/unlink",
)
TODOS = ("free some space on that disk", "look at the disk", "make the file and its folder writable")
_Decide = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.POINTER(ctypes.c_int),
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_uint),
)


class Faults:
    """Decides at each system call whether it fails; off until a block is entered."""

    def __init__(self, decide: Callable[[str], int]) -> None:
        """Ask `decide` with the name of a call: an errno, or 0 to let it pass."""
        self.injected: Counter[str] = Counter()
        self.met: Counter[str] = Counter()
        self._decide = decide
        self._library = ctypes.CDLL("libfiu.so.0")
        self._asked = _Decide(self._ask)

    def _ask(
        self, name: bytes, failnum: "ctypes._Pointer", failinfo: "ctypes._Pointer", flags: object
    ) -> int:
        call = name.decode()
        self.met[call] += 1
        error = self._decide(call)
        if error:
            self.injected[call] += 1
            # A short write is as long as its "reduce" says; anything else fails with the errno.
            failnum[0], failinfo[0] = 1, 1 if call.endswith("reduce") else error
        return int(error != 0)

    @contextmanager
    def on(self) -> Iterator[None]:
        for call in CALLS:
            self._library.fiu_enable_external(call.encode(), 1, None, 0, self._asked)
        try:
            yield
        finally:
            for call in CALLS:
                self._library.fiu_disable(call.encode())


def told(error: LedgerError, diary: Diary) -> None:
    """Make sure that an error says what to do, and note it."""
    text = str(error)
    assert any(todo in text for todo in TODOS), text
    assert text.endswith(("Nothing is sent that cannot be booked.", "what was held for it stays counted.")), (
        text
    )
    assert "rollback" not in text, text  # an error while an error was dealt with would hide the first
    diary.add("error", text.replace(" ", "_"))


def send(ledger: Ledger, faults: Faults, diary: Diary, operation: str, cost: int) -> bool:
    """Hold, send, settle and close as the gateway does; return whether it was sent."""
    try:
        with faults.on():
            hold = ledger.hold(claim_of(operation, bound=1000))
    except LedgerError as error:
        told(error, diary)
        return False
    except BudgetExceededError:
        return False
    diary.add("held", operation)
    diary.add("sent", operation, cost)
    row = operation_of(operation, cost=cost, moment=hold.held_at)
    for kind, write in (
        ("settled", lambda: ledger.settle(hold, attempt_of(cost))),
        ("closed", lambda: ledger.record_request(row)),
    ):
        try:
            with faults.on():
                write()
            diary.add(kind, operation, cost)
        except LedgerError as error:
            told(error, diary)
    return True


def at_random(path: Path, diary: Diary, name: str, seed: int) -> Counter[str]:
    """Book while calls fail now and then, and every one of them fails for a while."""
    chance = random.Random(seed)  # noqa: S311 -- repeatable, no secret
    share = [0.0]

    def decide(call: str) -> int:
        often = 5 if "sync" in call else 1  # of these there are few
        return chance.choice((errno.ENOSPC, errno.EIO)) if chance.random() < share[0] * often else 0

    faults = Faults(decide)
    ledger = open_ledger(path, LIMITS)
    for number in range(700):
        share[0] = 0.7 if number % 50 > 40 else chance.choice((0.0, 0.01, 0.05))
        if chance.random() < 0.02:
            ledger.close()  # what is owed is written, and the log goes back into the file
        send(ledger, faults, diary, f"{name}-{number}", chance.randint(0, 1000))
    ledger.close()
    return faults.injected


def in_the_making(folder: Path, diary: Diary, seed: int) -> Counter[str]:
    """Make new files while calls fail; then, on a disk that works again, each of them is a ledger."""
    chance = random.Random(seed)  # noqa: S311 -- repeatable, no secret
    injected: Counter[str] = Counter()
    for number in range(40):
        faults = Faults(lambda _: chance.choice((errno.ENOSPC, errno.EIO)) if chance.random() < 0.02 else 0)
        path = folder / f"new-{number}.sqlite3"
        with closing(open_ledger(path, LIMITS)) as ledger:
            for attempt in range(3):
                send(ledger, faults, diary, f"{path.stem}-{attempt}", 5)
        with closing(open_ledger(path, LIMITS)) as ledger:
            ledger.settle(ledger.hold(claim_of("after", bound=10)), attempt_of(7))
        assert_balanced(path)
        injected += faults.injected
    return injected


def at_each_call(path: Path, diary: Diary, name: str, error: int) -> Counter[str]:
    """Let the first call of a booking fail, then the second, and so on; with 0 the process dies there."""
    deaths: Counter[str] = Counter()
    for number in range(1, 500):
        process = os.fork()
        if process == 0:
            os._exit(_one_call(path, diary, f"{name}-{number}", number, error))
        status = os.waitpid(process, 0)[1]
        if os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 1:
            deaths["died" if os.WIFSIGNALED(status) else "failed"] += 1
            continue
        assert os.WEXITSTATUS(status) == 0, f"{name}-{number} ended with {status}"
        return deaths
    raise AssertionError("does not end")


def _one_call(path: Path, diary: Diary, operation: str, number: int, error: int) -> int:
    """Return 1 when a call failed, 0 when the whole booking has fewer calls, 2 for a mistake."""
    calls = itertools.count(1)

    def decide(call: str) -> int:
        # A short read is no failure that a disk has, and no call comes twice.
        if call.endswith("reduce") or next(calls) != number:
            return 0
        if not error:
            os.kill(os.getpid(), signal.SIGKILL)
        return error

    try:
        faults, ledger = Faults(decide), open_ledger(path, LIMITS)
        send(ledger, faults, diary, operation, 400)
        ledger.close()
    except BaseException as wrong:  # noqa: BLE001 -- a child must end here, whatever it met
        print(f"{operation}: {wrong!r}", file=sys.stderr)
        return 2
    return int(bool(faults.injected))


def in_processes(work: Callable[[int], Counter[str]], count: int) -> Counter[str]:
    """Do work in several forked processes at once, and return what they counted together."""
    counted: Counter[str] = Counter()
    children = []
    for number in range(count):
        reader, writer = os.pipe()
        process = os.fork()
        if process == 0:
            try:
                os.write(writer, json.dumps(work(number)).encode())
                os._exit(0)
            except BaseException as wrong:  # noqa: BLE001 -- a child must end here, whatever it met
                print(repr(wrong), file=sys.stderr)
                os._exit(1)
        os.close(writer)
        children.append((process, reader))
    for process, reader in children:
        counted.update(json.loads(os.read(reader, 65536) or b"{}"))
        assert os.waitpid(process, 0)[1] == 0
    return counted


def main() -> None:
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    path, diary = folder / "ledger.sqlite3", Diary(folder / "diary")
    new = Diary(folder / "diary-of-new-files")
    with closing(open_ledger(path, LIMITS)) as ledger:
        ledger.check_writable()
    counted = in_processes(lambda number: at_random(path, diary, f"r{number}", seed + number), 3)
    counted += in_the_making(folder, new, seed)
    for name, error in (("full", errno.ENOSPC), ("broken", errno.EIO), ("dead", 0)):
        for kind, count in at_each_call(path, diary, name, error).items():
            counted[f"{kind} {name}"] += count
    print(json.dumps(counted))


if __name__ == "__main__":
    main()
