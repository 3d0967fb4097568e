"""Model cards and data cards, written beside every trained run and into every bundle."""
