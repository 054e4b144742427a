//! What is read from certificates, trusted or not.

use super::{fault::Fault, words as text};
use rustls::{
    CertificateError,
    pki_types::{CertificateDer, UnixTime},
};
use std::time::{SystemTime, UNIX_EPOCH};
use wire::{Micros, sample::FailClass};
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS,
    x509::X509Name,
};

/// The longest chain that is followed.
const CHAIN_MOST: usize = 10;
/// The longest name that is repeated, characters.
const NAME_MOST: usize = 80;

/// The certificate of a chain that stops being valid before the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct First {
    pub(super) at: Micros,
    /// The issuer it belongs to; the server itself when absent.
    pub(super) issuer: Option<String>,
}

/// Seconds of the Unix epoch, by the wall clock, as for every certificate.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Which certificate of a chain ends first, or `None` where the server's own cannot be read: then the handshake says
/// why. Only what belongs to the chain counts, and no root, because roots are trusted for what they are. In a chain that
/// was found `sound`, an issuer that has expired was not needed: servers often send an old one beside the new.
pub(super) fn first_to_expire(
    leaf: &CertificateDer<'_>,
    chain: &[CertificateDer<'_>],
    sound: bool,
    now: u64,
) -> Option<First> {
    let leaf = read(leaf)?;
    let mut first = First { at: ends(&leaf), issuer: None };
    let now = Micros(i64::try_from(now).unwrap_or(i64::MAX).saturating_mul(1_000_000));
    for issuer in issuers(&leaf, chain).filter(|issuer| !is_self_issued(issuer)) {
        let at = ends(&issuer);
        if at < first.at && !(sound && at < now) {
            first = First { at, issuer: Some(name(issuer.subject())) };
        }
    }
    Some(first)
}

fn read<'c>(der: &'c CertificateDer<'_>) -> Option<X509Certificate<'c>> {
    x509_parser::parse_x509_certificate(der).ok().map(|(_rest, certificate)| certificate)
}

fn ends(certificate: &X509Certificate<'_>) -> Micros {
    Micros(certificate.validity().not_after.timestamp().saturating_mul(1_000_000))
}

fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

/// The certificates behind the leaf, each the issuer of the one before, as far as the server sends them.
fn issuers<'c>(
    leaf: &X509Certificate<'c>,
    chain: &'c [CertificateDer<'_>],
) -> impl Iterator<Item = X509Certificate<'c>> {
    let chain: Vec<_> = chain.iter().take(CHAIN_MOST).filter_map(read).collect();
    let mut current = leaf.clone();
    std::iter::from_fn(move || {
        if is_self_issued(&current) {
            return None;
        }
        let next = chain.iter().find(|one| one.subject().as_raw() == current.issuer().as_raw())?;
        current = next.clone();
        Some(current.clone())
    })
    .take(CHAIN_MOST)
}

/// The common name, or else all of the name, in quotation marks.
fn name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().next().and_then(|common| common.as_str().ok());
    let all = || name.to_string();
    format!("\"{}\"", text::line(&common.map_or_else(all, str::to_owned), NAME_MOST))
}

/// Why certificates were refused, where looking at them tells more than the error.
pub(super) fn refusal(
    error: &rustls::Error,
    leaf: &CertificateDer<'_>,
    chain: &[CertificateDer<'_>],
) -> Option<String> {
    let rustls::Error::InvalidCertificate(error) = error else { return None };
    let leaf = read(leaf)?;
    match error {
        CertificateError::UnknownIssuer => Some(unknown_issuer(&leaf, chain)),
        // What common tools make for a server calls itself an authority.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            Some(if is_self_issued(&leaf) {
                self_signed(&leaf)
            } else {
                "the server shows the certificate of an authority as its own".to_owned()
            })
        }
        CertificateError::ExpiredContext { time, .. } => {
            let seconds = i64::try_from(time.as_secs()).ok()?;
            if leaf.validity().not_after.timestamp() >= seconds {
                let late = |one: &X509Certificate<'_>| one.validity().not_after.timestamp() < seconds;
                let issuer = issuers(&leaf, chain).find(late)?;
                return Some(expired(
                    &format!("of the issuer {} ", name(issuer.subject())),
                    *time,
                    ends(&issuer),
                ));
            }
            None
        }
        _ => None,
    }
    .or_else(|| Some(words(error)))
}

fn self_signed(leaf: &X509Certificate<'_>) -> String {
    format!(
        "the certificate is self-signed ({}) and not trusted: add it to `ca` of the check if it is meant to be",
        name(leaf.subject())
    )
}

/// Whose certificate is missing.
fn unknown_issuer(leaf: &X509Certificate<'_>, chain: &[CertificateDer<'_>]) -> String {
    if is_self_issued(leaf) {
        return self_signed(leaf);
    }
    let last = issuers(leaf, chain).last();
    let (last, sent) = (last.as_ref().unwrap_or(leaf), last.is_some());
    let missing = name(last.issuer());
    if is_self_issued(last) {
        return format!(
            "the certificate's chain ends in the root {missing}, which is not trusted (unknown issuer): add it to `ca` of \
             the check if it is meant to be"
        );
    }
    let behind = if sent { format!("for {} ", name(last.subject())) } else { String::new() };
    // Public authorities say in each certificate where that of its issuer is; private ones seldom do.
    let place = ca_issuers(last).map_or_else(String::new, |place| {
        format!("; it is at {}, and servers must send it themselves", text::line(&place, NAME_MOST))
    });
    format!(
        "the certificate's issuer {missing} {behind}is not trusted (unknown issuer), and the server does not send its \
         certificate: an intermediate certificate is missing, or the authority is a private one{place}"
    )
}

/// Where the issuer's certificate is (RFC 5280, 4.2.2.1).
fn ca_issuers(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => {
            access.iter().find_map(|one| match (&one.access_method, &one.access_location) {
                (method, GeneralName::URI(place)) if *method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS => {
                    Some((*place).to_owned())
                }
                _ => None,
            })
        }
        _ => None,
    })
}

fn expired(whose: &str, time: UnixTime, at: Micros) -> String {
    let since = time.as_secs().saturating_sub(u64::try_from(at.0 / 1_000_000).unwrap_or(0));
    format!("the certificate {whose}expired {} ago, at {}", text::age(since), day(at))
}

fn micros(time: UnixTime) -> Micros {
    Micros(i64::try_from(time.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}

/// A date and time without fractions of a second.
fn day(at: Micros) -> String {
    let whole = at.to_string();
    whole.split_once('.').map_or(whole.clone(), |(day, _)| format!("{day}Z"))
}

/// An error of a certificate in words, where nothing but the error is known.
pub(super) fn words(error: &CertificateError) -> String {
    match error {
        CertificateError::ExpiredContext { time, not_after } => expired("", *time, micros(*not_after)),
        CertificateError::Expired => "the certificate has expired".to_owned(),
        CertificateError::NotValidYetContext { time, not_before } => {
            let left = not_before.as_secs().saturating_sub(time.as_secs());
            let begins = day(micros(*not_before));
            format!("the certificate is not valid for another {}, until {begins}", text::age(left))
        }
        CertificateError::NotValidYet => "the certificate is not valid yet".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<_> = presented.iter().take(3).map(|name| presented_name(name)).collect();
            let more = if presented.len() > 3 { " and more" } else { "" };
            let names = if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") };
            format!("the certificate is not for {} but for {names}{more}", expected.to_str())
        }
        CertificateError::NotValidForName => "the certificate is for another host".to_owned(),
        CertificateError::UnknownIssuer => {
            "the certificate's issuer is not trusted (unknown issuer)".to_owned()
        }
        CertificateError::Revoked => "the certificate was revoked".to_owned(),
        CertificateError::BadSignature => "the certificate's signature is wrong".to_owned(),
        other => format!("the certificate is not acceptable: {other}"),
    }
}

/// `DnsName("a.test")`, as the library has it, as `a.test`.
fn presented_name(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    text::line(inner.unwrap_or(name).trim_matches('"'), NAME_MOST)
}

/// Whether a certificate, the server's own or that of `issuer`, stays valid for another `wanted` seconds after `now`
/// (seconds of the Unix epoch).
pub(super) fn lasts(expires: Micros, issuer: Option<&str>, now: u64, wanted: u64) -> Result<(), Fault> {
    let left = u64::try_from(expires.0 / 1_000_000).unwrap_or(0).saturating_sub(now);
    if left >= wanted {
        return Ok(());
    }
    let (left, wanted) = (text::age(left), text::age(wanted));
    let whose = issuer.map_or_else(String::new, |issuer| format!("of the issuer {issuer} "));
    let wanted = number(&left, &wanted);
    Err(Fault::new(FailClass::Tls, format!("the certificate {whose}expires in {left}, {wanted} wanted")))
}

/// The second of two durations, without its unit where that is the first one's.
fn number<'a>(first: &str, second: &'a str) -> &'a str {
    match (first.split_once(' '), second.split_once(' ')) {
        (Some((_, unit)), Some((number, same))) if unit == same => number,
        _ => second,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_long_a_certificate_lasts() {
        const DAY: u64 = 86_400;
        let expires = Micros(103 * 86_400 * 1_000_000);
        assert_eq!(lasts(expires, None, 100 * DAY, 3 * DAY), Ok(()));
        let short = lasts(expires, None, 100 * DAY, 30 * DAY).expect_err("too short");
        assert_eq!(
            (short.class, &*short.summary),
            (FailClass::Tls, "the certificate expires in 3 days, 30 wanted")
        );
        let soon = lasts(expires, Some("\"R1\""), 103 * DAY - 3_600, 30 * DAY).expect_err("too short");
        assert_eq!(soon.summary, "the certificate of the issuer \"R1\" expires in 60 min, 30 days wanted");
    }

    #[test]
    fn reads_the_end_and_survives_garbage() {
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).expect("a DNS name");
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let key = rcgen::KeyPair::generate().expect("ring makes keys");
        let der = params.self_signed(&key).expect("signs").der().to_vec();
        let first = |der: &[u8]| first_to_expire(&CertificateDer::from(der), &[], true, 0);
        assert_eq!(first(&der), Some(First { at: Micros(1_893_456_000_000_000), issuer: None }));
        for length in 0..der.len() {
            assert_eq!(first(&der[..length]), None, "{length}");
        }
    }

    #[test]
    fn certificates_are_explained_in_words() {
        let day = |days: u64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(days * 86_400));
        let late = CertificateError::ExpiredContext { time: day(10), not_after: day(7) };
        assert_eq!(words(&late), "the certificate expired 3 days ago, at 1970-01-08T00:00:00Z");
        let early = CertificateError::NotValidYetContext { time: day(7), not_before: day(8) };
        assert_eq!(
            words(&early),
            "the certificate is not valid for another 24 h, until 1970-01-09T00:00:00Z"
        );
    }
}
