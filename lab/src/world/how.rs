//! The ways to break a region.

use serde::Serialize;
use std::{fmt, str::FromStr};

/// How a region is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// The shop is stopped: connections are refused.
    Refuse,
    /// Every path to the shop swallows what is sent, also that of the region's own vantage. The region's other
    /// paths work.
    Blackhole,
    /// The shop answers every request with status 500.
    Errors,
    /// The shop takes 1.5 s longer for every answer.
    Slow,
    /// The region is cut off: nothing passes between it and any other site, the collector included.
    Partition,
    /// The shop copies its carts 30 s late.
    Lag,
}

/// A word that is not a way to break a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no way to break a region: use one of {list}", list = How::ALL.map(How::as_str).join(", "))]
pub struct UnknownHow {
    /// The word.
    pub word: String,
}

impl How {
    /// All ways.
    pub const ALL: [How; 6] = [How::Refuse, How::Blackhole, How::Errors, How::Slow, How::Partition, How::Lag];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            How::Refuse => "refuse",
            How::Blackhole => "blackhole",
            How::Errors => "errors",
            How::Slow => "slow",
            How::Partition => "partition",
            How::Lag => "lag",
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for How {
    type Err = UnknownHow;

    fn from_str(word: &str) -> Result<How, UnknownHow> {
        How::ALL.into_iter().find(|how| how.as_str() == word).ok_or_else(|| UnknownHow { word: word.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_and_others_are_explained() {
        for how in How::ALL {
            assert_eq!(how.to_string().parse(), Ok(how));
        }
        let error = "explode".parse::<How>().expect_err("no such way").to_string();
        assert!(error.contains("refuse, blackhole, errors, slow, partition, lag"), "{error}");
    }
}
