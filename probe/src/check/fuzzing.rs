//! Entrances for the fuzzer (the `fuzz` package) to what reads bytes that targets send. Built with the feature
//! `fuzzing` only; nothing here does more than pass on.

pub use super::{dns::fuzzing as dns, grpc::fuzzing as grpc, icmp::fuzzing as icmp};

use super::{
    Run, Trace, certificate, dial::Destination, dns::server, evidence, fault::Fault, jar::Jar,
    judge as judging, prepare, record::Record, secrets::Values, served, tcp, template::Templates,
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use rustls::pki_types::CertificateDer;
use std::collections::BTreeMap;
use url::Url;
use wire::{
    Micros,
    assignment::{AssignedCheck, Dns, Endpoint, Expect, Request, Source, Step, Target},
    sample::{Evidence, FailClass},
};

/// A failure's class and its sentence.
pub type Failure = (FailClass, String);

pub(super) fn failure(fault: Fault) -> Failure {
    (fault.class, fault.summary)
}

/// When the first certificate of a chain ends that was shown by a server: this certificate (DER), and once more as its
/// own issuer. Refusals of it are put into words as well.
pub fn certificate(der: &[u8]) -> Option<Micros> {
    let leaf = CertificateDer::from(der);
    let chain = [leaf.clone()];
    let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let _sentence = certificate::refusal(&unknown, &leaf, &chain);
    certificate::first_to_expire(&leaf, &chain, false, 0).map(|first| first.at)
}

/// Whether a certificate lasts for another `wanted` seconds after `now` (seconds of the epoch).
pub fn lasts(expires: Micros, now: u64, wanted: u64) -> Result<(), Failure> {
    certificate::lasts(expires, None, now, wanted).map_err(failure)
}

/// An answer, as far as expectations and captures look at it.
pub struct Answer(Record);

impl Answer {
    /// Header lines that HTTP does not allow are left out.
    pub fn new(status: u16, headers: &[(&[u8], &[u8])], body: &[u8]) -> Answer {
        let mut record = Record { status: Some(status), body: body.to_vec(), ..Record::default() };
        for (name, value) in headers {
            let (name, value) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value));
            if let (Ok(name), Ok(value)) = (name, value) {
                record.headers.append(name, value);
            }
        }
        Answer(record)
    }

    /// Whether it is as expected.
    pub fn judge(&self, expect: &Expect) -> Result<(), Failure> {
        judging::judge(expect, &self.seen(), None).map_err(failure)
    }

    /// The values that a journey's step keeps of it.
    pub fn capture(&self, wanted: &BTreeMap<String, Source>) -> Result<BTreeMap<String, String>, Failure> {
        let step = Step { capture: wanted.clone(), ..Step::default() };
        let kept = judging::capture(&step, &self.seen()).map_err(failure)?;
        Ok(kept.into_iter().map(|(name, captured)| (name, captured.value)).collect())
    }

    fn seen(&self) -> judging::Answer<'_> {
        judging::Answer::new(&self.0, None, &NOWHERE, Micros(0))
    }

    /// The region that served it, by a header.
    pub fn served_by(&self, header: &str) -> Option<String> {
        let check = AssignedCheck { region_header: Some(header.to_owned()), ..anything() };
        served::by(&check, &self.0)
    }
}

/// The cookies of a journey.
#[derive(Default)]
pub struct Cookies(Jar);

impl Cookies {
    /// Takes the `set-cookie` lines of an answer; those that HTTP does not allow are left out.
    pub fn keep(&mut self, url: &Url, lines: &[&[u8]]) {
        let values = lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok());
        let headers: HeaderMap = values.fold(HeaderMap::new(), |mut headers, value| {
            headers.append(header::SET_COOKIE, value);
            headers
        });
        self.0.keep(url, &headers);
    }

    /// What goes into a request's `cookie` header.
    pub fn header(&self, url: &Url) -> Option<String> {
        self.0.header(url)
    }

    /// How many are kept.
    pub fn count(&self) -> usize {
        self.0.values().count()
    }
}

/// Fills captured values into the texts of a request. Of the built-in values, `region` is `public`.
pub fn fill(request: &Request, values: BTreeMap<String, String>) -> Result<Request, Failure> {
    let trace = Trace { trace_id: [1; 16], span_id: [2; 8] };
    let run = Run { trace, started: Micros(0), explain: false };
    let endpoint =
        Endpoint { target: NOWHERE, url: "http://eu.test".to_owned(), evidence: Default::default() };
    let mut templates = Templates::new(&anything(), &endpoint, &run, &Values::new());
    values.iter().for_each(|(name, value)| templates.keep(name, value));
    templates.fill(request).map_err(|unfilled| failure(unfilled.fault()))
}

/// What the series of [`fill`] and [`Answer`] points at.
const NOWHERE: Target = Target::Public;

/// A check that leaves everything at its default.
fn anything() -> AssignedCheck {
    let check = r#"{"id": "c", "service": "s", "kind": {"http": {"method": "GET", "path": "/"}}, "interval_us": 1,
        "timeout_us": 1, "endpoints": []}"#;
    serde_json::from_str(check).expect("a check with all that has no default")
}

/// The URL and the headers that a filled-in request goes out with.
pub fn prepare(request: &Request, base: &str) -> Result<(Url, HeaderMap), Failure> {
    let prepared = prepare::prepare(request, base, "00-1-1-01", |_| None).map_err(failure)?;
    let sent = prepared.to_http(false, false).map_err(failure)?;
    Ok((prepared.url, sent.into_parts().0.headers))
}

/// Host and port of an endpoint.
pub fn destination(url: &str) -> Result<(String, u16), Failure> {
    let to = tcp::parse(url).and_then(|url| Destination::of(&url)).map_err(failure)?;
    // As a handshake would: a name that no certificate can carry is refused, and never a panic.
    let _refused_or_not = to.server_name();
    Ok((to.host.to_string(), to.port))
}

/// Host and port of the name server that a DNS check asks.
pub fn name_server(dns: &Dns, url: &str) -> Result<(String, u16), Failure> {
    server(dns, url).map(|to| (to.host.to_string(), to.port)).map_err(failure)
}

/// What is kept of a failure for a person to read.
pub fn evidence(summary: &str, body: &[u8], secrets: &[String]) -> Evidence {
    evidence::keep(summary, None, body, secrets)
}
