"""What a score means: the sentence below every one of them."""

MEANING = (
    "A score is how a pool of raters would rate a photo, not a person's worth. "
    "Sub-scores are attributions of Model B, not labels."
)
