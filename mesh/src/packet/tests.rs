use super::{tlv::*, *};
use proptest::prelude::*;

fn key() -> Key {
    Key::new(b"0123456789abcdef")
}

#[test]
fn stamps_are_exact_and_wrap() {
    let unix = Stamp::from_unix_ns(0);
    assert_eq!(unix.0 >> 32, 2_208_988_800);
    // 2036-02-07 06:28:16 UTC: the first second of the next era.
    let wrap_ns = (4_294_967_296 - 2_208_988_800) * 1_000_000_000;
    let before = Stamp::from_unix_ns(wrap_ns - 5);
    let after = Stamp::from_unix_ns(wrap_ns + 7);
    assert_eq!(after.0 >> 32, 0, "an era begins");
    assert_eq!((after.since(before), before.since(after)), (12, -12));
    assert_eq!(before.plus_ns(12).since(after), 0);
}

#[test]
fn an_error_is_encoded_as_the_smallest_that_is_not_less() {
    let one_ms = ErrorEstimate::new(true, 1_000_000);
    assert_eq!(one_ms.encode(), [0x80 | 15, 132]);
    assert_eq!(one_ms.error_ns(), Some(1_007_081));
    assert_eq!(ErrorEstimate::decode([0, 0]).error_ns(), None, "multiplier 0 is invalid");
    assert_eq!(ErrorEstimate::decode([0, 1]).error_ns(), Some(1), "0.23 ns");
    let worst = ErrorEstimate::decode([0x3f, 0xff]);
    assert!(!worst.synchronised && worst.error_ns() > Some(1 << 60));
}

#[test]
fn short_packets_of_other_implementations_are_read() {
    let request =
        Request::decode(&[0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 0x3f, 0xff], None).expect("TWAMP's request");
    assert_eq!((request.sequence, request.ssid), (9, 0));
    let mut bytes = [0u8; 38];
    bytes[27] = 9;
    let answer = Answer::decode(&bytes, None).expect("an answer without TTL");
    assert_eq!((answer.sender_sequence, answer.sender_ttl), (9, None));
    assert_eq!(Answer::decode(&bytes[..37], None), Err(Malformed::TooShort));
    assert_eq!(Request::decode(&[0; 13], None), Err(Malformed::TooShort));
    assert_eq!(Request::decode(&[0; LONGEST + 1], None), Err(Malformed::TooLong));
    assert_eq!(Request::decode(&[0; 111], Some(&key())), Err(Malformed::TooShort));
}

#[test]
fn every_bit_of_an_authenticated_packet_counts() {
    let request = Request {
        sequence: 1,
        sent: Stamp(2),
        error: ErrorEstimate::new(false, 3),
        ssid: 4,
        extensions: Vec::new(),
    };
    let good = request.encode(Some(&key()));
    assert_eq!(good.len(), AUTHENTICATED_LEN);
    assert_eq!(Request::decode(&good, Some(&key())), Ok(request));
    for bit in 0..AUTHENTICATED_LEN * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Request::decode(&bad, Some(&key())), Err(Malformed::NotAuthentic), "bit {bit}");
    }
    assert_eq!(Request::decode(&good, Some(&Key::new(b"another"))), Err(Malformed::NotAuthentic));
}

#[test]
fn extensions_are_protected_by_their_own_code() {
    let mut extensions = Vec::new();
    push(&mut extensions, FOLLOW_UP, &[0; FollowUp::LEN]);
    push(&mut extensions, HMAC, &[0; 16]);
    push(&mut extensions, PADDING, &[0; 3]);
    let mut packet = vec![0; AUTHENTICATED_LEN];
    packet.extend(extensions);
    assert!(!authentic(&packet, AUTHENTICATED_LEN, &key()));
    sign(&mut packet, AUTHENTICATED_LEN, &key());
    assert!(authentic(&packet, AUTHENTICATED_LEN, &key()));
    packet[AUTHENTICATED_LEN + 6] ^= 1;
    assert!(!authentic(&packet, AUTHENTICATED_LEN, &key()));
    packet.truncate(AUTHENTICATED_LEN + 20);
    assert!(!authentic(&packet, AUTHENTICATED_LEN, &key()), "extensions without a code");
    packet.truncate(AUTHENTICATED_LEN);
    assert!(authentic(&packet, AUTHENTICATED_LEN, &key()), "nothing to protect");
}

#[test]
fn a_flagged_extension_says_nothing() {
    let follow_up = FollowUp { sequence: 3, returned: Stamp(4), method: BY_SOFTWARE };
    let mut extensions = Vec::new();
    push(&mut extensions, FOLLOW_UP, &follow_up.encode(TimeFormat::Ntp));
    assert_eq!(Told::read(&extensions, TimeFormat::Ntp), Told::default(), "not understood by the reflector");
    extensions[0] = 0;
    assert_eq!(Told::read(&extensions, TimeFormat::Ntp).follow_up, Some(follow_up));
}

proptest! {
    #[test]
    fn differences_of_stamps_are_exact(start in any::<i64>(), apart in -1_000_000_000_000_000_000i64..1_000_000_000_000_000_000) {
        let start = start / 2;
        let (a, b) = (Stamp::from_unix_ns(start), Stamp::from_unix_ns(start + apart));
        prop_assert_eq!(b.since(a), apart);
        prop_assert!((a.plus_ns(apart).since(b)).abs() <= 1);
        let ptp = Stamp::decode(a.encode(TimeFormat::Ptp), TimeFormat::Ptp);
        prop_assert_eq!(ptp, a, "PTP carries nanoseconds");
    }

    #[test]
    fn an_error_estimate_is_never_too_small_nor_more_than_a_hundredth_too_large(ns in 0u64..1 << 60) {
        let said = ErrorEstimate::new(false, ns).error_ns().expect("a valid estimate");
        prop_assert!(said >= ns && said as f64 <= ns as f64 * 1.01 + 2.0, "{} for {}", said, ns);
    }

    #[test]
    fn any_error_estimate_survives(field in any::<[u8; 2]>()) {
        prop_assert_eq!(ErrorEstimate::decode(field).encode(), field);
    }

    #[test]
    fn any_bytes_are_refused_or_survive(bytes in proptest::collection::vec(any::<u8>(), 0..300), sealed in any::<bool>()) {
        let key = key();
        let mut bytes = bytes;
        let key = sealed.then_some(&key);
        if let Some(key) = key && bytes.len() >= AUTHENTICATED_LEN {
            let code = key.code(&[&bytes[..96]]);
            bytes[96..112].copy_from_slice(&code);
        }
        if let Ok(request) = Request::decode(&bytes, key) {
            prop_assert_eq!(Request::decode(&request.encode(key), key), Ok(request));
        }
        if let Ok(answer) = Answer::decode(&bytes, key) {
            prop_assert_eq!(Answer::decode(&answer.encode(key), key), Ok(answer));
        }
        Told::read(&bytes, TimeFormat::Ptp);
        for tlv in walk(&bytes).flatten() {
            prop_assert!(tlv.offset + HEADER_LEN + tlv.value.len() <= bytes.len());
        }
        let mut signed = bytes.clone();
        if let Some(key) = key && bytes.len() >= 4 {
            sign(&mut signed, 4, key);
            prop_assert!(authentic(&signed, 4, key) || signed == bytes);
        }
    }
}
