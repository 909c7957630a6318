"""What the libraries say below a warning stays unsaid, whoever switches it on; real sends are in `metering/`."""

import logging

import pytest

from orchestrator.core.quiet_logs import LIBRARIES, quiet_libraries


@pytest.mark.parametrize("library", LIBRARIES)
def test_only_warnings_of_a_library_are_heard(library: str, caplog: pytest.LogCaptureFixture) -> None:
    below = logging.getLogger(f"{library}._client")
    quiet_libraries()
    caplog.set_level(logging.DEBUG)
    for logger in (logging.getLogger(library), below):
        # As OPENAI_LOG=debug does, and programs that set every logger.
        logger.setLevel(logging.DEBUG)
        logger.debug("Request options: %s", "Xin chào")
        logger.info("HTTP Request: %s", "https://host?key=secret")
        logger.warning("something to mend")
    assert "Xin chào" not in caplog.text
    assert "secret" not in caplog.text
    assert caplog.text.count("something to mend") == 2


def test_others_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    quiet_libraries()
    caplog.set_level(logging.DEBUG)
    logging.getLogger("openairplane").debug("take off")
    assert "take off" in caplog.text
