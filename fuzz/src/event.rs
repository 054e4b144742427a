//! What receivers are told and what refusals look like, as others read them; and webhook secrets.

use crate::json;
use collector::secret::WebhookKey;
use wire::{
    event::{CloudEvent, WeightsChanged},
    plan::Plan,
    problem::Problem,
    report::Accepted,
};

/// Reads the bytes as each of these.
pub fn run(data: &[u8]) {
    json::round_trip::<CloudEvent<WeightsChanged>>(data);
    json::round_trip::<Problem>(data);
    json::round_trip::<Accepted>(data);
    if let Some(plan) = json::round_trip::<Plan>(data) {
        let shares: f64 = plan.weights.keys().map(|region| plan.share(region)).sum();
        assert!((0.0..=1.000_001).contains(&shares), "shares of {shares}");
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(key) = WebhookKey::parse(text) {
        assert!((24..=64).contains(&key.bytes().len()));
        assert!(!format!("{key:?}").contains(text), "a secret was printed");
    }
}
