"""Takes over a changed config.yaml while the program runs; a broken one is refused."""

import logging
import threading
from collections.abc import Callable

from orchestrator.config.loader import Config, load_config
from orchestrator.core.clock import Clock
from orchestrator.core.errors import ConfigError

logger = logging.getLogger("orchestrator.config")

_QUIET_MS = 50
_LOOK_MS = 500


class ConfigWatch:
    """Watches the folder of a configuration file in a daemon thread.

    The folder and not the file: editors and deployments replace the file, by a rename or a
    symlink, and a watch on the file would stay with the old one.
    """

    def __init__(self, config: Config, *, take_over: Callable[[Config], None], clock: Clock) -> None:
        """Start watching; `take_over` is called from the watching thread with each good new one."""
        self._path = config.path.absolute()
        self._fingerprint = config.fingerprint
        self._take_over = take_over
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="orchestrator-config", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()

    def check(self) -> None:
        """Take the file over now if it changed and is good."""
        try:
            config = load_config(self._path, today=self._clock.now().date())
        except ConfigError as exc:
            logger.error("the changed configuration is refused, the last good one stays: %s", exc)  # noqa: TRY400 -- the message is whole
            return
        if config.fingerprint == self._fingerprint:
            return
        self._fingerprint = config.fingerprint
        self._take_over(config)
        logger.info("took over the changed configuration %s", self._path)

    def _watch(self) -> None:
        from watchfiles import watch  # noqa: PLC0415 -- loads a native module, in this thread's own time

        folder = self._path.parent
        has_looked = False
        for changes in watch(
            folder,
            stop_event=self._stop,
            recursive=False,
            debounce=_LOOK_MS,
            step=_QUIET_MS,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
        ):
            # The first look finds what changed before the watch had begun.
            if changes or not has_looked:
                self.check()
            has_looked = True
