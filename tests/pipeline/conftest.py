"""One step alone: services around it, and a following step of the test's own."""

from tests.support.step_bench import bench

__all__ = ["bench"]
