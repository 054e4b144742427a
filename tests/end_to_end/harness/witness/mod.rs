//! Somebody who reports as several probes at once, remembers what was acknowledged, and compares it with what is stored.
//!
//! Reports are posted by HTTP without the product's own uplink, by several senders at a time: new ones together with
//! those that were not acknowledged, out of order, in batches that overlap, now and then with some that were
//! acknowledged, and once in a while with one twice. [`account`] keeps the books, [`content`] makes every report from
//! its number alone, [`post`] is one request, [`history`] what the history must tell of it all.

mod account;
mod content;
pub mod history;
mod post;

use super::{LONG, config, eventually};
use account::Account;
use anyhow::ensure;
use collector::{decide::Event, store::Store};
use post::{Answer, Post};
use runtime::random::Random;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet};
use wire::ProbeId;

/// Probes that it reports as.
pub const PROBES: usize = 3;
/// Senders for each of them.
const SENDERS: usize = 2;
/// The longest pause between two requests of a sender.
const PAUSE: Duration = Duration::from_millis(40);
/// How long after an attempt that failed.
const RETRY: Duration = Duration::from_millis(25);
/// How many log entries are read at a time.
const CHUNK: i64 = 500;

/// What came of all requests so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Reports that were acknowledged, each once.
    pub acknowledged: u64,
    /// Requests that were refused for now (429, 503).
    pub refused: u64,
    /// Requests without an answer.
    pub broken: u64,
}

/// The running witness. Dropping it ends its senders.
#[derive(Debug)]
pub struct Witness {
    shared: Arc<Shared>,
    senders: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    accounts: Vec<Mutex<Account>>,
    counts: watch::Sender<Counts>,
    /// What must never happen, as it was seen.
    wrong: Mutex<Vec<String>>,
    /// Why the last batch that was not taken was not.
    trouble: watch::Sender<String>,
    /// No more new reports.
    closing: watch::Sender<bool>,
}

impl Shared {
    fn account(&self, index: usize) -> MutexGuard<'_, Account> {
        self.accounts[index].lock().expect("nobody panics while he writes the account")
    }

    fn wrong(&self) -> MutexGuard<'_, Vec<String>> {
        self.wrong.lock().expect("nobody panics while he writes a line")
    }
}

impl Witness {
    /// Begins to report. The tokens are in `folder`, where [`config`] has put them; senders share the collectors among
    /// them and go to the next one when one does not take a batch.
    pub fn start(folder: &Path, collectors: &[SocketAddr], seed: u64) -> anyhow::Result<Witness> {
        let mut accounts = Vec::new();
        let mut posts = Vec::new();
        for index in 0..PROBES {
            let probe = config::witness(index);
            let token = std::fs::read_to_string(folder.join(format!("{probe}.token")))?;
            for sender in 0..SENDERS {
                let first = (index * SENDERS + sender) % collectors.len();
                posts.push((index, Post::new(collectors, first, token.trim().to_owned())?));
            }
            accounts.push(Mutex::new(Account::open(probe, seed)));
        }
        let (counts, closing) = (watch::Sender::new(Counts::default()), watch::Sender::new(false));
        let shared = Arc::new(Shared {
            accounts,
            counts,
            wrong: Mutex::default(),
            trouble: watch::Sender::default(),
            closing,
        });
        let mut senders = JoinSet::new();
        for (number, (index, post)) in posts.into_iter().enumerate() {
            let random = Random::seeded(seed.wrapping_mul(1_000).wrapping_add(number as u64));
            senders.spawn(send(Arc::clone(&shared), index, post, random));
        }
        Ok(Witness { shared, senders })
    }

    /// What came of the requests so far.
    pub fn counts(&self) -> Counts {
        *self.shared.counts.borrow()
    }

    /// Waits for the next acknowledgement.
    pub async fn next_acknowledged(&self) {
        let mut counts = self.shared.counts.subscribe();
        let before = counts.borrow_and_update().acknowledged;
        // The sender of this channel lives as long as we do.
        let _ = counts.wait_for(|counts| counts.acknowledged > before).await;
    }

    /// Fails when something was seen that must never happen.
    pub fn check(&self) -> anyhow::Result<()> {
        let wrong = self.shared.wrong();
        ensure!(wrong.is_empty(), "{} things went wrong: {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
        Ok(())
    }

    /// Makes no new reports, and waits until all are acknowledged. Says how many each probe made.
    pub async fn finish(&mut self) -> anyhow::Result<Counts> {
        self.shared.closing.send_replace(true);
        eventually("every report is acknowledged", LONG, async || {
            let pending: usize = (0..PROBES).map(|index| self.shared.account(index).pending()).sum();
            let trouble = self.shared.trouble.borrow().clone();
            ensure!(pending == 0, "{pending} reports are not acknowledged, lately because of: {trouble}");
            Ok(())
        })
        .await;
        while let Some(ended) = self.senders.join_next().await {
            ended?;
        }
        Ok(self.counts())
    }

    /// Compares with what is stored, one by one: each report that was acknowledged is there once with the content that it
    /// was sent with, and nothing else is there of these probes. Returns the number of samples. Call it after
    /// [`Witness::finish`].
    pub async fn compare(&self, store: &Store) -> anyhow::Result<u64> {
        let index_of: BTreeMap<ProbeId, usize> =
            (0..PROBES).map(|index| (config::witness(index), index)).collect();
        let mut samples = 0;
        let mut position = 0;
        loop {
            let logged = store.log_after(position, CHUNK).await?;
            let Some(last) = logged.last() else { break };
            position = last.position;
            for entry in logged {
                let Event::Report { report, .. } = &*entry.event else { continue };
                if let Some(index) = index_of.get(&report.probe) {
                    self.shared.account(*index).tick_off(report)?;
                    samples += report.samples.len() as u64;
                }
            }
        }
        for index in 0..PROBES {
            self.shared.account(index).check_all_ticked()?;
        }
        self.check()?;
        Ok(samples)
    }
}

/// One sender: posts batch after batch until everything is acknowledged and no more is wanted.
async fn send(shared: Arc<Shared>, index: usize, mut post: Post, random: Random) {
    loop {
        let closing = *shared.closing.borrow();
        let Some(batch) = shared.account(index).next_batch(&random, !closing) else {
            if closing && shared.account(index).pending() == 0 {
                return;
            }
            tokio::time::sleep(RETRY).await;
            continue;
        };
        let answer = post.send(&batch, &random).await;
        let new = shared.account(index).settle(&batch, &answer);
        let new = new.unwrap_or_else(|wrong| {
            shared.wrong().push(wrong.to_string());
            0
        });
        if let Answer::Later(why) | Answer::Broken(why) = &answer {
            shared.trouble.send_replace(why.clone());
        }
        shared.counts.send_modify(|counts| match answer {
            Answer::Taken(_) => counts.acknowledged += new,
            Answer::Later(_) => counts.refused += 1,
            Answer::Broken(_) | Answer::Wrong(_) => counts.broken += 1,
        });
        let taken = matches!(answer, Answer::Taken(_));
        tokio::time::sleep(if taken { PAUSE.mul_f64(random.unit()) } else { RETRY }).await;
    }
}
