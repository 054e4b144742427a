//! When UDP is silent, TCP and HTTP are measured.

use crate::harness::{Sending, reflecting, reflector, send_to, sending};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};
use wire::mesh::{MeshMethod, MeshSend};

#[tokio::test]
async fn silence_by_udp_starts_tcp_and_http_and_an_answer_ends_them() {
    let (_reflector, address) = reflector("127.0.0.1:0", vec![reflecting(7, None)]).await;
    // A port that takes packets and says nothing, like a firewall.
    let hole = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let front = hole.local_addr().expect("an address");
    let send = MeshSend { fallback: Some(address.to_string()), ..send_to(front) };
    let mut sending = Sending::start(vec![sending(7, send, None)]).await;
    let silent = sending.window().await;
    assert_eq!((silent.method, silent.answered), (MeshMethod::Stamp, 0));
    for method in [MeshMethod::Tcp, MeshMethod::Http] {
        let window = sending.window_by(method).await;
        assert!(window.answered > 0 && window.answered <= window.sent, "{window:?}");
        assert!(window.rtt.is_some_and(|rtt| rtt.min_ns > 0));
        assert!(window.started < window.ended);
        assert_eq!(
            (window.forward, window.clock, window.stamps),
            (None, None, None),
            "only round trips are known"
        );
    }
    // The firewall opens: from now on the port passes packets on.
    tokio::spawn(async move {
        let reflector = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let (mut there, mut back, mut sender) = ([0; 2048], [0; 2048], None);
        loop {
            tokio::select! {
                Ok((n, from)) = hole.recv_from(&mut there) => {
                    sender = Some(from);
                    reflector.send_to(&there[..n], address).await.expect("sent");
                }
                Ok((n, _)) = reflector.recv_from(&mut back) => {
                    if let Some(to) = sender {
                        hole.send_to(&back[..n], to).await.expect("sent");
                    }
                }
            }
        }
    });
    sending.window_that(|window| window.method == MeshMethod::Stamp && window.answered > 0).await;
    // What was under way when UDP came back is still told; then there are windows of UDP alone.
    let mut alone = 0;
    // Attempts are a second apart, as are windows, so some windows have none.
    for _ in 0..30 {
        alone = if sending.window().await.method == MeshMethod::Stamp { alone + 1 } else { 0 };
        if alone == 5 {
            return;
        }
    }
    panic!("the fall-back goes on although UDP is heard");
}

#[tokio::test]
async fn a_dead_peer_is_counted_by_all_methods() {
    let (reflector, address) = reflector("127.0.0.1:0", vec![reflecting(7, None)]).await;
    reflector.stop().await;
    let mut sending = Sending::start(vec![sending(7, send_to(address), None)]).await;
    let window = sending.window_by(MeshMethod::Tcp).await;
    assert!(window.sent > 0);
    assert_eq!((window.answered, window.loss.lost, window.rtt), (0, window.sent, None));
}

#[tokio::test]
async fn the_tcp_port_answers_peers_briefly_and_nobody_else() {
    let (_reflector, address) = reflector("127.0.0.1:0", vec![reflecting(7, None)]).await;
    let mut peer = TcpStream::connect(address).await.expect("connected");
    peer.write_all(b"GET /mesh HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    let mut said = String::new();
    peer.read_to_string(&mut said).await.expect("an answer, then the end");
    assert!(said.starts_with("HTTP/1.1 204 No Content\r\n"), "{said}");

    let (_nobody, address) = crate::harness::reflector("127.0.0.1:0", Vec::new()).await;
    let mut stranger = TcpStream::connect(address).await.expect("connected");
    let mut nothing = Vec::new();
    // Hung up on: the end of the stream, or a reset.
    let _end_or_reset = stranger.read_to_end(&mut nothing).await;
    assert!(nothing.is_empty());
}
