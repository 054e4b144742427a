//! The journeys of `deploy/examples/journeys.yaml`, read as a collector reads them and run by a probe's engine against
//! shops of this process: each passes when all is well, and says what is wrong when something is.

mod shop;

use collector::config::{self, Config};
use probe::{
    check::{Measured, Run, Trace, run},
    net::{Net, Override},
};
use shop::{Fault, World};
use std::path::Path;
use wire::{Micros, sample::Outcome};

const REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];

/// The example without TLS, which the shops of this process do not speak.
fn example() -> Config {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/journeys.yaml");
    let text = std::fs::read_to_string(path).expect("the example");
    config::parse(&text.replace("https://shop", "http://shop"), "journeys.yaml").expect("it is right")
}

/// One check of the example against a world, from a vantage in the EU.
async fn check(id: &str, fault: Fault) -> (Measured, World) {
    let (config, world) = (example(), World::default());
    world.set(fault);
    let mut resolve = Vec::new();
    for region in REGIONS {
        let address = world.shop(region).await;
        resolve.push(format!("shop.{region}.example.com:80={address}"));
    }
    resolve.push(format!("shop.example.com:80={}", world.entrance().await));
    let resolve = resolve.iter().map(|text| text.parse::<Override>().expect("an override")).collect();
    let net = Net::new(resolve).expect("a network");
    let probe = "probe-eu".parse().expect("an id");
    let assigned = config::assignment(&config, 1, &probe).expect("is configured");
    let check = assigned.checks.iter().find(|check| check.id.as_str() == id).expect("is in the example");
    let trace = Trace { trace_id: [7; 16], span_id: [7; 8] };
    let context = Run { trace, started: Micros(1_795_132_800_000_000), explain: true };
    let measured = run(check, &check.endpoints[0], &net, &context).await;
    (measured, world)
}

async fn passes(id: &str) -> (Measured, World) {
    let (found, world) = check(id, Fault::None).await;
    assert_eq!(found.outcome, Outcome::Ok, "{id}: {:?}", found.evidence);
    (found, world)
}

/// The failing step, if the check has any, and the sentence.
async fn fails(id: &str, fault: Fault, step: Option<&str>, sentence: &str) -> (Measured, World) {
    let (found, world) = check(id, fault).await;
    let evidence = found.evidence.clone().unwrap_or_else(|| panic!("{id} must fail"));
    assert!(found.outcome.is_fail(), "{found:?}");
    assert_eq!(evidence.step.as_deref(), step, "{}", evidence.summary);
    assert!(evidence.summary.contains(sentence), "{}", evidence.summary);
    (found, world)
}

#[tokio::test]
async fn a_session_survives_a_change_of_region() {
    let (found, world) = passes("session").await;
    let served: Vec<_> = found.steps.iter().map(|step| step.served_by.as_deref().unwrap_or("")).collect();
    assert_eq!(served, ["eu-central-1", "eu-west-1", "eu-central-1"]);
    assert_eq!(world.sessions(), 0, "logged out");

    let step = Some("still logged in elsewhere");
    let (_, world) =
        fails("session", Fault::SessionsStay, step, "expected status 200, saw 401 Unauthorized").await;
    assert_eq!(world.sessions(), 0, "logged out after the failure too");
    fails(
        "session",
        Fault::HeadersLie,
        Some("log in"),
        "expected to be served by this region, saw us-east-1",
    )
    .await;
}

#[tokio::test]
async fn what_was_written_can_be_read_elsewhere() {
    let (found, world) = passes("read-your-writes").await;
    let read = &found.steps[1];
    assert!(read.attempts > 1, "replication takes two reads here: {read:?}");
    assert!(read.until_us.is_some_and(|us| us <= read.total_us), "{read:?}");
    assert_eq!(world.notes(), 0, "deleted");

    let sentence = "expected $.text to be \"said at 2026-11-20";
    let (found, world) = fails("read-your-writes", Fault::Stale, Some("read elsewhere"), sentence).await;
    let summary = found.evidence.expect("failed").summary;
    assert!(
        summary.starts_with("not within 2.00 s (") && summary.ends_with("saw \"an old text\""),
        "{summary}"
    );
    assert_eq!((found.steps[1].until_us, world.notes()), (None, 0));
}

#[tokio::test]
async fn users_of_the_eu_are_served_in_the_eu() {
    let (found, _) = passes("residency").await;
    assert_eq!(found.served_by.as_deref(), Some("eu-west-1"));
    let sentence = "expected to be served by eu-central-1 or eu-west-1, saw us-east-1";
    fails("residency", Fault::WrongRegion, None, sentence).await;
}

#[tokio::test]
async fn a_cache_hits_and_forgets() {
    passes("cdn").await;
    let sentence = "expected header x-cache to match /^MISS/, saw \"HIT from edge\"";
    fails("cdn", Fault::PurgeDoesNothing, Some("miss after the purge"), sentence).await;
}

#[tokio::test]
async fn a_broken_checkout_is_seen_while_health_is_well() {
    let (found, world) = passes("checkout").await;
    assert_eq!((found.steps.len(), world.carts()), (4, 0));
    let sent = &found.trail[0];
    assert!(sent.url.ends_with("/products?q=tea%20%26%20biscuits"), "{}", sent.url);

    let sentence = "expected status 200, saw 502 Bad Gateway";
    let (found, world) = fails("checkout", Fault::NoPayments, Some("pay"), sentence).await;
    let outcomes: Vec<_> = found.steps.iter().map(|step| step.outcome.is_fail()).collect();
    assert_eq!((outcomes, world.carts()), (vec![false, false, true, false], 0), "the cart is gone");
    let (health, _) = check("health", Fault::NoPayments).await;
    assert_eq!((health.outcome, health.status), (Outcome::Ok, Some(200)));
    let (paid, _) =
        fails("checkout", Fault::PaidNothing, Some("pay"), "expected $.total to be above 0, saw \"0\"").await;
    let assertions: Vec<_> = paid.trail[2].assertions.iter().map(|note| note.pass).collect();
    assert_eq!(assertions, [true, true, false], "status, state, total");
}
