use super::*;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

async fn receive<T>(socket: &Socket<T>) -> (Received, Vec<u8>) {
    let mut buffer = [0; 2048];
    let received = tokio::time::timeout(PATIENCE, socket.receive(&mut buffer))
        .await
        .expect("a packet")
        .expect("no error");
    (received, buffer[..received.len].to_vec())
}

fn pair(address: &str, options: Options) -> (Socket<u32>, Socket<u32>) {
    let bind = || Socket::bind(address.parse().expect("an address"), options).expect("a socket");
    let (here, there) = (bind(), bind());
    here.connect(there.local_address().expect("an address")).expect("a route");
    (here, there)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_kernel_stamps_both_ends_of_both_families() {
    for loopback in ["127.0.0.1:0", "[::1]:0"] {
        let (here, there) = pair(loopback, Options::default());
        assert!(here.has_kernel_stamps());
        // The kernel begins to stamp a moment after it was asked.
        loop {
            here.send(&[0], 0).expect("sent");
            let (received, _) = receive(&there).await;
            while here.left().is_some() {}
            if received.by_kernel {
                break;
            }
        }
        for tag in 100..110 {
            let before = Stamp::from_unix_ns(clock::wall_ns());
            here.send(&[1, 2, 3], tag).expect("sent");
            let (received, bytes) = receive(&there).await;
            // On loopback the driver takes a packet before it hands it over.
            let (left_tag, left) = here.left().expect("a stamp of the packet that left");
            assert_eq!((bytes.as_slice(), left_tag), ([1, 2, 3].as_slice(), tag));
            assert!(received.by_kernel, "{loopback}");
            assert_eq!(received.from, here.local_address().expect("an address"));
            assert_eq!(received.ttl, Some(255));
            assert!(left.since(before) >= 0 && received.stamp.since(left) >= 0, "in order");
            assert!(here.left().is_none());
        }
    }
}

#[tokio::test]
async fn without_the_kernel_the_program_stamps_and_says_so() {
    let (here, there) = pair("127.0.0.1:0", Options { kernel_stamps: false, dscp: 46 });
    here.send(&[9], 1).expect("sent");
    let (received, _) = receive(&there).await;
    assert!(!received.by_kernel && !here.has_kernel_stamps() && here.left().is_none());
}

#[tokio::test]
async fn a_closed_port_is_not_an_error_of_this_machine() {
    let (here, there) = pair("127.0.0.1:0", Options::default());
    let address = there.local_address().expect("an address");
    drop(there);
    for tag in 0..5 {
        here.send(&[tag as u8], tag).expect("the refusal of an earlier packet is not told");
    }
    let there: Socket<u32> = Socket::bind(address, Options::default()).expect("the port is free again");
    here.send(&[77], 77).expect("sent");
    assert_eq!(receive(&there).await.1, [77]);
    there.send_to(&[78], here.local_address().expect("an address"), 0).expect("sent");
    assert_eq!(receive(&here).await.1, [78], "refusals in the queue are skipped");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn stamps_go_to_their_packets_also_after_a_failure() {
    let (here, there) = pair("127.0.0.1:0", Options::default());
    here.send(&[1], 1).expect("sent");
    let too_long = vec![0; 70_000];
    assert!(here.send(&too_long, 2).is_err());
    here.send(&[3], 3).expect("sent");
    receive(&there).await;
    receive(&there).await;
    let left: Vec<u32> = std::iter::from_fn(|| here.left()).map(|(tag, _)| tag).collect();
    assert_eq!(left.last(), Some(&3));
    assert!(!left.contains(&2));
}
