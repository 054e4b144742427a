//! Entrances for the benchmarks in `benches/` to what is inside; not part of the interface.

use super::{judge as judging, record::Record, template::Templates};
use std::collections::BTreeMap;
use wire::assignment::{Expect, Request};

/// Fills in the texts of a journey's request; true when that worked.
pub fn fill(request: &Request, values: BTreeMap<String, String>) -> bool {
    let mut templates = Templates::new("0af7651916cd43dd8448eb211c80319c", "eu-west-1", &BTreeMap::new());
    templates.learn(values);
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
        judging::judge(expect, &self.0).is_ok()
    }
}
