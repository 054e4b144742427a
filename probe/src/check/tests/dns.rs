//! The DNS check against name servers of our own.

use super::*;
use hickory_proto::{
    op::{Message, MessageType, ResponseCode},
    rr::{
        Name, RData, Record,
        rdata::{A, CNAME, MX, TXT},
    },
};
use tokio::net::UdpSocket;
use wire::assignment::{Dns, RecordType};

fn dns(answers: &[&str]) -> Dns {
    Dns {
        name: "shop.test".into(),
        record: RecordType::A,
        server: None,
        tcp: false,
        rcode: "NOERROR".into(),
        answers: answers.iter().map(|text| (*text).to_owned()).collect(),
        authentic: false,
        authoritative: false,
        ttl: None,
    }
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).expect("a name")
}

fn record(data: RData) -> Record {
    Record::from_rdata(name("shop.test."), 60, data)
}

/// The answer to a question, for the test to change.
fn reply(question: &[u8], change: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut message = Message::from_vec(question).expect("our own question");
    message.metadata.message_type = MessageType::Response;
    change(&mut message);
    message.to_vec().expect("a small message")
}

/// Answers the first question by UDP with several datagrams.
async fn by_udp(answers: impl FnOnce(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let address = socket.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        let (length, from) = socket.recv_from(&mut buffer).await.expect("a question");
        for answer in answers(&buffer[..length]) {
            socket.send_to(&answer, from).await.expect("loopback");
        }
        std::future::pending::<()>().await;
    });
    address
}

/// Answers one question by TCP.
async fn by_tcp(listener: TcpListener, change: impl FnOnce(&mut Message) + Send + 'static) {
    let (mut stream, _) = listener.accept().await.expect("client connects");
    let mut question = vec![0; stream.read_u16().await.expect("a length").into()];
    stream.read_exact(&mut question).await.expect("a question");
    let answer = reply(&question, change);
    stream.write_u16(u16::try_from(answer.len()).expect("short")).await.expect("client reads");
    stream.write_all(&answer).await.expect("client reads");
}

async fn ask(dns: Dns, server: String) -> Measured {
    let dns = Dns { server: Some(server), ..dns };
    let check = AssignedCheck { timeout_us: 400_000, ..check(CheckKind::Dns(dns)) };
    run_one(&check, "https://shop.test").await
}

fn address(m: &mut Message, last: u8) {
    m.add_answer(record(RData::A(A::new(10, 0, 0, last))));
}

#[tokio::test]
async fn answers_are_compared() {
    let server = |change: fn(&mut Message)| by_udp(move |question| vec![reply(question, change)]);
    let found =
        ask(dns(&["10.0.0.1", "10.0.0.2"]), server(|m| (1..=3).for_each(|n| address(m, n))).await).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert!(found.phases.send.is_some() && found.phases.wait.is_some());
    assert_eq!((found.phases.dns, found.phases.connect), (None, None));

    let found = ask(dns(&["10.0.0.9"]), server(|m| (1..=7).for_each(|n| address(m, n))).await).await;
    failed(&found, FailClass::Assertion, "expected 10.0.0.9 for a shop.test, the server answered 10.0.0.1, ");
    failed(&found, FailClass::Assertion, "10.0.0.5, 2 more (NOERROR)");

    let mixed = |m: &mut Message| {
        m.add_answer(record(RData::CNAME(CNAME(name("Edge.test.")))));
        m.add_answer(record(RData::MX(MX::new(10, name("mail.test.")))));
        m.add_answer(record(RData::TXT(TXT::new(vec!["v=spf1 ".into(), "-all".into()]))));
    };
    let found =
        ask(dns(&["edge.test", "mail.test", "10 mail.test", "v=spf1 -all"]), server(mixed).await).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    failed(&ask(dns(&["test"]), server(mixed).await).await, FailClass::Assertion, "Edge.test, 10 mail.test");
}

#[tokio::test]
async fn codes_and_flags_are_compared() {
    let server = |change: fn(&mut Message)| by_udp(move |question| vec![reply(question, change)]);
    let gone = |m: &mut Message| m.metadata.response_code = ResponseCode::NXDomain;
    let found = ask(dns(&[]), server(gone).await).await;
    failed(
        &found,
        FailClass::Status,
        "expected NOERROR for a shop.test, the server answered NXDOMAIN with no",
    );
    let nx = Dns { rcode: "nxdomain".into(), ..dns(&[]) };
    assert_eq!(ask(nx, server(gone).await).await.outcome, Outcome::Ok);
    // Without the question, as some servers refuse.
    let refusing = |m: &mut Message| {
        m.metadata.response_code = ResponseCode::Refused;
        m.queries.clear();
    };
    failed(&ask(dns(&[]), server(refusing).await).await, FailClass::Status, "REFUSED");

    let authentic = Dns { authentic: true, ..dns(&[]) };
    let vouching = by_udp(|question| {
        let asked = Message::from_vec(question).expect("our own question").metadata.authentic_data;
        assert!(asked, "AD is asked for");
        vec![reply(question, |m| {
            m.metadata.authentic_data = true;
            m.answers.push(record(RData::A(A::new(127, 0, 0, 1))));
        })]
    });
    assert_eq!(ask(authentic.clone(), vouching.await).await.outcome, Outcome::Ok);
    let vague = |m: &mut Message| {
        m.metadata.authentic_data = false;
        m.answers.push(record(RData::A(A::new(127, 0, 0, 1))));
    };
    let found = ask(authentic, server(vague).await).await;
    failed(&found, FailClass::Assertion, "expected the AD flag");
}

#[tokio::test]
async fn an_answer_must_answer_the_question() {
    let server = |change: fn(&mut Message)| by_udp(move |question| vec![reply(question, change)]);
    let elsewhere = |m: &mut Message| {
        m.answers.push(Record::from_rdata(name("evil.test."), 60, RData::A(A::new(127, 0, 0, 1))));
    };
    let found = ask(dns(&["127.0.0.1"]), server(elsewhere).await).await;
    failed(&found, FailClass::Assertion, "expected 127.0.0.1 for a shop.test");
    let found = ask(dns(&[]), server(elsewhere).await).await;
    failed(&found, FailClass::Assertion, "expected a record of the type that was asked for");
    failed(&ask(dns(&[]), server(|_| {}).await).await, FailClass::Assertion, "no records");
    let alias = |m: &mut Message| {
        m.answers.push(record(RData::CNAME(CNAME(name("www.shop.test.")))));
        m.answers.push(Record::from_rdata(name("www.shop.test."), 60, RData::A(A::new(127, 0, 0, 1))));
    };
    assert_eq!(ask(dns(&["127.0.0.1", "www.shop.test"]), server(alias).await).await.outcome, Outcome::Ok);
    let circle = |m: &mut Message| m.answers.push(record(RData::CNAME(CNAME(name("shop.test.")))));
    failed(&ask(dns(&[]), server(circle).await).await, FailClass::Assertion, "expected a record");
}

#[tokio::test]
async fn foreign_messages_are_ignored_and_broken_ones_told() {
    let server = by_udp(|question| {
        let forged = reply(question, |m| m.metadata.id ^= 1);
        let other = reply(question, |m| m.queries[0].name = name("other.test."));
        let echo = question.to_vec();
        vec![Vec::new(), b"x".to_vec(), forged, other, echo, reply(question, |m| address(m, 1))]
    });
    let found = ask(dns(&["10.0.0.1"]), server.await).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");

    let server = by_udp(|question| vec![[&question[..2], &[0x80; 40]].concat()]).await;
    failed(&ask(dns(&[]), server).await, FailClass::Protocol, "not valid DNS");
    let silent = by_udp(|_| Vec::new()).await;
    failed(&ask(dns(&[]), silent).await, FailClass::Timeout, "no answer within 400 ms, in wait");
}

#[tokio::test]
async fn tcp_follows_truncation_or_is_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address_ = listener.local_addr().expect("bound");
    // The same port by UDP: free, because nothing else here asks for a fixed one.
    let udp = UdpSocket::bind(address_).await.expect("the port is free by UDP");
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        let (length, from) = udp.recv_from(&mut buffer).await.expect("a question");
        let answer = reply(&buffer[..length], |m| m.metadata.truncation = true);
        udp.send_to(&answer, from).await.expect("loopback");
    });
    tokio::spawn(by_tcp(listener, |m| address(m, 1)));
    let found = ask(dns(&["10.0.0.1"]), address_.to_string()).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert!(found.phases.connect.is_some() && found.phases.wait.is_some());

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let server = listener.local_addr().expect("bound").to_string();
    tokio::spawn(by_tcp(listener, |m| m.metadata.id ^= 1));
    let by_tcp = Dns { tcp: true, ..dns(&[]) };
    failed(&ask(by_tcp.clone(), server.clone()).await, FailClass::Protocol, "another question");
    failed(&ask(by_tcp, server).await, FailClass::Connect, "refused");
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let closed = UdpSocket::bind("127.0.0.1:0").await.expect("loopback").local_addr().expect("bound");
    failed(&ask(dns(&[]), closed.to_string()).await, FailClass::Connect, "refused");
    failed(&ask(dns(&[]), "169.254.169.254".into()).await, FailClass::Request, "denied");
    let long = Dns { name: "x".repeat(64), ..dns(&[]) };
    failed(&ask(long, "127.0.0.1".into()).await, FailClass::Request, "cannot be asked for");
}

proptest::proptest! {
    #[test]
    fn no_bytes_are_too_strange(tail in proptest::collection::vec(proptest::num::u8::ANY, 0..600)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let found = runtime.block_on(async {
            let server = by_udp(move |question| vec![[&question[..2], &tail].concat(), reply(question, |_| ())]);
            ask(dns(&[]), server.await).await
        });
        proptest::prop_assert_ne!(found.outcome, Outcome::Fail(FailClass::Timeout));
    }
}
