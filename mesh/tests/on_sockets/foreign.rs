//! Implementations that know less than ours: TWAMP-Light, whose answers end before the TTL and whose requests are short.

use crate::harness::{PATIENCE, Sending, send_to, sending};
use mesh::{
    packet::{Answer, ErrorEstimate, Request, SHORTEST_ANSWER, Stamp},
    reflect::Provision,
    run::Reflector,
};
use tokio::net::UdpSocket;
use wire::mesh::Stamping;

#[tokio::test]
async fn a_short_answer_without_session_number_is_an_answer() {
    let them = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let address = them.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut buffer, mut count) = ([0; 2048], 0);
        loop {
            let (n, from) = them.recv_from(&mut buffer).await.expect("a packet");
            let request = Request::decode(&buffer[..n], None).expect("a request");
            let now = Stamp::from_unix_ns(mesh::clock::wall_ns());
            let answer = Answer {
                sequence: count,
                returned: now,
                error: ErrorEstimate::decode([0, 1]),
                ssid: 0,
                reached: now,
                sender_sequence: request.sequence,
                sender_sent: request.sent,
                sender_error: request.error,
                sender_ttl: None,
                extensions: Vec::new(),
            };
            count += 1;
            them.send_to(&answer.encode(None)[..SHORTEST_ANSWER], from).await.expect("sent");
        }
    });
    let mut sending = Sending::start(vec![sending(7, send_to(address), None)]).await;
    let window = sending.window_that(|window| window.answered > 0).await;
    assert_eq!((window.rejected, window.invalid_stamps, window.ttl), (0, 0, None));
    assert!(window.rtt.is_some_and(|rtt| rtt.min_ns > 0));
    let stamps = window.stamps.expect("answered");
    assert_eq!((stamps.reached, stamps.returned), (Stamping::Unknown, Stamping::Unknown));
}

#[tokio::test]
async fn a_short_request_is_answered_to_a_known_address() {
    let reflector = Reflector::bind("127.0.0.1:0".parse().expect("an address"), true).expect("a free port");
    reflector.provision([Provision { ssid: 0, from: "127.0.0.1".parse().ok(), key: None }]);
    let them = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    // 14 bytes and random padding, where others have the number of the session.
    let packet = [[0, 0, 0, 5].as_slice(), &[1; 8], &[0x3f, 0xff], &[0x5a; 8]].concat();
    them.send_to(&packet, reflector.address()).await.expect("sent");
    let mut buffer = [0; 2048];
    let received = tokio::time::timeout(PATIENCE, them.recv_from(&mut buffer)).await.expect("an answer");
    let (n, _) = received.expect("an answer");
    let answer = Answer::decode(&buffer[..n], None).expect("an answer");
    assert_eq!((n, answer.sender_sequence, answer.sequence), (44, 5, 0));
    reflector.stop().await;
}
