use super::*;
use crate::packet::{AUTHENTICATED_LEN, BASE_LEN, TimeFormat};

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)), 5000);

fn clock() -> ErrorEstimate {
    ErrorEstimate::new(true, 1_000_000)
}

fn key() -> Key {
    Key::new(b"0123456789abcdef")
}

fn core(key: Option<Key>) -> Core {
    let mut core = Core::new(100);
    core.provision([Provision { ssid: 7, from: Some(PEER.ip()), key }]);
    core
}

fn request(sequence: u32, ssid: u16, extensions: Vec<u8>) -> Request {
    Request { sequence, sent: Stamp(11), error: ErrorEstimate::new(false, 9), ssid, extensions }
}

fn hand(core: &mut Core, from: SocketAddr, bytes: &[u8]) -> Result<Reply, Discard> {
    let arrival = Arrival { from, bytes, reached: Stamp(22), by_kernel: true, ttl: Some(64) };
    core.reflect(arrival, clock(), 0, || Stamp(33))
}

#[test]
fn an_answer_has_all_four_stamps_and_the_reflectors_own_count() {
    let mut core = core(None);
    for (count, sequence) in [(0, 40), (1, 42)] {
        let reply = hand(&mut core, PEER, &request(sequence, 7, Vec::new()).encode(None)).expect("an answer");
        let answer = Answer::decode(&reply.bytes, None).expect("an answer");
        assert_eq!((answer.sequence, answer.sender_sequence), (count, sequence));
        assert_eq!((answer.sender_sent, answer.reached, answer.returned), (Stamp(11), Stamp(22), Stamp(33)));
        assert_eq!((answer.ssid, answer.sender_ttl, answer.error), (7, Some(64), clock()));
    }
    let other_port = SocketAddr::new(PEER.ip(), 5001);
    let reply = hand(&mut core, other_port, &request(0, 7, Vec::new()).encode(None)).expect("an answer");
    assert_eq!(
        Answer::decode(&reply.bytes, None).expect("an answer").sequence,
        0,
        "another socket, another count"
    );
}

#[test]
fn strangers_are_dropped_and_counted() {
    let mut core = core(Some(key()));
    let stranger = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8)), 5000);
    let good = request(0, 7, Vec::new()).encode(Some(&key()));
    assert_eq!(hand(&mut core, stranger, &good), Err(Discard::UnknownSession));
    assert_eq!(
        hand(&mut core, PEER, &request(0, 8, Vec::new()).encode(Some(&key()))),
        Err(Discard::UnknownSession)
    );
    assert_eq!(hand(&mut core, PEER, &request(0, 7, Vec::new()).encode(None)), Err(Discard::UnknownSession));
    let forged = request(0, 7, Vec::new()).encode(Some(&Key::new(b"fedcba9876543210")));
    assert_eq!(hand(&mut core, PEER, &forged), Err(Discard::NotAuthentic));
    assert_eq!(hand(&mut core, PEER, &[]), Err(Discard::UnknownSession));
    assert!(hand(&mut core, PEER, &good).is_ok());
    let expected = Counters { answered: 1, unknown_session: 4, not_authentic: 1, ..Counters::default() };
    assert_eq!(core.counters(), expected);
}

#[test]
fn one_address_is_answered_only_so_fast() {
    let mut core = core(None);
    let packet = request(0, 7, Vec::new()).encode(None);
    let answered = (0..250).filter(|_| hand(&mut core, PEER, &packet).is_ok()).count();
    assert_eq!((answered, core.counters().too_fast), (100, 150));
}

#[test]
fn no_answer_is_longer_than_its_request_but_for_the_shortest() {
    let mut core = Core::new(10_000);
    core.provision([
        Provision { ssid: 7, from: None, key: None },
        Provision { ssid: 0, from: Some(PEER.ip()), key: None },
    ]);
    for len in 0..400 {
        let mut bytes = request(0, 7, Vec::new()).encode(None);
        bytes.resize(len, 0xa5);
        match hand(&mut core, PEER, &bytes) {
            Ok(reply) => assert_eq!(reply.bytes.len(), len.max(BASE_LEN)),
            Err(why) => assert!(len < 14 && why == Discard::Malformed, "{len}: {why}"),
        }
    }
}

#[test]
fn an_older_peer_is_known_by_its_address_alone() {
    let mut core = Core::new(100);
    core.provision([Provision { ssid: 0, from: Some(PEER.ip()), key: None }]);
    let random_padding = [0x5a; 22];
    assert!(hand(&mut core, PEER, &random_padding).is_ok());
    core.provision([Provision { ssid: 0, from: None, key: None }]);
    assert_eq!(hand(&mut core, PEER, &random_padding), Err(Discard::UnknownSession));
}

#[test]
fn extensions_are_answered_and_unknown_ones_flagged() {
    let mut core = core(Some(key()));
    let mut extensions = Vec::new();
    tlv::push(&mut extensions, tlv::FOLLOW_UP, &[0; 16]);
    tlv::push(&mut extensions, tlv::TIMESTAMP_INFO, &[0; 4]);
    tlv::push(&mut extensions, 245, &[1, 2, 3]);
    tlv::push(&mut extensions, tlv::TIMESTAMP_INFO, &[0; 5]);
    tlv::push(&mut extensions, tlv::HMAC, &[0; 16]);
    let mut packet = request(5, 7, extensions).encode(Some(&key()));
    tlv::sign(&mut packet, AUTHENTICATED_LEN, &key());

    let first = hand(&mut core, PEER, &packet).expect("an answer");
    core.left(&first.ticket, Stamp(34));
    let second = hand(&mut core, PEER, &packet).expect("an answer");
    assert!(tlv::authentic(&second.bytes, AUTHENTICATED_LEN, &key()));
    let answer = Answer::decode(&second.bytes, Some(&key())).expect("an authentic answer");
    let flags: Vec<_> = tlv::walk(&answer.extensions).flatten().map(|tlv| (tlv.kind, tlv.flags)).collect();
    let expected = [(7, 0), (3, 0), (245, tlv::UNRECOGNISED), (3, tlv::MALFORMED), (8, 0)];
    assert_eq!(flags, expected);
    let told = tlv::Told::read(&answer.extensions, TimeFormat::Ntp);
    let follow_up = tlv::FollowUp { sequence: 0, returned: Stamp(34), method: tlv::BY_SOFTWARE };
    assert_eq!(told.follow_up, Some(follow_up));
    assert_eq!(told.stamping.map(|info| (info.source_in, info.method_in, info.method_out)), Some((1, 2, 3)));

    packet[AUTHENTICATED_LEN + 4] ^= 1;
    let spoiled = hand(&mut core, PEER, &packet).expect("the base packet is authentic");
    let answer = Answer::decode(&spoiled.bytes, Some(&key())).expect("an authentic answer");
    assert!(tlv::walk(&answer.extensions).flatten().all(|tlv| tlv.flags & tlv::INTEGRITY != 0));
}

#[test]
fn a_newer_plan_keeps_the_counts_of_what_stays() {
    let mut core = core(None);
    let packet = request(0, 7, Vec::new()).encode(None);
    let stay = Provision { ssid: 7, from: None, key: None };
    let count = |core: &mut Core| hand(core, PEER, &packet).map(|reply| reply.ticket.sequence);
    assert_eq!(count(&mut core), Ok(0));
    core.provision([stay.clone(), Provision { ssid: 9, from: None, key: None }]);
    assert_eq!(count(&mut core), Ok(1));
    core.provision([]);
    assert_eq!(count(&mut core), Err(Discard::UnknownSession));
    core.provision([stay]);
    assert_eq!(count(&mut core), Ok(0));
}
