//! Names that people give to things: lower-case slugs, checked once, at the edge.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr, sync::Arc};

/// The longest id accepted, the limit of a DNS label (RFC 1035, 2.3.4), because ids become host labels.
pub const MAX_LEN: usize = 63;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an id: use 1 to {MAX_LEN} lower-case letters, digits and hyphens, beginning and ending with a letter or digit"
)]
pub struct BadId(pub String);

/// Checks the shape shared by all ids: `[a-z0-9]([a-z0-9-]*[a-z0-9])?`, at most [`MAX_LEN`] bytes.
fn is_slug(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= MAX_LEN
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

/// Reads an id without making a string of its own first: samples are many, and each names a check.
pub(crate) struct Text<T>(pub(crate) std::marker::PhantomData<T>);

impl<T: FromStr<Err = BadId>> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                if is_slug(&text) { Ok(Self(text.into())) } else { Err(BadId(text)) }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text(std::marker::PhantomData))
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                if is_slug(text) { Ok(Self(text.into())) } else { Err(BadId(text.to_owned())) }
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )*};
}

ids! {
    /// Where users and servers are, for example `eu-west-1`.
    RegionId;
    /// What users use: a public address with one endpoint in each of its regions.
    ServiceId;
    /// A measurement on a schedule.
    CheckId;
    /// One probe process, a vantage in a region.
    ProbeId;
    /// Somebody who is told about plans, for example an entrance that receives reroute webhooks.
    ReceiverId;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accepts_slugs_and_refuses_the_rest() {
        for good in ["a", "eu-west-1", "0", &"x".repeat(63)] {
            assert!(good.parse::<RegionId>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "ä", "a b", &"x".repeat(64)] {
            assert!(bad.parse::<RegionId>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_survives_json(text in ".{0,80}") {
            if let Ok(id) = text.parse::<CheckId>() {
                let json = serde_json::to_string(&id).expect("ids serialise");
                prop_assert_eq!(serde_json::from_str::<CheckId>(&json).expect("and parse"), id);
            } else {
                let json = serde_json::to_string(&text).expect("strings serialise");
                prop_assert!(serde_json::from_str::<CheckId>(&json).is_err());
            }
        }
    }
}
