//! A name server in this process, by UDP and TCP on one port.

use hickory_proto::{
    op::{Message, MessageType, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, AAAA, CNAME, NS, SOA},
    },
};
use runtime::lock::lock;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};

/// What was asked: the name without its last dot, and the type.
pub(super) type Asked = (String, RecordType);

/// Makes an answer of a question; nothing for silence.
type Answer = dyn Fn(&Asked, bool, &mut Message) -> bool + Send + Sync;

pub(super) struct NameServer {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(|task| task.abort());
    }
}

impl NameServer {
    /// `answer` gets the question, whether it came by TCP, and the answer to fill in; it tells whether to send it.
    pub(super) async fn start(
        at: &str,
        answer: impl Fn(&Asked, bool, &mut Message) -> bool + Send + Sync + 'static,
    ) -> NameServer {
        let answer: Arc<Answer> = Arc::new(answer);
        let tcp = TcpListener::bind(at).await.expect("loopback");
        let address = tcp.local_addr().expect("bound");
        let udp = UdpSocket::bind(address).await.expect("the port is free by UDP");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, by_udp) = (asked.clone(), answer.clone());
        let datagrams = tokio::spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let Ok((length, from)) = udp.recv_from(&mut buffer).await else { continue };
                if let Some(bytes) = reply(&buffer[..length], false, &*by_udp, &log) {
                    let _client_may_be_gone = udp.send_to(&bytes, from).await;
                }
            }
        });
        let log = asked.clone();
        let streams = tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let mut question = vec![0; stream.read_u16().await.expect("a length").into()];
                stream.read_exact(&mut question).await.expect("a question");
                if let Some(bytes) = reply(&question, true, &*answer, &log) {
                    stream.write_u16(u16::try_from(bytes.len()).expect("short")).await.expect("client reads");
                    stream.write_all(&bytes).await.expect("client reads");
                }
            }
        });
        NameServer { address, asked, tasks: vec![datagrams, streams] }
    }

    /// Knows these records, each with a time to live of a minute, and nothing else.
    pub(super) async fn knowing(records: Vec<(&'static str, RData)>) -> NameServer {
        NameServer::start("127.0.0.1:0", move |asked, _, message| {
            knows(&records, asked, message);
            true
        })
        .await
    }

    /// Says nothing.
    pub(super) async fn silent() -> NameServer {
        NameServer::start("127.0.0.1:0", |_, _, _| false).await
    }

    /// Answers everything with a response code.
    pub(super) async fn refusing(code: ResponseCode) -> NameServer {
        NameServer::start("127.0.0.1:0", move |_, _, message| {
            message.metadata.response_code = code;
            true
        })
        .await
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }
}

/// Fills in what these records say.
pub(super) fn knows(records: &[(&'static str, RData)], asked: &Asked, message: &mut Message) {
    message.metadata.authoritative = true;
    let exists = records.iter().any(|(name, _)| *name == asked.0);
    message.metadata.response_code = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
    for (name, data) in records.iter().filter(|(name, _)| *name == asked.0) {
        if data.record_type() == asked.1 || data.record_type() == RecordType::CNAME {
            message.add_answer(Record::from_rdata(absolute(name), 60, data.clone()));
        }
    }
}

fn reply(bytes: &[u8], tcp: bool, answer: &Answer, log: &Mutex<Vec<Asked>>) -> Option<Vec<u8>> {
    let mut message = Message::from_vec(bytes).expect("our own question");
    assert!(message.edns.is_some(), "questions carry EDNS");
    let query = message.queries.first().expect("a question");
    let asked = (query.name.to_ascii().trim_end_matches('.').to_owned(), query.query_type);
    lock(log).push(asked.clone());
    message.metadata.message_type = MessageType::Response;
    answer(&asked, tcp, &mut message).then(|| message.to_vec().expect("a small message"))
}

pub(super) fn absolute(name: &str) -> Name {
    Name::from_ascii(format!("{name}.")).expect("a name")
}

pub(super) fn ip(address: &str) -> RData {
    match address.parse().expect("an address") {
        IpAddr::V4(ip) => RData::A(A(ip)),
        IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
    }
}

pub(super) fn alias(name: &str) -> RData {
    RData::CNAME(CNAME(absolute(name)))
}

pub(super) fn ns(name: &str) -> RData {
    RData::NS(NS(absolute(name)))
}

pub(super) fn soa(serial: u32) -> RData {
    RData::SOA(SOA::new(absolute("ns.test"), absolute("admin.test"), serial, 1, 1, 1, 1))
}
