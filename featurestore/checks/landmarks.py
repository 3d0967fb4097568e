"""Whether the landmarks lie where the photo is."""

from featurestore.checks.contract import ENOUGH, Finding, graded, need
from featurestore.store import Store

MARGIN = 0.05
"""Share of the photo's sides: the landmarker rightly puts the edge of a face that is cut off just outside."""

MOST_OUTSIDE = 0.1
"""Share of one photo's points: more outside means that most of a cheek is a guess; the worst real face has 2 %."""

FAIL_IMAGES = 0.2
"""Share of photos: so many cropped faces are no accident, the coordinates are not in the photo's pixels."""


def landmarks_outside(store: Store, data_set: str) -> list[Finding]:
    """Landmarks lie inside their photo."""
    images = need(store, "landmarks", data_set, ENOUGH)
    # a photo whose metadata asks for a rotation is measured upright, but its size is stored unturned
    query = """
        WITH sides AS (
            SELECT image_id, x, y, -$margin * width AS left_end, (1 + $margin) * width AS right_end,
                   -$margin * height AS top, (1 + $margin) * height AS bottom
            FROM landmarks JOIN images USING (image_id) WHERE data_set = $data_set),
        points AS (
            SELECT * EXCLUDE (x, y), unnest(x) AS x, unnest(y) AS y FROM sides
            WHERE list_min(x) < left_end OR list_max(x) > right_end OR list_min(y) < top OR list_max(y) > bottom),
        outside AS (
            SELECT image_id,
                   avg((x NOT BETWEEN left_end AND right_end OR y NOT BETWEEN top AND bottom)::INT) AS as_stored,
                   avg((x NOT BETWEEN top AND bottom OR y NOT BETWEEN left_end AND right_end)::INT) AS turned
            FROM points GROUP BY image_id)
        SELECT count(*), max(least(as_stored, turned)), arg_max(image_id, least(as_stored, turned))
        FROM outside WHERE least(as_stored, turned) > $most"""
    rows = store.frame(query, data_set=data_set, margin=MARGIN, most=MOST_OUTSIDE)
    cropped, worst, image_id = rows.row(0)
    if not cropped:
        return []
    severity, limit = graded(cropped / images, 0, FAIL_IMAGES)
    measure = f"share of photos with over {MOST_OUTSIDE:.0%} of the points outside"
    remedy = "look at the photos with `kallos report dataset --figures DIR`, and leave out cropped faces"
    detail = f"{image_id}: {worst:.0%} of its points"
    return [Finding(severity, "landmarks", measure, cropped / images, limit, cropped, remedy, detail)]
