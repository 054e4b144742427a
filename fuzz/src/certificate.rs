//! The certificate that a server shows.

use crate::parts;
use probe::fuzzing::check;

/// 16 bytes are the time and how long the certificate must last, the rest is DER.
pub fn run(data: &[u8]) {
    let (now, data) = parts::bytes::<8>(data);
    let (wanted, der) = parts::bytes::<8>(data);
    let (now, wanted) = (u64::from_be_bytes(now), u64::from_be_bytes(wanted));
    let Some(expires) = check::certificate(der) else { return };
    let _never_panics = expires.to_string();
    if let Err((_, why)) = check::lasts(expires, now, wanted) {
        assert!(wanted > 0 && why.len() < 200, "{why}");
    }
}
