"""What docs/scale.md shows is run: partitions that were exported, read in place as one."""

import re
from pathlib import Path

from featurestore.transfer.exporting import export_store
from tests.synthetic_store import make_store

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"


def test_partitions_are_read_in_place_as_one(tmp_path, monkeypatch, capsys):
    for part, images in (("a", 80), ("b", 90)):
        (tmp_path / part).mkdir()
        with make_store(tmp_path / part / "s.duckdb", images, trained=False) as store:
            export_store(store, tmp_path / "cold" / part)
            median = store.frame("SELECT median(nose_width) FROM geometric_features").item()
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(example, PAGE.name, "exec"), names)
    assert capsys.readouterr().out == "[('cold/a', 79), ('cold/b', 89)]\n", "one photo of each has no face"
    assert names["cold"].sql("SELECT median(features[3]) FROM geometry WHERE part = 'cold/b'").fetchall() == [(median,)]
