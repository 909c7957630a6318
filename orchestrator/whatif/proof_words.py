"""What a configuration cannot promise, in words: where nobody is asked, and what everything hangs on."""

from collections.abc import Iterator

from orchestrator.whatif.static_proof import UseCaseProof


def warnings_of(proof: UseCaseProof) -> Iterator[str]:
    """Yield a line for each weakness of a use case, and what would mend it."""
    if not proof.chain:
        yield f"{proof.use_case}: no deployment can answer it: see 'orchestrator route'"
        return
    for name, reason in proof.unreachable.items():
        yield f"{proof.use_case}: {name} stands in its route and is never asked: {reason}"
    if proof.single_points:
        parts = ", ".join(f"{point.kind} {point.name}" for point in proof.single_points)
        yield (
            f"{proof.use_case}: everything hangs on one {parts}: add a fallback that needs none of "
            f"{'it' if len(proof.single_points) == 1 else 'them'}"
        )
