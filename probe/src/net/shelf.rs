//! Connections that checks keep for their next run. Each belongs to one series and one server; nothing is shared.

use runtime::lock::lock;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Mutex,
    time::{Duration, Instant},
};
use wire::{CheckId, assignment::Target};

/// The most connections that are kept at a time.
const KEPT_MOST: usize = 1024;
/// How often is looked for what was kept for too long.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Whose connection it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) check: CheckId,
    pub(crate) target: Target,
    /// Scheme, host and port.
    pub(crate) origin: String,
    /// Where every address of a name is measured: which of them.
    pub(crate) address: Option<SocketAddr>,
}

struct Place<T> {
    until: Instant,
    thing: T,
}

struct Places<T> {
    swept: Instant,
    things: HashMap<Owner, Place<T>>,
}

/// What is kept, for a while.
pub(crate) struct Shelf<T> {
    places: Mutex<Places<T>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf { places: Mutex::new(Places { swept: Instant::now(), things: HashMap::new() }) }
    }
}

impl<T> Shelf<T> {
    /// Takes what is kept for `owner`: two runs at a time never have the same.
    pub(crate) fn take(&self, owner: &Owner, now: Instant) -> Option<T> {
        let place = lock(&self.places).things.remove(owner)?;
        (now <= place.until).then_some(place.thing)
    }

    /// Keeps a thing until then, in place of an older one. Where the shelf is full, it is dropped.
    pub(crate) fn keep(&self, owner: Owner, thing: T, until: Instant) {
        let mut places = lock(&self.places);
        if places.things.len() < KEPT_MOST || places.things.contains_key(&owner) {
            places.things.insert(owner, Place { until, thing });
        }
    }

    /// Drops what nobody came for: its check has ended, or was changed.
    pub(crate) fn sweep(&self, now: Instant) {
        let mut places = lock(&self.places);
        if !places.things.is_empty() && now.saturating_duration_since(places.swept) >= SWEEP_EVERY {
            places.swept = now;
            places.things.retain(|_, place| now <= place.until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(n: usize) -> Owner {
        Owner {
            check: format!("c{n}").parse().expect("an id"),
            target: Target::Public,
            origin: "http://a.test:80".into(),
            address: None,
        }
    }

    #[test]
    fn things_are_taken_once_and_not_after_their_time() {
        let shelf = Shelf::default();
        let now = Instant::now();
        let minute = Duration::from_secs(60);
        shelf.keep(owner(1), "a", now + minute);
        assert_eq!(shelf.take(&owner(2), now), None);
        assert_eq!((shelf.take(&owner(1), now), shelf.take(&owner(1), now)), (Some("a"), None));
        shelf.keep(owner(1), "b", now + minute);
        assert_eq!(shelf.take(&owner(1), now + 2 * minute), None);
    }

    #[test]
    fn the_shelf_is_bounded_and_swept() {
        let shelf = Shelf::default();
        let now = Instant::now();
        for n in 0..KEPT_MOST + 5 {
            shelf.keep(owner(n), n, now + Duration::from_secs(1));
        }
        assert_eq!(lock(&shelf.places).things.len(), KEPT_MOST);
        shelf.sweep(now);
        assert_eq!(lock(&shelf.places).things.len(), KEPT_MOST);
        shelf.sweep(now + Duration::from_secs(60));
        assert_eq!(lock(&shelf.places).things.len(), 0);
    }
}
