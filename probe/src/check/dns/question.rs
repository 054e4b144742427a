//! The message that is sent, and which messages are answers to it.

use crate::check::{Trace, fault::Fault, words};
use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{DNSClass, Name, RecordType},
};
use wire::assignment::{Dns, RecordType as Wanted};

/// The largest answer by UDP, bytes: what passes everywhere without fragments (DNS Flag Day 2020).
const UDP_MOST: u16 = 1232;

/// A question, ready to be sent.
pub(super) struct Question {
    pub(super) bytes: Vec<u8>,
    id: u16,
    query: Query,
}

/// What a message is to a question.
#[derive(Debug)]
pub(super) enum Match {
    Answer(Box<Message>),
    /// Not an answer to this question, perhaps a late one to another or a forged one.
    Foreign,
    /// It has the question's id and cannot be read; the text says why.
    Broken(String),
}

impl Question {
    /// Its id is taken from the trace, which is random.
    ///
    /// # Errors
    /// [`wire::sample::FailClass::Request`] for a name that DNS cannot carry.
    pub(super) fn new(dns: &Dns, trace: &Trace) -> Result<Question, Fault> {
        let bad = |error: &dyn std::fmt::Display| {
            Fault::request(format!("{} cannot be asked for: {error}", words::quote(&dns.name)))
        };
        let mut name = Name::from_ascii(&dns.name).map_err(|error| bad(&error))?;
        name.set_fqdn(true);
        let query = Query::query(name, record_type(dns.record));
        let id = u16::from_be_bytes([trace.trace_id[14], trace.trace_id[15]]);
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        // In a question, AD asks for AD in the answer (RFC 6840, 5.7).
        message.metadata.authentic_data = dns.authentic;
        message.add_query(query.clone());
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_MOST);
        message.set_edns(edns);
        let bytes = message.to_vec().map_err(|error| bad(&error))?;
        Ok(Question { bytes, id, query })
    }

    /// Reads a message that arrived.
    pub(super) fn read(&self, bytes: &[u8]) -> Match {
        if bytes.get(..2) != Some(self.id.to_be_bytes().as_slice()) {
            return Match::Foreign;
        }
        let message = match Message::from_vec(bytes) {
            Ok(message) => message,
            Err(error) => return Match::Broken(error.to_string()),
        };
        if message.metadata.message_type != MessageType::Response {
            return Match::Foreign;
        }
        // Servers that refuse a question may leave it out of their answer.
        let refused =
            !matches!(message.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain);
        let same = match message.queries.as_slice() {
            [] => refused,
            [query] => {
                query.name == self.query.name
                    && query.query_type == self.query.query_type
                    && query.query_class == DNSClass::IN
            }
            _ => false,
        };
        if same { Match::Answer(Box::new(message)) } else { Match::Foreign }
    }
}

fn record_type(wanted: Wanted) -> RecordType {
    match wanted {
        Wanted::A => RecordType::A,
        Wanted::Aaaa => RecordType::AAAA,
        Wanted::Cname => RecordType::CNAME,
        Wanted::Mx => RecordType::MX,
        Wanted::Ns => RecordType::NS,
        Wanted::Soa => RecordType::SOA,
        Wanted::Txt => RecordType::TXT,
    }
}
