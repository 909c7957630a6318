"""What is settled apart: of streams that Python collected."""

import threading


def wait_for_settling() -> None:
    """Wait until every send is booked whose stream was let go of."""
    for thread in threading.enumerate():
        if thread.name == "orchestrator-settle":
            thread.join()
