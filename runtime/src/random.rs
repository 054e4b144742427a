//! Randomness as an argument: a seeded generator behind a mutex, from the operating system or from a test.

use crate::lock::lock;
use rand::{RngCore, SeedableRng, rngs::StdRng};
use std::sync::{Arc, Mutex};

/// A generator that tasks can share.
#[derive(Debug, Clone)]
pub struct Random(Arc<Mutex<StdRng>>);

impl Random {
    /// Seeded by the operating system.
    pub fn from_os() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_os_rng())))
    }

    /// Seeded by a test, so that it repeats.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Seeded with all that the generator takes, so that what is drawn belongs to the seed alone.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_seed(seed))))
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        lock(&self.0).fill_bytes(&mut bytes);
        bytes
    }

    /// A number from 0 (inclusive) to 1 (exclusive).
    pub fn unit(&self) -> f64 {
        // 53 bits are what an f64 can tell apart.
        (lock(&self.0).next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}
