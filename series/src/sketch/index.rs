//! Which bucket a duration belongs to, computed with integers only.
//!
//! Buckets are numbered by their upper bound: bucket `u` holds `b^(u-1) < value <= b^u`, `b = 2^(1/64)`. That is one
//! more than the index of an OpenTelemetry exponential histogram of scale 6, and the index of a Prometheus native
//! histogram of schema 6.

/// Buckets that a `u32` above 0 can be in: 0 (which holds the value 1) to 2048.
pub const BUCKETS: usize = 64 * 32 + 1;

/// `floor(2^(31 + j/64))`. For `j > 0` the exact bound is irrational, so comparing an integer with the floor is exact.
#[rustfmt::skip]
const BOUNDS: [u32; 64] = [
    0x80000000, 0x8164d1f3, 0x82cd8698, 0x843a28c3, 0x85aac367, 0x871f6196, 0x88980e80, 0x8a14d575,
    0x8b95c1e3, 0x8d1adf5b, 0x8ea4398b, 0x9031dc43, 0x91c3d373, 0x935a2b2f, 0x94f4efa8, 0x96942d37,
    0x9837f051, 0x99e04593, 0x9b8d39b9, 0x9d3ed9a7, 0x9ef53260, 0xa0b0510f, 0xa2704303, 0xa43515ae,
    0xa5fed6a9, 0xa7cd93b4, 0xa9a15ab4, 0xab7a39b5, 0xad583eea, 0xaf3b78ad, 0xb123f581, 0xb311c412,
    0xb504f333, 0xb6fd91e3, 0xb8fbaf47, 0xbaff5ab2, 0xbd08a39f, 0xbf1799b6, 0xc12c4cca, 0xc346ccda,
    0xc5672a11, 0xc78d74c8, 0xc9b9bd86, 0xcbec14fe, 0xce248c15, 0xd06333da, 0xd2a81d91, 0xd4f35aab,
    0xd744fcca, 0xd99d15c2, 0xdbfbb797, 0xde60f482, 0xe0ccdeec, 0xe33f8972, 0xe5b906e7, 0xe8396a50,
    0xeac0c6e7, 0xed4f301e, 0xefe4b99b, 0xf281773c, 0xf5257d15, 0xf7d0df73, 0xfa83b2db, 0xfd3e0c0c,
];

/// The bucket of `value`, which is above 0.
pub fn index(value: u32) -> usize {
    debug_assert!(value > 0, "0 has a bucket of its own");
    let zeros = value.leading_zeros();
    let mantissa = value << zeros;
    64 * (31 - zeros as usize) + BOUNDS.partition_point(|&bound| bound < mantissa)
}

/// The largest value in bucket `u`, which is at most 2048; a bucket below holds nothing above it.
pub fn upper(u: usize) -> u32 {
    match u / 64 {
        octave @ 0..32 => BOUNDS[u % 64] >> (31 - octave),
        _ => u32::MAX,
    }
}

/// The integer nearest to the value whose relative error is least over bucket `u`, within the bucket.
pub fn middle(u: usize) -> u32 {
    let top = (u as f64 / 64.0).exp2();
    let bottom = ((u as f64 - 1.0) / 64.0).exp2();
    let least = if u == 0 { 1 } else { upper(u - 1).saturating_add(1) };
    // A bucket without any integer is never filled.
    ((2.0 * top * bottom / (top + bottom)).round() as u32).clamp(least.min(upper(u)), upper(u))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `value^64` as digits of 32 bits, the least first.
    fn power_64(value: u64) -> Vec<u32> {
        (0..6).fold(vec![value as u32, (value >> 32) as u32], |n, _| multiply(&n, &n))
    }

    fn multiply(a: &[u32], b: &[u32]) -> Vec<u32> {
        let mut product = vec![0_u32; a.len() + b.len()];
        for (i, &x) in a.iter().enumerate() {
            let mut carry = 0_u64;
            for (j, &y) in b.iter().enumerate() {
                let sum = u64::from(x) * u64::from(y) + u64::from(product[i + j]) + carry;
                product[i + j] = sum as u32;
                carry = sum >> 32;
            }
            product[i + b.len()] = carry as u32;
        }
        product
    }

    /// Whether `value <= 2^(bits / 64)`, exactly.
    fn at_most(value: u64, bits: usize) -> bool {
        let power = power_64(value);
        let length = power
            .iter()
            .rposition(|&digit| digit != 0)
            .map_or(0, |last| 32 * last + 32 - power[last].leading_zeros() as usize);
        let ones: u32 = power.iter().map(|digit| digit.count_ones()).sum();
        length <= bits || (length == bits + 1 && ones == 1)
    }

    #[test]
    fn every_bucket_ends_where_it_should() {
        for u in 0..BUCKETS - 1 {
            let last = u64::from(upper(u));
            assert!(at_most(last, u), "{last} is above b^{u}");
            assert!(!at_most(last + 1, u), "{} is not above b^{u}", last + 1);
        }
        assert_eq!(upper(BUCKETS - 1), u32::MAX);
    }

    #[test]
    fn the_index_changes_right_after_each_bound() {
        for u in 0..BUCKETS - 1 {
            let last = upper(u);
            // Small buckets may hold no integer: then the bound belongs to an earlier one.
            assert!(index(last) <= u, "{last}");
            assert!(index(last + 1) > u, "{}", last + 1);
        }
        assert_eq!((index(1), index(2), index(3), index(1 << 31)), (0, 64, 102, 64 * 31));
        assert_eq!(index(u32::MAX), BUCKETS - 1);
    }

    #[test]
    fn the_middle_is_in_its_bucket() {
        for u in 0..BUCKETS {
            if u == 0 || upper(u - 1) < upper(u) {
                assert_eq!(index(middle(u)), u);
            }
        }
    }
}
