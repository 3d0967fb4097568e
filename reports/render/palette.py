"""Colours shared by terminal, figures and overlays: of medium lightness, legible on dark and on light."""

ACCENT = "#3fa7d6"
WARM = "#e8894a"
GOOD = "#4caf7d"
BAD = "#e5527f"
SERIES = (ACCENT, WARM, "#9b6dd6", GOOD, BAD, "#c9a227", "#2fb5a5", "#8d99a6")

REGION_COLOURS = {
    "eyes": "#4fb3ff",
    "brows": "#b48bf2",
    "nose": "#f2c230",
    "lips": "#ff5c8d",
    "jawline": "#2fc7ae",
    "cheeks": "#ff8a5c",
    "skin": "#c3ccd6",
    "symmetry": "#8fd14f",
    "proportion": "#a9b53c",
}
