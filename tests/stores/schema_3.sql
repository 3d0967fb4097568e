-- A store of schema version 3, made up: three data sets, of which one is SCUT-FBP5500, with one trait each that has no
-- name; a protocol over two traits, one over two scales, and the runs of each.
CREATE TABLE store_info (schema_version INTEGER, created_at TIMESTAMP);
CREATE TABLE migrations (schema_version INTEGER, change VARCHAR, applied_at TIMESTAMP);
CREATE TABLE data_sets (data_set VARCHAR, scale_low DOUBLE, scale_high DOUBLE, licence VARCHAR);
CREATE TABLE locations (data_set VARCHAR, root VARCHAR);
CREATE TABLE images (image_id VARCHAR, data_set VARCHAR, path VARCHAR, sha256 VARCHAR, width INTEGER, height INTEGER,
    subset VARCHAR, sex VARCHAR, ethnicity VARCHAR);
CREATE TABLE ratings (image_id VARCHAR, rater_id VARCHAR, rating DOUBLE, first_rating DOUBLE);
CREATE TABLE scores (image_id VARCHAR, mean DOUBLE, sd DOUBLE, raters INTEGER, histogram INTEGER[], score DOUBLE);
CREATE TABLE splits (image_id VARCHAR, protocol VARCHAR, fold INTEGER, role VARCHAR);
CREATE TABLE published_landmarks (image_id VARCHAR, x FLOAT[], y FLOAT[]);
CREATE TABLE drawn_parameters (image_id VARCHAR, parameter VARCHAR, value DOUBLE);
CREATE TABLE findings (data_set VARCHAR, kind VARCHAR, subject VARCHAR, detail VARCHAR);
CREATE TABLE extractor_versions (extractor VARCHAR, version VARCHAR, output VARCHAR, table_name VARCHAR, recipe JSON,
    active BOOLEAN, activated_at TIMESTAMP);
CREATE TABLE attempts (sha256 VARCHAR, extractor VARCHAR, version VARCHAR, status VARCHAR, detail VARCHAR,
    milliseconds DOUBLE);
CREATE TABLE feature_definitions (feature VARCHAR, summary VARCHAR, region VARCHAR, unit VARCHAR, formula VARCHAR,
    points VARCHAR, source VARCHAR, low DOUBLE, high DOUBLE, version INTEGER, extractor VARCHAR, extractor_version
    VARCHAR);
CREATE TABLE manifests (manifest_id VARCHAR, protocol VARCHAR, fold INTEGER, sql VARCHAR, versions JSON, row_count
    INTEGER, row_hash VARCHAR, value_hash VARCHAR, statistics_id VARCHAR, features VARCHAR[]);
CREATE TABLE statistics (statistics_id VARCHAR, normalization VARCHAR, current BOOLEAN, versions VARCHAR, sql VARCHAR,
    row_count INTEGER, row_hash VARCHAR, features VARCHAR[], mean DOUBLE[], sd DOUBLE[], mean_shape FLOAT[936]);
CREATE TABLE near_duplicates (image_id VARCHAR, other_id VARCHAR, hamming INTEGER, cosine_distance DOUBLE, group_id
    VARCHAR);
CREATE TABLE erasures (erased_at TIMESTAMP, photos INTEGER, finished BOOLEAN);
CREATE TABLE runs (run_id VARCHAR, model VARCHAR, protocol VARCHAR, fold INTEGER, status VARCHAR, weights VARCHAR,
    encoder VARCHAR, manifest_id VARCHAR, config JSON, folder VARCHAR, started_at TIMESTAMP, seconds DOUBLE);
CREATE TABLE training_history (run_id VARCHAR, epoch INTEGER, train_loss DOUBLE, mae DOUBLE, rmse DOUBLE, pearson
    DOUBLE, seconds DOUBLE, part INTEGER);
CREATE TABLE predictions (run_id VARCHAR, image_id VARCHAR, role VARCHAR, score DOUBLE, low DOUBLE, high DOUBLE);
CREATE TABLE evaluations (run_id VARCHAR, role VARCHAR, n INTEGER, mae DOUBLE, rmse DOUBLE, pearson DOUBLE, spearman
    DOUBLE);
CREATE TABLE sub_scores (run_id VARCHAR, image_id VARCHAR, region VARCHAR, sub_score DOUBLE);
CREATE TABLE sub_score_weights (run_id VARCHAR, region VARCHAR, weight DOUBLE, part INTEGER);
CREATE TABLE combiners (run_id VARCHAR, weight_a DOUBLE, correction DOUBLE, pearson_a DOUBLE, pearson_b DOUBLE,
    pearson DOUBLE);
CREATE TABLE intervals (run_id VARCHAR, subset VARCHAR, n INTEGER, bias DOUBLE, half_width DOUBLE, level DOUBLE);

INSERT INTO store_info VALUES (3, '2026-01-02 03:04:05.000006');
INSERT INTO migrations VALUES (2, 'values keyed by the photo''s bytes', '2026-01-02 03:04:05'), (3, 'cross-fitted models', '2026-01-02 03:04:05');
INSERT INTO data_sets VALUES ('scut', 1, 5, 'research only'), ('mine', 1, 7, 'not stated'), ('yours', 1, 5, 'not stated');
INSERT INTO locations SELECT data_set, '/home/somebody/' || data_set FROM data_sets;
INSERT INTO images
    SELECT data_set || '/' || n || '.jpg', data_set, n || '.jpg', md5(data_set || n), 100, 100, NULL, NULL, NULL
    FROM data_sets, range(1, 5) t(n) ORDER BY ALL;
INSERT INTO ratings SELECT image_id, 'r' || n, n, if(n = 2, 3, NULL) FROM images, range(1, 4) t(n) ORDER BY ALL;
INSERT INTO scores SELECT image_id, 2, 0.816, 3, [1, 1, 1, 0, 0], if(data_set = 'mine', 1.667, 2) FROM images;
INSERT INTO splits
    SELECT image_id, data_set || '-5fold', fold, if(fold = 1, 'test', 'train') FROM images, range(1, 3) t(fold);
INSERT INTO splits SELECT image_id, 'identity-disjoint', fold, role FROM splits WHERE NOT starts_with(image_id, 'yours/');
INSERT INTO splits SELECT image_id, 'of-scores', fold, role FROM splits WHERE protocol IN ('mine-5fold', 'yours-5fold');
INSERT INTO statistics SELECT 's', 'scut-5fold/1', true, NULL, NULL, 0, NULL, [], [], [], list_resize([0.0], 936, 0)::FLOAT[936];
INSERT INTO manifests SELECT 'm', 'scut-5fold', 1, 'SELECT 1', '{}', 0, NULL, NULL, 's', [];
INSERT INTO runs
    SELECT protocol || '-1-ridge', 'ridge', protocol, 1, 'done', 'none', NULL, 'm', '{}', 'ridge',
           '2026-01-02 03:04:05', 1.5
    FROM (SELECT DISTINCT protocol FROM splits) ORDER BY ALL;
INSERT INTO runs VALUES
    ('scut-5fold-1-a', 'a', 'scut-5fold', 1, 'running', 'none', NULL, 'm', '{}', 'a', '2026-01-02 03:04:06', NULL);
INSERT INTO predictions
    SELECT run_id, image_id, if(role = 'test', role, 'out_of_fold'), 3, NULL, NULL FROM runs JOIN splits USING (protocol, fold)
    WHERE status = 'done' ORDER BY ALL;
INSERT INTO predictions SELECT 'scut-5fold-1-ridge', image_id, 'outside', 3, NULL, NULL FROM images WHERE data_set = 'mine';
