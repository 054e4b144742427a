//! What a name server answers.

use crate::parts;
use probe::fuzzing::check::dns::{Read, question, read};
use wire::assignment::{Dns, RecordType};

const RECORDS: [RecordType; 7] = [
    RecordType::A,
    RecordType::Aaaa,
    RecordType::Cname,
    RecordType::Mx,
    RecordType::Ns,
    RecordType::Soa,
    RecordType::Txt,
];
/// The part of a message before its questions (RFC 1035, 4.1.1).
const HEADER: usize = 12;
/// The OPT record at the end of a question: root, type, class, TTL, no data (RFC 6891).
const OPT: usize = 11;

/// The first byte chooses what is asked for (lower bits) and whether the answer repeats the question by itself (the
/// top bit: then 10 bytes of header follow, and the sections after the question).
pub fn run(data: &[u8]) {
    let (choice, data) = parts::byte(data);
    let dns = Dns {
        name: "shop.test".into(),
        record: RECORDS[usize::from(choice & 7).min(RECORDS.len() - 1)],
        server: None,
        tcp: false,
        rcode: "NOERROR".into(),
        answers: vec!["127.0.0.1".into(), "ns.shop.test".into()],
        authentic: choice & 8 != 0,
        authoritative: false,
        ttl: None,
    };
    let asked = question(&dns).expect("a good name");
    assert_eq!(read(&dns, &asked), Ok(Read::Foreign), "a question is no answer");
    let message = if choice & 0x80 == 0 {
        data.to_vec()
    } else {
        let (head, rest) = parts::bytes::<10>(data);
        [&[0, 0][..], &head, &asked[HEADER..asked.len() - OPT], rest].concat()
    };
    match read(&dns, &message).expect("a good name") {
        Read::Judged(Err((_, why))) => assert!(why.chars().count() < 1000, "a long sentence: {why}"),
        Read::Judged(Ok(())) | Read::Foreign => {}
        Read::Broken(why) => assert!(message.starts_with(&[0, 0]), "{why}"),
    }
}
