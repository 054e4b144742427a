-- What was measured, in its lasting form: sealed segments of single runs, and hourly roll-ups. Days and hours are whole
-- ones since 1970-01-01, UTC. Latencies are of successful runs, counts of all; runs = ok + failures.

CREATE TABLE series (
  id       BIGINT NOT NULL PRIMARY KEY,
  check_id TEXT   NOT NULL,
  probe    TEXT   NOT NULL,
  target   TEXT   NOT NULL,
  part     TEXT   NOT NULL, -- '' the whole run, else a journey's step
  UNIQUE (check_id, probe, target, part)
);

CREATE TABLE segment (
  day       BIGINT NOT NULL,
  check_id  TEXT   NOT NULL,
  number    BIGINT NOT NULL,
  min_at    BIGINT NOT NULL,
  max_at    BIGINT NOT NULL,
  row_count BIGINT NOT NULL,
  level     BIGINT NOT NULL, -- 0 as flushed, 1 compacted
  data      BYTEA  NOT NULL,
  PRIMARY KEY (day, check_id, number)
)
-- postgres: PARTITION BY RANGE (day)
;

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
  sum_us         BIGINT, -- NULL, as the following, when nothing succeeded
  min_us         BIGINT,
  mean_us        BIGINT,
  p50_us         BIGINT,
  p90_us         BIGINT,
  p99_us         BIGINT,
  max_us         BIGINT,
  sketch         BYTEA NOT NULL,
  PRIMARY KEY (series, hour)
)
-- sqlite: WITHOUT ROWID
-- postgres: PARTITION BY RANGE (hour)
;

CREATE TABLE seal_cursor (
  shard    BIGINT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL -- of the log: everything up to here is sealed
);
