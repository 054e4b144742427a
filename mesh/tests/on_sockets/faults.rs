//! What happens to packets is counted where it happened.

use crate::{
    harness::{Sending, key, reflecting, reflector, send_to, sending},
    relay::{Act, Relay},
};
use mesh::packet::{ErrorEstimate, Key, Request, Stamp};
use tokio::net::UdpSocket;
use wire::mesh::MeshSend;

/// Every mischief, some on packets that follow each other. A packet that is lost there is not followed by one that is
/// lost on the way back: if a window ended between the two, nobody could say which was which.
fn mischief(sequence: u32) -> (Act, Act) {
    match sequence % 16 {
        1 => (Act::BehindTheNext, Act::Pass),
        4 => (Act::Pass, Act::Drop),
        5 | 6 => (Act::Drop, Act::Pass),
        8 => (Act::Twice, Act::Pass),
        10 => (Act::Pass, Act::BehindTheNext),
        13 => (Act::Pass, Act::Twice),
        _ => (Act::Pass, Act::Pass),
    }
}

#[tokio::test]
async fn losses_duplicates_and_overtaking_are_counted_exactly_for_each_direction() {
    let (_reflector, address) = reflector("127.0.0.1:0", vec![reflecting(7, None)]).await;
    let relay = Relay::start(address, mischief).await;
    // Longer to wait than this machine may be busy with other tests.
    let send = MeshSend { timeout_us: 3_000_000, ..send_to(relay.address) };
    let mut sending = Sending::start(vec![sending(7, send, None)]).await;
    let (mut first, mut mischiefs) = (0, 0);
    for _ in 0..3 {
        let window = sending.window().await;
        let done = relay.done(first, first + window.sent);
        first += window.sent;
        assert_eq!(done.len(), window.sent as usize, "this machine loses nothing between two of its sockets");
        let there = |act| done.iter().filter(|done| done.there == act).count() as u32;
        let back = |act| done.iter().filter(|done| done.back == act).count() as u32;
        let [forward, reverse] = [window.forward, window.reverse].map(|way| way.expect("UDP has two ways"));
        assert_eq!((forward.loss.lost, forward.loss.of), (there(Act::Drop), window.sent), "{window:?}");
        assert_eq!(reverse.loss.lost, back(Act::Drop), "{window:?}");
        assert_eq!(reverse.loss.of, window.sent - forward.loss.lost);
        assert_eq!(window.loss.lost, there(Act::Drop) + back(Act::Drop));
        assert_eq!(window.lost_somewhere, 0);
        assert_eq!(window.duplicates, there(Act::Twice) + back(Act::Twice), "{window:?}");
        assert_eq!(forward.reordered, there(Act::BehindTheNext), "{window:?}");
        assert_eq!(reverse.reordered, back(Act::BehindTheNext), "{window:?}");
        assert_eq!(window.reordered, forward.reordered + reverse.reordered);
        mischiefs += window.loss.lost.min(window.duplicates).min(forward.reordered).min(reverse.reordered);
    }
    assert!(mischiefs > 0, "there was something to count");
}

#[tokio::test]
async fn a_wrong_key_gets_no_answer() {
    let (reflector, address) = reflector("127.0.0.1:0", vec![reflecting(7, Some(key("ab")))]).await;
    let mut sending = Sending::start(vec![sending(7, send_to(address), Some(key("ac")))]).await;
    let window = sending.window().await;
    assert!(window.sent > 0);
    assert_eq!((window.answered, window.loss.lost, window.lost_somewhere), (0, window.sent, window.sent));
    let counters = reflector.reflector().expect("a reflector").counters();
    assert_eq!(counters.answered, 0);
    assert!(counters.not_authentic >= u64::from(window.sent));
}

#[tokio::test]
async fn an_unknown_session_gets_no_answer() {
    let (reflector, address) = reflector("127.0.0.1:0", vec![reflecting(7, None)]).await;
    let mut sending = Sending::start(vec![sending(9, send_to(address), None)]).await;
    let window = sending.window().await;
    assert_eq!(window.answered, 0);
    let counters = reflector.reflector().expect("a reflector").counters();
    assert_eq!(counters.answered, 0);
    assert!(counters.unknown_session >= u64::from(window.sent));
}

/// Whatever is thrown at the reflector's port, it goes on answering whom it should.
#[tokio::test]
async fn noise_does_not_stop_the_reflector() {
    let (reflector, address) = reflector("127.0.0.1:0", vec![reflecting(7, Some(key("ab")))]).await;
    let noise = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    for len in (0..1500).step_by(7) {
        noise.send_to(&vec![0xff; len], address).await.expect("sent");
    }
    let request = Request {
        sequence: 0,
        sent: Stamp(1),
        error: ErrorEstimate::new(false, 1),
        ssid: 7,
        extensions: vec![0xff; 40],
    };
    let packet = request.encode(Some(&Key::new(key("ab").bytes())));
    noise.send_to(&packet, address).await.expect("sent");
    let mut buffer = [0; 2048];
    let (n, _) = tokio::time::timeout(crate::harness::PATIENCE, noise.recv_from(&mut buffer))
        .await
        .expect("an answer")
        .expect("an answer");
    assert_eq!(n, packet.len(), "not longer than the request");
    assert!(reflector.reflector().expect("a reflector").counters().unknown_session > 0);
}
