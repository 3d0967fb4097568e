"""The files that a store was filled from, so that no output takes the place of one."""

from pathlib import Path

from featurestore.store import Store


def origin_of(store: Store, path: Path) -> str | None:
    """What an existing file or folder is to the store, such as `a photo of scut`; None where it was not read from."""
    query = """SELECT origin, file FROM (
               SELECT 'a photo of ' || data_set AS origin, root || '/' || path AS file
               FROM images JOIN locations USING (data_set)
               UNION ALL SELECT 'the folder with photos of ' || data_set, root FROM locations
               UNION ALL SELECT 'a file that ' || data_set || ' was read from', unnest(files) FROM locations)
           WHERE lower(parse_filename(file)) = lower($name)"""
    read = store.frame(query, name=path.name)
    for origin, file in read.iter_rows():
        if is_same(Path(file), path):
            return str(origin)
    return None


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file or folder, which exists."""
    try:
        return one.samefile(other)
    except OSError:
        return False
