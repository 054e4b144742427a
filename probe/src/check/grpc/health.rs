//! The two messages of the health service, written and read by hand: one field each.
//!
//! A message is a frame: one byte that says whether it is compressed, its length in four bytes, the protobuf message.

use crate::check::{fault::Fault, words};
use bytes::Bytes;

/// The longest name of a service, bytes: short enough for a length of two bytes.
const NAME_MOST: usize = 1024;

/// A `HealthCheckRequest`: field 1 is the service's name, and absent when empty.
///
/// # Errors
/// [`wire::sample::FailClass::Request`] for a name longer than 1024 bytes.
pub(super) fn question(service: &str) -> Result<Bytes, Fault> {
    let mut message = Vec::new();
    if !service.is_empty() {
        let length = u16::try_from(service.len()).ok().filter(|length| usize::from(*length) <= NAME_MOST);
        let length = length.ok_or_else(|| Fault::request("the service's name is longer than 1024 bytes"))?;
        message.push(0x0a);
        let [high, low] = (length << 1).to_be_bytes();
        // A varint: seven bits in each byte, the lowest first; the top bit says that another byte follows.
        if high == 0 {
            message.push(low >> 1);
        } else {
            message.extend([(low >> 1) | 0x80, high]);
        }
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    Ok([&[0][..], &length.to_be_bytes(), &message].concat().into())
}

/// The status in a `HealthCheckResponse`: field 1, and 0 when absent. Other fields are passed over.
///
/// # Errors
/// Why the bytes are no such message.
pub(super) fn answer(frame: &[u8]) -> Result<u64, &'static str> {
    let [compressed, a, b, c, d, message @ ..] = frame else { return Err("it is shorter than a frame") };
    if *compressed != 0 {
        return Err("it is compressed, which nobody asked for");
    }
    if usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])) != Ok(message.len()) {
        return Err("its length is not what its frame says");
    }
    let (mut rest, mut status) = (message, 0);
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let skip = match tag & 7 {
            0 => {
                let value = varint(&mut rest)?;
                if tag >> 3 == 1 {
                    status = value;
                }
                0
            }
            1 => 8,
            2 => varint(&mut rest)?,
            5 => 4,
            _ => return Err("it has a field of unknown type"),
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        rest = rest.get(skip..).ok_or("it ends within a field")?;
    }
    Ok(status)
}

fn varint(rest: &mut &[u8]) -> Result<u64, &'static str> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or("it ends within a number")?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("it has a number that is too long")
}

/// A `ServingStatus` by its name.
pub(super) fn serving(status: u64) -> String {
    match status {
        0 => "UNKNOWN".to_owned(),
        1 => "SERVING".to_owned(),
        2 => "NOT_SERVING".to_owned(),
        3 => "SERVICE_UNKNOWN".to_owned(),
        other => format!("in the unknown status {other}"),
    }
}

/// A `grpc-status` with its name.
pub(super) fn code(text: &str) -> String {
    let names = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let name = text.parse::<usize>().ok().and_then(|number| names.get(number));
    name.map_or_else(|| format!("status {}", words::quote(text)), |name| format!("{name} ({text})"))
}

/// Undoes the percent-encoding of `grpc-message`; what is not encoded well stays as it is.
pub(super) fn unescape(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        let digits = digits.filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &after[2..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_framed() {
        assert_eq!(question("").expect("short").as_ref(), [0; 5]);
        assert_eq!(question("ab").expect("short").as_ref(), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        assert_eq!(question(&"x".repeat(127)).expect("short")[5..8], [0x0a, 127, b'x']);
        assert_eq!(question(&"x".repeat(300)).expect("short")[3..9], [1, 47, 0x0a, 0xac, 2, b'x']);
        assert!(question(&"x".repeat(1025)).is_err());
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(answer(&[0, 0, 0, 0, 2, 8, 1]), Ok(1));
        assert_eq!(answer(&[0; 5]), Ok(0));
        assert_eq!(answer(&[0, 0, 0, 0, 6, 0x12, 2, 9, 9, 8, 2]), Ok(2));
        for bad in [
            &[][..],
            &[1, 0, 0, 0, 0],
            &[0, 0, 0, 0, 1],
            &[0, 0, 0, 0, 1, 8],
            &[0, 0, 0, 0, 2, 0x12, 9],
            &[0, 0, 0, 0, 1, 7],
        ] {
            assert!(answer(bad).is_err(), "{bad:?}");
        }
        assert!(answer(&[&[0, 0, 0, 0, 12, 8][..], &[0xff; 11]].concat()).is_err());
    }

    #[test]
    fn codes_and_messages_are_for_people() {
        assert_eq!((code("5").as_str(), code("99").as_str()), ("NOT_FOUND (5)", "status \"99\""));
        assert_eq!(unescape(b"a%20b%C3%A4 100%"), "a bä 100%");
        assert_eq!(unescape(b"%zz%+1%"), "%zz%+1%");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let framed = [&[0, 0, 0, 0, u8::try_from(bytes.len()).expect("short")][..], &bytes].concat();
            let _any = (answer(&framed), answer(&bytes), unescape(&bytes));
        }
    }
}
