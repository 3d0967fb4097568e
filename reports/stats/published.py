"""Figures of others on SCUT-FBP5500, for comparison with ours. None has an interval; most are single fits a fold."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Anchor:
    """A mean over the folds of a protocol, with as many digits as it was given; None where it was not."""

    method: str
    pearson: float
    mae: float | None
    rmse: float | None
    remark: str
    digits: int = 4


ANCHORS: dict[str, tuple[Anchor, ...]] = {
    "scut-5fold": (
        Anchor("AlexNet", 0.8634, 0.2651, 0.3481, "Liang et al. 2018"),
        Anchor("ResNet-18", 0.8900, 0.2419, 0.3166, "Liang et al. 2018"),
        Anchor("HMTNet", 0.8912, 0.2380, 0.3141, "published"),
        Anchor("R²-ResNeXt", 0.8957, 0.2416, 0.3046, "published"),
        Anchor("ResNeXt-50", 0.8997, 0.2291, 0.3017, "Liang et al. 2018"),
        Anchor("AaNet", 0.9055, 0.2236, 0.2954, "Lin et al. 2019"),
        Anchor("R³CNN", 0.9142, 0.2120, 0.2800, "Lin et al. 2019"),
        Anchor("ComboLoss", 0.9199, 0.2050, 0.2704, "Xu & Xiang 2020; best epoch picked on the test fold"),
        Anchor("CLIP ViT-B/32 + ridge", 0.9279, 0.1976, None, "third-party measurement"),
        Anchor("RankNet", 0.928, 0.191, 0.255, "published 2024", 3),
        Anchor("2D-FAP", 0.928, 0.196, 0.259, "published", 3),
        Anchor("Diff-FBP", 0.932, None, None, "published", 3),
        Anchor("FPEM", 0.937, 0.185, 0.242, "ICCV 2025; .937 to .939, the preprint splits 60/40", 3),
        Anchor("BranchMTL", 0.937, 0.183, 0.242, "published; split not stated", 3),
        Anchor("NAS4FBP", 0.939, 0.180, 0.238, "published; split not stated", 3),
        Anchor("ArcFace + CLIP + ridge", 0.9398, 0.1823, None, "third-party measurement"),
        Anchor("ArcFace + CLIP + geometry", 0.9440, 0.1798, None, "third-party, with a distribution head; in no paper"),
    ),
    "scut-60-40": (
        Anchor("AlexNet", 0.8298, 0.2938, 0.3819, "Liang et al. 2018"),
        Anchor("ResNet-18", 0.8513, 0.2818, 0.3703, "Liang et al. 2018"),
        Anchor("ResNeXt-50", 0.8777, 0.2518, 0.3325, "Liang et al. 2018"),
        Anchor("ComboLoss", 0.9117, 0.2126, 0.2813, "Xu & Xiang 2020; best epoch picked on the test rows"),
    ),
}
"""protocol -> methods by rising PC."""
