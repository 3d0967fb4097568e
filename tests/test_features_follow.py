"""The truth of a drawn portrait is known: what is measured must follow what was drawn.

Pitch is not here: it is drawn too small to be read from 2-D landmarks.
"""

import numpy as np
import pytest

from featurestore.opening import open_store
from tests.command import kallos_ok

# drawn parameter, SQL over the measured features, least rank correlation
FOLLOWS = [
    ("eye_width", "right_eye_width + left_eye_width", 0.45),
    ("eye_opening", "right_eye_opening + left_eye_opening", 0.4),
    ("canthal_tilt", "right_canthal_tilt + left_canthal_tilt", 0.45),
    ("brow_height", "right_brow_height + left_brow_height", 0.6),
    ("nose_width", "g.nose_width", 0.4),
    ("nose_length", "nose_length_to_face", 0.4),
    ("mouth_width", "g.mouth_width", 0.5),
    ("lip_thickness", "lips_area", 0.45),
    ("jaw_width", "g.jaw_width", 0.5),
    ("chin_length", "chin_height", 0.5),
    ("cheek_width", "facial_width_to_height", 0.4),
    ("abs(asymmetry)", "eye_mouth_tilt", 0.45),
    ("skin_tone", "-skin_lightness", 0.9),
    ("skin_roughness", "right_cheek_sharpness + left_cheek_sharpness", 0.7),
    ("light_direction", "right_cheek_unevenness - left_cheek_unevenness", 0.7),
    ("light_strength", "skin_redness_spread", 0.2),
    ("yaw", "right_jaw_breadth - left_jaw_breadth", 0.8),
    # point 33 is the outer corner of the subject's right eye, 263 that of the left; SQL lists count from 1
    ("roll", "atan2(landmarks.y[264] - landmarks.y[34], landmarks.x[264] - landmarks.x[34])", 0.9),
]


@pytest.mark.parametrize(("drawn", "measured", "least"), FOLLOWS, ids=[drawn for drawn, _, _ in FOLLOWS])
def test_measured_features_follow_the_drawn_parameters(workspace, drawn, measured, least):
    on = drawn.replace("abs(", "abs(d.") if "(" in drawn else f"d.{drawn}"
    with open_store(workspace.store, read_only=True) as store:
        rows = store.frame(f"""
            WITH drawn AS (PIVOT drawn_parameters ON parameter USING any_value(value) GROUP BY image_id)
            SELECT {on} AS drawn, {measured} AS measured
            FROM drawn d JOIN geometric_features g USING (image_id) JOIN landmarks USING (image_id)""")
    ranks = rows.select(rows["drawn"].rank(), rows["measured"].rank()).to_numpy()
    assert np.corrcoef(ranks.T)[0, 1] > least


def test_the_drawn_parameters_can_be_correlated_by_sql(workspace):
    query = """
        SELECT round(corr(value, skin_lightness), 2) AS r FROM drawn_parameters JOIN geometric_features USING (image_id)
        WHERE parameter = 'skin_tone'"""
    assert kallos_ok("sql", query, "--json", "--store", workspace.store).json()[0]["r"] < -0.8
