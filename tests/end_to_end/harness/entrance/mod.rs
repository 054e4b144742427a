//! The public entrance: it takes signed webhooks, spreads requests by the weights that they bring, and can be told to
//! misbehave towards the sender of webhooks.

mod book;
mod proxy;
mod steer;

pub use book::{Effect, Told};

use anyhow::Context;
use axum::{Router, routing::post};
use book::Book;
use lab::link::{Fault, Shape, TcpLink};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use wire::RegionId;

/// How the entrance treats those who bring webhooks. Users are served all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Normal,
    /// Answers 503 and changes nothing.
    Unavailable,
    /// Takes the request and does not answer it; changes nothing.
    Hang,
    /// Applies what it is told, and does not answer: the sender cannot know.
    ApplyAndHang,
    /// Refuses connections, and resets those that exist.
    Refuse,
}

/// A running entrance. Dropping it closes its port.
pub struct Entrance {
    inner: Arc<Inner>,
    address: SocketAddr,
    door: TcpLink,
    server: JoinHandle<()>,
}

/// What the handlers share.
struct Inner {
    /// The judge of signatures, independent of the product.
    hook: standardwebhooks::Webhook,
    upstreams: BTreeMap<RegionId, SocketAddr>,
    client: reqwest::Client,
    mood: watch::Sender<Mood>,
    book: Mutex<Book>,
    /// The newest webhook that changed the weights.
    applied: watch::Sender<Option<Told>>,
}

impl Inner {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nobody panics while he holds the book")
    }
}

impl Entrance {
    /// Opens the entrance before the regions' servers, with equal weights.
    pub async fn open(secret: &str, upstreams: BTreeMap<RegionId, SocketAddr>) -> anyhow::Result<Entrance> {
        let hook = standardwebhooks::Webhook::new(secret).context("the secret is no webhook key")?;
        let book = Mutex::new(Book::new(upstreams.keys()));
        let client = runtime::tls::http_client(Duration::from_millis(500))?;
        let (mood, applied) = (watch::Sender::new(Mood::Normal), watch::Sender::new(None));
        let inner = Arc::new(Inner { hook, upstreams, client, mood, book, applied });
        let router = Router::new()
            .route("/steer", post(steer::take))
            .fallback(proxy::pass)
            .with_state(Arc::clone(&inner));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a listener of this machine does not fail");
        });
        let door = TcpLink::listen(address, Shape::default(), Shape::default(), 0).await?;
        Ok(Entrance { inner, address, door, server })
    }

    /// Where users arrive.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where webhooks arrive.
    pub fn webhook(&self) -> SocketAddr {
        self.door.addr()
    }

    /// Changes how webhooks are treated. Those that hang are then answered with 503.
    pub fn set_mood(&self, mood: Mood) {
        self.inner.mood.send_replace(mood);
        self.door.control().set_fault(if mood == Mood::Refuse { Fault::Refuse } else { Fault::None });
    }

    /// Every webhook that arrived, in order.
    pub fn told(&self) -> Vec<Told> {
        self.inner.book().told.clone()
    }

    /// Those that changed the weights, in order.
    pub fn applied(&self) -> Vec<Told> {
        let mut told = self.told();
        told.retain(|told| told.effect == Effect::Applied);
        told
    }

    /// Waits for the next webhook that changes the weights.
    pub async fn next_applied(&self) -> Told {
        let mut arrived = self.inner.applied.subscribe();
        loop {
            // The sender lives as long as this entrance.
            let _ = arrived.changed().await;
            if let Some(told) = arrived.borrow_and_update().clone() {
                return told;
            }
        }
    }

    /// The weights in force.
    pub fn weights(&self) -> BTreeMap<RegionId, u8> {
        self.inner.book().weights.clone()
    }

    /// Users' requests sent to each region since the webhook `told` arrived, or since the beginning.
    pub fn served_since(&self, told: Option<&Told>) -> BTreeMap<RegionId, usize> {
        let from = told.map_or(0, |told| told.served_before);
        let book = self.inner.book();
        let mut counts: BTreeMap<RegionId, usize> =
            self.inner.upstreams.keys().map(|region| (region.clone(), 0)).collect();
        for region in &book.served[from..] {
            *counts.entry(region.clone()).or_default() += 1;
        }
        counts
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        self.server.abort();
    }
}
