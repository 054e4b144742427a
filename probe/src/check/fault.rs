//! What went wrong, with its class and a sentence for people.

use super::handshake;
use std::{error::Error, io, net::SocketAddr};
use wire::sample::FailClass;

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) class: FailClass,
    /// One sentence: what was expected and what happened. Not yet redacted or cut.
    pub(super) summary: String,
}

impl Fault {
    pub(super) fn new(class: FailClass, summary: impl Into<String>) -> Fault {
        Fault { class, summary: summary.into() }
    }

    pub(super) fn request(summary: impl Into<String>) -> Fault {
        Fault::new(FailClass::Request, summary)
    }

    pub(super) fn assertion(summary: impl Into<String>) -> Fault {
        Fault::new(FailClass::Assertion, summary)
    }

    /// The connection was there and broke.
    pub(super) fn lost(when: &str, error: &io::Error) -> Fault {
        // Servers with TLS 1.3 refuse a client's certificate after the handshake.
        if inner_tls(error).is_some() {
            return Fault::tls(error);
        }
        Fault::new(FailClass::Connect, format!("the connection was lost{when}: {}", io_words(error)))
    }

    /// The connection could not be made.
    pub(super) fn connect(address: SocketAddr, error: &io::Error) -> Fault {
        if let Some(lack) = local_lack(error) {
            // The target is not to blame for what this machine lacks.
            return Fault::request(format!("this probe could not open a connection: {lack}"));
        }
        let class = match error.kind() {
            io::ErrorKind::TimedOut => FailClass::Timeout,
            _ => FailClass::Connect,
        };
        Fault::new(class, format!("connection to {address} failed: {}", io_words(error)))
    }

    /// The TLS handshake failed.
    pub(super) fn tls(error: &io::Error) -> Fault {
        let why = match inner_tls(error) {
            Some(error) => handshake::words(error),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the server closed the connection in the handshake".to_owned()
            }
            None => format!("the connection was lost in the handshake: {}", io_words(error)),
        };
        Fault::new(FailClass::Tls, format!("TLS failed: {why}"))
    }

    /// Speaking HTTP failed. `answered` says whether a response head had arrived.
    pub(super) fn http(error: &hyper::Error, answered: bool) -> Fault {
        if let Some(error) = io_cause(error) {
            if inner_tls(error).is_some() {
                return Fault::tls(error);
            }
            let reset = matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted
            );
            return match (answered, reset) {
                (false, true) => Fault::new(
                    FailClass::Connect,
                    format!("the connection was lost before any answer: {}", io_words(error)),
                ),
                (false, false) => Fault::new(FailClass::Protocol, format!("no answer: {}", io_words(error))),
                (true, _) => {
                    Fault::new(FailClass::Protocol, format!("the answer was cut short: {}", io_words(error)))
                }
            };
        }
        let (class, text) = if error.is_parse() {
            (FailClass::Protocol, format!("the answer is not valid HTTP: {}", chain(error)))
        } else if error.is_user() {
            (FailClass::Request, format!("the request cannot be sent: {}", chain(error)))
        } else if answered {
            (FailClass::Protocol, format!("the answer was cut short: {}", chain(error)))
        } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            let text = "the server closed the connection before a complete answer";
            (FailClass::Protocol, text.to_owned())
        } else {
            (FailClass::Protocol, format!("the answer is not valid HTTP: {}", chain(error)))
        };
        Fault::new(class, text)
    }
}

/// What this machine lacks, when that is why no socket could be had.
fn local_lack(error: &io::Error) -> Option<&'static str> {
    // Linux errno values; the standard library has no kinds for them.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = 105;
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::AddrNotAvailable, _) => Some("no local address or port is free"),
        (io::ErrorKind::OutOfMemory, _) | (_, Some(ENOBUFS)) => Some("out of memory"),
        (_, Some(ENFILE | EMFILE)) => Some("too many open files"),
        _ => None,
    }
}

/// An I/O error without the operating system's number.
pub(super) fn io_words(error: &io::Error) -> String {
    let known = match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused, nothing listens there",
        io::ErrorKind::ConnectionReset => "reset by the other side",
        io::ErrorKind::ConnectionAborted => "aborted",
        io::ErrorKind::BrokenPipe => "closed by the other side while sending",
        io::ErrorKind::HostUnreachable => "host unreachable",
        io::ErrorKind::NetworkUnreachable => "network unreachable",
        io::ErrorKind::PermissionDenied => "not permitted by this machine",
        io::ErrorKind::TimedOut => "the system gave up waiting for an answer",
        io::ErrorKind::UnexpectedEof => "the connection was closed",
        _ => return error.to_string(),
    };
    known.to_owned()
}

/// The error of TLS in it.
pub(super) fn inner_tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn io_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    causes(error).find_map(|error| error.downcast_ref())
}

/// An error, its cause, the cause of that, and so on.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let this = next?;
        next = this.source();
        Some(this)
    })
}

/// An error with its causes, without saying anything twice.
fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).skip(1).fold(error.to_string(), |mut all, cause| {
        let cause = cause.to_string();
        if !all.ends_with(&cause) {
            all = format!("{all}: {cause}");
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_way_a_connection_failed() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        for (kind, class, word) in [
            (io::ErrorKind::ConnectionRefused, FailClass::Connect, "refused"),
            (io::ErrorKind::NetworkUnreachable, FailClass::Connect, "unreachable"),
            (io::ErrorKind::TimedOut, FailClass::Timeout, "gave up"),
            (io::ErrorKind::AddrNotAvailable, FailClass::Request, "this probe"),
        ] {
            let fault = Fault::connect(address, &kind.into());
            assert_eq!(fault.class, class);
            assert!(fault.summary.contains(word), "{}", fault.summary);
        }
        let files = Fault::connect(address, &io::Error::from_raw_os_error(24));
        assert_eq!(files, Fault::request("this probe could not open a connection: too many open files"));
    }
}
