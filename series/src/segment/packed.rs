//! Numbers in as many bits as most of them need, and what is above that for the few that need more (the idea of PFOR:
//! Zukowski et al. 2006, "Super-scalar RAM-CPU cache compression").
//!
//! ```text
//! { the low bits of each number }  count  { how many numbers were left out  the high bits }
//! ```

use crate::bytes::{Reader, put_varint};

/// The widest number.
pub const BITS: usize = 64;

/// Appends numbers, the low `width` bits of each in place.
pub fn encode(out: &mut Vec<u8>, values: &[u64], width: u32) {
    pack(out, values, width);
    let high = |value: u64| value.checked_shr(width).unwrap_or(0);
    let above = values.iter().filter(|&&value| high(value) > 0).count();
    put_varint(out, above as u64);
    let mut next = 0;
    for (n, &value) in values.iter().enumerate().filter(|&(_, &value)| high(value) > 0) {
        put_varint(out, (n - next) as u64);
        put_varint(out, high(value));
        next = n + 1;
    }
}

/// The width at which everything takes least.
pub fn best_width(values: &[u64]) -> u32 {
    let mut of_length = [0_usize; BITS + 1];
    for value in values {
        of_length[BITS - value.leading_zeros() as usize] += 1;
    }
    let longest = of_length.iter().rposition(|&count| count > 0).unwrap_or(0);
    let cost = |width: usize| {
        let above = |length: usize| of_length[length] * 8 * (1 + (length - width).div_ceil(7));
        width * values.len() + (width + 1..=longest).map(above).sum::<usize>()
    };
    (0..=longest).min_by_key(|&width| cost(width)).unwrap_or(longest) as u32
}

fn pack(out: &mut Vec<u8>, values: &[u64], width: u32) {
    let mask = mask(width);
    // At most 7 bits are left over from before.
    let (mut pending, mut filled) = (0_u128, 0);
    for value in values {
        pending |= u128::from(value & mask) << filled;
        filled += width;
        while filled >= 8 {
            out.push(pending as u8);
            pending >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        out.push(pending as u8);
    }
}

/// Reads `count` numbers, whose low `width` bits (at most [`BITS`]) are in place.
pub fn decode(reader: &mut Reader<'_>, count: usize, width: u32) -> Option<Vec<u64>> {
    let packed = reader.take((count * width as usize).div_ceil(8))?;
    let mut values = unpack(packed, count, width);
    let above = usize::try_from(reader.varint()?).ok().filter(|&above| above <= count)?;
    let mut next = 0_usize;
    for _ in 0..above {
        let n = next.checked_add(usize::try_from(reader.varint()?).ok()?)?;
        let high = reader.varint()?;
        let shifted = high.checked_shl(width).filter(|shifted| shifted >> width == high && high > 0)?;
        *values.get_mut(n)? |= shifted;
        next = n + 1;
    }
    Some(values)
}

fn unpack(packed: &[u8], count: usize, width: u32) -> Vec<u64> {
    let mask = mask(width);
    let mut bytes = packed.iter();
    let (mut pending, mut filled) = (0_u128, 0);
    let mut value = || {
        while filled < width {
            pending |= u128::from(*bytes.next().unwrap_or(&0)) << filled;
            filled += 8;
        }
        let value = pending as u64 & mask;
        pending >>= width;
        filled -= width;
        value
    };
    (0..count).map(|_| value()).collect()
}

/// The lowest `width` bits.
fn mask(width: u32) -> u64 {
    u64::MAX.checked_shr(BITS as u32 - width).unwrap_or(0)
}
