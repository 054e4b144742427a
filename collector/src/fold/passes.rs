//! When the core judged, kept small: with the log and a state, every decision can be made again ([`crate::replay`]).

use wire::Micros;

/// One pass of the decider: it took in the log up to a position, and judged at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    pub now: Micros,
    pub position: i64,
}

/// The first byte: the form of the rest.
const FORM: u8 = 1;

/// Packs passes: differences to the pass before, as variable-length integers (LEB128 after zig-zag).
pub fn pack(passes: &[Pass]) -> Vec<u8> {
    let mut bytes = vec![FORM];
    let mut last = Pass { now: Micros(0), position: 0 };
    for pass in passes {
        put(&mut bytes, pass.now.since(last.now));
        put(&mut bytes, pass.position.wrapping_sub(last.position));
        last = *pass;
    }
    bytes
}

/// Reads what [`pack`] wrote; none when it is damaged or of a newer form.
pub fn unpack(bytes: &[u8]) -> Option<Vec<Pass>> {
    let mut rest = bytes.strip_prefix(&[FORM])?;
    let mut passes = Vec::new();
    let mut last = Pass { now: Micros(0), position: 0 };
    while !rest.is_empty() {
        let now = last.now.plus_us(take(&mut rest)?);
        last = Pass { now, position: last.position.wrapping_add(take(&mut rest)?) };
        passes.push(last);
    }
    Some(passes)
}

fn put(bytes: &mut Vec<u8>, value: i64) {
    let mut rest = value.wrapping_shl(1).cast_unsigned() ^ (value >> 63).cast_unsigned();
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quiet_second_costs_few_bytes() {
        let start = Micros(1_795_000_000_000_000);
        let passes: Vec<Pass> =
            (0..50).map(|n| Pass { now: start.plus_us(n * 200_013), position: 1_000_000 + n }).collect();
        let bytes = pack(&passes);
        assert!(bytes.len() < 50 * 5, "{} bytes", bytes.len());
        assert_eq!(unpack(&bytes), Some(passes));
    }

    proptest! {
        #[test]
        fn passes_survive(pairs in prop::collection::vec((0_i64..i64::MAX / 2, any::<i64>()), 0..20)) {
            let passes: Vec<Pass> = pairs.into_iter().map(|(now, position)| Pass { now: Micros(now), position }).collect();
            prop_assert_eq!(unpack(&pack(&passes)), Some(passes));
        }

        #[test]
        fn damaged_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = unpack(&bytes);
        }
    }
}
