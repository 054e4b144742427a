//! A small world to look at: three regions, one shop, and an outage that unfolds with time.

use std::collections::BTreeMap;
use wire::{
    Micros, RegionId,
    plan::{Cause, Plan},
    view::*,
};

const REGIONS: [(&str, &str, f64, f64); 3] = [
    ("eu-west", "Ireland", 53.3, -6.3),
    ("us-east", "Virginia", 38.9, -77.0),
    ("ap-south", "Singapore", 1.35, 103.8),
];
const SECOND: i64 = 1_000_000;

/// What is wrong with the world.
#[derive(Debug, Clone, Copy, Default)]
pub struct World {
    /// When `eu-west` broke.
    pub broken_at: Option<Micros>,
    /// The probe in `ap-south` is silent.
    pub silent: bool,
}

fn region(id: &str) -> RegionId {
    id.parse().expect("a region id")
}

/// The world at an instant. An outage is suspected after 0.4 s, decided after 2.4 s, delivered after 2.9 s and
/// proven after 5.1 s.
pub fn overview(now: Micros, world: World) -> Overview {
    let stage = Stage::new(now, world);
    let down = stage.decided.is_some();
    Overview {
        now,
        revision: 7,
        automation: Automation::On,
        headline: if stage.proven.is_some() {
            "Shop is down in Ireland; its users are served elsewhere, measured.".into()
        } else if down {
            "Shop is down in Ireland; its users are being moved.".into()
        } else if world.silent {
            "Shop is healthy where it is watched; the probe in Singapore is silent.".into()
        } else {
            "All 3 regions of Shop are healthy.".into()
        },
        mood: if down {
            VerdictState::Down
        } else if world.silent {
            VerdictState::Unknown
        } else {
            VerdictState::Healthy
        },
        regions: REGIONS
            .iter()
            .map(|(id, name, latitude, longitude)| RegionView {
                id: region(id),
                name: (*name).into(),
                latitude: Some(*latitude),
                longitude: Some(*longitude),
            })
            .collect(),
        services: vec![service(now, world, &stage)],
        mesh: Vec::new(),
        probes: REGIONS
            .iter()
            .enumerate()
            .map(|(i, (id, ..))| {
                let silent = world.silent && *id == "ap-south";
                ProbeView {
                    odd: Default::default(),
                    id: format!("probe-{id}").parse().expect("a probe id"),
                    region: region(id),
                    state: if silent { ProbeState::Silent } else { ProbeState::Eligible },
                    age_us: Some(if silent { 94 * SECOND } else { 400_000 }),
                    connected: !silent,
                    clock_offset_us: Some([420, -1_310, 2_840][i]),
                    lost: if silent { 1_204 } else { 0 },
                    flags: if silent { vec![wire::sample::Flag::Blind] } else { Vec::new() },
                }
            })
            .collect(),
        timeline: timeline(now, &stage),
        degraded: None,
    }
}

/// A minute after `eu-west` answered again: a step back is under way, proven after 2.5 s when it is `proved`. Others
/// have had their troubles too, and there is a region without a service.
pub fn step_back(now: Micros, proved: bool) -> Overview {
    let ago = |ms: i64| now.plus_us(-ms * 1_000);
    let mut all = overview(now, World { broken_at: Some(ago(100_000)), silent: false });
    all.mood = VerdictState::Healthy;
    all.headline = "All 3 regions of Shop are healthy; 25 % of the users are back in Ireland.".into();
    all.regions.push(RegionView {
        id: region("us-west"),
        name: "Oregon".into(),
        latitude: Some(45.8),
        longitude: Some(-119.7),
    });
    let service = &mut all.services[0];
    let here = &mut service.regions[0];
    here.verdict.state = VerdictState::Healthy;
    here.verdict.since = ago(60_000);
    here.verdict.reason = "3 of 3 vantages succeed in 2 of 2 checks.".into();
    here.verdict.located.clear();
    for vote in &mut here.verdict.votes {
        vote.vote = Vote::Up;
        vote.detail = "ok".into();
    }
    here.planned_weight = 25;
    let plan = service.plan.as_mut().expect("a plan");
    plan.plan.generation = 13;
    plan.plan.cause = Cause::Failback { region: region("eu-west"), percent: 25 };
    plan.plan.reason = "eu-west has been healthy for 56 s: 25 % of its users return.".into();
    plan.plan.created = ago(4_000);
    plan.plan.weights.insert(region("eu-west"), 25);
    plan.deliveries[0].created = ago(4_000);
    plan.deliveries[0].acknowledged = Some(ago(3_800));
    plan.deliveries[0].generation = 13;
    plan.proof.state = if proved { ProofState::Verified } else { ProofState::Measuring };
    plan.proof.at = proved.then(|| ago(1_500));
    let model = all.timeline[0].clone();
    let mut tell = |ms, kind, place, state, title: &str| {
        let (id, at) = (all.timeline[0].id + 1, ago(ms));
        let entry = TimelineEntry {
            id,
            at,
            kind,
            region: Some(region(place)),
            state,
            title: title.into(),
            ..model.clone()
        };
        all.timeline
            .insert(0, TimelineEntry { generation: None, detail: "By 3 of 3 vantages.".into(), ..entry });
    };
    tell(60_000, TimelineKind::Verdict, "eu-west", Some(VerdictState::Healthy), "eu-west is healthy");
    tell(60_000, TimelineKind::Recovery, "eu-west", None, "eu-west answers again");
    tell(50_000, TimelineKind::Verdict, "ap-south", Some(VerdictState::Unknown), "ap-south is unknown");
    tell(40_000, TimelineKind::Verdict, "ap-south", Some(VerdictState::Degraded), "ap-south is degraded");
    tell(30_000, TimelineKind::Verdict, "ap-south", Some(VerdictState::Healthy), "ap-south is healthy");
    tell(4_000, TimelineKind::Plan, "eu-west", None, "fail back eu-west to 25 %");
    all
}

/// Which steps of the outage have happened, and when.
struct Stage {
    suspected: Option<Micros>,
    decided: Option<Micros>,
    acknowledged: Option<Micros>,
    proven: Option<Micros>,
}

impl Stage {
    fn new(now: Micros, world: World) -> Self {
        let after = |us| world.broken_at.map(|at| at.plus_us(us)).filter(|at| *at <= now);
        Self {
            suspected: after(400_000),
            decided: after(2_412_000),
            acknowledged: after(2_931_000),
            proven: after(5_107_000),
        }
    }
}

fn service(now: Micros, world: World, stage: &Stage) -> ServiceView {
    ServiceView {
        id: "shop".parse().expect("a service id"),
        name: "Shop".into(),
        public_url: Some("http://127.0.0.1:8080/".into()),
        regions: REGIONS.iter().enumerate().map(|(i, (id, ..))| here(now, world, stage, i, id)).collect(),
        checks: vec!["home".parse().expect("an id"), "buy-and-read-back".parse().expect("an id")],
        plan: Some(plan(now, stage)),
    }
}

fn here(now: Micros, world: World, stage: &Stage, i: usize, id: &str) -> ServiceRegionView {
    let broken = id == "eu-west" && stage.suspected.is_some();
    let down = id == "eu-west" && stage.decided.is_some();
    let votes = REGIONS
        .iter()
        .enumerate()
        .map(|(j, (vantage, ..))| {
            let silent = world.silent && *vantage == "ap-south";
            let vote = match (silent, down, broken) {
                (true, ..) => Vote::Unknown,
                (_, true, _) => Vote::Down,
                (_, _, true) => Vote::Suspect,
                _ => Vote::Up,
            };
            let ms = 8_000 + 71_300 * (i as u32).abs_diff(j as u32);
            VoteView {
                probe: format!("probe-{vantage}").parse().expect("an id"),
                vantage: region(vantage),
                vote,
                age_us: (!silent).then_some(300_000 + 100_000 * j as i64),
                latency_us: (!silent).then_some(if broken { 2_000_000 } else { ms }),
                detail: match vote {
                    Vote::Down | Vote::Suspect => "timeout after 2.0 s in connect".into(),
                    Vote::Unknown => String::new(),
                    _ => format!("200, {} ms to first byte", ms / 1_200),
                },
            }
        })
        .collect();
    let moved = stage.acknowledged.map_or(0.0, |at| (now.since(at) as f64 / 2e6).min(1.0));
    let observed = if id == "eu-west" { 0.341 * (1.0 - moved) } else { 0.33 + 0.17 * moved };
    ServiceRegionView {
        region: region(id),
        url: format!("http://{id}.shop.test"),
        verdict: VerdictView {
            state: if down { VerdictState::Down } else { VerdictState::Healthy },
            since: stage.decided.filter(|_| down).unwrap_or(Micros(1_795_000_000 * SECOND)),
            reason: if down {
                "3 of 3 vantages fail in 2 of 2 checks: timeout in connect.".into()
            } else if world.silent {
                "2 of 2 eligible vantages succeed; 1 is silent and does not vote.".into()
            } else {
                "3 of 3 vantages succeed in 2 of 2 checks.".into()
            },
            located: if down { "target eu-west".into() } else { String::new() },
            votes,
        },
        configured_weight: 100,
        planned_weight: if down { 0 } else { 100 },
        observed_share: Some(observed),
        median_us: if down { None } else { Some(41_300 + 17_000 * i as u32) },
        beats: beats(now, world, id),
    }
}

fn beats(now: Micros, world: World, id: &str) -> Vec<Beat> {
    let bucket = 2 * SECOND;
    let newest = now.0.div_euclid(bucket);
    (newest - 59..=newest)
        .map(|n| {
            let at = Micros(n * bucket);
            let broken = id == "eu-west" && world.broken_at.is_some_and(|b| at.plus_us(bucket) > b);
            let slow = u32::from((n * 7 + id.len() as i64 * 3) % 37 == 0);
            if broken {
                Beat { at, ok: 0, slow: 0, failed: 6 }
            } else {
                Beat { at, ok: 6 - slow, slow, failed: 0 }
            }
        })
        .collect()
}

fn plan(now: Micros, stage: &Stage) -> PlanView {
    let weights =
        |eu| BTreeMap::from([(region("eu-west"), eu), (region("us-east"), 100), (region("ap-south"), 100)]);
    let service = "shop".parse().expect("an id");
    let (plan, samples, state, shares, at, detail) = match stage.decided {
        None => {
            let created = Micros(1_795_000_000 * SECOND);
            let plan = Plan {
                service,
                generation: 11,
                term: 2,
                weights: weights(100),
                cause: Cause::Configured,
                reason: "Configuration revision 7 was applied.".into(),
                created,
            };
            let shares = [("eu-west", 0.341), ("us-east", 0.33), ("ap-south", 0.329)];
            let detail = "612 requests, each region within 5 points of its planned share.";
            (plan, 612, ProofState::Verified, shares.to_vec(), Some(created.plus_us(3_200_000)), detail)
        }
        Some(created) => {
            let plan = Plan {
                service,
                generation: 12,
                term: 2,
                weights: weights(0),
                cause: Cause::Evacuate(region("eu-west")),
                reason:
                    "eu-west is down by 3 of 3 votes; us-east and ap-south are healthy and have the capacity."
                        .into(),
                created,
            };
            let samples = stage.acknowledged.map_or(0, |at| (now.since(at) / 50_000).clamp(0, 480) as u32);
            let state = match (stage.acknowledged, stage.proven) {
                (_, Some(_)) => ProofState::Verified,
                (Some(_), _) => ProofState::Measuring,
                _ => ProofState::Waiting,
            };
            let shares = if samples > 0 { vec![("us-east", 0.51), ("ap-south", 0.49)] } else { Vec::new() };
            let detail = "needs 40 requests with at most 1 % in eu-west";
            (plan, samples, state, shares, stage.proven, detail)
        }
    };
    let acknowledged =
        if stage.decided.is_some() { stage.acknowledged } else { Some(plan.created.plus_us(184_000)) };
    PlanView {
        guards: vec![
            GuardView {
                name: "quorum".into(),
                passed: true,
                detail: "3 vantages agree, 2 are needed".into(),
            },
            GuardView {
                name: "capacity".into(),
                passed: true,
                detail: "remaining regions reach 75 % of theirs".into(),
            },
            GuardView { name: "last-region".into(), passed: true, detail: "2 healthy regions remain".into() },
            GuardView {
                name: "pace".into(),
                passed: true,
                detail: "1 plan in the last 10 min, 4 are allowed".into(),
            },
        ],
        deliveries: vec![DeliveryView {
            id: format!("rt_shop_2_{}_entrance", plan.generation),
            service: plan.service.clone(),
            generation: plan.generation,
            receiver: "entrance".parse().expect("an id"),
            state: if acknowledged.is_some() { DeliveryState::Acknowledged } else { DeliveryState::Pending },
            attempts: if stage.decided.is_some() { 2 } else { 1 },
            created: plan.created,
            acknowledged,
            next_attempt: None,
            last_error: if stage.decided.is_some() {
                "first attempt: connection refused; retried".into()
            } else {
                String::new()
            },
        }],
        plan,
        proof: Proof {
            state,
            samples,
            shares: shares.into_iter().map(|(id, share)| (region(id), share)).collect(),
            at,
            detail: detail.into(),
        },
    }
}

/// When, what, where, which plan, title and detail.
type Happening =
    (Option<Micros>, TimelineKind, Option<&'static str>, Option<i64>, &'static str, &'static str);

fn timeline(now: Micros, stage: &Stage) -> Vec<TimelineEntry> {
    let base = Micros(1_795_000_000 * SECOND);
    let mut entries: Vec<Happening> = vec![
        (
            Some(base),
            TimelineKind::Configuration,
            None,
            None,
            "revision 7 applied",
            "3 regions, 1 service, 2 checks.",
        ),
        (
            Some(base),
            TimelineKind::Plan,
            None,
            Some(11),
            "as configured",
            "Every region gets its configured weight.",
        ),
        (
            Some(base.plus_us(184_000)),
            TimelineKind::Delivery,
            None,
            Some(11),
            "entrance acknowledged",
            "After 184 ms, first attempt.",
        ),
        (
            Some(base.plus_us(3_200_000)),
            TimelineKind::Proof,
            None,
            Some(11),
            "traffic is where planned",
            "612 requests counted.",
        ),
        (
            stage.suspected,
            TimelineKind::Suspicion,
            Some("eu-west"),
            None,
            "first failure in eu-west",
            "probe-us-east: timeout after 2.0 s in connect. Every vantage is asked to confirm.",
        ),
        (
            stage.decided,
            TimelineKind::Verdict,
            Some("eu-west"),
            None,
            "eu-west is down",
            "3 of 3 vantages fail in 2 of 2 checks for longer than the hold of 2.0 s. Located: target eu-west.",
        ),
        (
            stage.decided,
            TimelineKind::Plan,
            Some("eu-west"),
            Some(12),
            "evacuate eu-west",
            "eu-west to 0; us-east and ap-south to 100. All 4 guards passed.",
        ),
        (
            stage.acknowledged,
            TimelineKind::Delivery,
            Some("eu-west"),
            Some(12),
            "entrance acknowledged",
            "After 519 ms, second attempt.",
        ),
        (
            stage.proven,
            TimelineKind::Proof,
            Some("eu-west"),
            Some(12),
            "traffic moved",
            "43 public requests counted, none served by eu-west.",
        ),
    ];
    entries.retain(|e| e.0.is_some_and(|at| at <= now));
    let entry = |(i, (at, kind, place, generation, title, detail)): (usize, Happening)| TimelineEntry {
        id: 400 + i as i64,
        at: at.unwrap_or_default(),
        kind,
        service: Some("shop".parse().expect("an id")),
        region: place.map(region),
        generation,
        state: (kind == TimelineKind::Verdict).then_some(VerdictState::Down),
        title: title.into(),
        detail: detail.into(),
    };
    let mut all: Vec<_> = entries.into_iter().enumerate().map(entry).collect();
    all.reverse();
    all
}
