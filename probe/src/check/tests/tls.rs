//! HTTPS, and HTTP/2 where the server wants it.

use super::*;
use axum::{Router, routing::get as on_get};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Lets axum serve over TLS.
struct TlsListener {
    inner: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let Ok((stream, address)) = self.inner.accept().await else { continue };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A server with a self-signed certificate for `localhost`, and that certificate.
pub(super) async fn serve(alpn: &[&str]) -> (u16, CertificateDer<'static>) {
    serve_with(alpn, rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a DNS name")).await
}

pub(super) async fn serve_with(
    alpn: &[&str],
    params: rcgen::CertificateParams,
) -> (u16, CertificateDer<'static>) {
    let key = rcgen::KeyPair::generate().expect("ring makes keys");
    let certificate = params.self_signed(&key).expect("signs").der().clone();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("they belong together");
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let inner = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let port = inner.local_addr().expect("bound").port();
    let router = Router::new()
        .route(
            "/",
            on_get(|request: axum::extract::Request| async move { format!("{:?}", request.version()) }),
        )
        .route(
            "/host",
            on_get(|request: axum::extract::Request| async move {
                let authority = request.uri().authority().map(ToString::to_string);
                let host =
                    request.headers().get("host").and_then(|host| host.to_str().ok()).map(str::to_owned);
                authority.or(host).unwrap_or_default()
            }),
        )
        .route(
            "/slow",
            on_get(|| async {
                pause(100).await;
                "x".repeat(2 << 20)
            }),
        )
        .route("/never", on_get(std::future::pending::<()>))
        .route("/echo", axum::routing::post(|body: String| async move { body.len().to_string() }));
    let listener = TlsListener { inner, acceptor: TlsAcceptor::from(Arc::new(config)) };
    tokio::spawn(async move { axum::serve(listener, router).await });
    (port, certificate)
}

pub(super) fn trusting(certificate: CertificateDer<'static>) -> Net {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a certificate");
    Net::for_tests(Vec::new(), roots)
}

async fn ask(request: Request, url: String, net: &Net) -> Measured {
    let check = AssignedCheck { timeout_us: 2 * SECOND, ..check(CheckKind::Http(request)) };
    let found = run(&check, &here(url), net, &TRACE).await;
    sound(&check, &found);
    found
}

fn body_is(text: &str, path: &str) -> Request {
    let mut request = get(path);
    request.expect.body_contains = Some(text.to_owned());
    request
}

#[tokio::test]
async fn certificates_are_checked_and_explained() {
    let (port, certificate) = serve(&["http/1.1"]).await;
    let url = format!("https://localhost:{port}");
    let found = ask(get("/"), url.clone(), &net(&[])).await;
    failed(&found, FailClass::Tls, "the certificate is self-signed");
    assert!(found.certificate_expires.is_some());
    assert!(found.phases.tls.is_some() && found.phases.send.is_none());

    let trusting = trusting(certificate);
    let found = ask(body_is("HTTP/1.1", "/"), url, &trusting).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    assert!(found.phases.tls.is_some());

    let found = ask(get("/"), format!("https://127.0.0.1:{port}"), &trusting).await;
    failed(&found, FailClass::Tls, "not for 127.0.0.1 but for");
}

#[tokio::test]
async fn expired_certificates_are_named_so() {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a DNS name");
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let (port, certificate) = serve_with(&[], params).await;
    let found = ask(get("/"), format!("https://localhost:{port}"), &trusting(certificate)).await;
    failed(&found, FailClass::Tls, "the certificate expired");
}

#[tokio::test]
async fn http2_is_used_where_offered() {
    let (port, certificate) = serve(&["h2", "http/1.1"]).await;
    let trusting = trusting(certificate);
    let url = format!("https://localhost:{port}");
    let found = ask(body_is("HTTP/2.0", "/"), url.clone(), &trusting).await;
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");

    let host = ask(body_is(&format!("localhost:{port}"), "/host"), url.clone(), &trusting).await;
    assert_eq!(host.outcome, Outcome::Ok, "{host:?}");
    let mut other = body_is("shop.test", "/host");
    other.headers.insert("Host".into(), "shop.test".into());
    assert_eq!(ask(other, url.clone(), &trusting).await.outcome, Outcome::Ok);

    let slow = ask(get("/slow"), url.clone(), &trusting).await;
    assert_eq!((slow.outcome, slow.bytes), (Outcome::Ok, Some(1 << 20)), "{slow:?}");
    assert!(slow.phases.wait.expect("waited") >= 80_000, "{slow:?}");
    assert!(slow.phases.send < slow.phases.wait, "{slow:?}");

    let mut echo = body_is("300000", "/echo");
    echo.method = "POST".into();
    echo.body = Some("y".repeat(300_000));
    let echoed = ask(echo, url.clone(), &trusting).await;
    assert_eq!(echoed.outcome, Outcome::Ok, "{echoed:?}");

    let check = AssignedCheck { timeout_us: 200_000, ..check(CheckKind::Http(get("/never"))) };
    let never = run(&check, &here(url), &trusting, &TRACE).await;
    sound(&check, &never);
    failed(&never, FailClass::Timeout, "in wait");
}

#[tokio::test]
async fn a_port_without_tls_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("client connects");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("client reads");
        let (stream, _) = listener.accept().await.expect("client connects");
        drop(stream);
        let (_stream, _) = listener.accept().await.expect("client connects");
        std::future::pending::<()>().await;
    });
    let url = format!("https://{address}");
    failed(&ask(get("/"), url.clone(), &net(&[])).await, FailClass::Tls, "does not speak TLS");
    let closed = ask(get("/"), url.clone(), &net(&[])).await;
    assert_eq!(closed.outcome, Outcome::Fail(FailClass::Tls), "{closed:?}");
    failed(&ask(get("/"), url, &net(&[])).await, FailClass::Timeout, "in tls");
}
