//! The vantages: who may vote, and how good their clocks are.

use super::{Clock, words::Shape};
use crate::{
    format,
    html::{Icon, Stamp},
};
use askama::Template;
use wire::{
    sample::Flag,
    view::{OddSamples, Overview, ProbeState},
};

#[derive(Template)]
#[template(path = "probes.html")]
pub struct Probes {
    rows: Vec<Row>,
}

struct Row {
    id: String,
    region: String,
    state: ProbeState,
    icon: Icon,
    meaning: &'static str,
    age: Option<Stamp>,
    offset: String,
    connected: bool,
    flags: Vec<&'static str>,
    lost: u64,
    lost_text: String,
    /// What did not arrive as it should, in words.
    odd: Vec<String>,
}

impl Probes {
    pub fn new(overview: &Overview, clock: Clock) -> Self {
        let rows = overview.probes.iter().map(|probe| Row {
            id: probe.id.to_string(),
            region: probe.region.to_string(),
            state: probe.state,
            icon: probe.state.icon(),
            meaning: match probe.state {
                ProbeState::Eligible => "votes",
                ProbeState::Excluded => "the fault is its own: does not vote",
                ProbeState::Silent => "not heard of: does not vote",
            },
            age: probe.age_us.map(|us| clock.ago(us)),
            offset: probe.clock_offset_us.map_or_else(|| "–".to_owned(), format::signed),
            connected: probe.connected,
            flags: probe.flags.iter().map(|flag| words(*flag)).collect(),
            lost: probe.lost,
            lost_text: format::count(probe.lost),
            odd: odd(&probe.odd),
        });
        Self { rows: rows.collect() }
    }
}

/// Samples that did not arrive as they should, in words.
fn odd(odd: &OddSamples) -> Vec<String> {
    let counts = [
        (odd.late, "came late"),
        (odd.ahead, "dated in the future"),
        (odd.too_old, "older than 7 days, left out"),
        (odd.unconfigured, "of checks that it does not have, left out"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    counts.map(|(count, what)| format!("{} {what}", format::count(count))).collect()
}

/// What a probe says of itself by a flag.
fn words(flag: Flag) -> &'static str {
    match flag {
        Flag::LateStart => "starts late",
        Flag::ClockStepped => "clock was set",
        Flag::CpuSaturated => "processors busy",
        Flag::ResolverFailing => "resolver fails",
        Flag::Blind => "blind: reaches none of its control targets",
    }
}
