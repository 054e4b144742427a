//! Which shard a check belongs to. Shards are sealed one by one, so that sealing is a little work all the time instead of
//! much work now and then.

/// How many shards there are. It is stored (`seal_cursor` has a row for each), so it never changes.
pub const SHARDS: usize = 64;

/// The shard of a check, below [`SHARDS`]: FNV-1a of its id, 64 bits (RFC 9923).
pub fn shard_of(check: &str) -> usize {
    let hash = check.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // The remainder is below 64.
    (hash % SHARDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_those_of_the_published_hash_and_never_change() {
        // The vectors of RFC 9923, appendix C: FNV-1a 64 of "" and "a" and "foobar".
        assert_eq!(shard_of(""), 0xcbf2_9ce4_8422_2325_u64 as usize % 64);
        assert_eq!(shard_of("a"), 0xaf63_dc4c_8601_ec8c_u64 as usize % 64);
        assert_eq!(shard_of("foobar"), 0x8594_4171_f739_67e8_u64 as usize % 64);
        assert_eq!(shard_of("shop-health"), 42);
    }

    #[test]
    fn checks_spread_over_all_shards() {
        let mut counts = [0_u32; SHARDS];
        for number in 0..6_400 {
            counts[shard_of(&format!("check-{number}"))] += 1;
        }
        assert!(counts.iter().all(|count| (50..=150).contains(count)), "{counts:?}");
    }
}
