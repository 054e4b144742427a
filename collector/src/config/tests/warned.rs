//! What is legal but unwise.

use super::{good, with_checks};
use crate::config::warnings;

#[test]
fn a_bare_service_is_warned_of() {
    let warnings = warnings(&good(&with_checks(
        "  c: {service: shop, to: a, interval: 1h, http: {headers: {Authorization: Basic x}}}\nreceivers: {far: \
         {webhook: 'http://far.example.com', secret: {env: S}}, near: {webhook: 'http://127.0.0.1:1/', secret: {env: \
         S}}}\nsteering: {keep_regions: 2}\n",
    )));
    let expected = [
        "services.shop: no check with an impact measures region b",
        "services.shop: is seen from 1 failure domain;",
        "services.shop: nobody is told about plans",
        "services.shop: without `region_header`",
        "services.shop: `steering.keep_regions` keeps traffic in all",
        "checks.c: a header that usually holds a secret",
        "receivers.far: plans travel over plain HTTP",
        "steering.fresh: evidence counts for 3h",
    ];
    assert_eq!(warnings.len(), expected.len(), "{warnings:#?}");
    for (warning, expected) in warnings.iter().zip(expected) {
        assert!(warning.starts_with(expected), "{warning}");
    }
}
