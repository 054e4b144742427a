//! Packets of the mesh (STAMP, RFC 8762 and RFC 8972), as they arrive at a reflector and at a sender.

use crate::parts;
use mesh::packet::{Answer, Key, LONGEST, Mode, Request, tlv};
use std::fmt::Debug;

/// Two bits of the first byte choose: request or answer, open or authenticated. For the latter the codes are made
/// here where the byte says so: nobody guesses them.
pub fn run(data: &[u8]) {
    let (choice, data) = parts::byte(data);
    let key = (choice & 2 != 0).then(|| Key::new(b"0123456789abcdef"));
    let mode = if key.is_some() { Mode::Authenticated } else { Mode::Open };
    let mut packet = data.to_vec();
    if let Some(key) = &key
        && choice & 4 != 0
        && packet.len() >= mode.base_len()
    {
        let code = key.code(&[&packet[..96]]);
        packet[96..mode.base_len()].copy_from_slice(&code);
        tlv::sign(&mut packet, mode.base_len(), key);
    }
    let extensions = if choice & 1 == 0 {
        let _never_panics = Request::peek_ssid(&packet, mode);
        let Ok(request) = Request::decode(&packet, key.as_ref()) else { return };
        again(&request, &request.encode(key.as_ref()), &packet, |bytes| Request::decode(bytes, key.as_ref()));
        request.extensions
    } else {
        let Ok(answer) = Answer::decode(&packet, key.as_ref()) else { return };
        again(&answer, &answer.encode(key.as_ref()), &packet, |bytes| Answer::decode(bytes, key.as_ref()));
        let _never_panics = (answer.error.error_ns(), answer.returned.since(answer.reached));
        let _wraps = (answer.returned.plus_ns(i64::MIN), answer.reached.plus_ns(i64::MAX));
        let told = tlv::Told::read(&answer.extensions, answer.error.format);
        if let Some(follow_up) = told.follow_up {
            let value = follow_up.encode(answer.error.format);
            // A stamp of zero is how a reflector says that it has nothing to say.
            if value[4..12] != [0; 8] {
                assert_eq!(tlv::FollowUp::decode(&value, answer.error.format), Some(follow_up));
            }
        }
        answer.extensions
    };
    if let Some(key) = &key {
        let _never_panics = tlv::authentic(&packet, mode.base_len(), key);
    }
    walked(&extensions);
}

/// What was decoded is encoded, no shorter than the base packet, and decodes to the same.
fn again<T: PartialEq + Debug, E: Debug>(
    value: &T,
    encoded: &[u8],
    packet: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, E>,
) {
    assert!(packet.len() <= LONGEST && encoded.len() >= packet.len());
    let decoded = decode(encoded).expect("what was encoded can be decoded");
    assert_eq!(*value, decoded, "it changed on the way");
}

/// Extensions tile the bytes, up to the first that is longer than what is left.
fn walked(extensions: &[u8]) {
    let mut next = 0;
    for tlv in tlv::walk(extensions) {
        match tlv {
            Ok(tlv) => {
                assert_eq!(tlv.offset, next);
                next += tlv::HEADER_LEN + tlv.value.len();
                assert!(next <= extensions.len());
            }
            Err(offset) => {
                assert_eq!(offset, next);
                return;
            }
        }
    }
    assert_eq!(next, extensions.len());
}
