"""Published figures on SCUT-FBP5500, for comparison with ours."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Anchor:
    """A published mean over the folds of a protocol; None where it was not given."""

    method: str
    pearson: float
    mae: float
    rmse: float | None
    remark: str


ANCHORS: dict[str, tuple[Anchor, ...]] = {
    "scut-5fold": (
        Anchor("AlexNet", 0.8634, 0.2651, 0.3481, "Liang et al. 2018"),
        Anchor("ResNet-18", 0.8900, 0.2419, 0.3166, "Liang et al. 2018"),
        Anchor("ResNeXt-50", 0.8997, 0.2291, 0.3017, "Liang et al. 2018"),
        Anchor("AaNet", 0.9055, 0.2236, 0.2954, "Lin et al. 2019"),
        Anchor("R³CNN", 0.9142, 0.2120, 0.2800, "Lin et al. 2019"),
        Anchor("ComboLoss", 0.9199, 0.2050, 0.2704, "Xu & Xiang 2020; best epoch picked on the test fold"),
        Anchor("CLIP ViT-B/32 + ridge", 0.9279, 0.1976, None, "third-party measurement"),
        Anchor("ArcFace + CLIP + ridge", 0.9398, 0.1823, None, "third-party measurement"),
    ),
    "scut-60-40": (
        Anchor("AlexNet", 0.8298, 0.2938, 0.3819, "Liang et al. 2018"),
        Anchor("ResNet-18", 0.8513, 0.2818, 0.3703, "Liang et al. 2018"),
        Anchor("ResNeXt-50", 0.8777, 0.2518, 0.3325, "Liang et al. 2018"),
        Anchor("ComboLoss", 0.9117, 0.2126, 0.2813, "Xu & Xiang 2020; best epoch picked on the test rows"),
    ),
}
"""protocol -> methods by rising PC."""
