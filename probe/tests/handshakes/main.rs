//! Handshakes with a real server, for what servers of our own library cannot do: old protocols, ciphers that are not
//! offered, handshakes that are refused by name, OCSP responses of an authority.
//!
//! The tests run where nginx is installed, and say so where it is not.

mod server;

use probe::{
    check::{self, Measured, Run, Trace},
    net::Net,
};
use runtime::clock::SystemClock;
use server::{Nginx, Site, nginx, stapled_response};
use wire::{
    assignment::{AssignedCheck, CheckKind, Endpoint, Reach, Tls, TlsOptions},
    sample::{FailClass, Outcome, TlsFacts},
};

/// A check of the server with its authority trusted.
async fn shake(nginx: &Nginx, tls: Tls, server_name: Option<&str>) -> Measured {
    let options = TlsOptions {
        ca: Some(nginx.ca.clone()),
        server_name: server_name.map(str::to_owned),
        ..TlsOptions::default()
    };
    let check = AssignedCheck {
        id: "c".parse().expect("an id"),
        service: "s".parse().expect("an id"),
        kind: CheckKind::Tls(tls),
        interval_us: 10_000_000,
        timeout_us: 5_000_000,
        budget_us: None,
        endpoints: Vec::new(),
        regions: Default::default(),
        region_header: None,
        places: Default::default(),
        reach: Reach { tls: options, ..Reach::default() },
    };
    let endpoint = Endpoint {
        target: "eu".parse().expect("an id"),
        url: format!("https://localhost:{}", nginx.port),
        evidence: Default::default(),
    };
    let net = Net::new(Vec::new()).expect("a network");
    let trace = Trace { trace_id: [1; 16], span_id: [2; 8] };
    let run = Run { trace, started: SystemClock::shared().now(), explain: false };
    check::run(&check, &endpoint, &net, &run).await
}

#[track_caller]
fn refused(found: &Measured, sentence: &str) {
    assert_eq!(found.outcome, Outcome::Fail(FailClass::Tls), "{found:?}");
    let summary = &found.evidence.as_ref().expect("failures have evidence").summary;
    assert!(summary.contains(sentence), "{summary}");
    assert!(found.phases.tls.is_some() && found.phases.send.is_none(), "{found:?}");
    assert_eq!(found.connection.tls, None, "{found:?}");
}

#[track_caller]
fn agreed(found: &Measured) -> TlsFacts {
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert!(found.certificate_expires.is_some());
    found.connection.tls.clone().expect("a handshake has facts")
}

/// What the usual server of today does, so that the other tests cannot fail for reasons of their own.
#[tokio::test]
async fn a_server_of_today_is_fine() {
    let directives = "ssl_protocols TLSv1.2 TLSv1.3;";
    let Some(nginx) = nginx(Site { directives, ..Site::default() }).await else { return };
    let facts = agreed(&shake(&nginx, Tls::default(), None).await);
    assert_eq!((facts.version.as_str(), facts.stapled, facts.verified), ("TLSv1.3", false, true));
    let nginx = server::nginx(Site { directives: "ssl_protocols TLSv1.2;", ..Site::default() }).await;
    let facts = agreed(&shake(&nginx.expect("it ran before"), Tls::default(), None).await);
    assert_eq!(facts.version, "TLSv1.2");
    assert!(facts.cipher.starts_with("TLS_ECDHE_ECDSA_WITH_"), "{facts:?}");
}

#[tokio::test]
async fn old_protocols_are_named_so() {
    let directives = "ssl_protocols TLSv1.1; ssl_ciphers DEFAULT@SECLEVEL=0;";
    let Some(nginx) = nginx(Site { directives, ..Site::default() }).await else { return };
    let found = shake(&nginx, Tls::default(), None).await;
    refused(&found, "TLS failed: the server speaks only TLS 1.1 or older, which is not safe");
}

#[tokio::test]
async fn ciphers_that_nobody_offers_are_named_so() {
    let directives = "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-SHA256;";
    let Some(nginx) = nginx(Site { directives, ..Site::default() }).await else { return };
    let found = shake(&nginx, Tls::default(), None).await;
    refused(&found, "the server has no cipher suite or key exchange in common with what is offered");
}

#[tokio::test]
async fn names_that_are_not_served_are_named_so() {
    let Some(nginx) = nginx(Site { reject_others: true, ..Site::default() }).await else { return };
    agreed(&shake(&nginx, Tls::default(), None).await);
    let found = shake(&nginx, Tls::default(), Some("other.test")).await;
    refused(&found, "the server has nothing under the name other.test (SNI)");
}

#[tokio::test]
async fn stapled_responses_are_seen() {
    let stapling = Site { staple: Some(stapled_response), ..Site::default() };
    let Some(nginx) = nginx(stapling).await else { return };
    let wanted = Tls { stapled: true, ..Tls::default() };
    assert!(agreed(&shake(&nginx, wanted.clone(), None).await).stapled);
    let plain = server::nginx(Site::default()).await.expect("it ran before");
    let found = shake(&plain, wanted, None).await;
    assert_eq!(found.outcome, Outcome::Fail(FailClass::Tls), "{found:?}");
    assert!(found.evidence.is_some_and(|evidence| evidence.summary.contains("staple an OCSP response")));
}
