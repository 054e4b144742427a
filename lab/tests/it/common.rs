//! What the tests share: waiting for a condition, an echo server, an HTTP client, and signed webhooks.

use serde_json::Value;
use standardwebhooks::Webhook;
use std::{
    future::Future,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use wire::{
    Micros, RegionId,
    event::{HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, weights_changed},
    plan::{Cause, Plan},
};

/// The secret of every entrance in these tests.
pub const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

pub fn region(name: &str) -> RegionId {
    name.parse().expect("a slug")
}

/// Waits until the condition gives something; half a minute is far longer than any of them needs.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut condition: impl FnMut() -> F) -> T {
    let waiting = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(30), waiting).await {
        Ok(found) => found,
        Err(_) => panic!("waited in vain until {what}"),
    }
}

/// A server that sends back what it gets and closes when the client has closed.
pub async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }
    });
    addr
}

/// A client with a connection for each request, which gives up after the timeout.
pub fn client(timeout: Duration) -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows them")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(timeout)
        .tls_backend_preconfigured(tls)
        .build()
        .expect("a client")
}

/// The body of an answer as JSON, with its status.
pub async fn json(answer: reqwest::Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON"))
}

pub fn plan(service: &str, term: i64, generation: i64, weights: &[(&str, u8)]) -> Plan {
    Plan {
        service: service.parse().expect("a slug"),
        generation,
        term,
        weights: weights.iter().map(|(name, weight)| (region(name), *weight)).collect(),
        cause: Cause::Configured,
        reason: "a test".into(),
        created: Micros(0),
    }
}

/// The current Unix time, seconds.
pub fn seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("before the end of time")
}

/// Sends a plan to an entrance, signed with the secret at the time by the reference library.
pub async fn steer(to: SocketAddr, plan: &Plan, secret: &str, at: i64) -> (u16, Value) {
    let id = format!("plan-{}-{}", plan.term, plan.generation);
    let body = serde_json::to_vec(&weights_changed(id.clone(), plan)).expect("JSON");
    let signature = Webhook::new(secret).and_then(|hook| hook.sign(&id, at, &body)).expect("signed");
    let answer = client(Duration::from_secs(20))
        .post(format!("http://{to}/_steer"))
        .header(HEADER_ID, id)
        .header(HEADER_TIMESTAMP, at)
        .header(HEADER_SIGNATURE, signature)
        .body(body)
        .send();
    json(answer.await.expect("an answer")).await
}
