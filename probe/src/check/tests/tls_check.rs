//! The TLS check against certificates of every kind.

use super::{
    tls::{serve, serve_with, trusting},
    *,
};
use std::time::{SystemTime, UNIX_EPOCH};
use wire::{Micros, assignment::Tls};

/// When rcgen's certificates end unless told otherwise: 4096-01-01.
const END: i64 = 67_090_118_400_000_000;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

async fn shake(tls: Tls, url: String, net: &Net) -> Measured {
    let check = AssignedCheck { timeout_us: 2 * SECOND, ..check(CheckKind::Tls(tls)) };
    let found = run(&check, &here(url), net, &TRACE).await;
    sound(&check, &found);
    found
}

#[tokio::test]
async fn a_trusted_certificate_is_good_and_its_end_is_told() {
    let (port, certificate) = serve(&["h2"]).await;
    let trusting = trusting(certificate);
    let found = shake(Tls::default(), format!("tls://localhost:{port}"), &trusting).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert!(found.phases.connect.is_some() && found.phases.tls.is_some() && found.phases.send.is_none());
    assert_eq!(found.certificate_expires, Some(Micros(END)), "{found:?}");

    let named = Tls { server_name: Some("localhost".into()), ..Tls::default() };
    let found = shake(named, format!("https://127.0.0.1:{port}"), &trusting).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
}

#[tokio::test]
async fn refused_certificates_still_tell_their_end() {
    let (port, certificate) = serve(&[]).await;
    let url = format!("tcp://localhost:{port}");
    let self_signed = shake(Tls::default(), url.clone(), &net(&[])).await;
    failed(&self_signed, FailClass::Tls, "the certificate is self-signed");
    assert_eq!(self_signed.certificate_expires, Some(Micros(END)));

    let other = Tls { server_name: Some("other.test".into()), ..Tls::default() };
    let wrong = shake(other, url.clone(), &trusting(certificate)).await;
    failed(&wrong, FailClass::Tls, "not for other.test but for");
    assert_eq!(wrong.certificate_expires, Some(Micros(END)));

    let bad = Tls { server_name: Some("no name".into()), ..Tls::default() };
    failed(&shake(bad, url, &net(&[])).await, FailClass::Request, "cannot be the name of a certificate");

    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a DNS name");
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let (port, certificate) = serve_with(&[], params).await;
    let expired = shake(Tls::default(), format!("tls://localhost:{port}"), &trusting(certificate)).await;
    failed(&expired, FailClass::Tls, "the certificate expired");
    assert_eq!(expired.certificate_expires, Some(Micros(1_577_836_800_000_000)));
}

#[tokio::test]
async fn certificates_that_end_soon_are_refused_where_that_is_asked_for() {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a DNS name");
    // One hour more than three days: the sentence rounds down.
    let end = UNIX_EPOCH + Duration::from_secs(now() + 3 * 86_400 + 3_600);
    params.not_after = end.into();
    let (port, certificate) = serve_with(&[], params).await;
    let (url, trusting) = (format!("tls://localhost:{port}"), trusting(certificate));
    let lasting = |days: u64| Tls { valid_for_s: Some(days * 86_400), ..Tls::default() };
    assert_eq!(shake(lasting(3), url.clone(), &trusting).await.outcome, Outcome::Ok);
    let short = shake(lasting(30), url, &trusting).await;
    failed(&short, FailClass::Tls, "the certificate expires in 3 days, 30 wanted");
    assert!(short.certificate_expires.is_some() && short.phases.tls.is_some());
}

#[tokio::test]
async fn silent_ports_are_cut_in_the_handshake_and_denied_ones_not_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("tls://{}", listener.local_addr().expect("bound"));
    let silent = AssignedCheck { timeout_us: 200_000, ..check(CheckKind::Tls(Tls::default())) };
    failed(&run_one(&silent, url).await, FailClass::Timeout, "in tls");
    let found = shake(Tls::default(), "tls://169.254.169.254".into(), &net(&[])).await;
    failed(&found, FailClass::Request, "denied");
    drop(listener);
}
