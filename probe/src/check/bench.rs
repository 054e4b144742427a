//! Entrances for the benchmarks in `benches/` to what is inside; not part of the interface.

use super::{Run, Trace, judge as judging, record::Record, secrets::Values, template::Templates};
use std::collections::BTreeMap;
use wire::{
    Micros,
    assignment::{AssignedCheck, Endpoint, Expect, Request, Target},
};

/// Fills in the texts of a journey's request; true when that worked.
pub fn fill(check: &AssignedCheck, request: &Request, values: &BTreeMap<String, String>) -> bool {
    let trace = Trace { trace_id: [7; 16], span_id: [7; 8] };
    let run = Run { trace, started: Micros(0), explain: false };
    let endpoint =
        Endpoint { target: Target::Public, url: "http://eu.test".to_owned(), evidence: Default::default() };
    let mut templates = Templates::new(check, &endpoint, &run, &Values::new());
    values.iter().for_each(|(name, value)| templates.keep(name, value));
    templates.fill(request).is_ok()
}

/// An answer to judge.
pub struct Answer(Record);

impl Answer {
    /// An answer with this status and body.
    pub fn new(status: u16, body: &[u8]) -> Answer {
        Answer(Record { status: Some(status), body: body.to_vec(), ..Record::default() })
    }

    /// Whether it is as expected.
    pub fn judge(&self, expect: &Expect) -> bool {
        judging::judge(expect, &judging::Answer::new(&self.0, None, &Target::Public, Micros(0)), None).is_ok()
    }
}
