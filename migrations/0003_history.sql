-- The history of all measurements: every run in compressed segments, and roll-ups of whole hours that people can query
-- with SQL. A day and an hour are whole ones since 1970-01-01T00:00 UTC.

-- One stream of runs. Ids are small, because they stand in every roll-up and in the directory of every segment.
CREATE TABLE series (
  id       BIGINT NOT NULL PRIMARY KEY,
  check_id TEXT   NOT NULL,
  probe    TEXT   NOT NULL,
  target   TEXT   NOT NULL,
  part     TEXT   NOT NULL, -- '' for the whole run, else the name of a journey's step
  UNIQUE (check_id, probe, target, part)
);

-- Runs of one check on one day, compressed. A segment is never changed: what rewrites history makes another with a new
-- number, and a number is never used twice.
CREATE TABLE segment (
  day       BIGINT NOT NULL,
  check_id  TEXT   NOT NULL,
  number    BIGINT NOT NULL,
  min_at    BIGINT NOT NULL, -- when its first run started
  max_at    BIGINT NOT NULL, -- when its last run started
  row_count BIGINT NOT NULL,
  level     BIGINT NOT NULL, -- 0 as flushed from memory, 1 compacted
  data      BYTEA  NOT NULL,
  PRIMARY KEY (day, check_id, number)
)
-- postgres: PARTITION BY RANGE (day)
;
-- postgres: ALTER TABLE segment ALTER COLUMN data SET STORAGE EXTERNAL;
-- postgres: CREATE TABLE segment_rest PARTITION OF segment DEFAULT;
-- What is still to be compacted.
CREATE INDEX segment_level ON segment (level, day, check_id);

-- An hour of a series. runs = ok + the failures; latencies are those of successful runs, microseconds, and NULL when
-- there was none. The sketch gives any quantile, and merges with others.
CREATE TABLE rollup (
  series         BIGINT NOT NULL,
  hour           BIGINT NOT NULL,
  runs           BIGINT NOT NULL,
  ok             BIGINT NOT NULL,
  slow           BIGINT NOT NULL,
  missed         BIGINT NOT NULL,
  unsupported    BIGINT NOT NULL,
  fail_dns       BIGINT NOT NULL,
  fail_connect   BIGINT NOT NULL,
  fail_tls       BIGINT NOT NULL,
  fail_timeout   BIGINT NOT NULL,
  fail_protocol  BIGINT NOT NULL,
  fail_status    BIGINT NOT NULL,
  fail_assertion BIGINT NOT NULL,
  fail_request   BIGINT NOT NULL,
  sum_us         BIGINT,
  min_us         BIGINT,
  mean_us        BIGINT,
  p50_us         BIGINT,
  p90_us         BIGINT,
  p99_us         BIGINT,
  max_us         BIGINT,
  sketch         BYTEA  NOT NULL,
  PRIMARY KEY (series, hour)
)
-- sqlite: WITHOUT ROWID
-- postgres: PARTITION BY RANGE (hour)
;
-- postgres: CREATE TABLE rollup_rest PARTITION OF rollup DEFAULT;

-- How far each shard of the history is sealed: a series belongs to the shard of its check, FNV-1a(check_id) % 64. The row
-- is also the lock of everything that writes segments and roll-ups of the shard.
CREATE TABLE seal_cursor (
  shard    BIGINT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL, -- log entries up to here are in segments and roll-ups
  number   BIGINT NOT NULL, -- the newest number that a segment of this shard got
  changes  BIGINT NOT NULL  -- grows when something other than sealing and compaction rewrites the shard
);
INSERT INTO seal_cursor (shard, position, number, changes) VALUES
  (0, 0, 0, 0), (1, 0, 0, 0), (2, 0, 0, 0), (3, 0, 0, 0), (4, 0, 0, 0), (5, 0, 0, 0), (6, 0, 0, 0), (7, 0, 0, 0),
  (8, 0, 0, 0), (9, 0, 0, 0), (10, 0, 0, 0), (11, 0, 0, 0), (12, 0, 0, 0), (13, 0, 0, 0), (14, 0, 0, 0), (15, 0, 0, 0),
  (16, 0, 0, 0), (17, 0, 0, 0), (18, 0, 0, 0), (19, 0, 0, 0), (20, 0, 0, 0), (21, 0, 0, 0), (22, 0, 0, 0), (23, 0, 0, 0),
  (24, 0, 0, 0), (25, 0, 0, 0), (26, 0, 0, 0), (27, 0, 0, 0), (28, 0, 0, 0), (29, 0, 0, 0), (30, 0, 0, 0), (31, 0, 0, 0),
  (32, 0, 0, 0), (33, 0, 0, 0), (34, 0, 0, 0), (35, 0, 0, 0), (36, 0, 0, 0), (37, 0, 0, 0), (38, 0, 0, 0), (39, 0, 0, 0),
  (40, 0, 0, 0), (41, 0, 0, 0), (42, 0, 0, 0), (43, 0, 0, 0), (44, 0, 0, 0), (45, 0, 0, 0), (46, 0, 0, 0), (47, 0, 0, 0),
  (48, 0, 0, 0), (49, 0, 0, 0), (50, 0, 0, 0), (51, 0, 0, 0), (52, 0, 0, 0), (53, 0, 0, 0), (54, 0, 0, 0), (55, 0, 0, 0),
  (56, 0, 0, 0), (57, 0, 0, 0), (58, 0, 0, 0), (59, 0, 0, 0), (60, 0, 0, 0), (61, 0, 0, 0), (62, 0, 0, 0), (63, 0, 0, 0);

-- What was erased on request. Until all shards are sealed up to its position, its rows may still be in a collector's
-- memory: they are hidden from queries and dropped when they are sealed.
CREATE TABLE erasure (
  id            BIGINT  NOT NULL PRIMARY KEY,
  requested     BIGINT  NOT NULL,
  position      BIGINT  NOT NULL, -- log entries up to here
  check_id      TEXT,             -- NULL: of any check
  probe         TEXT,             -- NULL: of any probe
  target        TEXT,             -- NULL: of any target
  from_at       BIGINT,           -- NULL: from the beginning
  to_at         BIGINT,           -- exclusive; NULL: without an end
  evidence_only BOOLEAN NOT NULL  -- runs and their timings stay
);
