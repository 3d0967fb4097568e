"""Example queries of the page; docs/sql.md has these and more, with explanations."""

from featurestore.scale import MODEL_SCALE

QUERIES = {
    f"Scores by subset, on {MODEL_SCALE}": """
SELECT trait, subset, count(*) AS images, round(avg(score), 3) AS mean, round(stddev_samp(score), 3) AS sd
FROM scores JOIN images USING (image_id)
GROUP BY trait, subset ORDER BY trait, subset
""",
    "Harsh and lenient raters, on their own scale": """
SELECT trait, rater_id, images, round(bias, 2) AS bias, round(to_the_rest, 3) AS to_the_rest
FROM rater_agreement WHERE subset IS NULL ORDER BY bias
LIMIT 10
""",
}
