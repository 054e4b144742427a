-- Which programs may run on a schema. A migration that only expands names the oldest schema version whose programs still
-- work on the result, so that they run side by side during an upgrade; one that removes something names its own. Every
-- migration from here on ends with its row.
CREATE TABLE schema_info (
  version       BIGINT NOT NULL PRIMARY KEY,
  least_program BIGINT NOT NULL,
  applied       BIGINT NOT NULL -- filled in by the program
);
INSERT INTO schema_info (version, least_program, applied) VALUES (5, 5, 0);

-- What is written to find out whether writing works again.
CREATE TABLE write_trial (
  id     BIGINT NOT NULL PRIMARY KEY,
  filler BYTEA  NOT NULL
);
