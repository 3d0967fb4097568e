"""Model card and data card: every figure is a query away, nothing personal is in them, data cannot mark them up."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from markdown_it import MarkdownIt

from extractors.regions import REGIONS
from featurestore import runs
from featurestore.duplicates import make_protocol
from featurestore.errors import PrerequisiteError
from featurestore.opening import open_store
from featurestore.store import Store
from models.registry import BUNDLED, SUMMARIES
from reports.cards.settings import CHOSEN, MEANINGS
from reports.cards.write import cards
from reports.render.markdown import escape, grid
from tests.command import kallos, kallos_ok
from tests.conftest import TRAINING, Workspace
from tests.synthetic_store import DATA_SET, MODEL_NOISE, PROTOCOL, TRAIT, make_store

CARDS = ("MODEL_CARD.md", "DATA_CARD.md")
OTHERS = {"elsewhere": 30, "far": 25}
"""Outside data sets and their images."""
HOSTILE = "a|b\n# h <script>x</script> [y](http://z) `c` ![i](j) \u202e*e* $$m$$ &lt; \\"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory):
    with make_store(tmp_path_factory.mktemp("cards") / "s.duckdb") as opened:
        yield completed(opened)


@pytest.fixture
def own(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 48) as opened:
        yield completed(opened)


def completed(store: Store) -> Store:
    """With near-duplicates and outside data sets, which the made-up store does not have."""
    ids = store.frame("SELECT image_id FROM images ORDER BY image_id")["image_id"]
    pairs = {"image_id": [ids[0], ids[2]], "other_id": [ids[1], ids[4]], "hamming": 3, "group_id": [ids[0], ids[2]]}
    store.append("near_duplicates", pl.DataFrame(pairs))
    make_protocol(store)
    random = np.random.default_rng(1)
    for name, n in OTHERS.items():
        others = [f"{name}/{i}.png" for i in range(n)]
        truth = random.uniform(1, 5, n)
        store.append("images", pl.DataFrame({"image_id": others, "data_set": name, "path": others}))
        store.append("scores", pl.DataFrame({"image_id": others, "mean": truth, "score": truth, "trait": TRAIT}))
        of_trait = {"data_set": [name], "trait": [TRAIT], "scale_low": [1.0], "scale_high": [5.0]}
        store.append("traits", pl.DataFrame(of_trait))
        for model in ("ensemble", "a"):
            predicted = np.clip(truth + random.normal(0, 1, n), 1, 5)
            ends = (predicted - 0.3, predicted + 0.3)
            runs.replace_predictions(
                store, run_of(model), runs.EXTERNAL, tuple(others), predicted, ends, prefix=f"{name}/"
            )
    return store


def run_of(model: str) -> str:
    return f"{PROTOCOL}-1-{model}-{list(MODEL_NOISE).index(model):08x}"


def model_card(store: Store, model: str = "ensemble") -> str:
    return cards(store, run_of(model))["MODEL_CARD.md"]


def data_card(store: Store) -> str:
    return cards(store, run_of("a"))["DATA_CARD.md"]


def under(card: str, heading: str) -> str:
    """What stands below a heading, up to the next one of its kind or above."""
    level, body = heading.split()[0], card.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{1,{len(level)}}} ", body)[0]


def table(part: str, number: int = 0) -> list[dict[str, str]]:
    """One of the tables of a part, a row a mapping from column to cell."""
    grids = re.findall(r"(?:^\|.*\n?)+", part, flags=re.MULTILINE)
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in grids[number].splitlines())
    return [dict(zip(head, row, strict=True)) for row in rows]


def head_of(card: str) -> dict:
    """The YAML head: its values are JSON, a line each."""
    lines = card.split("---\n")[1].splitlines()
    return {key: json.loads(value) for key, value in (line.split(": ", 1) for line in lines)}


def holds(cell: str, value: float, *, sign: bool = False) -> bool:
    """Whether a cell says this figure, within an interval around it, with as many digits as that supports."""
    figure, low, high = re.fullmatch(r"(\S+) \[(\S+), (\S+)\]", cell).groups()
    digits = len(figure.partition(".")[2])
    unit, width = 10.0**-digits, float(high) - float(low)
    assert width == 0 or 0.5 * unit <= width / 3.92 + 0.6 * unit, "no digit finer than the standard error"
    return (
        figure == f"{value:{'+' if sign else ''}.{digits}f}"
        and float(low) <= value + unit
        and value - unit <= float(high)
    )


@pytest.mark.parametrize(("role", "title"), [("test", "Test rows"), ("out_of_fold", "Training rows, out of fold")])
@pytest.mark.parametrize("model", ["ensemble", "b-features"])
def test_figures_of_the_run_and_of_an_ensembles_members_are_queries(store, model, role, title):
    rows = table(under(model_card(store, model), f"### {title}"))
    shown = ["ensemble", "a", "b", "baseline", "b-features"] if model == "ensemble" else [model]
    assert [row["model"] for row in rows] == shown
    for row in rows:
        n, pearson, mae, rmse, spearman = store.frame(
            "SELECT count(*), corr(p.score, s.score), avg(abs(p.score - s.score)), sqrt(avg((p.score - s.score) ** 2)), "
            "any_value(spearman) FROM predictions p JOIN scores s USING (image_id) JOIN evaluations USING (run_id, role) "
            "WHERE run_id = $id AND role = $role",
            id=run_of(row["model"]),
            role=role,
        ).row(0)
        assert row["n"] == str(n)
        assert holds(row["PC"], pearson)
        assert holds(row["MAE"], mae)
        assert holds(row["RMSE"], rmse)
        assert holds(row["Spearman"], spearman)


def test_subgroups_are_queries_and_gaps_come_with_their_p_value(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 200) as store:
        check_subgroups(store)


def check_subgroups(store: Store) -> None:
    part = under(model_card(store), "## Subgroups")
    expected = store.frame(
        "SELECT subset, count(*) AS n, avg(p.score - s.score) AS bias, avg(abs(p.score - s.score)) AS mae, "
        "corr(p.score, s.score) AS pc, count_if(s.score BETWEEN low AND high) / count(*) AS coverage "
        "FROM predictions p JOIN scores s USING (image_id) JOIN images USING (image_id) "
        "WHERE run_id = $id AND role = 'test' GROUP BY subset ORDER BY subset",
        id=run_of("ensemble"),
    )
    for row, (subset, n, bias, mae, pearson, coverage) in zip(table(part), expected.iter_rows(), strict=True):
        assert (row["subset"], row["n"]) == (subset, str(n))
        assert holds(row["bias"], bias, sign=True)
        assert holds(row["MAE"], mae)
        assert holds(row["PC"], pearson)
        assert holds(row["coverage"], coverage)
    gaps = {row["furthest apart"]: row for row in table(part, 1)}
    mean_error = {subset: mae for subset, _, _, mae, *_ in expected.iter_rows()}
    highest, lowest = gaps["MAE"]["between"].split(" − ")
    assert gaps["MAE"]["difference"] == f"{mean_error[highest] - mean_error[lowest]:.2f}"
    for gap in gaps.values():
        shown_to = "differ" if float(gap["p"].removeprefix("≤ ")) <= 0.05 else "not shown to differ"
        assert gap["groups"] == shown_to


def test_subgroups_that_are_too_small_have_no_figures(own):
    part = under(model_card(own), "## Subgroups")
    assert "Too small to compare, with fewer than 20 people: AF (" in part
    assert "|" not in part


def test_intervals_combiner_and_leakage_are_queries(store):
    card = model_card(store)
    sure = under(card, "## How sure a score is")
    coverage = store.value(
        "SELECT count_if(s.score BETWEEN low AND high) / count(*) FROM predictions p JOIN scores s USING (image_id) "
        "WHERE run_id = $id AND role = 'test'",
        id=run_of("ensemble"),
    )
    everyone, *groups = store.frame(
        "FROM intervals WHERE run_id = $id ORDER BY subset NULLS FIRST", id=run_of("ensemble")
    ).to_dicts()
    assert f"the score ± {everyone['half_widths'][0]:.2f} on 1-5. They" in sure
    assert f"the errors on {everyone['n']} training rows" in sure
    assert "would cover between 81.7 and 96.5 %" in sure
    assert f"they cover {coverage:.2f} [" in sure
    assert "are 0.80 wide on average" in sure
    for row, group in zip(table(sure), groups, strict=True):
        reach = "± {:.2f} to {:.2f}".format(*group["half_widths"])
        assert list(row.values()) == [group["subset"], str(group["n"]), f"{group['bias']:+.2f}", reach]
    combiner = under(card, "## Combiner")
    (learnt,) = store.frame("FROM combiners WHERE run_id = $id", id=run_of("ensemble")).to_dicts()
    members = store.frame("FROM combined_members WHERE run_id = $id ORDER BY model", id=run_of("ensemble")).to_dicts()
    assert "Weight " + ", ".join(f"of {m['model']} {m['weight']:.3f}" for m in members) in combiner
    assert f"root mean square of {learnt['correction']:.3f}" in combiner
    gain = store.value(
        "SELECT max(pearson) FILTER (run_id = $e) - max(pearson) FILTER (run_id = $a) FROM evaluations WHERE role = 'test'",
        e=run_of("ensemble"),
        a=run_of("a"),
    )
    assert f"best out of fold, by {gain:+.2f} [" in combiner
    assert "differs from that of a, the member that is best out of fold" in combiner
    # of fold 1 even numbers are tested: the pair 0-1 crosses, 2-4 does not
    assert "Test images with a near-duplicate in the training rows: 1 of 40 (2.5 %)." in under(card, "## Training data")


def test_region_weights_are_queries_and_called_attributions(store):
    for model, regions_of in (("ensemble", "b"), ("b-features", "b-features")):
        part = under(model_card(store, model), "## Sub-scores")
        assert "attributions of Model B" in part
        weights = dict(
            store.frame(
                "SELECT region, avg(weight) FROM sub_score_weights WHERE run_id = $id GROUP BY region",
                id=run_of(regions_of),
            ).iter_rows()
        )
        rows = table(part)
        assert {row["region"]: row["weight"] for row in rows} == {r: f"{w:.2f}" for r, w in weights.items()}
        assert {row["region"] for row in rows} == set(REGIONS)
    assert "## Sub-scores" not in model_card(store, "a")


def test_every_setting_of_a_model_is_told_in_words(workspace: Workspace):
    with open_store(workspace.store, read_only=True) as opened:
        rows = opened.frame("SELECT run_id, model, config FROM runs").rows()
        (ensemble,) = (run_id for run_id, model, _ in rows if model == "ensemble")
        card = cards(opened, ensemble)["MODEL_CARD.md"]
    used = {name for *_, config in rows for name in json.loads(config)} - {"fits"}
    meanings = {row["setting"].replace("\\", ""): row["is"] for row in table(under(card, "## Model"), -1)}
    assert used <= meanings.keys()
    assert all(meanings.values())
    of_weights = {"averaged"}  # Model A starts at random here
    assert MEANINGS.keys() == used | {CHOSEN} | of_weights, "no word for what is no setting"


def test_other_data_sets_are_queries(store):
    rows = table(under(model_card(store), "## Other data sets"))
    expected = [(name, model, str(n)) for model in ("ensemble", "a") for name, n in OTHERS.items()]
    assert [(row["data set"], row["model"], row["n"]) for row in rows] == expected
    for row in rows:
        pearson, mae, coverage = store.frame(
            "SELECT corr(p.score, s.score), avg(abs(p.score - s.score)), count_if(s.score BETWEEN low AND high) / count(*) "
            "FROM predictions p JOIN scores s USING (image_id) JOIN images USING (image_id) "
            "WHERE run_id = $id AND role = 'outside' AND data_set = $name",
            id=run_of(row["model"]),
            name=row["data set"],
        ).row(0)
        assert holds(row["PC"], pearson)
        assert holds(row["MAE"], mae)
        assert holds(row["coverage"], coverage)
    assert "kallos evaluate" in under(model_card(store, "b"), "## Other data sets")


def test_scores_labels_and_findings_of_the_data_card_are_queries(store):
    part = under(data_card(store), f"## Data set {DATA_SET}")
    by_subset = store.frame(
        "SELECT subset, count(*), avg(score), stddev_pop(score), count_if(score < 2), count_if(score >= 2 AND score < 3), "
        "count_if(score >= 3 AND score < 4), count_if(score >= 4) FROM images JOIN scores USING (image_id) "
        "WHERE data_set = $name GROUP BY subset ORDER BY subset",
        name=DATA_SET,
    )
    whole, *rows = table(under(part, "### Scores"))
    assert (whole["subset"], whole["images"], whole["scored"]) == ("all", "80", "80")
    for row, (subset, n, mean, sd, *bins) in zip(rows, by_subset.iter_rows(), strict=True):
        assert holds(row.pop("mean"), mean)
        assert list(row.values()) == [subset, str(n), str(n), f"{sd:.2f}", *map(str, bins)]
    assert "80 images: 480 ratings by 6 raters" in part
    assert "made up, free to use" in part
    agree = {row["subset"]: row for row in table(under(part, "### Agreement of the raters"))}
    assert agree["all"]["raters"] == "6"
    assert agree["AF"]["sd in an image"] == "{:.2f}".format(
        store.value("SELECT avg(sd) FROM scores JOIN images USING (image_id) WHERE subset = 'AF'")
    )
    wrong = under(part, "### Missing and wrong")
    assert {row["found at ingest"]: row["files"] for row in table(wrong)} == {
        "missing image": "5",
        "bad landmarks": "1",
    }
    landmarks = next(row for row in table(wrong, 1) if row["extractor"] == "landmarks")
    assert landmarks == {"extractor": "landmarks", "done": "98.8 %", "not tried": "0", "failed": "1 no\\_face"}
    assert "2 groups of 4 images" in wrong


def test_splits_of_the_data_card_are_hashes_of_their_test_images(store):
    rows = table(under(data_card(store), "## Splits"))
    assert [(row["protocol"], row["fold"]) for row in rows][-2:] == [(PROTOCOL, "1"), (PROTOCOL, "2")]
    for row in rows:
        ids = store.frame(
            "SELECT image_id FROM splits WHERE protocol = $p AND fold = $f AND role = 'test'",
            p=row["protocol"],
            f=int(row["fold"]),
        )["image_id"]
        assert row["sha256"] == hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:16]
        assert row["test"] == str(len(ids))
    leaked = {row["protocol"]: row["of them with a near-duplicate in train"] for row in rows}
    assert leaked == {"identity-disjoint": "0", PROTOCOL: "1"}


def test_the_head_is_what_the_hub_reads(store):
    model, data = head_of(model_card(store)), head_of(data_card(store))
    assert model["license"] == data["license"] == "other"
    assert "kallos" in model["tags"]
    (result,) = model["model-index"][0]["results"]
    recorded = store.frame(
        "SELECT pearson, mae, rmse, spearman FROM evaluations WHERE run_id = $id AND role = 'test'",
        id=run_of("ensemble"),
    ).row(0)
    shown = [f"{metric['value']:g}" for metric in result["metrics"]]
    assert shown == [
        f"{round(figure, len(text.partition('.')[2])):g}" for figure, text in zip(recorded, shown, strict=True)
    ]
    assert result["dataset"]["split"].endswith(", fold 1, test rows")
    assert (
        model["metrics"] == [metric["type"] for metric in result["metrics"]] == ["pearsonr", "mae", "rmse", "spearmanr"]
    )
    assert data["size_categories"] == ["n<1K"]


@pytest.mark.parametrize("model", MODEL_NOISE)
def test_what_the_model_is_not_for_stands_in_every_card(store, model):
    card = model_card(store, model)
    assert "does not measure a person's worth" in card
    assert "Decisions about people" in under(card, "## Refused uses")
    known = "stands under Other data sets" if model in ("a", "ensemble") else "is not known"
    assert f"how well it does on others {known}" in under(card, "## Limits").replace("\n  ", " ")
    assert "kallos erase" in under(data_card(store), "## What must not be done with it")


def test_a_store_with_mean_scores_alone_has_cards(own):
    own.execute("DELETE FROM ratings")
    own.execute("UPDATE scores SET sd = NULL, raters = NULL, histogram = NULL")
    own.execute("UPDATE images SET subset = NULL, sex = NULL, ethnicity = NULL")
    for table_name in (
        "selections",
        "near_duplicates",
        "findings",
        "intervals",
        "combiners",
        "training_history",
        "sub_scores",
    ):
        own.execute(f"DELETE FROM {table_name}")
    own.execute("DELETE FROM splits WHERE protocol = 'identity-disjoint'")
    own.execute("UPDATE predictions SET low = NULL, high = NULL")
    model, data = cards(own, run_of("ensemble")).values()
    for sentence in ("on the test rows. They are of one subset", "Near-duplicates were not searched for"):
        assert sentence in model
    for sentence in (
        "an image's mean rating as it was given",
        "Single ratings are not known",
        "The number of raters per image is not known",
        "exist for 0 images",
    ):
        assert sentence in data
    assert "Unknown, because the spread" in data
    assert "Ingest found nothing wrong" in data
    assert not re.search(r"\b(None|nan|inf)\b", model + data)


def test_with_few_test_rows_the_training_rows_out_of_fold_say_how_well_it_does(own):
    own.execute(
        "DELETE FROM predictions WHERE role = 'test' AND image_id NOT IN "
        "(SELECT image_id FROM predictions WHERE role = 'test' GROUP BY ALL ORDER BY image_id LIMIT 19)"
    )
    card = model_card(own)
    (result,) = head_of(card)["model-index"][0]["results"]
    out_of_fold = table(under(card, "### Training rows, out of fold"))[0]
    assert out_of_fold["model"] == "ensemble"
    assert result["dataset"]["split"].endswith(", training rows, out of fold")
    assert f"{result['metrics'][0]['value']:g}" == f"{float(out_of_fold['PC'].split()[0]):g}"
    assert "go by the training rows, out of fold" in card
    assert "Of ensemble, on the training rows, out of fold." in under(card, "## Subgroups")
    gain = own.value(
        "SELECT max(pearson) FILTER (run_id = $e) - max(pearson) FILTER (run_id = $a) FROM evaluations "
        "WHERE role = 'out_of_fold'",
        e=run_of("ensemble"),
        a=run_of("a"),
    )
    assert "On the training rows, out of fold, the PC of the combined score differs" in under(card, "## Combiner")
    assert f"by {gain:+.2f} [" in under(card, "## Combiner")


def test_a_run_without_test_rows_has_cards(own):
    own.execute("DELETE FROM predictions WHERE role = 'test'")
    own.execute("DELETE FROM sub_scores")
    card = model_card(own)
    assert "### Test rows" not in card
    assert "### Training rows, out of fold" in card
    assert "model-index" not in head_of(card)


def test_nothing_of_a_person_a_rater_or_the_machine_is_in_a_card(store, workspace):
    written = [
        path.read_text()
        for path in [*workspace.store.with_suffix(".runs").rglob("*CARD.md"), *workspace.bundle.glob("*CARD.md")]
    ]
    with open_store(workspace.store, read_only=True) as drawn:
        for opened, texts in (
            (drawn, written),
            (store, [text for m in MODEL_NOISE for text in cards(store, run_of(m)).values()]),
        ):
            personal = opened.frame(
                "SELECT image_id FROM images UNION SELECT path FROM images UNION SELECT sha256 FROM images "
                "UNION SELECT rater_id FROM ratings WHERE length(rater_id) > 1 UNION SELECT root FROM locations "
                "UNION SELECT subject FROM findings"
            )["image_id"].drop_nulls()
            for text in texts:
                words = set(re.findall(r"[\w./-]+", text))
                assert not words & set(personal)
                assert not [word for word in words if word.startswith("/")]
                assert str(opened.path.parent) not in text


def test_data_cannot_mark_up_a_card(own):
    own.execute("UPDATE images SET subset = $name WHERE subset = 'AF'", name=HOSTILE)
    own.execute("UPDATE data_sets SET licence = $name", name=HOSTILE)
    own.execute("UPDATE runs SET weights = $name, encoder = $name WHERE model = 'b'", name=HOSTILE)
    own.execute("UPDATE findings SET kind = $name", name=HOSTILE)
    markdown = MarkdownIt("commonmark").enable("table")
    for card in cards(own, run_of("ensemble")).values():
        assert head_of(card)
        assert "\u202e" not in card
        body = card.split("---\n", 2)[2]
        assert escape(HOSTILE) in body
        tokens = markdown.parse(body)
        inline = [child for token in tokens for child in token.children or ()]
        assert not {"html_block", "html_inline", "link_open", "image"} & {token.type for token in (*tokens, *inline)}
        assert " ".join(HOSTILE.replace("\u202e", "\ufffd").split()) in " ".join(c.content for c in inline)
        for line in body.splitlines():
            assert not re.match(r"# h", line)


def test_cells_of_a_table_stay_in_their_columns():
    rows = table(grid(("x", "y"), [(escape("a b"), "1"), (escape("c\nd"), "2")]))
    assert rows == [{"x": "a b", "y": "1"}, {"x": "c d", "y": "2"}]
    assert MarkdownIt("commonmark").enable("table").render(grid(("x", "y"), [(escape("a | b"), "1")])).count("<td") == 2


def test_cards_lie_in_every_finished_run_and_at_the_top_of_the_bundle_alone(workspace):
    with open_store(workspace.store, read_only=True) as store:
        finished = store.frame("SELECT run_id, model, folder FROM runs WHERE status = 'done'").rows()
        assert len(finished) == len(SUMMARIES)
        for run_id, model, folder in finished:
            expected = cards(store, run_id)
            lie_there = {name: (store.runs_folder / folder / name).read_text() for name in CARDS}
            assert lie_there == expected
            if model == "ensemble":
                assert {name: (workspace.bundle / name).read_text() for name in CARDS} == expected
    assert sorted(path.parent for path in workspace.bundle.rglob("*CARD.md")) == [workspace.bundle] * 2


def test_an_ensemble_keeps_the_members_that_it_combines(own):
    before = cards(own, run_of("ensemble"))
    for model in ("a", "baseline"):
        own.execute(
            "INSERT INTO runs SELECT * REPLACE ('newer-' || model AS run_id, now()::TIMESTAMP AS started_at) FROM runs WHERE run_id = $id",
            id=run_of(model),
        )
    chosen = runs.bundled(own, runs.load(own, run_of("ensemble")), BUNDLED)
    assert (chosen["a"].run_id, chosen["b"].run_id) == (run_of("a"), run_of("b"))
    assert chosen["baseline"].run_id == "newer-baseline"
    assert run_of("a") in cards(own, run_of("ensemble"))["MODEL_CARD.md"]
    assert before != cards(own, run_of("ensemble"))


def test_no_run_is_done_without_its_cards(workspace, tmp_path, monkeypatch):
    path = tmp_path / "s.duckdb"
    shutil.copy(workspace.store, path)
    command = ("train", "baseline", *TRAINING, "--seed", 1, "--store", path)

    def fails(store, run_id):
        raise PrerequisiteError("no card today")

    with monkeypatch.context() as patched:
        patched.setattr("kallos.workflows.fold.cards", fails)
        assert kallos(*command).code == PrerequisiteError.exit_code
    new = "SELECT folder FROM runs WHERE json_extract(config, '$.seed') = 1 AND status = 'done'"
    with open_store(path, read_only=True) as store:
        assert store.frame(new).is_empty()
    assert "is fitted already" in kallos_ok(*command).err
    with open_store(path, read_only=True) as store:
        (folder,) = store.frame(new)["folder"]
        assert all((store.runs_folder / folder / name).is_file() for name in CARDS)
