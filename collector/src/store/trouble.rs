//! What is wrong with the machine under the database, read from SQLite's result codes and PostgreSQL's SQLSTATE.
//!
//! Sources: <https://www.sqlite.org/rescode.html>, <https://www.postgresql.org/docs/15/errcodes-appendix.html>.

use std::io;

/// A fault of the disk, the file or the server, as opposed to one of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No space left.
    DiskFull,
    /// The file system, or the server, takes no writes.
    ReadOnly,
    /// Another program, or another transaction, holds a lock.
    Locked,
    /// The server cannot be reached, or the connection broke.
    Lost,
    /// The server did not answer in time, or all connections were busy.
    Slow,
    /// Reading or writing failed below the database.
    InputOutput,
    /// What is stored contradicts itself.
    Damaged,
}

impl Trouble {
    /// Reads an error; absent when it is about the request, as a violated constraint.
    pub fn of(error: &sqlx::Error) -> Option<Trouble> {
        match error {
            sqlx::Error::Database(error) => {
                let code = error.code()?;
                match error.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
                    Some(_) => sqlite(code.parse().ok()?),
                    None => postgres(&code),
                }
            }
            sqlx::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => Some(Trouble::Slow),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Some(Trouble::Lost),
            sqlx::Error::PoolTimedOut => Some(Trouble::Slow),
            sqlx::Error::WorkerCrashed => Some(Trouble::InputOutput),
            _ => None,
        }
    }
}

/// An extended result code; its low byte is the primary one.
fn sqlite(code: i32) -> Option<Trouble> {
    // SQLITE_IOERR_SHMSIZE: the index of the write-ahead log could not grow, which is a full disk.
    const IOERR_SHMSIZE: i32 = 10 | (19 << 8);
    match (code, code & 0xff) {
        (IOERR_SHMSIZE, _) | (_, 13) => Some(Trouble::DiskFull),
        (_, 5 | 6) => Some(Trouble::Locked),
        (_, 8) => Some(Trouble::ReadOnly),
        // NOMEM, IOERR, CANTOPEN, and PROTOCOL of the locks
        (_, 7 | 10 | 14 | 15) => Some(Trouble::InputOutput),
        (_, 11 | 26) => Some(Trouble::Damaged),
        _ => None,
    }
}

fn postgres(state: &str) -> Option<Trouble> {
    match state {
        "53100" => Some(Trouble::DiskFull),
        "25006" => Some(Trouble::ReadOnly),
        // lock_not_available, serialization_failure, deadlock_detected
        "55P03" | "40001" | "40P01" => Some(Trouble::Locked),
        // query_canceled (the statement's time), and the other resources of class 53
        "57014" => Some(Trouble::Slow),
        "XX001" | "XX002" => Some(Trouble::Damaged),
        // the idle session and transaction timeouts, and logins that are refused
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25P02" | "3D000" => Some(Trouble::Lost),
        _ => match state.get(..2)? {
            "08" | "28" => Some(Trouble::Lost),
            "53" => Some(Trouble::Slow),
            "58" => Some(Trouble::InputOutput),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_sqlite() {
        for (code, trouble) in [
            (13, Some(Trouble::DiskFull)),
            (4874, Some(Trouble::DiskFull)),
            (5, Some(Trouble::Locked)),
            (261, Some(Trouble::Locked)),      // SQLITE_BUSY_RECOVERY
            (1032, Some(Trouble::ReadOnly)),   // SQLITE_READONLY_DBMOVED
            (778, Some(Trouble::InputOutput)), // SQLITE_IOERR_WRITE
            (14, Some(Trouble::InputOutput)),
            (779, Some(Trouble::Damaged)), // SQLITE_CORRUPT_INDEX
            (2067, None),                  // SQLITE_CONSTRAINT_UNIQUE
            (1, None),
        ] {
            assert_eq!(sqlite(code), trouble, "{code}");
        }
    }

    #[test]
    fn states_of_postgresql() {
        for (state, trouble) in [
            ("53100", Some(Trouble::DiskFull)),
            ("53300", Some(Trouble::Slow)),
            ("25006", Some(Trouble::ReadOnly)),
            ("55P03", Some(Trouble::Locked)),
            ("57014", Some(Trouble::Slow)),
            ("57P01", Some(Trouble::Lost)),
            ("08006", Some(Trouble::Lost)),
            ("28P01", Some(Trouble::Lost)),
            ("58030", Some(Trouble::InputOutput)),
            ("XX001", Some(Trouble::Damaged)),
            ("23505", None),
            ("42P01", None),
        ] {
            assert_eq!(postgres(state), trouble, "{state}");
        }
    }

    #[test]
    fn errors_that_are_not_the_databases() {
        let cut = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(Trouble::of(&sqlx::Error::Io(cut)), Some(Trouble::Lost));
        assert_eq!(Trouble::of(&sqlx::Error::PoolTimedOut), Some(Trouble::Slow));
        assert_eq!(Trouble::of(&sqlx::Error::RowNotFound), None);
    }
}
