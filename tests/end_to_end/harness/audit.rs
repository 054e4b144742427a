//! Who wrote what: triggers in PostgreSQL that note, for each row that only a decider may write, the process that wrote it.

use anyhow::{Context, ensure};
use test_postgres::Cluster;

/// Tables that only the decider writes. Those that do not exist (yet) are left out.
const TABLES: [&str; 11] = [
    "lease",
    "decision_state",
    "judged",
    "snapshot",
    "timeline",
    "plan",
    "delivery",
    "segment",
    "rollup",
    "rollup_day",
    "seal_cursor",
];

/// A written row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Grows with every row.
    pub number: i64,
    pub table: String,
    /// The process id of the collector.
    pub pid: u32,
}

/// Begins to note. Partitions that are made later are noted too, because their parent is.
pub fn install(cluster: &Cluster) {
    cluster.query(
        "CREATE TABLE audit (number BIGSERIAL PRIMARY KEY, at TIMESTAMPTZ DEFAULT clock_timestamp(), name TEXT, program \
         TEXT);
         CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO audit (name, program) VALUES (TG_TABLE_NAME, current_setting('application_name'));
           RETURN NULL;
         END $$",
    );
    for table in TABLES {
        let exists = cluster.query(&format!("SELECT to_regclass('{table}') IS NOT NULL"));
        if exists == "t" {
            cluster.query(&format!(
                "CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION audit()"
            ));
        }
    }
}

/// The newest row that was noted.
pub fn newest(cluster: &Cluster) -> anyhow::Result<i64> {
    Ok(cluster.query("SELECT COALESCE(MAX(number), 0) FROM audit").parse()?)
}

/// The rows that were written after a number, in order.
pub fn since(cluster: &Cluster, number: i64) -> anyhow::Result<Vec<Written>> {
    let rows = cluster
        .query(&format!("SELECT number, name, program FROM audit WHERE number > {number} ORDER BY number"));
    rows.lines()
        .map(|row| {
            let fields: Vec<&str> = row.split('|').collect();
            ensure!(fields.len() == 3, "{row:?}");
            // The store calls itself `sextant VERSION pid PID`.
            let pid = fields[2].rsplit(' ').next().context("a name")?;
            let pid = pid.parse().with_context(|| format!("who is {:?}?", fields[2]))?;
            Ok(Written { number: fields[0].parse()?, table: fields[1].to_owned(), pid })
        })
        .collect()
}
