//! Reports that probes with a token sent, folded into the decision core: one batch a line.

use crate::{json, parts};
use collector::{
    config::{self, Config},
    decide::{Core, Effect, Event, State},
};
use std::sync::{Arc, OnceLock};
use wire::{Micros, report::Batch};

const DOCUMENT: &str = r"
version: 1
regions: { r1: {}, r2: {}, r3: {} }
probes:
  p1: { region: r1, token: { env: T1 } }
  p2: { region: r2, token: { env: T2 } }
  p3: { region: r3, token: { env: T3 } }
services:
  shop:
    public: http://shop.test
    region_header: x-region
    regions: { r1: http://r1.test, r2: http://r2.test, r3: http://r3.test }
    receivers: [edge]
checks:
  c: { service: shop, http: { path: /health }, interval: 2s, timeout: 2s, slower_than: 800ms }
  u: { service: shop, http: { path: / }, to: public, interval: 1s, timeout: 2s }
receivers:
  edge: { webhook: 'http://edge.test/steer', secret: { env: EDGE } }
steering:
  failback: { recover: 10s, recover_max: 60s, steps: [10, 50, 100], every: 5s }
";
const START: Micros = Micros(1_795_000_000_000_000);

fn document() -> Arc<Config> {
    static PARSED: OnceLock<Arc<Config>> = OnceLock::new();
    let parsed = || Arc::new(config::parse(DOCUMENT, "fuzz").expect("a good document"));
    PARSED.get_or_init(parsed).clone()
}

/// Folds every line that is a batch; a second passes with each line.
pub fn run(data: &[u8]) {
    let mut core = Core::new(document(), State::default(), 7);
    let (mut now, mut rest, mut last) = (START, data, (0, 0));
    while !rest.is_empty() {
        let (line, after) = parts::line(rest);
        rest = after;
        now = now.plus_us(1_000_000);
        if let Ok(Batch { sent, reports, lost }) = serde_json::from_str(&line) {
            for report in reports {
                let event = Event::Report { received: now, sent, report, lost };
                // As it is kept in the log.
                json::same_again(&event);
                core.apply(&event, now);
            }
        }
        for effect in core.apply(&Event::Tick, now) {
            if let Effect::Plan { plan, .. } = effect {
                assert!(plan.weights.values().any(|weight| *weight > 0), "an empty plan: {plan:?}");
                assert!((plan.term, plan.generation) > last, "a plan went back: {plan:?}");
                last = (plan.term, plan.generation);
            }
        }
        json::same_again(&core.state);
    }
}
