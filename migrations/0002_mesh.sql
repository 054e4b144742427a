-- What probes measured of the network between each other: one row for each window of each session.
CREATE TABLE mesh_window (
  sender    TEXT   NOT NULL, -- probe
  reflector TEXT   NOT NULL, -- probe
  method    TEXT   NOT NULL, -- stamp, tcp, http
  started   BIGINT NOT NULL, -- by the sender's clock
  received  BIGINT NOT NULL, -- by the collector's clock
  document  TEXT   NOT NULL, -- the window
  PRIMARY KEY (sender, reflector, method, started)
);
CREATE INDEX mesh_window_received ON mesh_window (received);
