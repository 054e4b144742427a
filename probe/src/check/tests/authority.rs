//! Every authoritative server of a zone.

use super::{
    names::{NameServer, ip, knows, ns, soa},
    *,
};
use hickory_proto::rr::RData;
use wire::assignment::{Dns, RecordType, Ttl};

fn everywhere() -> Dns {
    Dns {
        name: "www.shop.test".into(),
        record: RecordType::A,
        server: None,
        tcp: false,
        rcode: "NOERROR".into(),
        answers: Vec::new(),
        authentic: false,
        authoritative: true,
        ttl: None,
    }
}

fn zone(address: &str, serial: u32) -> Vec<(&'static str, RData)> {
    vec![("www.shop.test", ip(address)), ("shop.test", soa(serial))]
}

/// Runs the check with a resolver that knows two servers, `ns1` and `ns2`, which are at these addresses.
async fn ask(dns: Dns, one: SocketAddr, two: SocketAddr) -> Measured {
    let resolver = NameServer::start("127.0.0.1:0", |asked, _, message| {
        let parent = [("shop.test", ns("ns2.shop.test")), ("shop.test", ns("ns1.shop.test"))];
        knows(&parent, asked, message);
        true
    })
    .await;
    let net = net(&[&format!("ns1.shop.test:53={one}"), &format!("ns2.shop.test:53={two}")]);
    let resolvers = vec![resolver.address.to_string()];
    let reach = Reach { resolvers, ..Reach::default() };
    let check = AssignedCheck { reach, timeout_us: SECOND, ..check(CheckKind::Dns(dns)) };
    let found = run(&check, &here("https://shop.test"), &net, &TRACE).await;
    sound(&check, &found);
    found
}

#[tokio::test]
async fn servers_that_agree_are_well() {
    let one = NameServer::knowing(zone("10.0.0.1", 7)).await;
    let two = NameServer::knowing(zone("10.0.0.1", 7)).await;
    let dns = Dns { answers: vec!["10.0.0.1".into()], ..everywhere() };
    let found = ask(dns, one.address, two.address).await;
    assert_eq!((found.outcome, found.addresses.len()), (Outcome::Ok, 2), "{found:?}");
    assert_eq!(found.connection.lookup.as_ref().map(|lookup| lookup.found), Some(2));
    assert!(found.phases.dns.is_some() && found.phases.wait.is_some());
    assert_eq!(one.asked().len(), 2, "the records and the serial");
}

#[tokio::test]
async fn each_server_has_a_verdict_and_differences_are_found() {
    let good = NameServer::knowing(zone("10.0.0.1", 7)).await;
    let stale = NameServer::knowing(zone("10.0.0.1", 6)).await;
    let found = ask(everywhere(), good.address, stale.address).await;
    failed(
        &found,
        FailClass::Assertion,
        "1 of 2 servers failed: ns2.shop.test: the servers differ: its zone has",
    );
    assert_eq!(found.addresses[0].outcome, Outcome::Ok);
    assert_eq!(found.address, Some(stale.address.to_string()));

    let other = NameServer::knowing(zone("10.0.0.2", 7)).await;
    let found = ask(everywhere(), good.address, other.address).await;
    failed(&found, FailClass::Assertion, "it answered 10.0.0.2, ns1.shop.test answered 10.0.0.1");

    let dns = Dns { answers: vec!["10.0.0.2".into()], ..everywhere() };
    let found = ask(dns, good.address, other.address).await;
    failed(&found, FailClass::Assertion, "ns1.shop.test: expected 10.0.0.2");

    let silent = NameServer::silent().await;
    let found = ask(everywhere(), silent.address, good.address).await;
    failed(&found, FailClass::Timeout, "ns1.shop.test: no answer from");
    assert_eq!(found.addresses[1].outcome, Outcome::Ok);

    let lame = NameServer::start("127.0.0.1:0", |asked, _, message| {
        knows(&zone("10.0.0.1", 7), asked, message);
        message.metadata.authoritative = false;
        true
    })
    .await;
    let found = ask(everywhere(), good.address, lame.address).await;
    failed(&found, FailClass::Assertion, "does not answer with authority");
    let refusing = NameServer::refusing(hickory_proto::op::ResponseCode::Refused).await;
    let found = ask(everywhere(), good.address, refusing.address).await;
    failed(&found, FailClass::Status, "answered REFUSED");
}

#[tokio::test]
async fn the_time_to_live_has_bounds() {
    let server = NameServer::knowing(zone("10.0.0.1", 7)).await;
    for (least_s, most_s, word) in
        [(Some(61), None, "of at least 61 s"), (None, Some(59), "of at most 59 s"), (Some(60), Some(60), "")]
    {
        let ttl = Some(Ttl { least_s, most_s });
        let dns = Dns { server: Some(server.address.to_string()), authoritative: false, ttl, ..everywhere() };
        let found = run_one(&check(CheckKind::Dns(dns)), "https://shop.test").await;
        if word.is_empty() {
            assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
        } else {
            failed(&found, FailClass::Assertion, word);
        }
        assert_eq!(found.connection.lookup.and_then(|lookup| lookup.ttl_s), Some(60));
    }
}
