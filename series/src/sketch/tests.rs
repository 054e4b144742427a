//! Against exact quantiles, and against bytes of strangers.

use super::*;
use proptest::{collection::vec, prelude::*};

fn sketch(values: &[u32]) -> Sketch {
    let mut sketch = Sketch::new();
    values.iter().for_each(|&value| sketch.add(value));
    sketch
}

/// Durations of all magnitudes.
fn any_us() -> impl Strategy<Value = u32> {
    prop_oneof![1 => Just(0), 9 => (0_u32..32, any::<u32>()).prop_map(|(shift, value)| value >> shift)]
}

fn within(estimate: u32, exact: u32) -> bool {
    // (b-1)/(b+1), and the rounding to a microsecond.
    f64::from(estimate.abs_diff(exact)) <= 0.005_42 * f64::from(exact) + 0.5
}

proptest! {
    #[test]
    fn quantiles_are_near(mut values in vec(any_us(), 1..500), q in 0.0..=1.0_f64) {
        let sketch = sketch(&values);
        values.sort_unstable();
        let rank = ((q * values.len() as f64).ceil() as usize).max(1);
        let (exact, estimate) = (values[rank - 1], sketch.quantile(q).expect("there are values"));
        prop_assert!(within(estimate, exact), "{estimate} is not {exact}");
        if exact >= 1_000 {
            prop_assert!((f64::from(estimate) / f64::from(exact) - 1.0).abs() <= 0.006);
        }
    }

    #[test]
    fn merging_is_adding_all(a in vec(any_us(), 0..200), b in vec(any_us(), 0..200)) {
        let mut merged = sketch(&a);
        merged.merge(&sketch(&b));
        let all = sketch(&[a.clone(), b.clone()].concat());
        prop_assert_eq!(&merged, &all);
        prop_assert_eq!(merged.count(), (a.len() + b.len()) as u64);
        let mut stored = sketch(&b);
        stored.merge_encoded(&sketch(&a).encode()).expect("just written");
        prop_assert_eq!(stored.encode(), all.encode());
    }

    #[test]
    fn it_comes_back(values in vec((any_us(), 1..u64::MAX >> 12), 0..200)) {
        let mut sketch = Sketch::new();
        values.iter().for_each(|&(value, times)| sketch.add_many(value, times));
        prop_assert_eq!(Sketch::decode(&sketch.encode()), Ok(sketch));
    }

    /// Whatever is accepted is the one encoding of what was read.
    #[test]
    fn other_bytes_are_refused(bytes in vec(any::<u8>(), 0..60)) {
        let bytes = [vec![1], bytes].concat();
        if let Ok(sketch) = Sketch::decode(&bytes) {
            prop_assert_eq!(sketch.encode(), bytes);
        }
    }

    #[test]
    fn a_cut_is_noticed_or_shorter(values in vec(any_us(), 1..100), left: prop::sample::Index) {
        let sketch = sketch(&values);
        let bytes = sketch.encode();
        if let Ok(cut) = Sketch::decode(&bytes[..left.index(bytes.len())]) {
            prop_assert!(cut.count() < sketch.count());
        }
    }
}

#[test]
fn without_values_there_is_no_quantile() {
    let empty = Sketch::new();
    assert_eq!((empty.count(), empty.quantile(0.5), empty.is_empty()), (0, None, true));
    assert_eq!(empty.encode(), [1, 0]);
    assert_eq!(sketch(&[5]).quantile(f64::NAN), None);
}

#[test]
fn the_ends_are_there() {
    let ends = sketch(&[0, 1, u32::MAX]);
    assert_eq!([-1.0, 0.0, 0.5].map(|q| ends.quantile(q)), [0, 0, 1].map(Some));
    assert!(ends.quantile(2.0).is_some_and(|most| within(most, u32::MAX)));
    // Versions before the first and after the last.
    assert!(matches!(Sketch::decode(&[0, 0]), Err(Corrupt::Damaged { .. })));
    assert_eq!(Sketch::decode(&[2, 0]), Err(Corrupt::Newer { what: "sketch", version: 2 }));
    assert!(Sketch::decode(&[]).is_err());
}

#[test]
fn small_values_are_exact() {
    for value in 0..92 {
        assert_eq!(sketch(&[value]).quantile(0.5), Some(value));
    }
}

#[test]
fn a_refused_sketch_adds_nothing() {
    let mut sketch = sketch(&[1, 2, 3]);
    let before = sketch.clone();
    // One zero, one value of 1, and a step that is none.
    assert!(sketch.merge_encoded(&[1, 1, 0, 0, 0x81]).is_err());
    assert_eq!(sketch, before);
}

#[test]
fn counts_stop_at_the_most() {
    let mut sketch = Sketch::new();
    sketch.add_many(7, u64::MAX);
    sketch.add_many(7, 1);
    sketch.add_many(0, 5);
    assert_eq!((sketch.count(), sketch.quantile(1.0)), (u64::MAX, Some(7)));
}
