"""The order of the steps: each stands around the one before it."""

from orchestrator.pipeline.caching import Caching
from orchestrator.pipeline.call import Step
from orchestrator.pipeline.concurrency import Concurrency
from orchestrator.pipeline.dispatching import Dispatching
from orchestrator.pipeline.embedding import Embedding
from orchestrator.pipeline.embedding_cache import EmbeddingCache
from orchestrator.pipeline.graceful import Graceful
from orchestrator.pipeline.idempotency import Idempotency
from orchestrator.pipeline.planning import Planning
from orchestrator.pipeline.recorded_answers import AnswerFile, NobodyIsAsked, RecordedAnswers
from orchestrator.pipeline.recording import Recording
from orchestrator.pipeline.services import PipelineServices
from orchestrator.pipeline.shadowing import Shadowing


def build(services: PipelineServices, answers: AnswerFile | None = None) -> Step:
    """Return the way of every call, whole or streamed; a call passes the steps from the last to the first."""
    step: Step = Dispatching(services)  # plan, attempts, answer
    step = Planning(services, step)  # rank; or the error that says why no deployment may serve it
    step = Concurrency(services, step)  # a slot among the requests in flight
    step = Recording(services, step)  # one row in the ledger, whatever happens; an older answer on failure
    step = Shadowing(services, step)  # the candidate of an experiment too, when the answer is there
    step = Caching(services, step)  # hit, joined, or ask and keep
    step = Idempotency(services, step)  # one charge for a key
    if answers is not None:
        step = RecordedAnswers(services, step, answers)  # from a file, or ask and write
    return Graceful(step)  # an apology where it is asked for


def build_embedding(services: PipelineServices, answers: AnswerFile | None = None) -> Step:
    """Return the way of every embedding, which ends in vectors or an error: nothing can stand for them."""
    step: Step = Embedding(services)  # plan, parts, attempts, vectors
    if answers is not None and not answers.adds:
        step = NobodyIsAsked(answers)  # while answers are replayed
    step = Concurrency(services, step)
    step = EmbeddingCache(step)  # what is kept of these texts
    step = Recording(services, step)
    return Idempotency(services, step)
