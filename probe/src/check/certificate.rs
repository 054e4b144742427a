//! What is read from a certificate, trusted or not.

use super::{fault::Fault, words};
use wire::{Micros, sample::FailClass};

/// When a certificate (DER) stops being valid, or `None` where it cannot be read: then the handshake says why.
pub(super) fn expires(der: &[u8]) -> Option<Micros> {
    let (_rest, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let seconds = certificate.validity().not_after.timestamp();
    Some(Micros(seconds.saturating_mul(1_000_000)))
}

/// Whether a certificate stays valid for another `wanted` seconds after `now` (seconds of the Unix epoch).
pub(super) fn lasts(expires: Micros, now: u64, wanted: u64) -> Result<(), Fault> {
    let left = u64::try_from(expires.0 / 1_000_000).unwrap_or(0).saturating_sub(now);
    if left >= wanted {
        return Ok(());
    }
    let (left, wanted) = (words::age(left), words::age(wanted));
    Err(Fault::new(
        FailClass::Tls,
        format!("the certificate expires in {left}, {} wanted", number(&left, &wanted)),
    ))
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
        assert_eq!(lasts(expires, 100 * DAY, 3 * DAY), Ok(()));
        let short = lasts(expires, 100 * DAY, 30 * DAY).expect_err("too short");
        assert_eq!(
            (short.class, &*short.summary),
            (FailClass::Tls, "the certificate expires in 3 days, 30 wanted")
        );
        let soon = lasts(expires, 103 * DAY - 3_600, 30 * DAY).expect_err("too short");
        assert_eq!(soon.summary, "the certificate expires in 60 min, 30 days wanted");
    }

    #[test]
    fn reads_the_end_and_survives_garbage() {
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).expect("a DNS name");
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let key = rcgen::KeyPair::generate().expect("ring makes keys");
        let der = params.self_signed(&key).expect("signs").der().to_vec();
        assert_eq!(expires(&der), Some(Micros(1_893_456_000_000_000)));
        for length in 0..der.len() {
            assert_eq!(expires(&der[..length]), None, "{length}");
        }
    }
}
