//! What an exported table looks like: names and types of its columns, which stay as they are, and how rows are made.
//! `docs/operations.md` describes them for users; new columns go to the end.

use collector::{history::SeriesKey, store::StoredEvidence};
use series::{Row, rollup::Rollup};
use std::fmt::Write;
use wire::sample::{Outcome, Trigger};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// 64 bits, signed.
    Int,
    Bool,
    /// Microseconds since the epoch, UTC.
    Instant,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// Whether a value may be absent.
    pub optional: bool,
}

/// A value; it fits its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Absent,
    Text(String),
    Int(i64),
    Bool(bool),
    Instant(i64),
}

const fn always(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: false }
}

const fn maybe(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: true }
}

/// Single runs.
pub const SAMPLES: &[Column] = &[
    always("at", Kind::Instant),
    always("check", Kind::Text),
    always("probe", Kind::Text),
    always("target", Kind::Text),
    always("part", Kind::Text),
    always("delay_us", Kind::Int),
    always("outcome", Kind::Text),
    maybe("failure", Kind::Text),
    always("slow", Kind::Bool),
    always("total_us", Kind::Int),
    maybe("dns_us", Kind::Int),
    maybe("connect_us", Kind::Int),
    maybe("tls_us", Kind::Int),
    maybe("send_us", Kind::Int),
    maybe("wait_us", Kind::Int),
    maybe("transfer_us", Kind::Int),
    maybe("status", Kind::Int),
    maybe("bytes", Kind::Int),
    always("flags", Kind::Text),
    always("trigger", Kind::Text),
    always("attempt", Kind::Int),
];

/// Hours of series.
pub const ROLLUPS: &[Column] = &[
    always("hour", Kind::Instant),
    always("check", Kind::Text),
    always("probe", Kind::Text),
    always("target", Kind::Text),
    always("part", Kind::Text),
    always("runs", Kind::Int),
    always("ok", Kind::Int),
    always("slow", Kind::Int),
    always("missed", Kind::Int),
    always("unsupported", Kind::Int),
    always("fail_dns", Kind::Int),
    always("fail_connect", Kind::Int),
    always("fail_tls", Kind::Int),
    always("fail_timeout", Kind::Int),
    always("fail_protocol", Kind::Int),
    always("fail_status", Kind::Int),
    always("fail_assertion", Kind::Int),
    always("fail_request", Kind::Int),
    maybe("sum_us", Kind::Int),
    maybe("min_us", Kind::Int),
    maybe("mean_us", Kind::Int),
    maybe("p50_us", Kind::Int),
    maybe("p90_us", Kind::Int),
    maybe("p99_us", Kind::Int),
    maybe("max_us", Kind::Int),
];

/// Failing and slow runs.
pub const EVIDENCE: &[Column] = &[
    always("at", Kind::Instant),
    always("received", Kind::Instant),
    always("check", Kind::Text),
    always("probe", Kind::Text),
    always("target", Kind::Text),
    always("outcome", Kind::Text),
    maybe("failure", Kind::Text),
    always("slow", Kind::Bool),
    always("total_us", Kind::Int),
    maybe("status", Kind::Int),
    maybe("step", Kind::Text),
    always("summary", Kind::Text),
    maybe("excerpt", Kind::Text),
    maybe("address", Kind::Text),
    maybe("served_by", Kind::Text),
    maybe("trace_id", Kind::Text),
];

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn int(number: impl TryInto<i64>) -> Value {
    // Counts beyond 2^63 do not happen.
    Value::Int(number.try_into().unwrap_or(i64::MAX))
}

fn maybe_int(number: Option<impl TryInto<i64>>) -> Value {
    number.map_or(Value::Absent, int)
}

fn maybe_text(of: Option<&str>) -> Value {
    of.map_or(Value::Absent, text)
}

fn key(key: &SeriesKey) -> [Value; 4] {
    [text(&key.check), text(&key.probe), text(&key.target), text(&key.part)]
}

/// A row of [`SAMPLES`].
pub fn sample(of: &SeriesKey, row: &Row) -> Vec<Value> {
    let (outcome, failure) = match row.outcome {
        Outcome::Ok => ("ok", None),
        Outcome::Fail(class) => ("fail", Some(class.to_string())),
        Outcome::Missed => ("missed", None),
        Outcome::Unsupported => ("unsupported", None),
    };
    let mut flags = String::new();
    for flag in row.flags.iter() {
        let comma = if flags.is_empty() { "" } else { "," };
        // Writing to a text cannot fail.
        let _ = write!(flags, "{comma}{}", word(&flag));
    }
    let trigger = match row.trigger {
        Trigger::Schedule => "schedule",
        Trigger::Confirm => "confirm",
        Trigger::Proof => "proof",
    };
    let phases = row.phases;
    let mut values = vec![Value::Instant(row.at)];
    values.extend(key(of));
    values.extend([int(row.delay_us), text(outcome), maybe_text(failure.as_deref()), Value::Bool(row.slow)]);
    values.push(int(row.total_us));
    let phases = [phases.dns, phases.connect, phases.tls, phases.send, phases.wait, phases.transfer];
    values.extend(phases.map(maybe_int));
    values.extend([maybe_int(row.status), maybe_int(row.bytes), Value::Text(flags), text(trigger)]);
    values.push(int(row.attempt));
    values
}

/// A row of [`ROLLUPS`]; `hour` is in whole hours since the epoch.
pub fn rollup(of: &SeriesKey, hour: i64, rollup: &Rollup) -> Vec<Value> {
    let mut values = vec![Value::Instant(hour.saturating_mul(series::HOUR_US))];
    values.extend(key(of));
    values.extend([rollup.runs(), rollup.ok, rollup.slow, rollup.missed, rollup.unsupported].map(int));
    values.extend(rollup.failures.map(int));
    values.push(maybe_int((rollup.ok > 0).then_some(rollup.sum_us)));
    values.extend([rollup.min_us, rollup.mean_us()].map(maybe_int));
    values.extend([0.5, 0.9, 0.99].map(|q| maybe_int(rollup.quantile(q))));
    values.push(maybe_int(rollup.max_us));
    values
}

/// A row of [`EVIDENCE`].
pub fn evidence(of: &StoredEvidence) -> Vec<Value> {
    let failed = of.outcome != "ok";
    vec![
        Value::Instant(of.at),
        Value::Instant(of.received),
        text(&of.check_id),
        text(&of.probe),
        text(&of.target),
        text(if failed { "fail" } else { "ok" }),
        maybe_text(failed.then_some(&of.outcome)),
        Value::Bool(of.slow),
        int(of.total_us),
        maybe_int(of.status),
        maybe_text(of.step.as_deref()),
        text(&of.summary),
        maybe_text(of.excerpt.as_deref()),
        maybe_text(of.address.as_deref()),
        maybe_text(of.served_by.as_deref()),
        maybe_text(of.trace_id.as_deref()),
    ]
}

/// The word that stands for one of our enumerations in JSON.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use series::{
        Flags,
        synthetic::{Noise, Series},
    };
    use wire::sample::{FailClass, Flag};

    fn fits(columns: &[Column], values: &[Value]) {
        assert_eq!(columns.len(), values.len());
        for (column, value) in columns.iter().zip(values) {
            let fits = match value {
                Value::Absent => column.optional,
                Value::Text(_) => column.kind == Kind::Text,
                Value::Int(_) => column.kind == Kind::Int,
                Value::Bool(_) => column.kind == Kind::Bool,
                Value::Instant(_) => column.kind == Kind::Instant,
            };
            assert!(fits, "{value:?} in {column:?}");
        }
    }

    #[test]
    fn values_stand_in_their_columns() {
        let key = SeriesKey { check: "c".into(), probe: "p".into(), target: "t".into(), part: String::new() };
        let mut row = Series::http(1, 7_200_000_000, 1, Noise::Usual).next().expect("a row");
        row.outcome = Outcome::Fail(FailClass::Tls);
        row.flags = Flags::from_iter([Flag::LateStart, Flag::Blind]);
        row.status = None;
        let values = sample(&key, &row);
        fits(SAMPLES, &values);
        let value = |columns: &[Column], values: &[Value], name: &str| {
            let column = columns.iter().position(|column| column.name == name).expect("a column");
            values[column].clone()
        };
        assert_eq!(value(SAMPLES, &values, "failure"), text("tls"));
        assert_eq!(value(SAMPLES, &values, "flags"), text("late_start,blind"));
        assert_eq!(value(SAMPLES, &values, "status"), Value::Absent);
        assert_eq!(value(SAMPLES, &values, "wait_us"), maybe_int(row.phases.wait));

        let mut hour = Rollup::default();
        hour.add(&row);
        fits(ROLLUPS, &rollup(&key, 2, &hour));
        assert_eq!(value(ROLLUPS, &rollup(&key, 2, &hour), "sum_us"), Value::Absent);
        row.outcome = Outcome::Ok;
        hour.add(&row);
        let values = rollup(&key, 2, &hour);
        assert_eq!(value(ROLLUPS, &values, "hour"), Value::Instant(7_200_000_000));
        assert_eq!(value(ROLLUPS, &values, "fail_tls"), Value::Int(1));
        assert_eq!(value(ROLLUPS, &values, "max_us"), int(row.total_us));
    }
}
