//! A mergeable sketch of durations: a base-2 exponential histogram of fixed scale 6 (OpenTelemetry's data model; schema
//! 6 of a Prometheus native histogram). Buckets grow by `b = 2^(1/64)`, 1.09 %.
//!
//! The scale never changes, so merging adds counts and is exact: the sketch of a month is that of its samples, in
//! whatever order. A quantile is off by at most `(b-1)/(b+1)` = 0.54 % and the rounding to a microsecond.

mod codec;
mod index;

#[cfg(test)]
mod tests;

use crate::Corrupt;
use std::ops::Range;

/// How many durations fell into each bucket.
#[derive(Debug, Clone, Default)]
pub struct Sketch {
    /// Durations of 0.
    zero: u64,
    /// The bucket of `counts[0]`.
    first: usize,
    /// Counts of consecutive buckets, which merge fast; the ends may be 0.
    counts: Vec<u64>,
}

impl Sketch {
    /// Without any value.
    pub fn new() -> Sketch {
        Sketch::default()
    }

    /// Counts a duration, microseconds.
    pub fn add(&mut self, value: u32) {
        self.add_many(value, 1);
    }

    /// Counts a duration `times` times.
    pub fn add_many(&mut self, value: u32, times: u64) {
        if times == 0 {
            return;
        }
        let count = if value == 0 {
            &mut self.zero
        } else {
            let bucket = index::index(value);
            &mut self.window(bucket..bucket + 1)[0]
        };
        *count = count.saturating_add(times);
    }

    /// Adds all counts of `other`, as if its values had been added here.
    pub fn merge(&mut self, other: &Sketch) {
        self.zero = self.zero.saturating_add(other.zero);
        if !other.counts.is_empty() {
            let window = self.window(other.first..other.first + other.counts.len());
            for (count, more) in window.iter_mut().zip(&other.counts) {
                *count = count.saturating_add(*more);
            }
        }
    }

    /// Adds all counts of an encoded sketch, without building it.
    ///
    /// # Errors
    /// When the bytes are not a sketch; nothing is added then.
    pub fn merge_encoded(&mut self, bytes: &[u8]) -> Result<(), Corrupt> {
        codec::merge(self, bytes)
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(self.zero, |sum, count| sum.saturating_add(*count))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.zero == 0 && self.counts.iter().all(|count| *count == 0)
    }

    /// The value that a share `q` of all values does not exceed (nearest rank), microseconds, within 0.54 % and half a
    /// microsecond; `q` below 0 is 0, above 1 it is 1. Absent when there is no value, or `q` is not a number.
    pub fn quantile(&self, q: f64) -> Option<u32> {
        let count = self.count();
        if count == 0 || q.is_nan() {
            return None;
        }
        // Counts above 2^53 are beyond what an f64 tells apart, and beyond what is ever stored.
        let rank = ((q.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count);
        let mut below = self.zero;
        if rank <= below {
            return Some(0);
        }
        for (offset, count) in self.counts.iter().enumerate() {
            below = below.saturating_add(*count);
            if rank <= below {
                return Some(index::middle(self.first + offset));
            }
        }
        None
    }

    /// The stored form: a version byte, then about a byte for each bucket that is not empty.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When the bytes are not exactly what [`Sketch::encode`] gives.
    pub fn decode(bytes: &[u8]) -> Result<Sketch, Corrupt> {
        let mut sketch = Sketch::new();
        sketch.merge_encoded(bytes)?;
        Ok(sketch)
    }

    /// The counts of these buckets, made when they are not there yet.
    fn window(&mut self, buckets: Range<usize>) -> &mut [u64] {
        if self.counts.is_empty() {
            self.first = buckets.start;
        }
        if buckets.start < self.first {
            let more = self.first - buckets.start;
            self.counts.splice(0..0, std::iter::repeat_n(0, more));
            self.first = buckets.start;
        }
        let (start, end) = (buckets.start - self.first, buckets.end - self.first);
        if self.counts.len() < end {
            self.counts.resize(end, 0);
        }
        &mut self.counts[start..end]
    }

    /// Every bucket that is not empty, and its count.
    fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(n, count)| (self.first + n, *count))
    }
}

/// The same counts, whatever the order in which they came.
impl PartialEq for Sketch {
    fn eq(&self, other: &Sketch) -> bool {
        self.zero == other.zero && self.filled().eq(other.filled())
    }
}

impl Eq for Sketch {}
