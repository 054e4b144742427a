//! The network: delays of the matrix, and conditions that hit the right links.

use crate::common::{echo, until};
use lab::{
    link::Fault,
    wan::{EDGE, Wan, WanError},
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The time of an echo on a new connection; `None` when there is no echo within 0.7 s.
async fn ping(addr: SocketAddr) -> Option<Duration> {
    let start = Instant::now();
    let echo = async {
        let mut stream = TcpStream::connect(addr).await.ok()?;
        stream.write_all(&[1]).await.ok()?;
        stream.read_u8().await.ok()
    };
    timeout(Duration::from_millis(700), echo).await.ok()??;
    Some(start.elapsed())
}

async fn passes(what: &str, addr: SocketAddr) {
    until(what, || ping(addr)).await;
}

#[tokio::test]
async fn links_are_shared_and_as_slow_as_the_matrix_says() {
    let (wan, server) = (Wan::new(1), echo().await);
    let link = wan.connect("us-east-1", "sa-east-1", server).await.expect("a link");
    assert_eq!(wan.connect("us-east-1", "sa-east-1", server).await.expect("the same"), link);
    assert!(until("a ping", || ping(link)).await >= Duration::from_millis(114));
    wan.slow_site("sa-east-1", Duration::from_millis(60)).expect("a site");
    assert!(until("a ping", || ping(link)).await >= Duration::from_millis(234));
    wan.heal_site("sa-east-1").expect("a site");
    until("it is fast again", || async { (ping(link).await? < Duration::from_millis(234)).then_some(()) })
        .await;
    assert!(matches!(wan.connect("mars", EDGE, server).await, Err(WanError::UnknownSite(_))));
    assert!(wan.fault_site("mars", Fault::None).is_err());
}

#[tokio::test]
async fn a_partition_cuts_a_site_off_and_leaves_its_inside() {
    let (wan, server) = (Wan::new(1), echo().await);
    let open = async |from, to| wan.connect(from, to, server).await.expect("a link");
    let inside = open("eu-west-1", "eu-west-1").await;
    let (out, into) = (open("eu-west-1", EDGE).await, open("us-east-1", "eu-west-1").await);
    let elsewhere = open("us-east-1", EDGE).await;
    wan.fault_site("eu-west-1", Fault::Blackhole).expect("a site");
    let late = open("eu-west-1", "us-west-2").await;
    for link in [out, into, late] {
        assert_eq!(ping(link).await, None);
    }
    for link in [inside, elsewhere] {
        passes("unaffected links work", link).await;
    }
    wan.heal();
    for link in [out, into, late] {
        passes("the partition is over", link).await;
    }
    wan.fault_pair("us-east-1", "eu-west-1", Fault::Blackhole).expect("sites");
    assert_eq!(ping(into).await, None);
    passes("only that pair is broken", out).await;
}

#[tokio::test]
async fn datagrams_pass_the_network_too() {
    let wan = Wan::new(1);
    let server = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let addr = server.local_addr().expect("an address");
    let link = wan.connect_udp(EDGE, "us-east-1", addr).await.expect("a link");
    let client = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let start = Instant::now();
    client.send_to(b"hello", link).await.expect("sent");
    let mut buffer = [0; 16];
    let (size, from) = server.recv_from(&mut buffer).await.expect("received");
    server.send_to(&buffer[..size], from).await.expect("sent");
    assert_eq!(client.recv(&mut buffer).await.expect("received"), 5);
    assert!(start.elapsed() >= Duration::from_millis(12));
}
