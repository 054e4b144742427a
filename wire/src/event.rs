//! How receivers are told: CloudEvents 1.0 (structured JSON mode) bodies with Standard Webhooks 1.0.0 headers.

use crate::{Micros, RegionId, ServiceId, plan::Plan};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The event type of a new plan.
pub const WEIGHTS_CHANGED: &str = "sextant.steering.weights_changed";
/// The header with the stable id of a delivery (Standard Webhooks).
pub const HEADER_ID: &str = "webhook-id";
/// The header with the Unix seconds of the attempt (Standard Webhooks).
pub const HEADER_TIMESTAMP: &str = "webhook-timestamp";
/// The header with `v1,<base64 HMAC-SHA256>` over `id.timestamp.body` (Standard Webhooks).
pub const HEADER_SIGNATURE: &str = "webhook-signature";
/// How far a receiver's clock may be from the timestamp, seconds (Standard Webhooks reference libraries).
pub const TOLERANCE_SECONDS: i64 = 300;

/// A CloudEvents envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudEvent<T> {
    pub specversion: String,
    /// Equal to the `webhook-id` header; stable over retries.
    pub id: String,
    /// Who sent it, for example `/sextant/collector`.
    pub source: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// The service it is about.
    pub subject: String,
    #[serde(with = "crate::instant::rfc3339")]
    pub time: Micros,
    pub datacontenttype: String,
    pub data: T,
}

/// The data of a [`WEIGHTS_CHANGED`] event: the whole new state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsChanged {
    pub service: ServiceId,
    /// Apply only if above the last one applied (compare the term first, then the generation).
    pub generation: i64,
    pub term: i64,
    /// 0 to 100 for each region of the service.
    pub weights: BTreeMap<RegionId, u8>,
    pub reason: String,
}

/// Wraps a plan for a receiver.
pub fn weights_changed(id: String, plan: &Plan) -> CloudEvent<WeightsChanged> {
    CloudEvent {
        specversion: "1.0".into(),
        id,
        source: "/sextant/collector".into(),
        kind: WEIGHTS_CHANGED.into(),
        subject: plan.service.to_string(),
        time: plan.created,
        datacontenttype: "application/json".into(),
        data: WeightsChanged {
            service: plan.service.clone(),
            generation: plan.generation,
            term: plan.term,
            weights: plan.weights.clone(),
            reason: plan.reason.clone(),
        },
    }
}
