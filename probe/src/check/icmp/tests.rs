//! Counting, and what a missing permission means.

use super::*;

fn tally(trips: &[Option<u32>]) -> Tally {
    let wanted = u8::try_from(trips.len()).expect("few");
    Tally { wanted, sent: vec![Instant::now(); trips.len()], trips: trips.to_vec(), error: None }
}

fn icmp(max_loss_percent: u8) -> Icmp {
    Icmp { packets: 5, spacing_us: 0, max_loss_percent }
}

#[tokio::test]
async fn loss_is_compared_with_what_is_allowed() {
    let limit = Limit::from_now(Duration::from_secs(1));
    let two = tally(&[Some(300), None, Some(100), None, None]);
    let fault = two.judge(&icmp(40), limit).expect_err("too many");
    assert_eq!(fault.class, FailClass::Timeout);
    assert_eq!(fault.summary, "3 of 5 packets lost, at most 40 % allowed, median 100 µs");
    assert_eq!(two.judge(&icmp(60), limit), Ok(()));
    assert_eq!(tally(&[Some(1); 5]).judge(&icmp(0), limit), Ok(()));
    assert_eq!(tally(&[Some(3), Some(1), Some(2)]).median(), Some(2));
    assert_eq!(tally(&[None]).median(), None);
    let short = Tally { wanted: 5, ..tally(&[Some(1)]) };
    let fault = short.judge(&icmp(100), limit).expect_err("not all were sent");
    assert_eq!(fault, Fault::request("only 1 of 5 packets could be sent within 1.00 s: raise the timeout"));
}

#[tokio::test]
async fn replies_count_once_and_only_to_what_was_sent() {
    let mut tally = tally(&[None, None]);
    tally.heard(7);
    assert!(tally.more());
    tally.heard(0);
    let first = tally.trips[0];
    tally.heard(0);
    assert_eq!((tally.trips[0], tally.trips[1]), (first, None));
    tally.heard(1);
    assert!(!tally.more());
}

#[test]
fn a_missing_permission_is_no_failure_of_the_target() {
    let to = SocketAddr::from(([127, 0, 0, 1], 0));
    for errno in [1, 13, 93, 97] {
        assert!(refused(to, &io::Error::from_raw_os_error(errno)).is_err(), "{errno}");
    }
    let files = refused(to, &io::Error::from_raw_os_error(24)).ok().expect("a fault of the moment");
    assert_eq!(files.class, FailClass::Request);
}

#[tokio::test]
async fn packets_that_stay_away_are_lost_and_foreign_ones_ignored() {
    // UDP instead of ICMP, so that the test decides what comes back and needs no permission.
    let target = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let to = target.local_addr().expect("bound");
    let near = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
    near.connect(to).expect("loopback");
    let pinger = Pinger::over(near.into(), to.ip(), false).expect("a socket");
    tokio::spawn(async move {
        let mut packet = [0; 256];
        while let Ok((length, from)) = target.recv_from(&mut packet).await {
            target.send_to(&packet[..length], from).await.expect("loopback");
            packet[0] = 0;
            if packet[7] != 1 {
                target.send_to(&packet[..length], from).await.expect("loopback");
            }
            packet[8] ^= 1;
            target.send_to(&packet[..length], from).await.expect("loopback");
        }
    });
    let limit = Limit::from_now(Duration::from_millis(200));
    let seen = exchange(&icmp(0), &pinger, to, limit, &[0xab; 16]).await;
    assert_eq!(seen.trips.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true, true, true]);
    let fault = seen.judge(&icmp(0), limit).expect_err("one is lost");
    assert!(
        fault.summary.starts_with("1 of 5 packets lost, at most 0 % allowed, median "),
        "{}",
        fault.summary
    );
    assert_eq!(seen.judge(&icmp(20), limit), Ok(()));
}

#[tokio::test]
async fn errors_of_the_socket_end_the_run() {
    let gone = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback").local_addr().expect("bound");
    let near = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
    near.connect(gone).expect("loopback");
    let pinger = Pinger::over(near.into(), gone.ip(), false).expect("a socket");
    let limit = Limit::from_now(Duration::from_millis(100));
    let seen = exchange(&icmp(0), &pinger, gone, limit, &[0xab; 16]).await;
    let fault = seen.judge(&icmp(0), limit).expect_err("all are lost");
    assert!(fault.summary.contains("refused"), "{}", fault.summary);
}
