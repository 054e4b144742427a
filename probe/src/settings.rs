//! What the operator tells one probe process; everything else comes from the collector.

use crate::{net::Override, residency::Limits, selfcheck::Control};
use std::{convert::Infallible, fmt, net::SocketAddr, path::PathBuf, str::FromStr};
use url::Url;
use wire::RegionId;

/// The default of [`Settings::spool_bytes`]: 64 MiB, about a day and a half of one sample a second.
pub const DEFAULT_SPOOL_BYTES: u64 = 64 << 20;

/// The settings of one probe.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where this probe stands. The collector refuses a token that belongs to another region.
    pub region: RegionId,
    /// Base addresses of the collectors, tried in order; the next one when one fails. At least one.
    pub collectors: Vec<Url>,
    /// Proves to the collector which probe this is.
    pub token: Token,
    /// The folder for the spool and the kept assignment. One probe a folder.
    pub data: PathBuf,
    /// Addresses to use instead of asking DNS.
    pub resolve: Vec<Override>,
    /// Where to answer `/healthz`, `/readyz` and `/metrics`; nowhere when absent.
    pub listen: Option<SocketAddr>,
    /// The most disk the spool may take, bytes; when it is full, the oldest samples are lost first.
    pub spool_bytes: u64,
    /// Where to knock to know whether this probe's own network works, besides the collectors.
    pub control: Vec<Control>,
    /// Lowers how many runs may be under way at one time; otherwise open files and memory say.
    pub runs_most: Option<usize>,
    /// The file that names the secrets checks may use, and where each is; none when absent.
    pub secrets: Option<PathBuf>,
    /// How much evidence is kept here, where a region's policy does not let it travel.
    pub evidence: Limits,
}

/// A bearer token. Neither `Debug` nor any log shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token; white space around it (a trailing line end of a file) is left out.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().trim().to_owned())
    }

    /// The token itself, for the one place that sends it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Token {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_trimmed_and_never_printed() {
        let token: Token = "s3cret\n".parse().expect("any text is a token");
        assert_eq!(token.reveal(), "s3cret");
        assert!(!format!("{token:?}").contains("s3cret"));
    }
}
