//! The connection: numbered calls, their answers, and events, over one websocket (flat sessions).

use anyhow::{Context, anyhow, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;

/// How long one call may take on a busy machine.
const ANSWER: Duration = Duration::from_secs(30);

/// A connection to a browser. Cheap to clone.
#[derive(Clone)]
pub struct Cdp(Arc<Inner>);

struct Inner {
    outgoing: mpsc::UnboundedSender<Message>,
    last: AtomicU64,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    events: Mutex<Vec<Value>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cdp {
    /// Connects to the address that the browser printed.
    pub async fn connect(address: &str) -> anyhow::Result<Cdp> {
        let (socket, _) = tokio_tungstenite::connect_async(address).await.context("cannot reach DevTools")?;
        let (mut write, mut read) = socket.split();
        let (outgoing, mut queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::default());
        tokio::spawn(async move {
            while let Some(message) = queue.recv().await {
                if write.send(message).await.is_err() {
                    return;
                }
            }
        });
        let heard = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Some(Ok(message)) = read.next().await {
                let Message::Text(text) = message else { continue };
                let Ok(value) = serde_json::from_str::<Value>(&text) else { continue };
                match value["id"].as_u64() {
                    Some(id) => {
                        if let Some(answer) = lock(&heard.waiting).remove(&id) {
                            // Whoever gave up waiting does not mind.
                            let _ = answer.send(value);
                        }
                    }
                    None => lock(&heard.events).push(value),
                }
            }
            // Without a browser nobody will be answered.
            lock(&heard.waiting).clear();
        });
        Ok(Cdp(Arc::new(Inner { outgoing, last: AtomicU64::new(0), shared })))
    }

    /// Calls a method, in a session or of the browser itself, and returns its result.
    ///
    /// # Errors
    /// When the browser refuses, is gone, or does not answer in time.
    pub async fn call(&self, session: Option<&str>, method: &str, params: Value) -> anyhow::Result<Value> {
        let id = self.0.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (answer, answered) = oneshot::channel();
        lock(&self.0.shared.waiting).insert(id, answer);
        let mut call = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            call["sessionId"] = json!(session);
        }
        self.0.outgoing.send(Message::text(call.to_string())).map_err(|_| anyhow!("the browser is gone"))?;
        let mut answer = match timeout(ANSWER, answered).await {
            Ok(answer) => answer.with_context(|| format!("the browser went away during {method}"))?,
            Err(_) => bail!("{method} was not answered within {ANSWER:?}"),
        };
        match answer.get("error") {
            Some(error) => bail!("{method} was refused: {error}"),
            None => Ok(answer["result"].take()),
        }
    }

    /// Everything that the browser told of a session by itself so far.
    pub fn events(&self, session: &str) -> Vec<Value> {
        lock(&self.0.shared.events).iter().filter(|event| event["sessionId"] == session).cloned().collect()
    }
}
