//! What must be changed in a restored database, because time went on after the backup.
//!
//! Receivers may have been told newer plans than the archive knows of, by newer terms. So the term is raised above all that
//! there can have been, plans that were on their way are not sent any more, and no plan counts as being in force: the
//! next decider makes one when it knows something of every region, and tells it to every receiver.

use super::{Error, catalogue::Known, conn::Conn};
use crate::{
    backup::{Header, Kind, Value},
    decide::State,
    store::payload,
};
use std::collections::BTreeMap;
use wire::{Micros, view::TimelineKind};

/// Changes it, in the transaction that fills the database.
pub async fn settle(
    conn: &mut Conn,
    tables: &BTreeMap<String, Known>,
    header: &Header,
    now: Micros,
) -> Result<(), Error> {
    let least = Value::Integer(now.0 / 1_000_000);
    if tables.contains_key("lease") {
        let sql = "UPDATE lease SET holder = '', renewed = 0, term = CASE WHEN term + 1 > $1 THEN term + 1 ELSE $1 END";
        conn.execute(sql, [(&least, Kind::Integer)].into_iter()).await?;
    }
    if tables.contains_key("delivery") {
        conn.run("UPDATE delivery SET state = 'superseded' WHERE state = 'pending'").await?;
    }
    if tables.contains_key("decision_state") {
        for row in conn.all("SELECT state FROM decision_state WHERE id = 1", &[Kind::Bytes]).await? {
            let [Value::Bytes(bytes)] = row.as_slice() else { continue };
            let mut state: State = payload::document(bytes, "the decider's state").map_err(Error::State)?;
            state.forget_plans();
            let bytes = Value::Bytes(payload::of_document(&state));
            let sql = "UPDATE decision_state SET state = $1 WHERE id = 1";
            conn.execute(sql, [(&bytes, Kind::Bytes)].into_iter()).await?;
        }
    }
    if tables.contains_key("timeline") {
        let values = [
            Value::Integer(now.0),
            Value::Text(TimelineKind::Configuration.to_string()),
            Value::Text("Restored from a backup".into()),
            Value::Text(format!(
                "Made at {} by version {} ({}). What came after it is not here. A plan is made and told when something \
                 is known of every region.",
                header.created, header.program, header.engine
            )),
        ];
        let kinds = [Kind::Integer, Kind::Text, Kind::Text, Kind::Text];
        let sql = "INSERT INTO timeline (id, at, kind, title, detail)
                   VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM timeline), $1, $2, $3, $4)";
        conn.execute(sql, values.iter().zip(kinds)).await?;
    }
    Ok(())
}
