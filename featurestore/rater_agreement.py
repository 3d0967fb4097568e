"""Each rater beside the others, in SQL: of the view `rater_agreement` and of reports, which know more subsets."""


def rater_agreement(images: str = "images") -> str:
    """A query with a row a rater, trait and subset, and one over all images, whose subset is NULL.

    `images` is a table with image_id, data_set and subset. A rater counts once an image, with the mean over sessions.
    """
    return f"""
        WITH single AS (
            SELECT data_set, trait, coalesce(subset, 'none') AS subset, image_id, rater_id, avg(rating) AS rating
            FROM ratings JOIN {images} USING (image_id) GROUP BY ALL),
        beside AS (
            SELECT *, (sum(rating) OVER image - rating) / nullif(count(*) OVER image - 1, 0) AS others
            FROM single WINDOW image AS (PARTITION BY image_id, trait))
        SELECT data_set, trait, subset, rater_id, count(*) AS images, avg(rating - others) AS bias,
               nullif(corr(rating, others), 'nan') AS to_the_rest
        FROM beside WHERE others IS NOT NULL
        GROUP BY GROUPING SETS ((data_set, trait, subset, rater_id), (data_set, trait, rater_id))"""
