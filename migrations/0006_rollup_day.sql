-- The roll-ups of a check and a day once more, in two values: a question over many series reads these instead of
-- hundreds of rows. The rows of `rollup` are the truth: a day that has none here is read from there.
CREATE TABLE rollup_day (
  check_id TEXT   NOT NULL,
  day      BIGINT NOT NULL, -- whole days since 1970, UTC
  whole    BYTEA  NOT NULL, -- each series' whole day (series/src/bundle.rs)
  hours    BYTEA  NOT NULL, -- each series' hours
  PRIMARY KEY (check_id, day)
)
-- postgres: PARTITION BY RANGE (day)
;
-- postgres: ALTER TABLE rollup_day ALTER COLUMN whole SET STORAGE EXTERNAL;
-- postgres: ALTER TABLE rollup_day ALTER COLUMN hours SET STORAGE EXTERNAL;
-- postgres: CREATE TABLE rollup_day_rest PARTITION OF rollup_day DEFAULT;

-- An older program would change `rollup` without what is here, and questions would miss what it sealed.
INSERT INTO schema_info (version, least_program, applied) VALUES (6, 6, 0);
