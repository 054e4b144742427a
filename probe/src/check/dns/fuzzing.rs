//! The entrance for the fuzzer to DNS answers.

use super::{ask_for, judge::judge};
use crate::check::{
    Trace,
    fuzzing::{Failure, failure},
};
use crate::net::resolve::question::Match;
use wire::assignment::Dns;

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// It answers the question, and was judged.
    Judged(Result<(), Failure>),
    /// It answers another question.
    Foreign,
    /// It is no DNS message; why.
    Broken(String),
}

/// Reads a message as the answer to a question whose id has two bytes of 0, and judges it.
///
/// # Errors
/// When the question cannot be asked.
pub fn read(dns: &Dns, message: &[u8]) -> Result<Read, Failure> {
    let trace = Trace { trace_id: [0; 16], span_id: [0; 8] };
    let question = ask_for(dns, &trace).map_err(failure)?;
    Ok(match question.read(message) {
        Match::Answer(answer) => Read::Judged(judge(dns, &answer).map_err(failure)),
        Match::Foreign => Read::Foreign,
        Match::Broken(why) => Read::Broken(why),
    })
}

/// The question as it is sent.
///
/// # Errors
/// When it cannot be asked.
pub fn question(dns: &Dns) -> Result<Vec<u8>, Failure> {
    let trace = Trace { trace_id: [0; 16], span_id: [0; 8] };
    ask_for(dns, &trace).map(|question| question.bytes).map_err(failure)
}
