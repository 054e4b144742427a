//! A DNS question, and which messages are answers to it (RFC 1035, RFC 6891, RFC 5452).

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{DNSClass, Name, RecordType},
};

/// The largest answer by UDP, bytes: what passes everywhere without fragments (DNS Flag Day 2020).
const UDP_MOST: u16 = 1232;

/// A question, ready to be sent.
pub(crate) struct Question {
    pub(crate) bytes: Vec<u8>,
    id: u16,
    query: Query,
}

/// How to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Manner {
    /// Let the server ask others (RD). Off for the servers of a zone, which shall speak for themselves.
    pub(crate) recursive: bool,
    /// Ask for the AD flag in the answer (RFC 6840, 5.7).
    pub(crate) authentic: bool,
}

/// What a message is to a question.
#[derive(Debug)]
pub(crate) enum Match {
    Answer(Box<Message>),
    /// Not an answer to this question, perhaps a late one to another or a forged one.
    Foreign,
    /// It has the question's id and cannot be read; the text says why.
    Broken(String),
}

/// A name as DNS carries it, absolute.
///
/// # Errors
/// A text that says why DNS cannot carry it.
pub(crate) fn name(text: &str) -> Result<Name, String> {
    let mut name = Name::from_ascii(text).map_err(|error| error.to_string())?;
    name.set_fqdn(true);
    Ok(name)
}

impl Question {
    /// `id` must be random: it is what keeps others from answering.
    ///
    /// # Errors
    /// A text that says why it cannot be asked.
    pub(crate) fn new(name: Name, record: RecordType, id: u16, manner: Manner) -> Result<Question, String> {
        let query = Query::query(name, record);
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = manner.recursive;
        message.metadata.authentic_data = manner.authentic;
        message.add_query(query.clone());
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_MOST);
        message.set_edns(edns);
        let bytes = message.to_vec().map_err(|error| error.to_string())?;
        Ok(Question { bytes, id, query })
    }

    /// Reads a message that arrived.
    pub(crate) fn read(&self, bytes: &[u8]) -> Match {
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

/// A response code by its name (IANA, DNS RCODEs), or `RCODE` and its number.
pub(crate) fn rcode(code: ResponseCode) -> String {
    let name = match code {
        ResponseCode::NoError => "NOERROR",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::YXDomain => "YXDOMAIN",
        ResponseCode::YXRRSet => "YXRRSET",
        ResponseCode::NXRRSet => "NXRRSET",
        ResponseCode::NotAuth => "NOTAUTH",
        ResponseCode::NotZone => "NOTZONE",
        ResponseCode::BADVERS | ResponseCode::BADSIG => "BADVERS",
        other => return format!("RCODE{}", u16::from(other)),
    };
    name.to_owned()
}
