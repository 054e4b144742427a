//! Which region served a request, as far as the answer tells.

use super::record::Record;
use wire::assignment::AssignedCheck;

/// By the service's region header, else by its region cookie where the answer sets it, else by the address that was
/// connected to.
pub(super) fn by(check: &AssignedCheck, record: &Record) -> Option<String> {
    let header = || record.header(check.region_header.as_deref()?);
    let cookie = || record.cookie(check.places.region_cookie.as_deref()?);
    let address = || {
        // Without an answer nobody served anything.
        let address = record.address.filter(|_| record.status.is_some())?.ip();
        let mut regions = check.places.region_addresses.iter();
        let region = regions.find(|(_, networks)| networks.iter().any(|network| network.contains(address)));
        region.map(|(region, _)| region.to_string())
    };
    let named = header().filter(|text| plausible(text)).or_else(|| cookie().filter(|text| plausible(text)));
    named.or_else(address)
}

/// Whether a text can be an id at all, that is 1 to 63 visible ASCII characters.
fn plausible(text: &str) -> bool {
    (1..=63).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::tests::{check, get};
    use wire::assignment::CheckKind;

    #[test]
    fn a_header_that_cannot_be_an_id_is_ignored() {
        let mut check = check(CheckKind::Http(get("/")));
        let mut record = Record::default();
        check.region_header = Some("X-Region".into());
        for (value, plausible) in [("eu-west", true), ("", false), ("a b", false), (&*"x".repeat(64), false)]
        {
            record.headers.insert("x-region", value.parse().expect("a header value"));
            assert_eq!(by(&check, &record).is_some(), plausible, "{value}");
        }
        check.region_header = Some("not a name".into());
        assert_eq!(by(&check, &record), None);
    }

    #[test]
    fn header_cookie_address_in_this_order() {
        let mut check = check(CheckKind::Http(get("/")));
        check.places.region_cookie = Some("served".into());
        let networks = vec!["10.0.0.0/8".parse().expect("a network")];
        check.places.region_addresses = [("asia".parse().expect("an id"), networks)].into();
        let mut record = Record { status: Some(200), ..Record::default() };
        assert_eq!(by(&check, &record), None);
        record.address = Some(([10, 1, 2, 3], 443).into());
        assert_eq!(by(&check, &record).as_deref(), Some("asia"));
        record.headers.append("set-cookie", "sid=1; Path=/".parse().expect("a value"));
        record.headers.append("set-cookie", "served=us; Path=/".parse().expect("a value"));
        assert_eq!(by(&check, &record).as_deref(), Some("us"));
        record.headers.insert("x-region", "eu".parse().expect("a value"));
        assert_eq!(by(&check, &record).as_deref(), Some("eu"));
        let silent = Record { address: record.address, ..Record::default() };
        assert_eq!(by(&check, &silent), None, "a connection alone is no answer");
    }
}
