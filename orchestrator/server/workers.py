"""Several processes that serve one socket, on one ledger: started, watched, and stopped together.

Each is a program of its own, started afresh and not forked: threads, loops and open databases are not to be
inherited. A worker that dies is replaced; the budgets are those of the ledger, which all of them share.
Their counters are in one private folder for as long as they run: a scrape of any of them sums over all.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence

from orchestrator.core.errors import ConfigError

_LOOK_S = 0.2
_RESTART_S = 1.0
"""Between the death of a worker and its replacement."""
_REFUSED_LOOKS = 50
"""So many looks a worker is left dead that could not use its configuration: the others may say the same."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Workers:
    """The workers of one socket."""

    def __init__(self, command: Sequence[str], *, count: int, socket_number: int) -> None:
        """Remember how a worker is started; it inherits the socket under its number."""
        self._command = tuple(command)
        self._count = count
        self._socket_number = socket_number
        self._stopping = threading.Event()
        self._running: list[subprocess.Popen[bytes]] = []
        self._environment = dict(os.environ)

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Return the ids of those that run."""
        return tuple(worker.pid for worker in self._running)

    def run(self) -> None:
        """Serve until `stop`, or a signal; returns when every worker has ended.

        Raises:
            ConfigError: all of them ended, since what is configured or installed cannot be used.
        """
        with tempfile.TemporaryDirectory(
            prefix="orchestrator-metrics-", ignore_cleanup_errors=True
        ) as folder:
            self._environment["PROMETHEUS_MULTIPROC_DIR"] = folder
            self._run()

    def stop(self) -> None:
        """Have every worker end what it has under way, and end."""
        self._stopping.set()

    def stop_on_signals(self) -> None:
        """Stop on SIGTERM and Ctrl-C; for the main thread."""
        for number in _SIGNALS:
            signal.signal(number, lambda *_: self.stop())

    def _run(self) -> None:
        self._running = [self._started() for _ in range(self._count)]
        refused_looks = [0] * self._count
        while not self._stopping.wait(_LOOK_S):
            codes = [worker.poll() for worker in self._running]
            if all(code == ConfigError.exit_code for code in codes):
                msg = f"none of {self._count} workers can serve, each for the reason above; mend that and begin again"
                raise ConfigError(msg)
            for place, code in enumerate(codes):
                refused_looks[place] += code == ConfigError.exit_code
                if code is None or 0 < refused_looks[place] < _REFUSED_LOOKS:
                    continue
                refused_looks[place] = 0
                if not self._stopping.wait(_RESTART_S):
                    self._running[place] = self._started()
        for worker in self._running:
            worker.terminate()
        for worker in self._running:
            worker.wait()

    def _started(self) -> "subprocess.Popen[bytes]":
        socket_number = str(self._socket_number)
        # Without the modules of the working folder; in a group of its own: Ctrl-C is for this process, which
        # then tells each worker once.
        return subprocess.Popen(  # noqa: S603 -- this program itself
            [sys.executable, "-P", "-m", "orchestrator", *self._command, "--socket", socket_number],
            pass_fds=(self._socket_number,),
            start_new_session=True,
            env=self._environment,
        )
