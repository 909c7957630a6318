"""Who listens is told; who does not is told nothing."""

from orchestrator.core.progress import Progress, ProgressStep, progress_to, tell


def test_only_whoever_listens_is_told_and_only_while_listening():
    told: list[Progress] = []
    tell(Progress(ProgressStep.QUEUED))
    with progress_to(told.append):
        tell(Progress(ProgressStep.ATTEMPT, "openai/x", 1))
        with progress_to(None):
            tell(Progress(ProgressStep.QUEUED))
    tell(Progress(ProgressStep.QUEUED))
    assert told == [Progress(ProgressStep.ATTEMPT, "openai/x", 1)]


def test_a_step_as_plain_data_holds_what_is_known_of_it():
    assert Progress(ProgressStep.QUEUED).as_dict() == {"step": "queued"}
    step = Progress(ProgressStep.FALLBACK, "openai/x", 2, "timeout", mistakes=("a",))
    assert step.as_dict() == {
        "step": "fallback",
        "deployment": "openai/x",
        "attempt": 2,
        "failure": "timeout",
        "mistakes": ["a"],
    }
