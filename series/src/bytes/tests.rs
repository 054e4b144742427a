//! Every number has one form.

use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn numbers_come_back(value in any::<u64>(), shift in 0_u32..64, rest: Vec<u8>) {
        let value = value >> shift;
        let mut bytes = Vec::new();
        put_varint(&mut bytes, value);
        bytes.extend(&rest);
        let mut reader = Reader(&bytes);
        prop_assert_eq!(reader.varint(), Some(value));
        prop_assert_eq!(reader.0, rest);
        prop_assert_eq!(unzigzag(zigzag(value as i64)), value as i64);
    }

    #[test]
    fn what_is_read_is_the_shortest_form(bytes: Vec<u8>) {
        let mut reader = Reader(&bytes);
        if let Some(value) = reader.varint() {
            let mut again = Vec::new();
            put_varint(&mut again, value);
            prop_assert_eq!(&again, &bytes[..bytes.len() - reader.0.len()]);
        }
    }
}

#[test]
fn what_is_cut_or_too_long_is_no_number() {
    for bytes in [&[][..], &[0x80], &[0x80, 0], &[0xff; 10], &[0x80; 11]] {
        assert_eq!(Reader(bytes).varint(), None, "{bytes:?}");
    }
    assert_eq!(Reader(&[1, 2]).take(3), None);
    assert_eq!((-1, 1, i64::MIN), (unzigzag(1), unzigzag(2), unzigzag(u64::MAX)));
}
