//! UDP links: answers find back, and the seed decides what is lost, doubled and overtaken.

use crate::common::until;
use lab::link::{Fault, Shape, UdpLink};
use std::{
    io::ErrorKind,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::net::UdpSocket;

async fn echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let addr = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut buffer = [0; 64];
        while let Ok((size, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&buffer[..size], from).await;
        }
    });
    addr
}

async fn client(link: &UdpLink) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    socket.connect(link.addr()).await.expect("an address");
    socket
}

async fn receive(socket: &UdpSocket) -> std::io::Result<u8> {
    let mut buffer = [0; 64];
    socket.recv(&mut buffer).await.map(|_| buffer[0])
}

#[tokio::test]
async fn each_client_gets_its_own_answers_after_both_delays() {
    let shape = |ms| Shape::delayed(Duration::from_millis(ms));
    let link = UdpLink::listen(echo().await, shape(30), shape(20), 1).await.expect("a link");
    let (one, two) = (client(&link).await, client(&link).await);
    let start = Instant::now();
    one.send(&[1]).await.expect("sent");
    two.send(&[2]).await.expect("sent");
    assert_eq!((receive(&one).await.ok(), receive(&two).await.ok()), (Some(1), Some(2)));
    assert!(start.elapsed() >= Duration::from_millis(50), "{:?}", start.elapsed());
    assert_eq!(link.control().stats().connections, 2);
}

/// What comes back, in order, of a hundred numbered datagrams through a link with the seed.
async fn survivors(seed: u64) -> Vec<u8> {
    let rough = Shape { loss: 0.2, reorder: 0.1, ..Shape::default() };
    let link = UdpLink::listen(echo().await, rough, Shape::default(), seed).await.expect("a link");
    let socket = client(&link).await;
    for n in 0..100 {
        socket.send(&[n]).await.expect("sent");
    }
    let arrived = until("each datagram is lost or back", || async {
        let stats = link.control().stats();
        (stats.lost + stats.bytes_back == 100).then_some(stats.bytes_back)
    })
    .await;
    let mut seen = Vec::new();
    for _ in 0..arrived {
        seen.push(receive(&socket).await.expect("received"));
    }
    seen
}

#[tokio::test]
async fn the_seed_decides_what_is_lost_and_some_are_overtaken() {
    let sorted = |mut seen: Vec<u8>| {
        seen.sort_unstable();
        seen
    };
    let seen = survivors(3).await;
    assert!((60..95).contains(&seen.len()), "{} of 100 arrived at 20 % loss", seen.len());
    assert!(!seen.is_sorted(), "{seen:?}");
    assert_eq!(sorted(seen.clone()), sorted(survivors(3).await));
    assert_ne!(sorted(seen), sorted(survivors(4).await));
}

#[tokio::test]
async fn a_certain_duplicate_arrives_twice() {
    let twice = Shape { duplicate: 1.0, ..Shape::default() };
    let link = UdpLink::listen(echo().await, twice, Shape::default(), 1).await.expect("a link");
    let socket = client(&link).await;
    for n in [5, 6] {
        socket.send(&[n]).await.expect("sent");
    }
    for n in [5, 5, 6, 6] {
        assert_eq!(receive(&socket).await.expect("received"), n);
    }
}

#[tokio::test]
async fn faults_of_a_udp_link_come_and_go() {
    let link = UdpLink::listen(echo().await, Shape::default(), Shape::default(), 1).await.expect("a link");
    let socket = client(&link).await;
    let control = link.control();
    control.set_fault(Fault::Blackhole);
    socket.send(&[1]).await.expect("sent");
    assert!(tokio::time::timeout(Duration::from_millis(100), receive(&socket)).await.is_err());
    control.set_fault(Fault::Refuse);
    until("the port is unreachable", || async {
        let sent = socket.send(&[2]).await;
        let error = match sent {
            Ok(_) => tokio::time::timeout(Duration::from_millis(20), receive(&socket)).await.ok()?.err()?,
            Err(error) => error,
        };
        (error.kind() == ErrorKind::ConnectionRefused).then_some(())
    })
    .await;
    control.heal();
    until("answers come again", || async {
        socket.send(&[3]).await.ok()?;
        tokio::time::timeout(Duration::from_millis(50), receive(&socket)).await.ok()?.ok()
    })
    .await;
}
