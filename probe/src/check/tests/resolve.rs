//! From a name to an address, by a resolver of our own.

use super::{
    names::{NameServer, alias, ip, knows},
    *,
};
use crate::net::{Trouble, resolve::System};
use hickory_proto::{op::ResponseCode, rr::RecordType};
use wire::assignment::{Family, Tcp};

/// A check of the server at `port` that asks these name servers.
fn asking(servers: &[&NameServer], family: Family) -> AssignedCheck {
    let resolvers = servers.iter().map(|server| server.address.to_string()).collect();
    let reach = Reach { resolvers, family, ..Reach::default() };
    AssignedCheck { reach, timeout_us: SECOND, ..check(CheckKind::Http(get("/"))) }
}

async fn target() -> Server {
    Server::saying(answer("200 OK", "", "ok")).await
}

fn at(name: &str, server: &Server) -> String {
    format!("http://{name}:{}", server.address.port())
}

#[tokio::test]
async fn a_name_is_asked_for_anew_in_each_run_and_the_lookup_is_told() {
    let (web, names) = (target().await, NameServer::knowing(vec![("shop.test", ip("127.0.0.1"))]).await);
    let check = asking(&[&names], Family::Any);
    for runs in 1..=3 {
        let found = run_one(&check, at("shop.test", &web)).await;
        assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
        let lookup = found.connection.lookup.expect("there was one");
        assert_eq!((lookup.server, lookup.rcode.as_str()), (names.address.to_string(), "NOERROR"));
        assert_eq!((lookup.ttl_s, lookup.found), (Some(60), 1));
        assert!(found.phases.dns.is_some());
        assert_eq!(names.asked(), vec![("shop.test".to_owned(), RecordType::A); runs], "no cache, no AAAA");
    }
}

#[tokio::test]
async fn aliases_are_followed_within_an_answer_and_beyond() {
    let web = target().await;
    let names = NameServer::start("127.0.0.1:0", |asked, _, message| {
        let records = [("a.test", alias("b.test")), ("b.test", alias("c.test")), ("d.test", ip("127.0.0.1"))];
        match asked.0.as_str() {
            // A whole chain in one answer, which ends outside of it.
            "a.test" => {
                knows(&records, asked, message);
                knows(&records, &("b.test".to_owned(), asked.1), message);
                message.metadata.response_code = ResponseCode::NoError;
            }
            "c.test" => knows(&[("c.test", alias("d.test"))], asked, message),
            _ => knows(&records, asked, message),
        }
        true
    })
    .await;
    let found = run_one(&asking(&[&names], Family::V4), at("a.test", &web)).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    let asked: Vec<String> = names.asked().into_iter().map(|(name, _)| name).collect();
    assert_eq!(asked, ["a.test", "c.test", "d.test"]);

    let circle = vec![("a.test", alias("b.test")), ("b.test", alias("a.test"))];
    let names = NameServer::knowing(circle).await;
    let found = run_one(&asking(&[&names], Family::V4), at("a.test", &web)).await;
    failed(&found, FailClass::Dns, "alias of an alias");
}

#[tokio::test]
async fn a_cut_answer_is_asked_for_again_by_tcp() {
    let web = target().await;
    let names = NameServer::start("127.0.0.1:0", |asked, tcp, message| {
        message.metadata.truncation = !tcp;
        if tcp {
            knows(&[("shop.test", ip("127.0.0.1"))], asked, message);
        }
        true
    })
    .await;
    let found = run_one(&asking(&[&names], Family::Any), at("shop.test", &web)).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert_eq!(names.asked().len(), 2);
}

#[tokio::test]
async fn the_families_of_a_name_are_told_apart() {
    let web = target().await;
    let both = vec![("shop.test", ip("::1")), ("shop.test", ip("127.0.0.1")), ("six.test", ip("::1"))];
    let names = NameServer::knowing(both).await;
    // IPv4 is measured, and nothing races against it.
    let found = run_one(&asking(&[&names], Family::Any), at("shop.test", &web)).await;
    assert_eq!((found.outcome, found.address), (Outcome::Ok, Some(web.address.to_string())));
    let found = run_one(&asking(&[&names], Family::V6), at("shop.test", &web)).await;
    assert_eq!(found.address, Some(format!("[::1]:{}", web.address.port())));
    let found = run_one(&asking(&[&names], Family::Any), at("six.test", &web)).await;
    assert_eq!(found.address, Some(format!("[::1]:{}", web.address.port())));
    let found = run_one(&asking(&[&names], Family::V4), at("six.test", &web)).await;
    failed(&found, FailClass::Dns, "six.test did not resolve: it exists and has no IPv4 address");
    assert_eq!(found.resolver, Trouble::None);
    // What is no name has to fit as well.
    let found = run_one(&asking(&[&names], Family::V6), web.url()).await;
    failed(&found, FailClass::Request, "127.0.0.1 is an IPv4 address, and the check asks for IPv6");
}

#[tokio::test]
async fn the_faults_of_a_name_and_of_its_resolver_are_told_apart() {
    let web = target().await;
    let url = at("shop.test", &web);
    let none = NameServer::knowing(vec![("other.test", ip("127.0.0.1"))]).await;
    let found = run_one(&asking(&[&none], Family::Any), &url).await;
    failed(&found, FailClass::Dns, "it does not exist (NXDOMAIN from 127.0.0.1:");
    assert_eq!(found.resolver, Trouble::None);
    assert_eq!(found.connection.lookup.expect("told").rcode, "NXDOMAIN");
    assert_eq!(none.asked().len(), 1, "no IPv6 address of a name that does not exist");

    let broken = NameServer::refusing(ResponseCode::ServFail).await;
    let found = run_one(&asking(&[&broken], Family::Any), &url).await;
    failed(&found, FailClass::Dns, "answered SERVFAIL");
    assert_eq!(found.resolver, Trouble::Doubtful);
    assert_eq!(broken.asked().len(), 1, "who has spoken is not asked again");

    let refusing = NameServer::refusing(ResponseCode::Refused).await;
    let found = run_one(&asking(&[&refusing], Family::Any), &url).await;
    failed(&found, FailClass::Dns, "answered REFUSED");
    assert_eq!(found.resolver, Trouble::Failed);

    let silent = NameServer::silent().await;
    let found = run_one(&asking(&[&silent], Family::Any), &url).await;
    failed(&found, FailClass::Dns, &format!("no answer from {} within 0.8 s", silent.address));
    assert_eq!(found.resolver, Trouble::Failed);
    assert!(found.phases.dns.is_some_and(|us| us >= 700_000 && us == found.total_us), "{found:?}");
    assert_eq!(silent.asked().len(), 2);
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_is_of_no_use() {
    let web = target().await;
    let good = NameServer::knowing(vec![("shop.test", ip("127.0.0.1"))]).await;
    let gone = NameServer::silent().await.address;
    let silent = NameServer::silent().await;
    let broken = NameServer::refusing(ResponseCode::ServFail).await;
    let mut check = asking(&[&silent, &broken, &good], Family::Any);
    check.reach.resolvers.insert(0, gone.to_string());
    let found = run_one(&check, at("shop.test", &web)).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert_eq!(found.connection.lookup.expect("told").server, good.address.to_string());
    assert_eq!((silent.asked().len(), broken.asked().len(), good.asked().len()), (1, 1, 1));
}

#[tokio::test]
async fn forged_answers_are_ignored() {
    let web = target().await;
    let names = NameServer::start("127.0.0.1:0", |asked, _, message| {
        knows(&[("shop.test", ip("127.0.0.1"))], asked, message);
        message.metadata.id ^= 1;
        true
    })
    .await;
    let found = run_one(&asking(&[&names], Family::Any), at("shop.test", &web)).await;
    failed(&found, FailClass::Dns, "no answer from");
}

#[tokio::test]
async fn denied_addresses_are_denied_after_resolution() {
    let web = target().await;
    let names = NameServer::knowing(vec![("shop.test", ip("169.254.169.254"))]).await;
    let found = run_one(&asking(&[&names], Family::Any), at("shop.test", &web)).await;
    failed(&found, FailClass::Dns, "shop.test leads to 169.254.169.254, which is a cloud metadata address");
    let mut check = asking(&[], Family::Any);
    check.reach.resolvers = vec!["169.254.169.254:53".into()];
    failed(&run_one(&check, at("shop.test", &web)).await, FailClass::Request, "denied");
    check.reach.resolvers = vec!["shop".into()];
    failed(&run_one(&check, at("shop.test", &web)).await, FailClass::Request, "no address with a port");
}

/// A machine with these files, whose name servers listen on `port`.
fn machine(resolv: &str, hosts: &str, port: u16) -> (tempfile::TempDir, Net) {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (folder.path().join("resolv.conf"), folder.path().join("hosts"));
    std::fs::write(&one, resolv).expect("written");
    std::fs::write(&two, hosts).expect("written");
    let system = System::at(one, two, Duration::ZERO, port);
    (folder, Net::with_names(Vec::new(), rustls::RootCertStore::empty(), system))
}

#[tokio::test]
async fn the_machine_is_asked_as_people_expect() {
    let web = target().await;
    let names = NameServer::knowing(vec![
        ("shop.corp.test", ip("127.0.0.1")),
        ("a.b.test", ip("127.0.0.1")),
        ("hosted.test", ip("127.0.0.9")),
    ])
    .await;
    let resolv = "nameserver 127.0.0.1\nsearch none.test corp.test\noptions ndots:1";
    let (_folder, net) = machine(resolv, "127.0.0.1 hosted.test", names.address.port());
    let check = asking(&[], Family::Any);
    for (name, server, asked) in [
        ("shop", names.address.to_string(), vec!["shop.none.test", "shop.corp.test"]),
        ("a.b.test", names.address.to_string(), vec!["a.b.test"]),
        ("hosted.test", "hosts".to_owned(), vec![]),
        ("localhost", "hosts".to_owned(), vec![]),
    ] {
        let before = names.asked().len();
        let found = run(&check, &here(at(name, &web)), &net, &trace_run()).await;
        assert_eq!(found.outcome, Outcome::Ok, "{name}: {found:?}");
        assert_eq!(found.connection.lookup.expect("told").server, server);
        let now: Vec<String> = names.asked().split_off(before).into_iter().map(|(name, _)| name).collect();
        assert_eq!(now, asked);
    }
    let found = run(&check, &here(at("gone", &web)), &net, &trace_run()).await;
    failed(&found, FailClass::Dns, "gone did not resolve: it does not exist");
    // A check that names its servers asks them, and not the file; and for the name as it is.
    let found =
        run(&asking(&[&names], Family::Any), &here(at("hosted.test", &web)), &net, &trace_run()).await;
    assert!(found.address.is_some_and(|address| address.starts_with("127.0.0.9:")));
    let found = run(&asking(&[&names], Family::Any), &here(at("shop", &web)), &net, &trace_run()).await;
    failed(&found, FailClass::Dns, "does not exist");
}

#[tokio::test]
async fn without_any_server_this_machine_is_still_found() {
    let web = target().await;
    let (_folder, net) = machine("", "", 53);
    let check = asking(&[], Family::Any);
    let found = run(&check, &here(at("localhost", &web)), &net, &trace_run()).await;
    assert_eq!((found.outcome, found.address), (Outcome::Ok, Some(web.address.to_string())));
    let found = run(&check, &here(at("shop.test", &web)), &net, &trace_run()).await;
    failed(&found, FailClass::Dns, "this probe has no DNS server");
    assert_eq!(found.resolver, Trouble::Failed);
}

#[tokio::test]
async fn what_the_system_knows_of_the_connection_is_told_also_of_a_failure() {
    let web = target().await;
    let found = run_http(get("/"), web.url()).await;
    assert_eq!(found.connection.protocol.as_deref(), Some("HTTP/1.1"));
    let silent = Server::start(|_, _, stream| async move {
        pause(5_000).await;
        drop(stream);
    })
    .await;
    let check = AssignedCheck { timeout_us: 200_000, ..check(CheckKind::Http(get("/"))) };
    let cut = run_one(&check, silent.url()).await;
    failed(&cut, FailClass::Timeout, "no answer");
    let bare = run_one(&super::check(CheckKind::Tcp(Tcp::default())), format!("tcp://{}", web.address)).await;
    if cfg!(target_os = "linux") {
        for found in [&found, &cut, &bare] {
            assert_eq!(found.connection.retransmits, Some(0), "{found:?}");
            assert!(found.connection.min_rtt_us.is_some_and(|us| us < SECOND), "{found:?}");
        }
    }
}
