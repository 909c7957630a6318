"""What is remembered of answers: repeated prompts, equal requests under way, replies kept for their keys."""
