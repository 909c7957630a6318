"""What every model was seen to count, learnt from the ledger at the start and from each answer after it."""

from collections.abc import Callable, Iterable, Mapping

from orchestrator.core.prompt_size import Script
from orchestrator.ledger.records import TokenSample
from orchestrator.routing.token_calibration import TokenRatio

_Ratios = dict[Script, dict[str, TokenRatio]]


class TokenRatios:
    """What models counted; used on one event loop."""

    def __init__(self, samples: Callable[[], Iterable[TokenSample]]) -> None:
        """Remember where to look; `samples` is called with the first question."""
        self._samples = samples
        self._seen: _Ratios | None = None

    def of(self, script: Script) -> Mapping[str, TokenRatio]:
        """Return what each model counted in prompts of a script, by model; what is learnt later is not in it.

        Raises:
            LedgerError: the ledger is there and cannot be read.
        """
        return self._known().get(script, {})

    def learn(self, model: str, script: Script, *, expected_tokens: int, counted_tokens: int) -> None:
        """Take in what a model counted where `expected_tokens` were expected, uncorrected."""
        known = self._known()
        # A plan under way keeps what it was given.
        known[script] = dict(known.get(script, {}))
        _add(known, model, script, expected_tokens=expected_tokens, counted_tokens=counted_tokens)

    def _known(self) -> _Ratios:
        if self._seen is None:
            ratios: _Ratios = {}
            for sample in self._samples():
                _add(
                    ratios,
                    sample.model,
                    sample.script,
                    expected_tokens=sample.expected_tokens,
                    counted_tokens=sample.counted_tokens,
                )
            # Not before: what could not be read is read with the next question.
            self._seen = ratios
        return self._seen


def _add(ratios: _Ratios, model: str, script: Script, *, expected_tokens: int, counted_tokens: int) -> None:
    of_script = ratios.setdefault(script, {})
    of_script[model] = of_script.get(model, TokenRatio()).with_one(
        expected_tokens=expected_tokens, counted_tokens=counted_tokens
    )
