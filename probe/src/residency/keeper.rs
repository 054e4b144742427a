//! The store as tasks use it: its blocking calls run on threads that may block, and trouble is told now and then.

use super::{Limits, Record, Store};
use crate::{complaint::Complaint, runner::Taken};
use runtime::{clock::SharedClock, lock::lock, random::Random};
use std::{
    error::Error,
    io,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tracing::{error, info};
use wire::{Micros, residency::Withheld};

/// Keeps what was withheld.
pub struct Keeper {
    store: Arc<Mutex<Lazy>>,
    clock: SharedClock,
    random: Random,
    complaint: Complaint,
}

/// A store that is opened when it is needed first, and again after it could not be.
struct Lazy {
    folder: PathBuf,
    limits: Limits,
    open: Option<Store>,
}

impl Keeper {
    /// A keeper over a folder, which need not be there.
    pub fn new(folder: PathBuf, limits: Limits, clock: SharedClock, random: Random) -> Keeper {
        let store = Arc::new(Mutex::new(Lazy { folder, limits, open: None }));
        Keeper { store, clock, random, complaint: Complaint::default() }
    }

    /// Keeps what was taken out of these samples, and writes the hashes into them. Where the disk refuses it is lost.
    pub async fn keep(&mut self, taken: &mut [Taken]) {
        let mut records = Vec::new();
        let mut places = Vec::new();
        for (place, Taken { probe, sample, withheld }) in taken.iter_mut().enumerate() {
            if let Some(content) = withheld.take() {
                records.push(Record::new(probe.clone(), sample, &content, self.random.bytes()));
                places.push(place);
            }
        }
        if records.is_empty() {
            return;
        }
        let hashes: Vec<String> = records.iter().map(|record| record.hash.clone()).collect();
        let now = self.clock.now();
        match self.with(move |store| store.keep(&records, now)).await {
            Ok(()) => {
                for (place, hash) in places.into_iter().zip(hashes) {
                    let evidence = taken[place].sample.evidence.as_mut();
                    if let Some(evidence) = evidence {
                        evidence.withheld = Some(Withheld::Kept(hash));
                    }
                }
                if self.complaint.settle() {
                    info!("evidence that must stay here is kept again");
                }
            }
            Err(error) if self.complaint.is_due() => {
                error!(
                    error = &error as &dyn Error,
                    "evidence that must stay on this probe cannot be written and is lost: is the data folder writable, \
                     and the disk not full?"
                );
            }
            Err(_) => {}
        }
    }

    /// Deletes what has reached its age, also where nothing new comes.
    pub async fn expire(&mut self) {
        let now: Micros = self.clock.now();
        let looked = self.with(move |store| {
            store.expire(now);
            Ok(())
        });
        if let Err(error) = looked.await
            && self.complaint.is_due()
        {
            error!(error = &error as &dyn Error, "the evidence kept on this probe cannot be looked at");
        }
    }

    async fn with(&self, work: impl FnOnce(&mut Store) -> io::Result<()> + Send + 'static) -> io::Result<()> {
        let store = Arc::clone(&self.store);
        let end = tokio::task::spawn_blocking(move || {
            let mut lazy = lock(&store);
            let Lazy { folder, limits, open } = &mut *lazy;
            let store = match open {
                Some(store) => store,
                None => open.insert(Store::open(folder.clone(), *limits)?),
            };
            work(store)
        });
        end.await.expect("the store does not panic, and is cancelled only with the runtime that waits for it")
    }
}
