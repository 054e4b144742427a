-- The report log in its lasting form, and what the decider leaves behind so that its decisions can be replayed.

-- One row for each report that was accepted, and for each answer of a receiver. `payload` is a version byte and an LZ4
-- block (collector/src/store/payload.rs).
CREATE TABLE report_log (
  position BIGINT NOT NULL,
  source   TEXT   NOT NULL, -- the probe, or '@delivery'
  sequence BIGINT NOT NULL, -- the probe's own number; 0 for deliveries
  received BIGINT NOT NULL,
  clock_us BIGINT NOT NULL, -- to be added to the probe's instants; 0 while its clock is near ours
  payload  BYTEA  NOT NULL,
-- sqlite: PRIMARY KEY (position)
-- postgres: PRIMARY KEY (position, received)
)
-- postgres: PARTITION BY RANGE (received)
;
-- postgres: CREATE TABLE report_log_rest PARTITION OF report_log DEFAULT;
-- postgres: ALTER TABLE report_log ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX report_log_received ON report_log (received);

-- Which numbers of a source were accepted, as ranges. They outlive the log: a resend is a duplicate however late it comes.
CREATE TABLE source_seen (
  source  TEXT   NOT NULL PRIMARY KEY,
  updated BIGINT NOT NULL,
  ranges  TEXT   NOT NULL -- JSON: [[first, last], ...], ascending
);

-- Failing and slow samples, for a person to read; secrets were redacted by the probe.
CREATE TABLE evidence (
  position  BIGINT  NOT NULL, -- of the report in the log
  ordinal   BIGINT  NOT NULL, -- of the sample in the report
  at        BIGINT  NOT NULL, -- when the run was sent
  received  BIGINT  NOT NULL,
  check_id  TEXT    NOT NULL,
  probe     TEXT    NOT NULL,
  target    TEXT    NOT NULL,
  outcome   TEXT    NOT NULL, -- ok (then it was slow), or the class of the failure
  slow      BOOLEAN NOT NULL,
  total_us  BIGINT  NOT NULL,
  status    BIGINT,
  step      TEXT,
  summary   TEXT    NOT NULL,
  excerpt   TEXT,
  address   TEXT,
  served_by TEXT,
  trace_id  TEXT,
  withheld  TEXT,             -- JSON: what stands for content that a region's policy keeps elsewhere or encrypted
-- sqlite: PRIMARY KEY (position, ordinal)
-- postgres: PRIMARY KEY (position, ordinal, received)
)
-- postgres: PARTITION BY RANGE (received)
;
-- postgres: CREATE TABLE evidence_rest PARTITION OF evidence DEFAULT;
CREATE INDEX evidence_check ON evidence (check_id, at);
CREATE INDEX evidence_at ON evidence (at);
CREATE INDEX evidence_received ON evidence (received);

-- When the decider judged, as it was committed: with the log and the states below, every decision can be made again.
CREATE TABLE judged (
  term     BIGINT NOT NULL,
  number   BIGINT NOT NULL, -- of the commit in its term, from 1
  at       BIGINT NOT NULL,
  position BIGINT NOT NULL, -- the log up to here was taken in
  passes   BYTEA  NOT NULL, -- (time, position) of each pass since the commit before
  PRIMARY KEY (term, number)
);
CREATE INDEX judged_at ON judged (at);

-- The decider's state after a commit: when it began, and now and then.
CREATE TABLE snapshot (
  term     BIGINT NOT NULL,
  number   BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  position BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  state    BYTEA  NOT NULL,
  PRIMARY KEY (term, number)
);
CREATE INDEX snapshot_at ON snapshot (at);

-- The state in force, in the same form. It replaces `decider`, and `report_log` replaces `log`: both come from versions
-- that were never released, and what their log held was folded long ago.
CREATE TABLE decision_state (
  id       BIGINT NOT NULL PRIMARY KEY,
  term     BIGINT NOT NULL,
  number   BIGINT NOT NULL,
  position BIGINT NOT NULL,
  saved    BIGINT NOT NULL,
  state    BYTEA  NOT NULL
);
DROP TABLE log;
DROP TABLE decider;
