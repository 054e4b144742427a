//! Roll-ups packed by the day say what their rows say.

use super::{
    Engine,
    history::{key, rollup},
    stories::T0,
};
use crate::store::{DayOfCheck, Packed, PackedDay, Rollups, Seal, Store, StoredDay};
use std::collections::BTreeMap;

const DAY: i64 = 20_776;

fn of(day: i64, check: &str) -> DayOfCheck {
    DayOfCheck { day, check: check.into() }
}

/// Roll-ups of two series of `a` and of one of `b`, by the day of a check.
async fn fill(store: &Store, term: i64) -> BTreeMap<DayOfCheck, Rollups> {
    let keys = [key("a", "r1", ""), key("a", "r2", "step"), key("b", "r1", "")];
    let ids = store.series_ids(&keys).await.expect("given");
    let mut all: BTreeMap<DayOfCheck, Rollups> = BTreeMap::new();
    // The last hour of a day, the first and the last of the next, and the first of the day after that.
    for (series, check, hours) in
        [(ids[0], "a", &[-1, 0, 23, 24][..]), (ids[1], "a", &[0, 7]), (ids[2], "b", &[23])]
    {
        for hour in hours.iter().map(|hour| DAY * 24 + hour) {
            let day = all.entry(of(hour.div_euclid(24), check)).or_default();
            day.insert((series, hour), rollup(hour.unsigned_abs(), 5));
        }
    }
    let rollups: Rollups = all.values().flatten().map(|(hour, rollup)| (*hour, rollup.clone())).collect();
    let days: Vec<PackedDay> = all.iter().map(|(of, rollups)| PackedDay::new(of.clone(), rollups)).collect();
    let seal =
        Seal { shard: 1, from: 0, changes: 0, position: 1, segments: &[], rollups: &rollups, days: &days };
    assert!(store.seal(term, &seal).await.expect("sealed"));
    all
}

#[tokio::test]
async fn packed_days_are_read_alike_on_both_engines() {
    for engine in Engine::both() {
        let store = engine.open().await;
        let wanted = [of(DAY, "a"), of(DAY, "b"), of(DAY + 1, "a"), of(DAY + 1, "b")];
        assert_eq!(store.packed_days(&wanted).await.expect("read"), BTreeMap::new());
        assert_eq!(store.rollups_of(&wanted[0]).await.expect("read"), Rollups::new());
        let term = store.take_lease("me", T0).await.expect("taken");
        let all = fill(&store, term).await;

        for (of, rollups) in &all {
            assert_eq!(store.rollups_of(of).await.expect("read"), *rollups, "{of:?}");
        }
        // Hours of other days and series of other checks are left out, and so is what has none.
        assert_eq!(all[&wanted[0]].len(), 4);
        assert_eq!(store.rollups_of(&wanted[3]).await.expect("read"), Rollups::new());
        let packed = |of: &DayOfCheck| (of.clone(), PackedDay::new(of.clone(), &all[of]));
        let expected: BTreeMap<DayOfCheck, PackedDay> = wanted[..3].iter().map(packed).collect();
        assert_eq!(store.packed_days(&wanted).await.expect("read"), expected);
        assert_eq!(store.packed_days([&wanted[1]]).await.expect("read").len(), 1);
        assert_eq!(store.packed_days([]).await.expect("read"), BTreeMap::new());

        handed_on(&store, &expected).await;

        // A day that was never packed, and one that is damaged, are packed from their rows.
        store.unpack("a").await.expect("forgotten");
        assert_eq!(store.packed_days(&wanted).await.expect("made again"), expected);
        for sql in ["UPDATE rollup_day SET whole = $1", "UPDATE rollup_day SET hours = $1"] {
            for bytes in [&[][..], &[255; 40]] {
                store.overwrite(sql, bytes).await;
                assert_eq!(store.packed_days(&wanted).await.expect("made again"), expected);
            }
        }
        store.close().await;
    }
}

/// What a question gets: whole days or hours of some checks, until it has enough.
async fn handed_on(store: &Store, expected: &BTreeMap<DayOfCheck, PackedDay>) {
    let mut snapshot = store.history().await.expect("a snapshot");
    let both = ["a".to_owned(), "b".to_owned()];
    let mut read = async |checks: &[String], days, what, most: usize| -> Vec<StoredDay> {
        let mut found = Vec::new();
        let reading = snapshot.packed(checks, days, what, |day| {
            found.push(day);
            std::future::ready(found.len() < most)
        });
        reading.await.expect("read");
        found.sort_by(|a, b| (a.day, &a.check_id).cmp(&(b.day, &b.check_id)));
        found
    };
    for what in [Packed::Whole, Packed::Hours] {
        let told: Vec<(i64, String, Vec<u8>)> = read(&both, DAY..DAY + 2, what, 9)
            .await
            .into_iter()
            .map(|d| (d.day, d.check_id, d.data))
            .collect();
        let bytes = |packed: &PackedDay| match what {
            Packed::Whole => packed.whole.clone(),
            Packed::Hours => packed.hours.clone(),
        };
        let wanted: Vec<_> =
            expected.iter().map(|(of, packed)| (of.day, of.check.clone(), bytes(packed))).collect();
        assert_eq!(told, wanted);
    }
    // The end is not in it.
    assert_eq!(read(&both, DAY - 1..DAY, Packed::Hours, 9).await.len(), 1);
    assert_eq!(read(&both, DAY..DAY, Packed::Hours, 9).await.len(), 0);
    assert_eq!(read(&both[1..], DAY - 9..DAY + 9, Packed::Hours, 9).await.len(), 1);
    assert_eq!(read(&[], DAY - 9..DAY + 9, Packed::Hours, 9).await.len(), 0);
    assert_eq!(read(&both, DAY - 9..DAY + 9, Packed::Whole, 2).await.len(), 2, "it has enough");
    snapshot.end().await.expect("ended");
}
