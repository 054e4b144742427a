//! Query strings: every parameter is known, and given once.
//!
//! A parameter that is passed over in silence answers another question than the one that was asked, and nobody notices.

use super::{
    Rejected,
    select::{quoted, wrong},
};
use crate::config::nearest;
use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

/// The parameters of a route. All values are texts: whoever uses one says what is wrong with it.
pub trait Known: DeserializeOwned {
    /// Their names.
    const NAMES: &'static [&'static str];
    /// Whether others are passed over. Only for programs of other versions, which may say more than this one knows.
    const OTHERS: bool = false;
}

/// A query whose mistakes are told as a problem document.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: Known> FromRequestParts<S> for Params<T> {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejected> {
        let unreadable = |error: axum::extract::rejection::QueryRejection| wrong(error.body_text());
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(unreadable)?;
        let mut seen: Vec<&str> = Vec::new();
        for (name, _) in &pairs {
            if !T::NAMES.contains(&name.as_str()) {
                if T::OTHERS {
                    continue;
                }
                return Err(stranger(name, T::NAMES));
            }
            if seen.contains(&name.as_str()) {
                return Err(wrong(format!(
                    "{name} is given twice; give it once. Several values, where they are taken, are separated by commas"
                )));
            }
            seen.push(name);
        }
        let Query(params) = Query::<T>::try_from_uri(&parts.uri).map_err(unreadable)?;
        Ok(Params(params))
    }
}

fn stranger(name: &str, known: &[&str]) -> Rejected {
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("; did you mean {near}?"),
        None => ".".to_owned(),
    };
    wrong(format!("there is no parameter {}{hint} This route takes: {}", quoted(name), known.join(", ")))
}
