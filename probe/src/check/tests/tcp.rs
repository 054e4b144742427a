//! The TCP check: what is said on a connection.

use super::*;
use wire::assignment::Tcp;

/// Listens for one connection and does `talk` on it.
async fn listening<Done>(talk: impl FnOnce(TcpStream) -> Done + Send + 'static) -> String
where
    Done: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("client connects");
        talk(stream).await;
    });
    format!("tcp://{address}")
}

fn tcp(send: Option<&str>, expect: Option<&str>) -> AssignedCheck {
    let tcp = Tcp { send: send.map(str::to_owned), expect: expect.map(str::to_owned), starttls: None };
    AssignedCheck { timeout_us: 300_000, ..check(CheckKind::Tcp(tcp)) }
}

#[tokio::test]
async fn a_greeting_is_waited_for() {
    let url = listening(|mut stream| async move {
        stream.write_all(b"220 mail").await.expect("client reads");
        stream.write_all(b".test ready").await.expect("client reads");
        std::future::pending().await
    })
    .await;
    let found = run_one(&tcp(None, Some("mail.test")), url).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert!(found.phases.connect.is_some() && found.phases.wait.is_some() && found.phases.send.is_none());
}

#[tokio::test]
async fn what_is_sent_is_answered() {
    let echo = |mut stream: TcpStream| async move {
        let mut heard = [0; 6];
        stream.read_exact(&mut heard).await.expect("client sends");
        stream.write_all(&heard).await.expect("client reads");
    };
    let url = listening(echo).await;
    let found = run_one(&tcp(Some("PING\r\n"), Some("PING")), url).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert!(found.phases.send.is_some() && found.phases.transfer.is_none());

    let url = listening(echo).await;
    let found = run_one(&tcp(Some("PING\r\n"), Some("PONG")), url).await;
    failed(&found, FailClass::Assertion, r#"expected the server to say "PONG": it said "PING  " and closed"#);
}

#[tokio::test]
async fn silence_and_floods_are_bounded() {
    let url = listening(|mut stream| async move {
        stream.write_all(b"wel").await.expect("client reads");
        std::future::pending().await
    })
    .await;
    let found = run_one(&tcp(None, Some("welcome")), url).await;
    failed(&found, FailClass::Timeout, r#"no "welcome" within 300 ms, in wait"#);
    assert_eq!(found.evidence.expect("failed").excerpt.as_deref(), Some("wel"));

    let url =
        listening(|mut stream| async move { while stream.write_all(&[b'x'; 1000]).await.is_ok() {} }).await;
    failed(&run_one(&tcp(None, Some("y")), url).await, FailClass::Assertion, "first 4096 bytes");

    let url = listening(|stream| async move { drop(stream) }).await;
    failed(&run_one(&tcp(None, Some("y")), url).await, FailClass::Assertion, "it said nothing and closed");
}

#[tokio::test]
async fn a_connection_is_enough_without_expectations_and_denied_ones_are_not_made() {
    let url = listening(|_stream| std::future::pending()).await;
    let found = run_one(&tcp(None, None), url).await;
    assert_eq!((found.outcome, found.phases.wait), (Outcome::Ok, None), "{found:?}");
    let found = run_one(&tcp(Some("x"), None), "tcp://169.254.169.254:80").await;
    failed(&found, FailClass::Request, "denied");
}
