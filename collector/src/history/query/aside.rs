//! Work that waits and computes in turn, such as decoding what a database hands on piece by piece: on a thread that may
//! block, so that it holds up nobody else.

use tokio::{
    runtime::Handle,
    task::{JoinError, spawn_blocking},
};
use tokio_util::sync::CancellationToken;

/// Runs it. Where nobody waits any more, it ends the next time it waits for something; what it is given tells, for work
/// that seldom waits.
///
/// # Errors
/// When it panicked, or the program is ending.
pub async fn run<T, F>(work: impl FnOnce(CancellationToken) -> F + Send + 'static) -> Result<T, JoinError>
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    let wanted = CancellationToken::new();
    let given_up = wanted.clone().drop_guard();
    let runtime = Handle::current();
    let done =
        spawn_blocking(move || runtime.block_on(wanted.run_until_cancelled(work(wanted.clone())))).await?;
    drop(given_up);
    // It is cancelled by nobody but the guard, which was there until now.
    Ok(done.expect("nobody gave it up"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::pending, sync::mpsc, time::Duration};

    #[tokio::test]
    async fn work_waits_and_blocks_and_ends_when_nobody_waits_for_it() {
        let done = run(async |_| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            std::thread::sleep(Duration::from_millis(1));
            7
        });
        assert_eq!(done.await.expect("it does not panic"), 7);
        run(async |_| panic!("as it is to")).await.expect_err("it panics");

        struct Says(mpsc::Sender<&'static str>);
        impl Drop for Says {
            fn drop(&mut self) {
                self.0.send("ended").expect("heard");
            }
        }
        let (says, heard) = mpsc::channel();
        let work = run(async move |_| {
            let _says = Says(says.clone());
            says.send("begun").expect("heard");
            pending::<()>().await
        });
        let waiting = tokio::spawn(work);
        let next = async |heard: mpsc::Receiver<&'static str>| {
            spawn_blocking(move || (heard.recv().expect("a word"), heard)).await.expect("no panic")
        };
        let (word, heard) = next(heard).await;
        assert_eq!(word, "begun");
        waiting.abort();
        assert_eq!(next(heard).await.0, "ended");
    }
}
