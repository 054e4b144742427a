//! TCP links: delay, refusal, black holes, and that no byte is ever lost or reordered.

use crate::common::{echo, until};
use lab::link::{Direction, Fault, Shape, TcpLink};
use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

async fn link(there: Shape, back: Shape) -> TcpLink {
    TcpLink::listen(echo().await, there, back, 1).await.expect("a link")
}

async fn dial(link: &TcpLink) -> TcpStream {
    TcpStream::connect(link.addr()).await.expect("a connection")
}

/// Sends a byte and returns the one that comes back.
async fn ping(stream: &mut TcpStream, byte: u8) -> std::io::Result<u8> {
    stream.write_all(&[byte]).await?;
    stream.read_u8().await
}

#[tokio::test]
async fn an_echo_takes_both_delays_and_a_change_of_shape_is_obeyed() {
    let link = link(Shape::delayed(ms(40)), Shape::delayed(ms(25))).await;
    let mut stream = dial(&link).await;
    for _ in 0..2 {
        let start = Instant::now();
        assert_eq!(ping(&mut stream, 7).await.expect("an echo"), 7);
        assert!(start.elapsed() >= ms(65), "{:?}", start.elapsed());
    }
    link.control().set_shape(Direction::Back, Shape::delayed(ms(120)));
    let start = Instant::now();
    ping(&mut stream, 8).await.expect("an echo");
    assert!(start.elapsed() >= ms(160), "{:?}", start.elapsed());
    link.control().heal();
    let stats = link.control().stats();
    assert_eq!((stats.connections, stats.bytes_there, stats.bytes_back), (1, 3, 3));
}

#[tokio::test]
async fn a_lossy_link_is_late_but_loses_and_reorders_nothing() {
    let shape = Shape { delay: ms(1), jitter: ms(2), loss: 0.05, ..Shape::default() };
    let link = link(shape, shape).await;
    let mut stream = dial(&link).await;
    let sent: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let (mut read, mut write) = stream.split();
    let mut seen = Vec::new();
    let (written, got) = tokio::join!(
        async {
            write.write_all(&sent).await?;
            write.shutdown().await
        },
        read.read_to_end(&mut seen)
    );
    written.expect("sent");
    got.expect("received to the end");
    assert!(seen == sent, "{} of {} bytes, or others", seen.len(), sent.len());
    assert!(link.control().stats().lost > 0);
}

#[tokio::test]
async fn a_refusing_link_resets_refuses_and_heals_on_the_same_port() {
    let link = link(Shape::default(), Shape::default()).await;
    let mut old = dial(&link).await;
    ping(&mut old, 1).await.expect("an echo");
    for round in 0..3 {
        link.control().set_fault(Fault::Refuse);
        if round == 0 {
            let error = old.read_u8().await.expect_err("the connection is gone");
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        until("new connections are refused", || async {
            let error = TcpStream::connect(link.addr()).await.err()?;
            (error.kind() == ErrorKind::ConnectionRefused).then_some(())
        })
        .await;
        link.control().heal();
        until("the link is back", || async {
            ping(&mut TcpStream::connect(link.addr()).await.ok()?, 2).await.ok()
        })
        .await;
    }
}

#[tokio::test]
async fn a_black_hole_stalls_old_connections_and_resets_new_ones_when_it_ends() {
    let link = link(Shape::default(), Shape::default()).await;
    let mut old = dial(&link).await;
    ping(&mut old, 1).await.expect("an echo");
    link.control().set_fault(Fault::Blackhole);
    let mut new = dial(&link).await;
    old.write_all(&[2]).await.expect("taken by the kernel");
    new.write_all(&[3]).await.expect("taken by the kernel");
    // Time is the subject: nothing comes, for a while.
    assert!(tokio::time::timeout(ms(150), old.read_u8()).await.is_err());
    assert!(tokio::time::timeout(ms(150), new.read_u8()).await.is_err());
    link.control().heal();
    assert_eq!(old.read_u8().await.expect("the stalled byte"), 2);
    assert_eq!(new.read_u8().await.expect_err("reset").kind(), ErrorKind::ConnectionReset);
    assert_eq!(ping(&mut dial(&link).await, 4).await.expect("an echo"), 4);
}

#[tokio::test]
async fn a_dead_upstream_is_a_reset_and_a_dropped_link_is_gone() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let link = TcpLink::listen(gone, Shape::delayed(ms(5)), Shape::default(), 1).await.expect("a link");
    let error = dial(&link).await.read_u8().await.expect_err("no upstream");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let addr = link.addr();
    drop(link);
    until("the port is closed", || async { TcpStream::connect(addr).await.err() }).await;
}
