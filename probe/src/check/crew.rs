//! Keeps a connection moving inside the task that uses it.
//!
//! hyper wants its connection driven by somebody. A spawned task would outlive a run that is cut, and would put
//! the scheduler between the socket and the stop watch. So the helpers are polled right beside the work, and
//! are dropped with it.

use super::record::Recorder;
use futures_util::stream::{FuturesUnordered, Stream};
use runtime::lock::lock;
use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

type Helper = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where hyper leaves the helpers that it wants run.
#[derive(Clone, Default)]
pub(super) struct Inbox {
    waiting: Arc<Mutex<Vec<Helper>>>,
}

impl Inbox {
    fn take(&self) -> Vec<Helper> {
        std::mem::take(&mut *lock(&self.waiting))
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Inbox {
    fn execute(&self, helper: F) {
        lock(&self.waiting).push(Box::pin(helper));
    }
}

/// The helpers of one connection.
#[derive(Default)]
pub(super) struct Crew {
    inbox: Inbox,
    at_work: FuturesUnordered<Helper>,
}

impl Crew {
    /// What to give to hyper as its executor.
    pub(super) fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }

    /// Adds a helper.
    pub(super) fn hire(&self, helper: impl Future<Output = ()> + Send + 'static) {
        self.at_work.push(Box::pin(helper));
    }

    /// Does `work` while the helpers help.
    pub(super) async fn assist<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(done),
            Poll::Pending => {
                self.poll_helpers(context);
                Poll::Pending
            }
        })
        .await
    }

    /// Lets the helpers go on as far as they can without waiting.
    pub(super) async fn catch_up(&mut self) {
        poll_fn(|context| {
            self.poll_helpers(context);
            Poll::Ready(())
        })
        .await;
    }

    /// Polls until no helper can go on. Whatever they finish wakes the task, and so the work.
    fn poll_helpers(&mut self, context: &mut Context<'_>) {
        loop {
            self.at_work.extend(self.inbox.take());
            match Pin::new(&mut self.at_work).poll_next(context) {
                Poll::Ready(Some(())) => {}
                // A helper may have called for another one while it was polled.
                Poll::Ready(None) | Poll::Pending => {
                    let more = self.inbox.take();
                    if more.is_empty() {
                        return;
                    }
                    self.at_work.extend(more);
                }
            }
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        // A helper left in the inbox holds the inbox: without this, both and the socket would leak.
        drop(self.inbox.take());
    }
}

/// A socket that tells the stop watch when written bytes have left.
pub(super) struct Stamped<S> {
    socket: S,
    witness: Witness,
    unflushed: bool,
}

/// The stop watch that a socket tells: another one for each run, where a connection serves several.
pub(super) type Witness = Arc<Mutex<Recorder>>;

impl<S> Stamped<S> {
    pub(super) fn new(socket: S, recorder: Recorder) -> Stamped<S> {
        Stamped { socket, witness: Arc::new(Mutex::new(recorder)), unflushed: false }
    }

    /// Whom it tells.
    pub(super) fn witness(&self) -> Witness {
        self.witness.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stamped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stamped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write(context, bytes))?;
        self.unflushed |= written > 0;
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write_vectored(context, bytes))?;
        self.unflushed |= written > 0;
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(context))?;
        // hyper flushes when its own buffer is empty, so at the first flush a request is out as a whole.
        if std::mem::take(&mut self.unflushed) {
            lock(&self.witness).flushed();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::rt::Executor;

    #[tokio::test]
    async fn helpers_help_and_are_dropped_with_the_crew() {
        let alive = Arc::new(());
        let mut crew = Crew::default();
        let (answer, wanted) = tokio::sync::oneshot::channel();
        let (inbox, token) = (crew.inbox(), alive.clone());
        crew.hire(async move {
            let another = token.clone();
            // A helper that calls for another, which never ends.
            inbox.clone().execute(async move {
                let _sent = answer.send(7);
                std::future::pending::<()>().await;
                drop((another, inbox));
            });
            std::future::pending::<()>().await;
            drop(token);
        });
        assert_eq!(crew.assist(wanted).await, Ok(7));
        let (inbox, token) = (crew.inbox(), alive.clone());
        crew.inbox().execute(async move { drop((inbox, token)) });
        assert_eq!(Arc::strong_count(&alive), 4);
        drop(crew);
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
