-- A store of schema version 1, as kallos made it before values were keyed by the photo's bytes. Frozen: it is what
-- migrations start from. Every value is made up; version tables have few columns, vectors are one number and a filling.

CREATE TABLE "data_sets" (
    "data_set" VARCHAR,
    "root" VARCHAR,
    "scale_low" DOUBLE,
    "scale_high" DOUBLE,
    "licence" VARCHAR
);
COMMENT ON TABLE "data_sets" IS 'one row a data set';
COMMENT ON COLUMN "data_sets"."data_set" IS 'name, first part of every image_id';
COMMENT ON COLUMN "data_sets"."root" IS 'folder that images.path is relative to';
COMMENT ON COLUMN "data_sets"."scale_low" IS 'lowest rating a rater can give';
COMMENT ON COLUMN "data_sets"."scale_high" IS 'highest rating a rater can give';
COMMENT ON COLUMN "data_sets"."licence" IS 'terms of use';

CREATE TABLE "drawn_parameters" (
    "image_id" VARCHAR,
    "parameter" VARCHAR,
    "value" DOUBLE
);
COMMENT ON TABLE "drawn_parameters" IS 'one row is one parameter that a drawn portrait was made with: the truth behind the demo';
COMMENT ON COLUMN "drawn_parameters"."image_id" IS 'data set / path of the photo inside it';
COMMENT ON COLUMN "drawn_parameters"."parameter" IS 'such as eye_width, or true_score: what the simulated raters prefer, 1-5';
COMMENT ON COLUMN "drawn_parameters"."value" IS 'as drawn';

CREATE TABLE "evaluations" (
    "run_id" VARCHAR,
    "role" VARCHAR,
    "n" INTEGER,
    "mae" DOUBLE,
    "rmse" DOUBLE,
    "pearson" DOUBLE,
    "spearman" DOUBLE
);
COMMENT ON TABLE "evaluations" IS 'one row is one run''s agreement with the raters on one role';
COMMENT ON COLUMN "evaluations"."run_id" IS 'the run, see runs';
COMMENT ON COLUMN "evaluations"."role" IS 'validation or test';
COMMENT ON COLUMN "evaluations"."n" IS 'images';
COMMENT ON COLUMN "evaluations"."mae" IS 'mean absolute error';
COMMENT ON COLUMN "evaluations"."rmse" IS 'root mean squared error';
COMMENT ON COLUMN "evaluations"."pearson" IS 'Pearson correlation (PC)';
COMMENT ON COLUMN "evaluations"."spearman" IS 'rank correlation';

CREATE TABLE "extractions" (
    "image_id" VARCHAR,
    "extractor" VARCHAR,
    "version" VARCHAR,
    "status" VARCHAR,
    "detail" VARCHAR,
    "milliseconds" DOUBLE
);
COMMENT ON TABLE "extractions" IS 'the ledger: one row is one image tried by one version of one extractor';
COMMENT ON COLUMN "extractions"."image_id" IS 'data set / path of the photo inside it';
COMMENT ON COLUMN "extractions"."extractor" IS 'see extractor_versions';
COMMENT ON COLUMN "extractions"."version" IS 'see extractor_versions';
COMMENT ON COLUMN "extractions"."status" IS 'ok, no_face, decode_error or missing';
COMMENT ON COLUMN "extractions"."detail" IS 'the reason, or a remark such as several faces; NULL when there is none';
COMMENT ON COLUMN "extractions"."milliseconds" IS 'time spent on this image by this extractor';

CREATE TABLE "extractor_versions" (
    "extractor" VARCHAR,
    "version" VARCHAR,
    "output" VARCHAR,
    "table_name" VARCHAR,
    "recipe" JSON,
    "active" BOOLEAN
);
COMMENT ON TABLE "extractor_versions" IS 'one row is one version of one extractor''s output';
COMMENT ON COLUMN "extractor_versions"."extractor" IS 'landmarks, geometry, skin, shape or embedding:<encoder>';
COMMENT ON COLUMN "extractor_versions"."version" IS 'hash of the code version, parameters, weights and inputs';
COMMENT ON COLUMN "extractor_versions"."output" IS 'the view that shows the active version';
COMMENT ON COLUMN "extractor_versions"."table_name" IS 'the table that holds this version';
COMMENT ON COLUMN "extractor_versions"."recipe" IS 'what the hash is taken of';
COMMENT ON COLUMN "extractor_versions"."active" IS 'whether the view shows this version';

CREATE TABLE "feature_catalog" (
    "feature" VARCHAR,
    "region" VARCHAR,
    "unit" VARCHAR,
    "formula" VARCHAR,
    "points" VARCHAR,
    "source" VARCHAR,
    "extractor" VARCHAR
);
COMMENT ON TABLE "feature_catalog" IS 'one row is one feature and how it is computed';
COMMENT ON COLUMN "feature_catalog"."feature" IS 'column of geometric_features';
COMMENT ON COLUMN "feature_catalog"."region" IS 'region of the face that it describes';
COMMENT ON COLUMN "feature_catalog"."unit" IS 'unit of the value';
COMMENT ON COLUMN "feature_catalog"."formula" IS 'how it is computed';
COMMENT ON COLUMN "feature_catalog"."points" IS 'named landmarks or regions used';
COMMENT ON COLUMN "feature_catalog"."source" IS 'where the formula comes from';
COMMENT ON COLUMN "feature_catalog"."extractor" IS 'geometry or skin; normalization for averageness';

CREATE TABLE "findings" (
    "data_set" VARCHAR,
    "kind" VARCHAR,
    "subject" VARCHAR,
    "detail" VARCHAR
);
COMMENT ON TABLE "findings" IS 'one row is one thing found wrong with a data set at ingest';
COMMENT ON COLUMN "findings"."data_set" IS 'see data_sets';
COMMENT ON COLUMN "findings"."kind" IS 'missing_image, duplicate, unreadable, unlabelled, bad_landmarks';
COMMENT ON COLUMN "findings"."subject" IS 'the file concerned';
COMMENT ON COLUMN "findings"."detail" IS 'what is wrong with it';

CREATE TABLE "images" (
    "image_id" VARCHAR,
    "data_set" VARCHAR,
    "path" VARCHAR,
    "sha256" VARCHAR,
    "width" INTEGER,
    "height" INTEGER,
    "subset" VARCHAR,
    "sex" VARCHAR,
    "ethnicity" VARCHAR
);
COMMENT ON TABLE "images" IS 'one row an image';
COMMENT ON COLUMN "images"."image_id" IS 'data set / path of the photo inside it';
COMMENT ON COLUMN "images"."data_set" IS 'see data_sets';
COMMENT ON COLUMN "images"."path" IS 'path of the photo relative to data_sets.root';
COMMENT ON COLUMN "images"."sha256" IS 'hash of the file''s bytes';
COMMENT ON COLUMN "images"."width" IS 'pixels, as stored in the file';
COMMENT ON COLUMN "images"."height" IS 'pixels, as stored in the file';
COMMENT ON COLUMN "images"."subset" IS 'group given by the data set, such as AF';
COMMENT ON COLUMN "images"."sex" IS 'as given by the data set: female or male';
COMMENT ON COLUMN "images"."ethnicity" IS 'as given by the data set';

CREATE TABLE "manifests" (
    "manifest_id" VARCHAR,
    "protocol" VARCHAR,
    "fold" INTEGER,
    "sql" VARCHAR,
    "versions" JSON,
    "row_count" INTEGER,
    "row_hash" VARCHAR
);
COMMENT ON TABLE "manifests" IS 'one row is one pinned set of training rows';
COMMENT ON COLUMN "manifests"."manifest_id" IS 'hash of everything below';
COMMENT ON COLUMN "manifests"."protocol" IS 'see splits';
COMMENT ON COLUMN "manifests"."fold" IS 'fold of the protocol, from 1';
COMMENT ON COLUMN "manifests"."sql" IS 'the query that gives the rows';
COMMENT ON COLUMN "manifests"."versions" IS 'extractor -> version that the features came from';
COMMENT ON COLUMN "manifests"."row_count" IS 'number of training rows';
COMMENT ON COLUMN "manifests"."row_hash" IS 'sha256 over the sorted image ids, photo hashes and scores';

CREATE TABLE "mean_shapes" (
    "normalization" VARCHAR,
    "shape" FLOAT[936],
    "manifest_id" VARCHAR
);
COMMENT ON TABLE "mean_shapes" IS 'one row is the mean aligned face over the training rows of a fold';
COMMENT ON COLUMN "mean_shapes"."normalization" IS 'protocol/fold';
COMMENT ON COLUMN "mean_shapes"."shape" IS '468 x then 468 y, unit size';
COMMENT ON COLUMN "mean_shapes"."manifest_id" IS 'the training rows it was fitted on';

CREATE TABLE "normalizations" (
    "normalization" VARCHAR,
    "feature" VARCHAR,
    "mean" DOUBLE,
    "sd" DOUBLE,
    "manifest_id" VARCHAR
);
COMMENT ON TABLE "normalizations" IS 'one row is one feature''s statistics over the training rows of a fold';
COMMENT ON COLUMN "normalizations"."normalization" IS 'protocol/fold';
COMMENT ON COLUMN "normalizations"."feature" IS 'see feature_catalog';
COMMENT ON COLUMN "normalizations"."mean" IS 'mean over the training rows, in the feature''s unit';
COMMENT ON COLUMN "normalizations"."sd" IS 'standard deviation over the training rows; 1 for a constant feature';
COMMENT ON COLUMN "normalizations"."manifest_id" IS 'the training rows it was fitted on';

CREATE TABLE "predictions" (
    "run_id" VARCHAR,
    "image_id" VARCHAR,
    "role" VARCHAR,
    "score" DOUBLE
);
COMMENT ON TABLE "predictions" IS 'one row is what one run says of one image';
COMMENT ON COLUMN "predictions"."run_id" IS 'the run, see runs';
COMMENT ON COLUMN "predictions"."image_id" IS 'data set / path of the photo inside it';
COMMENT ON COLUMN "predictions"."role" IS 'train, validation (slice of the training rows) or test';
COMMENT ON COLUMN "predictions"."score" IS 'predicted score, 1-5';

CREATE TABLE "published_landmarks" (
    "image_id" VARCHAR,
    "x" FLOAT[],
    "y" FLOAT[]
);
COMMENT ON TABLE "published_landmarks" IS 'one row an image: landmarks that came with the data set';
COMMENT ON COLUMN "published_landmarks"."image_id" IS 'data set / path of the photo inside it';
COMMENT ON COLUMN "published_landmarks"."x" IS 'pixels';
COMMENT ON COLUMN "published_landmarks"."y" IS 'pixels';

CREATE TABLE "ratings" (
    "image_id" VARCHAR,
    "rater_id" VARCHAR,
    "rating" DOUBLE,
    "first_rating" DOUBLE
);
COMMENT ON TABLE "ratings" IS 'one row is one rater''s rating of one image';
COMMENT ON COLUMN "ratings"."image_id" IS 'data set / path of the photo inside it';
COMMENT ON COLUMN "ratings"."rater_id" IS 'the rater';
COMMENT ON COLUMN "ratings"."rating" IS 'on the data set''s own scale';
COMMENT ON COLUMN "ratings"."first_rating" IS 'the first answer where the rater was asked again, else NULL';

CREATE TABLE "runs" (
    "run_id" VARCHAR,
    "model" VARCHAR,
    "protocol" VARCHAR,
    "fold" INTEGER,
    "status" VARCHAR,
    "weights" VARCHAR,
    "encoder" VARCHAR,
    "manifest_id" VARCHAR,
    "config" JSON,
    "folder" VARCHAR,
    "started_at" TIMESTAMP,
    "seconds" DOUBLE
);
COMMENT ON TABLE "runs" IS 'one row is one training of one model';
COMMENT ON COLUMN "runs"."run_id" IS 'the run, see runs';
COMMENT ON COLUMN "runs"."model" IS 'a, b, b-features, baseline, ridge or ensemble';
COMMENT ON COLUMN "runs"."protocol" IS 'see splits';
COMMENT ON COLUMN "runs"."fold" IS 'fold of the protocol, from 1';
COMMENT ON COLUMN "runs"."status" IS 'running or done';
COMMENT ON COLUMN "runs"."weights" IS 'what the network started from: imagenet, a file''s name, none';
COMMENT ON COLUMN "runs"."encoder" IS 'the embedding''s extractor, NULL where none is used';
COMMENT ON COLUMN "runs"."manifest_id" IS 'the training rows, see manifests';
COMMENT ON COLUMN "runs"."config" IS 'every setting';
COMMENT ON COLUMN "runs"."folder" IS 'where the trained model lies, beside the store';
COMMENT ON COLUMN "runs"."started_at" IS 'in UTC';
COMMENT ON COLUMN "runs"."seconds" IS 'training time';

CREATE TABLE "scores" (
    "image_id" VARCHAR,
    "mean" DOUBLE,
    "sd" DOUBLE,
    "raters" INTEGER,
    "histogram" INTEGER[],
    "score" DOUBLE
);
COMMENT ON TABLE "scores" IS 'one row an image: what the raters said together';
COMMENT ON COLUMN "scores"."image_id" IS 'data set / path of the photo inside it';
COMMENT ON COLUMN "scores"."mean" IS 'mean rating on the data set''s own scale, as published';
COMMENT ON COLUMN "scores"."sd" IS 'standard deviation over raters, NULL where single ratings are unknown';
COMMENT ON COLUMN "scores"."raters" IS 'number of raters, NULL where unknown';
COMMENT ON COLUMN "scores"."histogram" IS 'how many raters gave each whole rating from scale_low up, or NULL';
COMMENT ON COLUMN "scores"."score" IS 'mean mapped linearly to 1-5: what models learn';

CREATE TABLE "splits" (
    "image_id" VARCHAR,
    "protocol" VARCHAR,
    "fold" INTEGER,
    "role" VARCHAR
);
COMMENT ON TABLE "splits" IS 'one row is the role of one image in one fold of a protocol';
COMMENT ON COLUMN "splits"."image_id" IS 'data set / path of the photo inside it';
COMMENT ON COLUMN "splits"."protocol" IS 'such as scut-5fold';
COMMENT ON COLUMN "splits"."fold" IS 'fold of the protocol, from 1';
COMMENT ON COLUMN "splits"."role" IS 'train, val or test';

CREATE TABLE "store_info" (
    "schema_version" INTEGER,
    "created_at" TIMESTAMP
);
COMMENT ON TABLE "store_info" IS 'one row: what made this store';
COMMENT ON COLUMN "store_info"."schema_version" IS 'version of the tables';
COMMENT ON COLUMN "store_info"."created_at" IS 'when, in UTC';

CREATE TABLE "sub_score_weights" (
    "run_id" VARCHAR,
    "region" VARCHAR,
    "weight" DOUBLE
);
COMMENT ON TABLE "sub_score_weights" IS 'one row is the weight of one region in Model B; a run''s weights sum to one';
COMMENT ON COLUMN "sub_score_weights"."run_id" IS 'the run, see runs';
COMMENT ON COLUMN "sub_score_weights"."region" IS 'region of the face';
COMMENT ON COLUMN "sub_score_weights"."weight" IS 'softmax weight';

CREATE TABLE "sub_scores" (
    "run_id" VARCHAR,
    "image_id" VARCHAR,
    "region" VARCHAR,
    "sub_score" DOUBLE
);
COMMENT ON TABLE "sub_scores" IS 'one row is one region''s sub-score of one image: an attribution of Model B, not a label';
COMMENT ON COLUMN "sub_scores"."run_id" IS 'the run, see runs';
COMMENT ON COLUMN "sub_scores"."image_id" IS 'data set / path of the photo inside it';
COMMENT ON COLUMN "sub_scores"."region" IS 'region of the face';
COMMENT ON COLUMN "sub_scores"."sub_score" IS '1-5';

CREATE TABLE "training_history" (
    "run_id" VARCHAR,
    "epoch" INTEGER,
    "train_loss" DOUBLE,
    "mae" DOUBLE,
    "rmse" DOUBLE,
    "pearson" DOUBLE,
    "seconds" DOUBLE
);
COMMENT ON TABLE "training_history" IS 'one row is one epoch of a run; metrics are on a slice of the training rows, never on test rows';
COMMENT ON COLUMN "training_history"."run_id" IS 'the run, see runs';
COMMENT ON COLUMN "training_history"."epoch" IS 'from 1; for LightGBM the number of trees';
COMMENT ON COLUMN "training_history"."train_loss" IS 'loss that is minimised, on the rows that are fitted';
COMMENT ON COLUMN "training_history"."mae" IS 'mean absolute error on the validation slice';
COMMENT ON COLUMN "training_history"."rmse" IS 'root mean squared error on the validation slice';
COMMENT ON COLUMN "training_history"."pearson" IS 'Pearson correlation on the validation slice';
COMMENT ON COLUMN "training_history"."seconds" IS 'time of the epoch';

CREATE TABLE "embedding_tiny__4444444444ee" (
    "image_id" VARCHAR,
    "vector" FLOAT[4]
);
COMMENT ON TABLE "embedding_tiny__4444444444ee" IS 'one row is one image as one encoder sees it';
COMMENT ON COLUMN "embedding_tiny__4444444444ee"."image_id" IS 'see images';
COMMENT ON COLUMN "embedding_tiny__4444444444ee"."vector" IS 'pooled features of the encoder';

CREATE TABLE "geometry__2222222222aa" (
    "image_id" VARCHAR,
    "jaw_width" DOUBLE,
    "chin_angle" DOUBLE,
    "mouth_width" DOUBLE
);
COMMENT ON TABLE "geometry__2222222222aa" IS 'one row an image: geometric and skin features, one column each, see feature_catalog';
COMMENT ON COLUMN "geometry__2222222222aa"."image_id" IS 'see images';
COMMENT ON COLUMN "geometry__2222222222aa"."jaw_width" IS '|right_gonion - left_gonion| [face widths] Farkas 1994 (go-go), a frontal proxy';
COMMENT ON COLUMN "geometry__2222222222aa"."chin_angle" IS 'angle(right_chin_corner, chin, left_chin_corner) [degrees] own definition';
COMMENT ON COLUMN "geometry__2222222222aa"."mouth_width" IS '|right_mouth_corner - left_mouth_corner| [face widths] Farkas 1994 (ch-ch)';

CREATE TABLE "landmarks__1111111111aa" (
    "image_id" VARCHAR,
    "x" FLOAT[468],
    "y" FLOAT[468],
    "z" FLOAT[468]
);
COMMENT ON TABLE "landmarks__1111111111aa" IS 'one row an image: FaceMesh landmarks in pixels of the upright photo';
COMMENT ON COLUMN "landmarks__1111111111aa"."image_id" IS 'see images';
COMMENT ON COLUMN "landmarks__1111111111aa"."x" IS 'x of the 468 landmarks, pixels';
COMMENT ON COLUMN "landmarks__1111111111aa"."y" IS 'y of the 468 landmarks, pixels';
COMMENT ON COLUMN "landmarks__1111111111aa"."z" IS 'z of the 468 landmarks, pixels';

CREATE TABLE "normalized__2222222222aa_3333333333aa" (
    "normalization" VARCHAR,
    "image_id" VARCHAR,
    "jaw_width" DOUBLE,
    "chin_angle" DOUBLE,
    "mouth_width" DOUBLE,
    "skin_lightness" DOUBLE,
    "eye_contrast" DOUBLE,
    "averageness" DOUBLE
);
COMMENT ON COLUMN "normalized__2222222222aa_3333333333aa"."normalization" IS 'protocol/fold, see normalizations';
COMMENT ON COLUMN "normalized__2222222222aa_3333333333aa"."image_id" IS 'see images';
COMMENT ON COLUMN "normalized__2222222222aa_3333333333aa"."jaw_width" IS 'z-score, see feature_catalog';
COMMENT ON COLUMN "normalized__2222222222aa_3333333333aa"."chin_angle" IS 'z-score, see feature_catalog';
COMMENT ON COLUMN "normalized__2222222222aa_3333333333aa"."mouth_width" IS 'z-score, see feature_catalog';
COMMENT ON COLUMN "normalized__2222222222aa_3333333333aa"."skin_lightness" IS 'z-score, see feature_catalog';
COMMENT ON COLUMN "normalized__2222222222aa_3333333333aa"."eye_contrast" IS 'z-score, see feature_catalog';
COMMENT ON COLUMN "normalized__2222222222aa_3333333333aa"."averageness" IS 'z-score, see feature_catalog';

CREATE TABLE "shape__5555555555aa" (
    "image_id" VARCHAR,
    "shape" FLOAT[936]
);
COMMENT ON TABLE "shape__5555555555aa" IS 'one row an image: 2-D landmarks, Procrustes-aligned to MediaPipe''s canonical face';
COMMENT ON COLUMN "shape__5555555555aa"."image_id" IS 'see images';
COMMENT ON COLUMN "shape__5555555555aa"."shape" IS '468 x then 468 y; centred, unit size, upright';

CREATE TABLE "skin__3333333333aa" (
    "image_id" VARCHAR,
    "skin_lightness" DOUBLE,
    "eye_contrast" DOUBLE
);
COMMENT ON TABLE "skin__3333333333aa" IS 'one row an image: geometric and skin features, one column each, see feature_catalog';
COMMENT ON COLUMN "skin__3333333333aa"."image_id" IS 'see images';
COMMENT ON COLUMN "skin__3333333333aa"."skin_lightness" IS 'mean L* over the patches [L*] CIE 1976';
COMMENT ON COLUMN "skin__3333333333aa"."eye_contrast" IS '(S - F) / (S + F), S = mean L* of the skin patches, F = mean L* inside right_eye and left_eye [ratio] Russell 2009 (facial contrast)';
CREATE TABLE "geometry__2222222222bb" (
    "image_id" VARCHAR,
    "jaw_width" DOUBLE
);
COMMENT ON TABLE "geometry__2222222222bb" IS 'one row an image: geometric and skin features, one column each, see feature_catalog';
COMMENT ON COLUMN "geometry__2222222222bb"."image_id" IS 'see images';
COMMENT ON COLUMN "geometry__2222222222bb"."jaw_width" IS '|right_gonion - left_gonion| [face widths] an earlier formula';

INSERT INTO store_info VALUES (1, '2026-01-02 03:04:05.000006');
INSERT INTO data_sets VALUES ('old', '/home/somebody/photos', 1, 5, 'made up, free to use');
-- 0003 and 0004 are one photo under two names, 0005 shows no face, 0006 was missing
INSERT INTO images VALUES
    ('old/0001.png', 'old', '0001.png', repeat('1a', 32), 100, 100, 'AF', 'female', 'A'),
    ('old/0002.png', 'old', '0002.png', repeat('2b', 32), 100, 100, 'AM', 'male', 'A'),
    ('old/0003.png', 'old', '0003.png', repeat('3c', 32), 100, 100, 'CF', 'female', 'C'),
    ('old/0004.png', 'old', '0004.png', repeat('3c', 32), 100, 100, 'CF', 'female', 'C'),
    ('old/0005.png', 'old', '0005.png', repeat('5e', 32), 100, 100, 'CM', 'male', 'C'),
    ('old/0006.png', 'old', '0006.png', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO ratings VALUES
    ('old/0001.png', 'r1', 2, NULL), ('old/0001.png', 'r2', 3, 2), ('old/0002.png', 'r1', 5, NULL);
INSERT INTO scores VALUES
    ('old/0001.png', 2.5, 0.5, 2, [0, 1, 1, 0, 0], 2.5), ('old/0002.png', 5, NULL, NULL, NULL, 5),
    ('old/0003.png', 3, 0.25, 4, [0, 0, 4, 0, 0], 3), ('old/0004.png', 3, 0.25, 4, [0, 0, 4, 0, 0], 3);
INSERT INTO splits VALUES
    ('old/0001.png', 'old-2fold', 1, 'train'), ('old/0002.png', 'old-2fold', 1, 'test'),
    ('old/0003.png', 'old-2fold', 1, 'train'), ('old/0004.png', 'old-2fold', 1, 'train'),
    ('old/0001.png', 'old-2fold', 2, 'test'), ('old/0002.png', 'old-2fold', 2, 'train');
INSERT INTO published_landmarks VALUES ('old/0001.png', [1, 2.5], [3, 4.5]);
INSERT INTO drawn_parameters VALUES ('old/0001.png', 'eye_width', 0.25);
INSERT INTO findings VALUES ('old', 'missing_image', '0006.png', 'has a score but no file');

INSERT INTO extractor_versions VALUES
    ('landmarks', '1111111111aa', 'landmarks', 'landmarks__1111111111aa', '{"code_version": 1, "columns": ["x", "y", "z"], "inputs": []}', true),
    ('geometry', '2222222222bb', 'geometric_features', 'geometry__2222222222bb', '{"code_version": 1, "columns": ["jaw_width"], "inputs": ["1111111111aa"]}', false),
    ('geometry', '2222222222aa', 'geometric_features', 'geometry__2222222222aa', '{"code_version": 2, "columns": ["jaw_width", "chin_angle", "mouth_width"], "inputs": ["1111111111aa"]}', true),
    ('skin', '3333333333aa', 'geometric_features', 'skin__3333333333aa', '{"code_version": 1, "columns": ["skin_lightness", "eye_contrast"], "inputs": ["1111111111aa"]}', true),
    ('shape', '5555555555aa', 'shapes', 'shape__5555555555aa', '{"code_version": 1, "columns": ["shape"], "inputs": ["1111111111aa"]}', true),
    ('embedding:tiny', '4444444444ee', 'embeddings', 'embedding_tiny__4444444444ee', '{"code_version": 1, "columns": ["vector"], "inputs": ["1111111111aa"]}', true);
INSERT INTO landmarks__1111111111aa VALUES
    ('old/0003.png', list_resize([3.0], 468, 0.5), list_resize([6.0], 468, 1.5), list_resize([9.0], 468, 2.5)),
    ('old/0001.png', list_resize([1.0], 468, 0.5), list_resize([2.0], 468, 1.5), list_resize([3.0], 468, 2.5)),
    ('old/0004.png', list_resize([3.0], 468, 0.5), list_resize([6.0], 468, 1.5), list_resize([9.0], 468, 2.5)),
    ('old/0002.png', list_resize([2.0], 468, 0.5), list_resize([4.0], 468, 1.5), list_resize([6.0], 468, 2.5));
INSERT INTO geometry__2222222222aa VALUES
    ('old/0003.png', 0.75, 90, 0.5), ('old/0001.png', 0.5, 100, 0.25),
    ('old/0004.png', 0.75, 90, 0.5), ('old/0002.png', 0.625, 'nan', 0.375);
INSERT INTO geometry__2222222222bb VALUES ('old/0004.png', 0.875), ('old/0003.png', 0.875), ('old/0001.png', 0.5);
INSERT INTO skin__3333333333aa VALUES
    ('old/0003.png', 70, 0.5), ('old/0001.png', 50, 0.25), ('old/0004.png', 70, 0.5), ('old/0002.png', 60, -0.25);
INSERT INTO shape__5555555555aa VALUES
    ('old/0003.png', list_resize([0.75], 936, 0.5)), ('old/0001.png', list_resize([0.25], 936, 0.5)),
    ('old/0004.png', list_resize([0.75], 936, 0.5)), ('old/0002.png', list_resize([0.5], 936, 0.5));
INSERT INTO embedding_tiny__4444444444ee VALUES
    ('old/0003.png', [3, 0, 0, 1]), ('old/0001.png', [1, 0, 0, 1]),
    ('old/0004.png', [3, 0, 0, 1]), ('old/0002.png', [2, 0, 0, 1]);
INSERT INTO extractions
    SELECT image_id, extractor, version, 'ok', NULL, 2.5 FROM extractor_versions, skin__3333333333aa WHERE active;
INSERT INTO extractions VALUES
    ('old/0001.png', 'geometry', '2222222222bb', 'ok', NULL, 1),
    ('old/0003.png', 'geometry', '2222222222bb', 'ok', NULL, 1),
    ('old/0004.png', 'geometry', '2222222222bb', 'ok', NULL, 1),
    ('old/0005.png', 'landmarks', '1111111111aa', 'no_face', 'No face was found in /home/somebody/photos/0005.png.', 9),
    ('old/0006.png', 'landmarks', '1111111111aa', 'missing', 'There is no photo /home/somebody/photos/0006.png.', 0);

INSERT INTO feature_catalog VALUES
    ('jaw_width', 'jawline', 'face widths', '|right_gonion - left_gonion|', 'right_gonion, left_gonion', 'Farkas 1994', 'geometry'),
    ('chin_angle', 'jawline', 'degrees', 'angle(right_chin_corner, chin, left_chin_corner)', 'chin', 'own definition', 'geometry'),
    ('mouth_width', 'lips', 'face widths', '|right_mouth_corner - left_mouth_corner|', 'mouth', 'Farkas 1994', 'geometry'),
    ('skin_lightness', 'skin', 'L*', 'mean L* over the patches', 'patches', 'CIE 1976', 'skin'),
    ('eye_contrast', 'eyes', 'ratio', '(S - F) / (S + F)', 'patches, eyes', 'Russell 2009', 'skin'),
    ('averageness', 'symmetry', 'Procrustes distance', 'distance to the mean face', 'all', 'Langlois & Roggman 1990', 'normalization');
INSERT INTO normalizations VALUES
    ('old-2fold/1', 'jaw_width', 0.5, 0.25, 'aaaaaaaaaa01'), ('old-2fold/1', 'chin_angle', 95, 5, 'aaaaaaaaaa01'),
    ('old-2fold/1', 'mouth_width', 0.375, 0.125, 'aaaaaaaaaa01'), ('old-2fold/1', 'skin_lightness', 60, 10, 'aaaaaaaaaa01'),
    ('old-2fold/1', 'eye_contrast', 0.25, 0.5, 'aaaaaaaaaa01'), ('old-2fold/1', 'averageness', 0.25, 0.125, 'aaaaaaaaaa01'),
    ('old-2fold/2', 'jaw_width', 0.625, 1, 'aaaaaaaaaa02'), ('old-2fold/2', 'chin_angle', 80, 1, 'aaaaaaaaaa02'),
    ('old-2fold/2', 'mouth_width', 0.375, 1, 'aaaaaaaaaa02'), ('old-2fold/2', 'skin_lightness', 60, 1, 'aaaaaaaaaa02'),
    ('old-2fold/2', 'eye_contrast', -0.25, 1, 'aaaaaaaaaa02'), ('old-2fold/2', 'averageness', 0, 1, 'aaaaaaaaaa02');
INSERT INTO mean_shapes VALUES
    ('old-2fold/1', list_resize([0.5], 936, 0.5), 'aaaaaaaaaa01'),
    ('old-2fold/2', list_resize([0.0], 936, 0.5), 'aaaaaaaaaa02');
INSERT INTO normalized__2222222222aa_3333333333aa VALUES
    ('old-2fold/1', 'old/0003.png', 1, -1, 1, 1, 0.5, 0), ('old-2fold/1', 'old/0001.png', 0, 1, -1, -1, 0, 0),
    ('old-2fold/1', 'old/0004.png', 1, -1, 1, 1, 0.5, 0), ('old-2fold/1', 'old/0002.png', 0.5, 'nan', 0, 0, -1, -2),
    ('old-2fold/2', 'old/0003.png', 0.125, 10, 0.125, 10, 0.75, 0.75),
    ('old-2fold/2', 'old/0001.png', -0.125, 20, -0.125, -10, 0.5, 0.25),
    ('old-2fold/2', 'old/0004.png', 0.125, 10, 0.125, 10, 0.75, 0.75),
    ('old-2fold/2', 'old/0002.png', 0, 'nan', 0, 0, 0, 0.5);
INSERT INTO manifests VALUES
    ('aaaaaaaaaa01', 'old-2fold', 1, 'SELECT image_id FROM splits', '{"geometry": "2222222222aa", "landmarks": "1111111111aa"}', 3, repeat('ab', 32)),
    ('aaaaaaaaaa02', 'old-2fold', 2, 'SELECT image_id FROM splits', '{"geometry": "2222222222aa", "landmarks": "1111111111aa"}', 1, repeat('cd', 32));
INSERT INTO runs VALUES
    ('old-2fold-1-b-00000001', 'b', 'old-2fold', 1, 'done', 'none', 'tiny', 'aaaaaaaaaa01', '{"seed": 0}', 'old-2fold-1-b-00000001', '2026-01-02 03:04:05', 1.5);
INSERT INTO training_history VALUES ('old-2fold-1-b-00000001', 1, 0.5, 0.25, 0.375, 0.75, 1.5);
INSERT INTO predictions VALUES ('old-2fold-1-b-00000001', 'old/0002.png', 'test', 4.5);
INSERT INTO evaluations VALUES ('old-2fold-1-b-00000001', 'test', 1, 0.5, 0.5, NULL, NULL);
INSERT INTO sub_scores VALUES ('old-2fold-1-b-00000001', 'old/0002.png', 'lips', 4.25);
INSERT INTO sub_score_weights VALUES ('old-2fold-1-b-00000001', 'lips', 1);

CREATE VIEW landmarks AS SELECT * FROM landmarks__1111111111aa;
CREATE VIEW geometric_features AS SELECT * FROM geometry__2222222222aa JOIN skin__3333333333aa USING (image_id);
CREATE VIEW shapes AS SELECT * FROM shape__5555555555aa;
CREATE VIEW embeddings AS SELECT image_id, 'tiny' AS encoder, vector::FLOAT[] AS vector FROM embedding_tiny__4444444444ee;
CREATE VIEW normalized_features AS SELECT * FROM normalized__2222222222aa_3333333333aa;
COMMENT ON VIEW landmarks IS 'one row an image: FaceMesh landmarks in pixels of the upright photo';
COMMENT ON VIEW geometric_features IS 'one row an image: geometric and skin features, one column each, see feature_catalog';
COMMENT ON VIEW shapes IS 'one row an image: 2-D landmarks, Procrustes-aligned to MediaPipe''s canonical face';
COMMENT ON VIEW embeddings IS 'one row is one image as one encoder sees it';
COMMENT ON VIEW normalized_features IS 'one row is one image under one normalization: geometric_features and averageness as z-scores';
