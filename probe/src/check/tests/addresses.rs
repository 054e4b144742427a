//! Every address of a name.

use super::{
    names::{NameServer, ip},
    *,
};
use wire::assignment::{Tcp, Tls};

fn every(kind: CheckKind, names: &NameServer) -> AssignedCheck {
    let resolvers = vec![names.address.to_string()];
    let reach = Reach { resolvers, all_addresses: true, ..Reach::default() };
    AssignedCheck { reach, ..check(kind) }
}

/// A server on another loopback address, with the port of the first.
async fn beside(ip: &str, port: u16, status: &'static str) -> Server {
    let listener = TcpListener::bind((ip, port)).await.expect("the port is free on this address");
    let address = listener.local_addr().expect("bound");
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _request = read_request(&mut stream).await;
            pause(40).await;
            let _client_may_be_gone = stream.write_all(answer(status, "", "").as_bytes()).await;
        }
    });
    Server { address, seen: Arc::default(), task }
}

#[tokio::test]
async fn one_dead_address_fails_the_run_and_is_named() {
    let first = Server::saying(answer("200 OK", "", "")).await;
    let port = first.address.port();
    let _sick = beside("127.0.0.3", port, "503 Service Unavailable").await;
    let three = ["127.0.0.3", "127.0.0.2", "127.0.0.1"].map(|address| ("shop.test", ip(address)));
    let names = NameServer::knowing(three.to_vec()).await;
    let check = every(CheckKind::Http(get("/")), &names);
    let found = run_one(&check, format!("http://shop.test:{port}")).await;
    failed(&found, FailClass::Connect, &format!("2 of 3 addresses failed: 127.0.0.2:{port}: connection to"));
    let told: Vec<_> = found.addresses.iter().map(|a| (a.address.clone(), a.outcome, a.status)).collect();
    assert_eq!(
        told,
        [
            (format!("127.0.0.1:{port}"), Outcome::Ok, Some(200)),
            (format!("127.0.0.2:{port}"), Outcome::Fail(FailClass::Connect), None),
            (format!("127.0.0.3:{port}"), Outcome::Fail(FailClass::Status), Some(503)),
        ]
    );
    assert_eq!(found.address, Some(format!("127.0.0.2:{port}")));
    assert!(found.addresses[2].summary.as_ref().is_some_and(|summary| summary.contains("503")));
    let lookups: Vec<_> = found.addresses.iter().map(|address| address.phases.dns).collect();
    assert!(lookups[0].is_some() && lookups.iter().all(|dns| *dns == lookups[0]), "one lookup: {lookups:?}");
    assert_eq!(names.asked().len(), 2, "A and AAAA, once");
}

#[tokio::test]
async fn when_all_are_well_the_slowest_is_told() {
    let first = Server::saying(answer("200 OK", "", "")).await;
    let port = first.address.port();
    let slow = beside("127.0.0.2", port, "200 OK").await;
    let two = vec![("shop.test", ip("127.0.0.1")), ("shop.test", ip("127.0.0.2"))];
    let names = NameServer::knowing(two).await;
    let found = run_one(&every(CheckKind::Http(get("/")), &names), format!("http://shop.test:{port}")).await;
    assert_eq!((found.outcome, found.addresses.len()), (Outcome::Ok, 2), "{found:?}");
    assert_eq!(found.address, Some(slow.address.to_string()));
    let found =
        run_one(&every(CheckKind::Tcp(Tcp::default()), &names), format!("tcp://shop.test:{port}")).await;
    assert_eq!((found.outcome, found.addresses.len()), (Outcome::Ok, 2));
    let tls = AssignedCheck { timeout_us: 300_000, ..every(CheckKind::Tls(Tls::default()), &names) };
    let found = run_one(&tls, format!("https://shop.test:{port}")).await;
    failed(&found, FailClass::Timeout, "2 of 2 addresses failed: 127.0.0.1:");
}

#[tokio::test]
async fn many_addresses_are_bounded_and_denied_ones_fail() {
    let many: Vec<_> = (1..=20).map(|n| ("shop.test", ip(&format!("127.0.1.{n}")))).collect();
    let names = NameServer::knowing(many).await;
    let tcp = every(CheckKind::Tcp(Tcp::default()), &names);
    let found = run_one(&tcp, "tcp://shop.test:9").await;
    failed(&found, FailClass::Connect, "16 of 16 addresses failed (20 found): 127.0.1.1:9: ");
    let names = NameServer::knowing(vec![("shop.test", ip("169.254.169.254"))]).await;
    let found = run_one(&every(CheckKind::Tcp(Tcp::default()), &names), "tcp://shop.test:9").await;
    failed(
        &found,
        FailClass::Dns,
        "its only address failed: 169.254.169.254:9: shop.test leads to 169.254.169.254, which is a cloud",
    );
    let found = run_one(&every(CheckKind::Tcp(Tcp::default()), &names), "tcp://none.test:9").await;
    failed(&found, FailClass::Dns, "does not exist");
    assert!(found.addresses.is_empty());
}
