"""Choices that came with kallos: defaults that were chosen by looking at photos of data sets, and by which.

Facts about this version. `docs/lab/experiments.md` has the measurements under the day of each; a run records those that
hold for its settings, so that reports can say whether its test photos were among the rows that were looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from featurestore.runs import Run
from featurestore.selections import Choice, Rows
from models.registry import ENSEMBLE, MODELS

SCUT, DEMO = "scut-5fold", "demo-5fold"
FOLD_2 = Rows(SCUT, 2, "test", 1_100)
"""Called part 1 of fold 1's training rows, too: models learnt from folds 3, 4 and 5."""

TEST_OF_1 = Rows(SCUT, 1, "test", 1_100)
SLICE_OF_1 = Rows(SCUT, 1, "train", 1_100)
"""Drawn at random from fold 1's training rows: which is not on record."""

WHITE_OF_1 = Rows(SCUT, 1, "train", 1_200)
"""CF and CM of fold 1's training rows, by models that learnt from AF and AM."""

WITH_WINDOWS = ("b", "quadratic")
WITH_ENCODER = ("b", "b-joint", "quadratic")
FACES_AND_IMAGENET = "mobilenetv1_100+tf_efficientnet_lite0"


@dataclass(frozen=True)
class Default:
    """A default of some models. It holds for runs with these settings, and with this encoder where one is named."""

    models: tuple[str, ...]
    choice: str
    made_on: str
    rows: Rows
    metric: str
    effect: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    encoder: str | None = None
    basis: Literal["decided", "known"] = "decided"

    def holds_for(self, run: Run) -> bool:
        """Whether a run was trained with what was chosen."""
        encoder = (run.encoder or "").rpartition("-")[0]
        return (
            run.model in self.models
            and (self.encoder is None or self.encoder == encoder)
            and all(run.config.get(name) == value for name, value in self.settings.items())
        )

    def as_choice(self) -> Choice:
        """As runs record it."""
        made_on = datetime.fromisoformat(self.made_on)
        return Choice(self.choice, "kallos", self.basis, self.rows, self.metric, self.effect, made_on)


DEFAULTS = (
    # the encoder
    Default(
        WITH_WINDOWS, "both networks of the encoder instead of one", "2026-11-30", FOLD_2,
        "PC of a kernel ridge regression", ".9259 (faces), .9223 (ImageNet), .9352 (both)", encoder=FACES_AND_IMAGENET,
    ),
    *(
        Default(
            WITH_ENCODER, "which networks to offer as encoders", "2026-11-30", TEST_OF_1,
            "PC of a ridge regression on pooled features", ".8161 (MobileNetV2), .8108 (EfficientNet-Lite0), "
            ".8961 (MobileNetV1 of faces)", encoder=encoder,
        )
        for encoder in ("mobilenet_v2", "tf_efficientnet_lite0", "mobilenetv1_100", FACES_AND_IMAGENET)
    ),
    Default(
        WITH_ENCODER, "the encoder sees the face and its mirror image", "2026-11-25", FOLD_2, "PC of `b`",
        ".9206 to .9239",
    ),
    Default(
        WITH_ENCODER, "the encoder sees both in two sizes", "2026-11-26", FOLD_2, "PC of `b`", ".9239 to .9252",
    ),
    Default(
        WITH_ENCODER, "the encoder sees both in two sizes", "2026-11-26", WHITE_OF_1, "Spearman of `b`",
        ".8110 to .8177",
    ),
    Default(
        WITH_WINDOWS, "maps of stride 8 and 16 in windows, instead of pooled features", "2026-11-25", SLICE_OF_1,
        "PC of `b`", ".9115 (stride 16 alone) to .9225",
    ),
    # b and quadratic
    Default(
        ("b",), "the first settings of Model B, beside six others", "2026-11-23", Rows(SCUT, 1, "test", 500), "PC",
        ".799 to .804 over all; none was taken",
    ),
    Default(
        ("b",), "128 components of each network", "2026-11-30", FOLD_2, "PC", ".9308 (128), .9288 (256)",
        {"components": 128},
    ),
    Default(
        ("b-joint",), "hidden units", "2026-11-30", FOLD_2, "PC", ".9020 (32), .9060 (128)", {"hidden": 128},
    ),
    Default(
        ("quadratic",), "a kernel of degree 2, kept as 64 squares", "2026-11-30", FOLD_2, "PC",
        ".9285 (16), .9323 (32), .9341 (64), .9339 (128)", {"directions": 64},
    ),
    Default(
        ("quadratic",), "shares of windows, whole face and features", "2026-11-30", FOLD_2, "PC", ".9351 with them",
        {"windows": 11.0, "whole": 3.0, "features": 2.0},
    ),
    Default(
        ("b",), "one fit on all rows instead of the mean of fits", "2026-11-30", FOLD_2, "PC", ".9287 to .9313",
        {"refitted": True},
    ),
    Default(
        ("quadratic",), "one fit on all rows instead of the mean of fits", "2026-11-30", FOLD_2, "PC",
        ".9316 to .9351", {"refitted": True},
    ),
    Default(
        WITH_WINDOWS, "one fit on all rows instead of the mean of fits", "2026-11-30", TEST_OF_1,
        "PC of `ensemble` before", ".9358", {"refitted": True}, basis="known",
    ),
    # a
    Default(
        ("a",), "12 epochs; the stages up to stride 8 keep their weights", "2026-11-25", SLICE_OF_1, "PC",
        ".9206 (8 epochs) to .9232", {"epochs": 12},
    ),
    *(
        Default(
            ("a",), "one network of the mean of the fits' weights instead of the mean of their scores", "2026-12-01",
            Rows(SCUT, fold, "test", 1_100), "PC", effect, {"averaged": True},
        )
        for fold, effect in ((2, ".9300 to .9290"), (3, ".9299 to .9295"), (4, ".9316 to .9307"), (5, ".9393 to .9387"))
    ),
    Default(
        ("a",), "one network of the mean of the fits' weights instead of the mean of their scores", "2026-12-01",
        Rows(DEMO, 1, "test", 30), "PC", ".845 to .848", {"averaged": True}, basis="known",
    ),
    Default(
        ("a",), "a margin of 16 % around the landmarks", "2026-11-26", WHITE_OF_1, "PC", ".803 to .818",
        {"view": 0.875},
    ),
    Default(
        ("a",), "faces turned and blurred in training", "2026-11-25", FOLD_2, "PC", ".9157 to .9154",
    ),
    Default(
        ("a",), "a head on 4 x 4 cells that starts from a ridge regression", "2026-11-30", FOLD_2, "PC",
        ".8320 to .8651", {"cells": 4, "lr_head": 1e-4},
    ),
    Default(
        ("a",), "a head on 4 x 4 cells that starts from a ridge regression", "2026-11-30", Rows(DEMO, 1, "test", 80),
        "PC of a ridge regression", ".784 (pooled), .912 (cells)", {"cells": 4},
    ),
    Default(
        ("a",), "dropout before the last layer", "2026-11-30", FOLD_2, "PC", ".8651 (.3), .8664 (.1)",
        {"dropout": 0.1},
    ),
    Default(
        ("a",), "the learning rate of converted networks", "2026-11-30", FOLD_2, "PC", ".9072 to .9170",
        {"lr_folded": 1e-4},
    ),
    # the ensemble
    Default(
        (ENSEMBLE,), "the combiner's loss: Huber's, linear from .3 on", "2026-11-26", Rows(SCUT, None, "train", 5_500),
        "MAE", ".19453 to .19430", {"large": 0.3},
    ),
    Default(
        (ENSEMBLE,), "the combiner's loss: Huber's, linear from .3 on", "2026-11-26", Rows(SCUT, None, "test", 5_500),
        "MAE before, which missed a goal", ".1916", {"large": 0.3}, basis="known",
    ),
    Default(
        (ENSEMBLE,), "combining `quadratic` and `b`", "2026-11-30", FOLD_2, "PC", ".9351 (alone) to .9366",
    ),
)  # fmt: skip


def choices_behind(run: Run, rows: int) -> tuple[Choice, ...]:
    """Defaults that hold for a run that has `rows` training rows, and what its fits choose by these."""
    now, own = datetime.now(UTC).replace(tzinfo=None), Rows(run.protocol, run.fold, "train", rows)
    spec = MODELS.get(run.model)
    fitted = (spec.chosen_by_fit,) if spec and spec.chosen_by_fit else ()
    return (
        *(default.as_choice() for default in DEFAULTS if default.holds_for(run)),
        *(Choice(choice, "fit", "decided", own, "squared error, leaving one out", None, now) for choice in fitted),
    )
