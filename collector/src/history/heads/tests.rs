use super::*;
use crate::history::{
    erasures::Selection,
    tests::{CHECKS, HOUR_US, T0, config, report, sample, step},
};

fn heads() -> (Heads, Assigned) {
    (Heads::new(&[0; SHARDS]), Assigned::new(&config()))
}

/// Everything that a check has in memory: probe, target, part, position, and age at `T0` in seconds.
fn held(heads: &Heads, check: &str) -> Vec<(String, String, String, i64, i64)> {
    let mut rows = Vec::new();
    heads.each(check, |key, head| {
        let SeriesKey { probe, target, part, .. } = key.clone();
        rows.extend(head.rows(i64::MIN, i64::MAX).map(|(position, row)| {
            (probe.clone(), target.clone(), part.clone(), position, (T0.0 - row.at) / 1_000_000)
        }));
    });
    rows.sort();
    rows
}

fn row(probe: &str, target: &str, part: &str, position: i64, age: i64) -> (String, String, String, i64, i64) {
    (probe.into(), target.into(), part.into(), position, age)
}

#[test]
fn runs_and_steps_become_rows_of_their_series() {
    let (heads, configured) = heads();
    let mut buy = sample("buy", "a", 7);
    buy.steps = vec![step("open"), step("pay"), step("invented")];
    let samples = vec![
        sample("home", "a", 5),
        buy,
        sample("home", "b", 4),
        sample("home", "public", 3),
        sample("gone", "a", 3),
        sample("dns", "a", 8 * 86_400),
    ];
    heads.take(&configured, 1, T0, 0, &report("p", 1, samples));
    heads.take(
        &configured,
        2,
        T0,
        1_000_000,
        &report("q", 1, vec![sample("home", "a", 5), sample("dns", "a", 5)]),
    );
    assert_eq!(
        held(&heads, "home"),
        [row("p", "a", "", 1, 5), row("p", "b", "", 1, 4), row("q", "a", "", 2, 4)]
    );
    assert_eq!(
        held(&heads, "buy"),
        [row("p", "a", "", 1, 7), row("p", "a", "open", 1, 7), row("p", "a", "pay", 1, 7)]
    );
    assert_eq!(held(&heads, "dns"), [], "too old, and not from q");
    assert_eq!((heads.rows(), heads.taken()), (6, 2));
    let counts: Vec<Arrivals> = heads.arrivals().into_values().collect();
    let expected = Arrivals { taken: 3, unconfigured: 3, too_old: 1, ..Arrivals::default() };
    let from_q = Arrivals { taken: 1, unconfigured: 1, ..Arrivals::default() };
    assert_eq!(counts, [expected, from_q]);
    assert_eq!(heads.memory().0, 6);
    assert!(heads.memory().1 >= 6 * 48);
}

#[test]
fn an_entry_counts_once_and_nothing_comes_back_below_the_cursor() {
    let (heads, configured) = heads();
    let first = report("p", 1, vec![sample("home", "a", 5), sample("dns", "a", 5)]);
    heads.take(&configured, 3, T0, 0, &first);
    heads.take(&configured, 3, T0, 0, &first);
    assert_eq!(heads.rows(), 2);
    let shard = shard_of("home");
    let unsealed = heads.unsealed(shard);
    assert_eq!((unsealed.cursor, unsealed.position, unsealed.series.len()), (0, 3, 1));
    heads.take(&configured, 4, T0, 0, &report("p", 2, vec![sample("home", "a", 1)]));
    heads.sealed(shard, unsealed.position);
    assert_eq!(held(&heads, "home"), [row("p", "a", "", 4, 1)], "what came since stays");
    assert_eq!(heads.rows(), 2);

    // After a restart the log is read again from the shard that is furthest behind.
    let cursors: Vec<i64> = heads.shards().map(|held| held.cursor).collect();
    let again = Heads::new(&cursors.try_into().expect("all shards"));
    assert_eq!(again.taken(), 0);
    again.take(&configured, 3, T0, 0, &first);
    assert_eq!(held(&again, "home"), []);
    assert_eq!(held(&again, "dns"), [row("p", "a", "", 3, 5)]);
}

#[test]
fn a_number_is_looked_up_once() {
    let (heads, configured) = heads();
    heads.take(&configured, 1, T0, 0, &report("p", 1, vec![sample("home", "a", 5)]));
    let shard = shard_of("home");
    let (key, id, _) = heads.unsealed(shard).series.remove(0);
    assert_eq!(id, None);
    heads.number(shard, &[(key, 17)]);
    assert_eq!(heads.unsealed(shard).series[0].1, Some(17));
}

#[test]
fn what_was_erased_goes_and_does_not_come_again() {
    let (heads, configured) = heads();
    let both = || vec![sample("home", "a", 5), sample("home", "a", 7_200), sample("home", "b", 5)];
    heads.take(&configured, 1, T0, 0, &report("p", 1, both()));
    let selection = Selection {
        check: Some("home".into()),
        target: Some("a".into()),
        from: Some(T0.0 - HOUR_US),
        ..Selection::default()
    };
    heads.erase(&Erasures::new(vec![(2, selection)]));
    let rest = [row("p", "a", "", 1, 7_200), row("p", "b", "", 1, 5)];
    assert_eq!(held(&heads, "home"), rest);
    assert_eq!(heads.rows(), 2);
    // The entry at 2 was in the log when the erasure was asked for; that at 3 came after it.
    heads.take(&configured, 2, T0, 0, &report("p", 2, both()));
    heads.take(&configured, 3, T0, 0, &report("p", 3, both()));
    assert_eq!(held(&heads, "home").len(), 2 + 2 + 3);
}

#[test]
fn all_checks_have_series_of_their_own_even_in_one_shard() {
    // The checks of the test configuration, of which two share a shard.
    let mut shards: Vec<usize> = CHECKS.iter().map(|check| shard_of(check)).collect();
    shards.sort_unstable();
    shards.dedup();
    assert!(shards.len() < CHECKS.len() && shards.len() > 1, "{shards:?}");
}

#[test]
fn each_shard_knows_how_many_samples_came_since_it_was_sealed() {
    let (heads, configured) = heads();
    let (home, dns) = (shard_of("home"), shard_of("dns"));
    assert_ne!(home, dns);
    let held = |shard| heads.shards().nth(shard).expect("a shard");
    let mut buy = sample("buy", "a", 5);
    buy.steps = vec![step("open"), step("pay")];
    heads.take(&configured, 4, T0, 0, &report("p", 1, vec![sample("home", "a", 5), buy]));
    heads.pass(6);
    // Two samples, two steps, one report and one entry that is none.
    assert_eq!(held(home), Held { rows: 1, cursor: 0, behind: 6 });
    assert_eq!(held(dns), Held { rows: 0, cursor: 0, behind: 6 });
    heads.sealed(dns, 6);
    assert_eq!(held(dns), Held { rows: 0, cursor: 6, behind: 0 });
    heads.take(&configured, 7, T0, 0, &report("p", 2, vec![sample("home", "a", 5); 20_000]));
    heads.sealed(home, 6);
    heads.take(&configured, 8, T0, 0, &report("p", 3, vec![sample("home", "a", 5)]));
    heads.sealed(dns, 7);
    assert_eq!((held(dns).behind, held(home).rows), (2, 20_001));
    assert!(held(home).behind >= 20_003);
    // Sealed by another collector, further than this one has read.
    heads.sealed(dns, 100);
    assert_eq!(held(dns).behind, 0);
}
