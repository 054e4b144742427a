//! Who calls: a bearer token that belongs to one probe in one region.

use crate::{App, api::Rejected, config::Config, secret, secret::TokenHash};
use axum::{extract::FromRequestParts, http::header::AUTHORIZATION};
use http::request::Parts;
use wire::{ProbeId, RegionId};

/// The tokens of all probes.
#[derive(Debug, Clone, Default)]
pub struct Tokens(Vec<(TokenHash, Caller)>);

/// A probe that has shown its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub probe: ProbeId,
    pub region: RegionId,
}

impl Tokens {
    /// Reads every probe's token, and returns every problem, not only the first.
    ///
    /// # Errors
    /// One for each token that cannot be read or is another probe's too.
    pub fn read(config: &Config) -> Result<Tokens, Vec<(ProbeId, String)>> {
        let mut tokens: Vec<(TokenHash, Caller)> = Vec::new();
        let mut problems = Vec::new();
        for (id, probe) in &config.probes {
            match TokenHash::read(&probe.token) {
                Ok(hash) => match tokens.iter().find(|(other, _)| other.matches(&hash)) {
                    Some((_, other)) => problems.push((
                        id.clone(),
                        format!("has the same token as {}: give each probe its own", other.probe),
                    )),
                    None => tokens.push((hash, Caller { probe: id.clone(), region: probe.region.clone() })),
                },
                Err(error) => problems.push((id.clone(), describe(&error))),
            }
        }
        if problems.is_empty() { Ok(Tokens(tokens)) } else { Err(problems) }
    }

    /// Whose token it is. Every known token is compared, each in constant time.
    pub fn caller(&self, token: &str) -> Option<&Caller> {
        let hash = TokenHash::of(token);
        self.0
            .iter()
            .fold(None, |found, (known, caller)| if known.matches(&hash) { Some(caller) } else { found })
    }
}

/// An error with its cause.
fn describe(error: &secret::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error} ({cause})"),
        None => error.to_string(),
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejected> {
        let token = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(bearer)
            .ok_or_else(|| unauthorised("send the probe's token as `Authorization: Bearer …`"))?;
        app.tokens.caller(token).cloned().ok_or_else(|| {
            unauthorised(
                "no probe in the configuration has this token; compare the probe's token file with `token` of the \
                 probe in sextant.yaml, and restart the collector after changing it",
            )
        })
    }
}

/// The token of an `Authorization` header. The scheme's name may be written in any case (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unauthorised(detail: &str) -> Rejected {
    Rejected::new(401, "unknown-token", "The token is not known", detail)
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn the_scheme_may_be_written_in_any_case() {
        for value in ["Bearer t-1", "bearer t-1", "BEARER  t-1 "] {
            assert_eq!(bearer(value), Some("t-1"), "{value}");
        }
        for value in ["", "Bearer", "Basic t-1", "Bearert-1", "t-1"] {
            assert_eq!(bearer(value), None, "{value}");
        }
    }
}
