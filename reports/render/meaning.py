"""What a score means, in the words that stand under every one of them."""

MEANING = (
    "A score is how a pool of raters would rate a photo, not a person's worth. "
    "Sub-scores are attributions of Model B, not labels."
)
