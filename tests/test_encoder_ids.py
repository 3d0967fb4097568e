"""An encoder has an id: two weights of one architecture live side by side, and any network's name is legal."""

from __future__ import annotations

import logging
import re
import shutil
import time
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest

from extractors.outputs import EMBEDDING, table_name
from extractors.values import outputs
from featurestore.errors import UsageError
from featurestore.opening import open_store
from featurestore.outputs import active_versions, chosen_encoder, encoder_folder
from featurestore.store import Store
from featurestore.training_sets import training_set
from featurestore.transfer.exporting import export_store
from featurestore.transfer.importing import import_store
from featurestore.versions import register
from kallos.engines.extraction import Extracted
from kallos.workflows import extract as workflow
from kallos.workflows.encoders import chosen_encoders, known_encoders
from models.encoders.network import EncoderNetwork
from models.encoders.spec import EncoderSpec, encoder_id
from tests.synthetic_store import PROTOCOL, make_store

HUB = "hf-hub:timm/vit_base_patch16_224.augreg_in21k"
NAMES = ("resnet50.a1_in1k", HUB, "hf_hub:Some-One/MobileNet-V4.e2400_r224@main", "efficientnet_v2_s")


@dataclass(frozen=True)
class Known:
    """An encoder as far as outputs know it."""

    name: str
    weights: str
    weights_sha256: str
    dim: int = 8
    networks: tuple[int, ...] = (1,)

    @property
    def id(self) -> str:
        return encoder_id(self.name, self.weights_sha256, {})


TWO = (Known(HUB, "first.safetensors", "1" * 64), Known(HUB, "second.safetensors", "2" * 64))


def embed(store: Store, encoders) -> None:
    """Made-up embeddings of every photo that has some already."""
    photos = store.frame("SELECT sha256 FROM images JOIN embeddings USING (image_id)").unique(maintain_order=True)
    for number, output in enumerate(outputs(encoders)[-len(encoders) :]):
        with store.transaction():
            register(store, [output])
        arrays = {
            field.name: pl.Series(
                np.full((len(photos), int(field.dtype[8:-1])), number),
                dtype=pl.Array(pl.Float32, int(field.dtype[8:-1])),
            )
            for field in output.fields
        }
        store.append(output.table_name, photos.with_columns(**arrays))


@pytest.fixture
def store(tmp_path):
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        yield store


def test_weights_and_preprocessing_tell_encoders_apart():
    ids = [encoder_id("x", "1", {"size": 224}), encoder_id("x", "2", {"size": 224}), encoder_id("x", "1", {"size": 64})]
    assert len(set(ids)) == 3
    assert all(re.fullmatch("x-[0-9a-f]{8}", each) for each in ids)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_makes_a_plain_table(name):
    output = outputs([Known(name, "none", "-")])[-1]
    assert output.extractor.startswith(f"{EMBEDDING}{name}-")
    assert re.fullmatch("embedding_[a-z0-9_]+__[0-9a-f]{12}", output.table_name)
    assert len(table_name(f"{EMBEDDING}{name * 9}", output.version)) < 100


def test_two_weights_of_one_architecture_live_side_by_side(store):
    embed(store, TWO)
    ids = [encoder.id for encoder in TWO]
    counts = dict(store.frame("SELECT encoder, count(*) FROM embeddings GROUP BY ALL").iter_rows())
    assert counts == dict.fromkeys(["tiny", *ids], 79)
    assert store.value("SELECT DISTINCT vector[1] FROM embeddings WHERE encoder = $id", id=ids[1]) == 1
    assert [chosen_encoder(store, own) for own in ids] == ids
    with pytest.raises(UsageError, match=f"{min(ids)}, {max(ids)}: choose one"):
        chosen_encoder(store, HUB)
    with pytest.raises(UsageError, match=r"no embeddings of 'resnet18'"):
        chosen_encoder(store, "resnet18")
    batches = [training_set(store, PROTOCOL, 1, own) for own in ids]
    assert [batch.encoder for batch in batches] == ids
    assert [batch.train.embeddings[0, 0] for batch in batches] == [0, 1]
    assert batches[0].manifest_id != batches[1].manifest_id


def test_an_architecture_is_enough_where_the_store_has_one_encoder_of_it(store):
    embed(store, TWO[:1])
    assert chosen_encoder(store, HUB) == TWO[0].id
    assert chosen_encoder(store, "tiny") == "tiny", "an earlier kallos called encoders by their architecture"


def test_a_store_with_such_names_can_be_exported_and_imported(store, tmp_path):
    embed(store, [*TWO, *(Known(name, "none", "-") for name in NAMES)])
    before = active_versions(store)
    path = store.path
    store.close()
    with open_store(path, read_only=True) as opened:
        export_store(opened, tmp_path / "export")
    import_store(tmp_path / "export", tmp_path / "again.duckdb")
    with open_store(tmp_path / "again.duckdb") as again:
        assert active_versions(again) == before
        assert again.value("SELECT count(DISTINCT encoder) FROM embeddings") == 1 + len(TWO) + len(NAMES)


def test_an_encoder_of_an_earlier_kallos_keeps_its_name_and_version(store):
    earlier = replace(TWO[0], name="tiny")
    named = type("Earlier", (Known,), {"id": property(lambda self: self.name)})(**vars(earlier))
    recipe = outputs([named])[-1].recipe
    assert '"extractor": "embedding:tiny"' in recipe
    assert "architecture" not in recipe


def test_a_graph_that_is_written_is_seen_and_its_time_is_part_of_the_extraction(tmp_path, monkeypatch, caplog):
    steps = []
    monkeypatch.setattr(EncoderNetwork, "save", lambda network, folder: time.sleep(0.3))
    monkeypatch.setattr(EncoderSpec, "read", lambda folder: folder)
    monkeypatch.setattr(workflow, "bring_up_to_date", lambda *_, **__: Extracted(processed=40))
    monkeypatch.setattr(workflow.normalization_statistics, "fit", lambda store: None)
    monkeypatch.setattr(logging.getLogger("kallos"), "propagate", True)
    open_store(tmp_path / "s.duckdb").close()
    with caplog.at_level("INFO", "kallos.workflows"):
        extraction = workflow.extract(
            tmp_path / "s.duckdb", weights="none", on_progress=lambda *step: steps.append(step)
        )
    assert steps == [(0, 1, "writing tf_efficientnet_lite0 as a graph")]
    assert "wrote tf_efficientnet_lite0 as a graph in 0 s, once for this store" in caplog.messages
    assert extraction.seconds > 0.3


def test_the_same_weights_are_not_kept_twice(workspace, tmp_path):
    path = tmp_path / "kallos.duckdb"
    shutil.copy(workspace.store, path)
    shutil.copytree(workspace.store.with_suffix(".runs"), path.with_suffix(".runs"))
    with open_store(path) as opened:
        (encoder,) = known_encoders(opened)
        assert re.fullmatch("mobilenet_v3_small-[0-9a-f]{8}", encoder.id)
        folders = sorted(encoder_folder(opened, "x").parent.iterdir())
        for name in (encoder.id, encoder.name):
            assert chosen_encoders(opened, name, None, download=False) == [encoder]
        assert chosen_encoders(opened, "mobilenet_v3_small", "none", download=False) == [encoder]
        assert sorted(encoder_folder(opened, "x").parent.iterdir()) == folders
