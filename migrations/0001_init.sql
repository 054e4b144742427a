-- The log is the truth: everything else here can be rebuilt from it. One text for SQLite and PostgreSQL:
-- ids are TEXT, instants BIGINT microseconds since the epoch, documents JSON in TEXT. See README.md.

-- The newest log position given out. Its row lock makes positions become visible in order on PostgreSQL too.
CREATE TABLE log_head (
  id       BIGINT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL
);
INSERT INTO log_head (id, position) VALUES (1, 0);

CREATE TABLE log (
  position BIGINT NOT NULL PRIMARY KEY,
  source   TEXT   NOT NULL, -- the probe, or the delivery that an outcome is of
  sequence BIGINT NOT NULL, -- the source's own number; a resend changes nothing
  received BIGINT NOT NULL,
  payload  TEXT   NOT NULL,
  UNIQUE (source, sequence)
);
CREATE INDEX log_received ON log (received);

-- Every configuration document that was ever in force.
CREATE TABLE revision (
  revision BIGINT NOT NULL PRIMARY KEY,
  applied  BIGINT NOT NULL,
  document TEXT   NOT NULL
);

-- Who decides. The term grows with every change of the holder and fences the one before.
CREATE TABLE lease (
  name    TEXT   NOT NULL PRIMARY KEY,
  term    BIGINT NOT NULL,
  holder  TEXT   NOT NULL,
  renewed BIGINT NOT NULL
);

-- The decision core's state after the log up to a position.
CREATE TABLE decider (
  id       BIGINT NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL,
  term     BIGINT NOT NULL,
  saved    BIGINT NOT NULL,
  state    TEXT   NOT NULL
);

CREATE TABLE timeline (
  id         BIGINT NOT NULL PRIMARY KEY,
  at         BIGINT NOT NULL,
  kind       TEXT   NOT NULL,
  service    TEXT,
  region     TEXT,
  generation BIGINT,
  state      TEXT, -- the state that a verdict came to
  title      TEXT   NOT NULL,
  detail     TEXT   NOT NULL
);

CREATE TABLE plan (
  service    TEXT   NOT NULL,
  generation BIGINT NOT NULL,
  term       BIGINT NOT NULL,
  created    BIGINT NOT NULL,
  document   TEXT   NOT NULL, -- the plan
  guards     TEXT   NOT NULL, -- what the guards said
  PRIMARY KEY (service, generation)
);

-- The outbox: one row for each receiver of each plan, written in the plan's own transaction.
CREATE TABLE delivery (
  id           TEXT   NOT NULL PRIMARY KEY,
  service      TEXT   NOT NULL,
  generation   BIGINT NOT NULL,
  term         BIGINT NOT NULL,
  receiver     TEXT   NOT NULL,
  state        TEXT   NOT NULL, -- pending, acknowledged, superseded, refused
  attempts     BIGINT NOT NULL,
  created      BIGINT NOT NULL,
  next_attempt BIGINT NOT NULL,
  acknowledged BIGINT,
  last_error   TEXT   NOT NULL,
  body         TEXT   NOT NULL
);
CREATE INDEX delivery_due ON delivery (state, next_attempt);
CREATE INDEX delivery_plan ON delivery (service, generation);
