//! `icmp`: echo requests, and how many of them may be lost.

use crate::config::{
    duration,
    node::Value,
    read::{At, Fields},
};
use std::time::Duration;
use wire::assignment::Icmp;

const DEFAULT_PACKETS: u8 = 5;
const DEFAULT_SPACING: Duration = Duration::from_millis(200);
const DEFAULT_LOSS: u8 = 50;

/// Reads the mapping of an `icmp` check; `timeout` is the check's, when it could be read.
pub fn read(at: &At<'_>, timeout: Option<Duration>) -> Option<Icmp> {
    let fields = at.settings(&["packets", "spacing", "max_loss"])?;
    let packets = fields.or("packets", DEFAULT_PACKETS, |at| at.whole(1..=20));
    let spacing = fields
        .or("spacing", DEFAULT_SPACING, |at| at.duration(Duration::from_millis(10)..=Duration::from_secs(1)));
    let max_loss_percent = fields.or("max_loss", DEFAULT_LOSS, percent);
    let (packets, spacing) = (packets?, spacing?);
    in_time(&fields, packets, spacing, timeout)?;
    let spacing_us = u32::try_from(spacing.as_micros()).ok()?;
    Some(Icmp { packets, spacing_us, max_loss_percent: max_loss_percent? })
}

/// Every packet must leave before the run is cut.
fn in_time(fields: &Fields<'_>, packets: u8, spacing: Duration, timeout: Option<Duration>) -> Option<()> {
    let last = spacing * u32::from(packets.saturating_sub(1));
    let Some(timeout) = timeout.filter(|timeout| last >= *timeout) else {
        return Some(());
    };
    let problem = format!(
        "the last of {packets} packets would leave after {}, and a run is cut after the timeout of {}; send fewer, \
         shorten `spacing` or raise `timeout` of the check",
        duration::format(last),
        duration::format(timeout)
    );
    match fields.get("spacing").or(fields.get("packets")) {
        Some(at) => at.problem(problem),
        None => fields.at().problem_with_key(problem),
    }
    None
}

/// A share that cannot be taken for a fraction.
fn percent(at: &At<'_>) -> Option<u8> {
    let percent = match at.value() {
        Value::Text(text) => text.strip_suffix('%').and_then(whole),
        _ => None,
    };
    percent
        .filter(|percent| *percent <= 100)
        .or_else(|| at.expected("a share in whole percent from 0% to 100%, such as 20%"))
}

fn whole(text: &str) -> Option<u8> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}
