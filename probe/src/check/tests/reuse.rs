//! Connections that are kept between runs.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How a server treats its connections.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    /// Answers every request.
    Stays,
    /// Closes after the first answer, without saying so before.
    Leaves,
    /// Closes when it has read a second request.
    Drops,
}

struct Site {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn site(manner: Manner) -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (opened, heard) = (connections.clone(), requests.clone());
    let task = tokio::spawn(async move {
        let mut all = tokio::task::JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            opened.fetch_add(1, Ordering::SeqCst);
            let heard = heard.clone();
            all.spawn(async move {
                let mut answered = 0;
                while let Some(request) = read_request(&mut stream).await {
                    assert!(!request.contains("connection: close"), "{request}");
                    heard.fetch_add(1, Ordering::SeqCst);
                    if manner == Manner::Drops && answered == 1 {
                        return;
                    }
                    let text = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    stream.write_all(text.as_bytes()).await.expect("client reads");
                    answered += 1;
                    if manner == Manner::Leaves {
                        return;
                    }
                }
            });
        }
    });
    Site { address, connections, requests, task }
}

impl Site {
    fn counts(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

fn keeping() -> AssignedCheck {
    AssignedCheck { reach: Reach { reuse: true, ..Reach::default() }, ..check(CheckKind::Http(get("/"))) }
}

#[tokio::test]
async fn a_kept_connection_is_used_again_and_said_to_be() {
    let site = site(Manner::Stays).await;
    let (net, url) = (net(&[]), format!("http://{}", site.address));
    for n in 1..=3 {
        let found = run(&keeping(), &here(&url), &net, &TRACE).await;
        sound(&keeping(), &found);
        assert_eq!((found.outcome, found.bytes), (Outcome::Ok, Some(2)), "{found:?}");
        assert_eq!(found.connection.reused, n > 1);
        // A phase that did not happen is absent: it must not look fast.
        assert_eq!((found.phases.connect.is_none(), found.phases.tls), (n > 1, None));
        assert!(found.phases.send.is_some() && found.phases.wait.is_some());
        assert_eq!(found.address, Some(site.address.to_string()));
        assert_eq!(found.connection.protocol.as_deref(), Some("HTTP/1.1"));
        assert_eq!(site.counts(), (1, n));
        if cfg!(target_os = "linux") {
            assert_eq!(found.connection.retransmits, Some(0));
        }
    }
    // Another series has a connection of its own, and so has a check that was changed.
    let other = AssignedCheck { id: "other".parse().expect("an id"), ..keeping() };
    assert!(!run(&other, &here(&url), &net, &TRACE).await.connection.reused);
    let mut changed = keeping();
    changed.reach.redirects = 1;
    assert!(!run(&changed, &here(&url), &net, &TRACE).await.connection.reused);
    assert_eq!(site.counts(), (3, 5));
}

#[tokio::test]
async fn a_fresh_connection_is_the_rule() {
    let listener = Server::saying(answer("200 OK", "", "")).await;
    let net = net(&[]);
    let plain = check(CheckKind::Http(get("/")));
    for _ in 0..2 {
        let found = run(&plain, &here(listener.url()), &net, &TRACE).await;
        assert!(found.phases.connect.is_some() && !found.connection.reused);
    }
    assert_eq!(listener.seen().len(), 2);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let site = site(Manner::Leaves).await;
    let (net, url) = (net(&[]), format!("http://{}", site.address));
    for n in 1..=3 {
        let found = run(&keeping(), &here(&url), &net, &TRACE).await;
        assert_eq!((found.outcome, found.connection.reused), (Outcome::Ok, false), "{found:?}");
        assert!(found.phases.connect.is_some());
        // The server's FIN has arrived when a socket of ours can see it; this one is on the same machine.
        pause(50).await;
        assert_eq!(site.counts(), (n, n));
    }
}

#[tokio::test]
async fn a_request_that_was_written_is_never_repeated() {
    let site = site(Manner::Drops).await;
    let (net, url) = (net(&[]), format!("http://{}", site.address));
    assert_eq!(run(&keeping(), &here(&url), &net, &TRACE).await.outcome, Outcome::Ok);
    let found = run(&keeping(), &here(&url), &net, &TRACE).await;
    failed(&found, FailClass::Protocol, "(on a connection kept from an earlier run)");
    assert!(found.connection.reused && found.phases.connect.is_none());
    assert_eq!(site.counts(), (1, 2), "one request for each run");
    let found = run(&keeping(), &here(&url), &net, &TRACE).await;
    assert_eq!((found.outcome, found.connection.reused), (Outcome::Ok, false));
}
