//! Handshakes that go well and handshakes that fail in every way a server of our own can make them fail: each with its
//! class, its sentence, its phases, and what is known of the certificate.

use super::*;
use crate::secrets::Secrets;
use futures_util::{SinkExt, StreamExt};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
};
use std::{fs, sync::Arc};
use tokio_rustls::TlsAcceptor;
use wire::{
    Micros,
    assignment::{ClientCertificate, StartTls, Tcp, Tls, TlsOptions, TlsVersion, WebSocket},
    sample::TlsFacts,
};

const YEAR_2020: i64 = 1_577_836_800_000_000;
const YEAR_2090: i64 = 3_786_912_000_000_000;

/// An authority with a name.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.not_after = rcgen::date_time_ymd(2090, 1, 1);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("ring makes keys")
}

impl Authority {
    fn new(name: &str, parent: Option<&Authority>) -> Authority {
        Authority::until(name, parent, 2090)
    }

    fn until(name: &str, parent: Option<&Authority>, year: i32) -> Authority {
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = key();
        let certificate = match parent {
            Some(parent) => params.signed_by(&key, &parent.issuer).expect("signs"),
            None => params.self_signed(&key).expect("signs"),
        };
        let (der, pem) = (certificate.der().clone(), certificate.pem());
        Authority { issuer: Issuer::new(params, key), der, pem }
    }

    /// A certificate and its key.
    fn sign(&self, params: &CertificateParams) -> (CertificateDer<'static>, KeyPair) {
        let key = key();
        (params.signed_by(&key, &self.issuer).expect("signs").der().clone(), key)
    }

    fn options(&self) -> TlsOptions {
        TlsOptions { ca: Some(self.pem.clone()), ..TlsOptions::default() }
    }
}

fn pkcs8(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(key.serialize_der().into())
}

fn server(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert_with_ocsp(chain, pkcs8(key), Vec::new())
        .expect("they belong together")
}

/// Shakes hands with everybody, then echoes what it hears.
async fn listen(config: ServerConfig) -> String {
    listen_after(config, |_| async {}).await
}

/// As [`listen`], with a conversation before.
async fn listen_after<Done>(
    config: ServerConfig,
    before: impl Fn(Arc<Mutex<Option<TcpStream>>>) -> Done + Send + 'static,
) -> String
where
    Done: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let slot = Arc::new(Mutex::new(Some(stream)));
            before(slot.clone()).await;
            let Some(stream) = lock(&slot).take() else { continue };
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let (mut from, mut to) = tokio::io::split(stream);
                let _client_may_be_gone = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    format!("tcp://localhost:{port}")
}

async fn shake_with(tls: Tls, options: TlsOptions, url: &str, net: &Net) -> Measured {
    let mut check = AssignedCheck { timeout_us: 3 * SECOND, ..check(CheckKind::Tls(tls)) };
    check.reach.tls = options;
    let found = run(&check, &here(url), net, &TRACE).await;
    sound(&check, &found);
    found
}

async fn shake(options: TlsOptions, url: &str) -> Measured {
    shake_with(Tls::default(), options, url, &net(&[])).await
}

fn named(name: &str) -> TlsOptions {
    TlsOptions { server_name: Some(name.to_owned()), ..TlsOptions::default() }
}

/// A refusal: billed to `tls`, with the certificate's end, and no facts.
#[track_caller]
fn refused(found: &Measured, sentence: &str, expires: i64) {
    failed(found, FailClass::Tls, sentence);
    assert!(found.phases.tls.is_some() && found.phases.connect.is_some(), "{found:?}");
    assert_eq!(found.phases.send, None, "{found:?}");
    assert_eq!(found.certificate_expires, Some(Micros(expires)), "{found:?}");
    assert_eq!(found.connection.tls, None);
}

#[track_caller]
fn ok(found: &Measured) -> TlsFacts {
    assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
    found.connection.tls.clone().expect("a handshake has facts")
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_the_check_names_it() {
    let root = Authority::new("Shop Root", None);
    let (leaf, key) = root.sign(&params(&["localhost"]));
    let url = listen(server(vec![leaf], &key)).await;
    let facts = ok(&shake(root.options(), &url).await);
    assert_eq!((facts.version.as_str(), facts.verified, facts.stapled), ("TLSv1.3", true, false));
    assert!(
        ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"].contains(&facts.cipher.as_str()),
        "{facts:?}"
    );
    refused(&shake(TlsOptions::default(), &url).await, "issuer \"Shop Root\" is not trusted", YEAR_2090);
    let other = Authority::new("Other Root", None);
    refused(&shake(other.options(), &url).await, "issuer \"Shop Root\" is not trusted", YEAR_2090);
    let broken = shake(TlsOptions { ca: Some("no PEM".into()), ..TlsOptions::default() }, &url).await;
    assert_eq!(broken.outcome, Outcome::Unsupported, "{broken:?}");
    let skipped = TlsOptions { skip_verify: true, ..TlsOptions::default() };
    assert!(!ok(&shake(skipped, &url).await).verified);
}

#[tokio::test]
async fn dates_are_told_apart() {
    let root = Authority::new("Shop Root", None);
    let mut old = params(&["localhost"]);
    old.not_before = rcgen::date_time_ymd(2019, 1, 1);
    old.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let (leaf, key) = root.sign(&old);
    let url = listen(server(vec![leaf], &key)).await;
    let late = shake(root.options(), &url).await;
    refused(&late, "the certificate expired ", YEAR_2020);
    refused(&late, " days ago, at 2020-01-01T00:00:00Z", YEAR_2020);
    let skipped = TlsOptions { skip_verify: true, ..TlsOptions::default() };
    let found = shake(skipped.clone(), &url).await;
    assert!(!ok(&found).verified);
    assert_eq!(found.certificate_expires, Some(Micros(YEAR_2020)));
    let lasting = Tls { valid_for_s: Some(3600), ..Tls::default() };
    let found = shake_with(lasting, skipped, &url, &net(&[])).await;
    failed(&found, FailClass::Tls, "the certificate expires in 0 min, 60 wanted");

    let mut early = params(&["localhost"]);
    early.not_before = rcgen::date_time_ymd(2080, 1, 1);
    let (leaf, key) = root.sign(&early);
    let url = listen(server(vec![leaf], &key)).await;
    refused(&shake(root.options(), &url).await, "not valid for another ", YEAR_2090);
    refused(&shake(root.options(), &url).await, "until 2080-01-01T00:00:00Z", YEAR_2090);
}

#[tokio::test]
async fn names_are_asked_for_and_compared() {
    let root = Authority::new("Shop Root", None);
    let (leaf, key) = root.sign(&params(&["a.test", "*.b.test"]));
    let url = listen(server(vec![leaf], &key)).await;
    let sentence = "the certificate is not for localhost but for a.test, *.b.test";
    refused(&shake(root.options(), &url).await, sentence, YEAR_2090);
    for name in ["a.test", "x.b.test"] {
        ok(&shake(TlsOptions { ca: Some(root.pem.clone()), ..named(name) }, &url).await);
    }
}

#[derive(Debug)]
struct ByName {
    a: Arc<CertifiedKey>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        (hello.server_name() == Some("a.test")).then(|| self.a.clone())
    }
}

#[tokio::test]
async fn the_name_goes_out_as_sni() {
    let root = Authority::new("Shop Root", None);
    let (leaf, key) = root.sign(&params(&["a.test"]));
    let signing = ring::sign::any_supported_type(&pkcs8(&key)).expect("a key");
    let mut config = server(vec![leaf.clone()], &key);
    config.cert_resolver = Arc::new(ByName { a: Arc::new(CertifiedKey::new(vec![leaf], signing)) });
    let url = listen(config).await;
    ok(&shake(TlsOptions { ca: Some(root.pem.clone()), ..named("a.test") }, &url).await);
    let found = shake(root.options(), &url).await;
    failed(&found, FailClass::Tls, "the server ");
    assert_eq!((found.certificate_expires, found.connection.tls.clone()), (None, None), "{found:?}");
    assert!(found.phases.tls.is_some());
}

#[tokio::test]
async fn self_signed_certificates_are_named_so_and_can_be_trusted() {
    // As common tools make them: an authority that shows its own certificate.
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let mut own = params(&["localhost"]);
        own.is_ca = is_ca;
        own.distinguished_name.push(DnType::CommonName, "shop");
        let key = key();
        let certificate = own.self_signed(&key).expect("signs");
        let url = listen(server(vec![certificate.der().clone()], &key)).await;
        let trusted = TlsOptions { ca: Some(certificate.pem()), ..TlsOptions::default() };
        assert!(ok(&shake(trusted.clone(), &url).await).verified);
        let sentence = "the certificate is self-signed (\"shop\") and not trusted: add it to `ca`";
        refused(&shake(TlsOptions::default(), &url).await, sentence, YEAR_2090);
        // To name it as trusted is no leave to use it under another name.
        let other = TlsOptions { server_name: Some("other.test".into()), ..trusted };
        refused(&shake(other, &url).await, "not for other.test but for localhost", YEAR_2090);
    }
    let mut own = params(&["localhost"]);
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    own.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let key = key();
    let certificate = own.self_signed(&key).expect("signs");
    let url = listen(server(vec![certificate.der().clone()], &key)).await;
    let trusted = TlsOptions { ca: Some(certificate.pem()), ..TlsOptions::default() };
    refused(&shake(trusted, &url).await, "the certificate expired ", YEAR_2020);
}

#[tokio::test]
async fn chains_are_followed_and_what_is_missing_is_named() {
    let root = Authority::new("Shop Root", None);
    let middle = Authority::until("Shop R3", Some(&root), 2080);
    let (leaf, key) = middle.sign(&params(&["localhost"]));
    let url = listen(server(vec![leaf.clone()], &key)).await;
    let sentence = "issuer \"Shop R3\" is not trusted (unknown issuer), and the server does not send its certificate: an \
                    intermediate certificate is missing";
    refused(&shake(root.options(), &url).await, sentence, YEAR_2090);

    // The whole chain: the intermediate ends first.
    let url = listen(server(vec![leaf.clone(), middle.der.clone()], &key)).await;
    let found = shake(root.options(), &url).await;
    assert!(ok(&found).verified);
    let intermediate_ends = 3_471_292_800_000_000;
    assert_eq!(found.certificate_expires, Some(Micros(intermediate_ends)));
    let lasting = Tls { valid_for_s: Some(1_000_000_000_000), ..Tls::default() };
    let found = shake_with(lasting, root.options(), &url, &net(&[])).await;
    failed(&found, FailClass::Tls, "the certificate of the issuer \"Shop R3\" expires in ");

    // With a root that nobody knows at its end.
    let url = listen(server(vec![leaf, middle.der.clone(), root.der.clone()], &key)).await;
    let found = shake(TlsOptions::default(), &url).await;
    refused(&found, "chain ends in the root \"Shop Root\", which is not trusted", intermediate_ends);

    let expired = Authority::until("Shop R1", Some(&root), 2020);
    let (leaf, key) = expired.sign(&params(&["localhost"]));
    let url = listen(server(vec![leaf, expired.der.clone()], &key)).await;
    let found = shake(root.options(), &url).await;
    refused(&found, "the certificate of the issuer \"Shop R1\" expired ", YEAR_2020);
}

/// A server that wants a client's certificate of this authority.
fn picky(root: &Authority, version: &'static rustls::SupportedProtocolVersion) -> ServerConfig {
    let (leaf, key) = root.sign(&params(&["localhost"]));
    let mut roots = RootCertStore::empty();
    roots.add(root.der.clone()).expect("a certificate");
    let provider = Arc::new(ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("ring has it")
        .with_client_cert_verifier(clients.build().expect("a root"))
        .with_single_cert(vec![leaf], pkcs8(&key))
        .expect("they belong together")
}

#[tokio::test]
async fn client_certificates_come_from_the_probes_secrets() {
    let root = Authority::new("Shop Root", None);
    let other = Authority::new("Other Root", None);
    let folder = tempfile::tempdir().expect("a folder");
    let mut document = String::new();
    for (name, authority) in [("good", &root), ("bad", &other)] {
        let key = key();
        let certificate = params(&["client"]).signed_by(&key, &authority.issuer).expect("signs");
        for (file, pem) in
            [(format!("{name}-crt"), certificate.pem()), (format!("{name}-key"), key.serialize_pem())]
        {
            fs::write(folder.path().join(&file), pem).expect("written");
            document += &format!("{file}: {{ file: {file} }}\n");
        }
    }
    fs::write(folder.path().join("secrets.yaml"), document).expect("written");
    let secrets = Secrets::load(&folder.path().join("secrets.yaml")).expect("a right document");
    let net = net(&[]).with_secrets(secrets);
    let client = |certificate: &str, key: &str| TlsOptions {
        client: Some(ClientCertificate { certificate: certificate.into(), key: key.into() }),
        ..root.options()
    };
    for (version, named) in [(&rustls::version::TLS12, "TLSv1.2"), (&rustls::version::TLS13, "TLSv1.3")] {
        let url = listen(picky(&root, version)).await;
        let facts = ok(&shake_with(Tls::default(), client("good-crt", "good-key"), &url, &net).await);
        assert_eq!(facts.version, named);
        let none = shake_with(Tls::default(), root.options(), &url, &net).await;
        failed(&none, FailClass::Tls, "the server requires a client certificate: give one by `client`");
        assert_eq!(none.certificate_expires, Some(Micros(YEAR_2090)));
        // With TLS 1.3 a refusal comes after the handshake: what is said next finds it out.
        let https = url.replace("tcp://", "https://");
        let mut http = check(CheckKind::Http(get("/")));
        http.reach.tls = client("bad-crt", "bad-key");
        let refused = run(&http, &here(https), &net, &TRACE).await;
        sound(&http, &refused);
        failed(&refused, FailClass::Tls, "the server ");
        failed(&refused, FailClass::Tls, "client certificate");

        for (options, sentence) in [
            (client("good-crt", "bad-key"), "the client certificate cannot be used with its key"),
            (client("good-key", "good-key"), "holds no certificate in PEM"),
            (client("good-crt", "good-crt"), "holds no private key in PEM"),
            (client("none", "good-key"), "this probe has no secret `none`"),
        ] {
            let found = shake_with(Tls::default(), options, &url, &net).await;
            assert_eq!(found.outcome, Outcome::Unsupported, "{found:?}");
            let summary = found.evidence.expect("it says why").summary;
            assert!(summary.contains(sentence), "{summary}");
        }
    }
}

#[tokio::test]
async fn what_was_agreed_on_can_be_expected() {
    let root = Authority::new("Shop Root", None);
    let (leaf, key) = root.sign(&params(&["localhost"]));
    let old = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("ring has it")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.clone()], pkcs8(&key))
        .expect("they belong together");
    let url = listen(old).await;
    let least = |version| TlsOptions { least_version: Some(version), ..root.options() };
    let facts = ok(&shake(least(TlsVersion::V1_2), &url).await);
    assert_eq!(facts.version, "TLSv1.2");
    assert!(facts.cipher.starts_with("TLS_ECDHE_ECDSA_WITH_"), "{facts:?}");
    let found = shake(least(TlsVersion::V1_3), &url).await;
    failed(&found, FailClass::Tls, "expected TLSv1.3, the server speaks TLSv1.2 at most");
    assert!(found.connection.tls.is_some(), "what was agreed on is told");

    let ciphers = Tls { ciphers: vec!["TLS_AES_128_GCM_SHA256".into()], ..Tls::default() };
    let found = shake_with(ciphers, root.options(), &url, &net(&[])).await;
    failed(&found, FailClass::Tls, "expected the cipher suite TLS_AES_128_GCM_SHA256, saw TLS_ECDHE_");
    let stapled = Tls { stapled: true, ..Tls::default() };
    let found = shake_with(stapled.clone(), root.options(), &url, &net(&[])).await;
    failed(&found, FailClass::Tls, "expected the server to staple an OCSP response, it did not");
    // What is in the response is not looked at.
    let stapling = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert_with_ocsp(vec![leaf], pkcs8(&key), b"response".to_vec())
        .expect("they belong together");
    let url = listen(stapling).await;
    assert!(ok(&shake_with(stapled, root.options(), &url, &net(&[])).await).stapled);
}

#[tokio::test]
async fn servers_without_tls_are_quoted() {
    for (said, sentence) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "it answered in plain HTTP: \"HTTP/1.1 400 Bad Request\""),
        ("220 mail.test ESMTP\r\n", "it answered in plain text: \"220 mail.test ESMTP\""),
        ("\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}", "the server does not speak TLS on this port"),
        ("", "the server closed the connection in the handshake"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("tcp://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("client connects");
            // Reads first: closing with unread bytes would reset the connection.
            let _hello = stream.read(&mut [0; 4096]).await;
            let _client_may_be_gone = stream.write_all(said.as_bytes()).await;
        });
        let found = shake(TlsOptions::default(), &url).await;
        failed(&found, FailClass::Tls, sentence);
        assert!(found.phases.tls.is_some() && found.certificate_expires.is_none(), "{found:?}");
    }
}

/// The lines of a server in clear: what it says, each after a line from the client but for the first.
async fn recite(slot: Arc<Mutex<Option<TcpStream>>>, lines: &'static [&'static [u8]]) {
    let Some(mut stream) = lock(&slot).take() else { return };
    for (number, line) in lines.iter().enumerate() {
        if number > 0 && stream.read(&mut [0; 512]).await.unwrap_or(0) == 0 {
            return;
        }
        if stream.write_all(line).await.is_err() {
            return;
        }
    }
    *lock(&slot) = Some(stream);
}

const LDAP_YES: &[u8] = &[0x30, 12, 2, 1, 1, 0x78, 7, 0x0a, 1, 0, 4, 0, 4, 0];
const LDAP_NO: &[u8] = &[0x30, 12, 2, 1, 1, 0x78, 7, 0x0a, 1, 52, 4, 0, 4, 0];

#[tokio::test]
async fn connections_turn_to_tls_in_the_way_of_their_protocol() {
    let root = Authority::new("Shop Root", None);
    let (leaf, key) = root.sign(&params(&["localhost"]));
    type Lines = &'static [&'static [u8]];
    let smtp: Lines = &[
        b"220-mail.test\r\n220 ready\r\n",
        b"250-mail.test\r\n250-SIZE 9\r\n250 STARTTLS\r\n",
        b"220 go\r\n",
    ];
    let cases: [(StartTls, Lines); 6] = [
        (StartTls::Smtp, smtp),
        (StartTls::Imap, &[b"* OK ready\r\n", b"* CAPABILITY X\r\na OK begin\r\n"]),
        (StartTls::Pop3, &[b"+OK ready\r\n", b"+OK begin\r\n"]),
        (StartTls::Ftp, &[b"220 ready\r\n", b"234 begin\r\n"]),
        (StartTls::Ldap, &[b"", LDAP_YES]),
        (StartTls::Postgres, &[b"", b"S"]),
    ];
    for (protocol, lines) in cases {
        let config = server(vec![leaf.clone()], &key);
        let url = listen_after(config, move |slot| recite(slot, lines)).await;
        let tls = Tls { starttls: Some(protocol), ..Tls::default() };
        let found = shake_with(tls, root.options(), &url, &net(&[])).await;
        assert!(ok(&found).verified);
        assert!(found.phases.send.is_some() && found.phases.wait.is_some() && found.phases.tls.is_some());
        // Afterwards both talk inside TLS: the server echoes.
        let tcp =
            Tcp { send: Some("NOOP\r\n".into()), expect: Some("NOOP".into()), starttls: Some(protocol) };
        let mut tcp = check(CheckKind::Tcp(tcp));
        tcp.reach.tls = root.options();
        let found = run(&tcp, &here(url.clone()), &net(&[]), &TRACE).await;
        sound(&tcp, &found);
        ok(&found);
        tcp.reach.tls = TlsOptions::default();
        let found = run(&tcp, &here(url), &net(&[]), &TRACE).await;
        failed(&found, FailClass::Tls, "issuer \"Shop Root\" is not trusted");
    }
}

#[tokio::test]
async fn servers_that_do_not_turn_to_tls_are_quoted() {
    let root = Authority::new("Shop Root", None);
    let (leaf, key) = root.sign(&params(&["localhost"]));
    type Lines = &'static [&'static [u8]];
    const LONG: &[u8] = &[b'x'; 5_000];
    let cases: [(StartTls, Lines, &str); 11] = [
        (StartTls::Smtp, &[b"554 go away\r\n"], "expected \"220\", it said \"554 go away\""),
        (StartTls::Smtp, &[b"220 a\r\n", b"250 a\r\n", b"502 no\r\n"], "it said \"502 no\""),
        (StartTls::Smtp, &[b"2200 a\r\n"], "it said \"2200 a\""),
        (StartTls::Smtp, &[LONG], "its line is longer than 2048 bytes"),
        (StartTls::Smtp, &[b"220 a\r\n", b"250 a\r\n", b"220 a\r\nRSET\r\n"], "it went on in clear"),
        (StartTls::Imap, &[b"* OK\r\n", b"a BAD no\r\n"], "it said \"a BAD no\""),
        (StartTls::Pop3, &[b"+OK\r\n", b"-ERR no\r\n"], "expected \"+OK\", it said \"-ERR no\""),
        (StartTls::Ldap, &[b"", LDAP_NO], "it refused TLS with the result code 52"),
        (
            StartTls::Ldap,
            &[
                b"",
                b"HTTP/1.1 400 Bad Request\r\n\r\n012345678901234567890123456789\
            0123456789012345678901234567890123456789",
            ],
            "its answer is not that of LDAP",
        ),
        (
            StartTls::Postgres,
            &[b"", b"N"],
            "the PostgreSQL server did not turn to TLS: it does not offer TLS",
        ),
        (StartTls::Postgres, &[b"", b"E"], "its answer is not that of PostgreSQL"),
    ];
    for (protocol, lines, sentence) in cases {
        let config = server(vec![leaf.clone()], &key);
        let url = listen_after(config, move |slot| recite(slot, lines)).await;
        let tls = Tls { starttls: Some(protocol), ..Tls::default() };
        let found = shake_with(tls, root.options(), &url, &net(&[])).await;
        failed(&found, FailClass::Protocol, sentence);
        assert_eq!(found.phases.tls, None, "{found:?}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("tcp://{}", listener.local_addr().expect("bound"));
    let tls = Tls { starttls: Some(StartTls::Smtp), ..Tls::default() };
    let silent = AssignedCheck { timeout_us: 200_000, ..check(CheckKind::Tls(tls)) };
    failed(&run_one(&silent, url).await, FailClass::Timeout, "no answer to the request for TLS within");
}

#[tokio::test]
async fn websockets_speak_inside_tls() {
    let root = Authority::new("Shop Root", None);
    let (leaf, key) = root.sign(&params(&["localhost"]));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("https://localhost:{}", listener.local_addr().expect("bound").port());
    let acceptor = TlsAcceptor::from(Arc::new(server(vec![leaf], &key)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let mut peer = tokio_tungstenite::accept_async(stream).await.expect("a good handshake");
            while let Some(Ok(message)) = peer.next().await {
                if message.is_text() {
                    peer.send(message).await.expect("the client listens");
                }
            }
        }
    });
    let socket = WebSocket {
        path: "/live".into(),
        headers: Default::default(),
        send: Some("hello".into()),
        expect: Some("hello".into()),
    };
    let mut check = check(CheckKind::WebSocket(socket));
    failed(&run_one(&check, url.clone()).await, FailClass::Tls, "issuer \"Shop Root\" is not trusted");
    check.reach.tls = root.options();
    let found = run_one(&check, url).await;
    assert!(ok(&found).verified);
    assert_eq!(found.status, Some(101));
    let phases = found.phases;
    assert!(phases.tls.is_some() && phases.wait.is_some() && phases.transfer.is_some(), "{phases:?}");
}

#[tokio::test]
async fn options_are_read_once() {
    let root = Authority::new("Shop Root", None);
    let net = net(&[]);
    let one = net.with_tls(&root.options(), None).expect("right options");
    let two = net.with_tls(&root.options(), None).expect("right options");
    let other = net.with_tls(&named("a.test"), None).expect("right options");
    assert!(one.shakes_hands_like(&two) && !one.shakes_hands_like(&other));
}
