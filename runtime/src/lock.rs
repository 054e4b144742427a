//! Mutexes that outlive a panic: the data they guard is always left whole, so a poisoned lock is still good.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a panic elsewhere. Use it only for data that is never left half changed.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
