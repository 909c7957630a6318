"""Practice providers that give each model an answer of its own."""

from collections.abc import AsyncIterator, Mapping

from orchestrator.practice.answers import Piece, PracticeRequest, PracticeToolCall


class Voices:
    """Answers by the upstream name of the model that is asked; remembers who was."""

    def __init__(self, answers: Mapping[str, str | PracticeToolCall]) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []

    async def answer(self, request: PracticeRequest) -> AsyncIterator[Piece]:
        """Yield the model's answer as one piece."""
        self.asked.append(request.model)
        yield next(answer for name, answer in self.answers.items() if request.model.endswith(name))
