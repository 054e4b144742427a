//! A world of vantages and regions that samples are made from, played second by second.

use crate::{
    config::{self, Config},
    decide::{Core, Effect, Event, Note, State, Told},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wire::{
    Micros, ProbeId, RegionId, ServiceId,
    assignment::{Purpose, Target},
    plan::Plan,
    report::Report,
    sample::{Connection, Evidence, FailClass, Flag, Outcome, Phases, Sample, StepResult, Trigger},
    view::{TimelineKind, VerdictState},
};

/// Five vantages, three regions, production thresholds with a short failback.
pub const CONFIG: &str = r#"
version: 1
regions: { r1: {}, r2: {}, r3: {}, r4: {}, r5: {} }
probes:
  p1: { region: r1, token: { env: T1 } }
  p2: { region: r2, token: { env: T2 } }
  p3: { region: r3, token: { env: T3 } }
  p4: { region: r4, token: { env: T4 } }
  p5: { region: r5, token: { env: T5 } }
services:
  shop:
    public: http://shop.test
    region_header: x-region
    regions: { r1: http://r1.test, r2: http://r2.test, r3: http://r3.test }
    receivers: [edge]
checks:
  health: { service: shop, http: { path: /health }, interval: 2s, timeout: 2s, slower_than: 800ms }
  public: { service: shop, http: { path: / }, to: public, interval: 1s, timeout: 2s }
receivers:
  edge: { webhook: "http://edge.test/steer", secret: { env: EDGE } }
steering:
  failback: { recover: 10s, recover_max: 60s, steps: [10, 50, 100], every: 5s }
"#;

pub const SECOND: i64 = 1_000_000;

/// The world. What is broken is said by `broken`; users follow `entrance`.
pub struct World {
    pub core: Core,
    pub now: Micros,
    /// (vantage, region) pairs that fail, `*` standing for every vantage.
    pub broken: BTreeSet<(String, String)>,
    pub slow: BTreeSet<String>,
    /// Whether vantages make a journey from r1 to r2, and whether it fails although r2 answers.
    pub journeys: bool,
    pub journeys_fail: bool,
    /// Vantages that cannot reach the entrance.
    pub blind_entrance: BTreeSet<String>,
    /// Vantages that flag their failures, because they reach nothing at all.
    pub flags: BTreeSet<String>,
    /// Vantages that nothing is heard of.
    pub silent: BTreeSet<String>,
    /// Whether the receiver acknowledges, and whether its traffic then follows.
    pub acknowledges: bool,
    pub follows: bool,
    pub entrance: BTreeMap<RegionId, u8>,
    pub notes: Vec<Note>,
    pub plans: Vec<Plan>,
    /// Per target, until when vantages look every second.
    confirming: BTreeMap<Target, Micros>,
    sequence: i64,
    public_count: u32,
}

impl World {
    pub fn new() -> World {
        World::with(CONFIG)
    }

    pub fn with(document: &str) -> World {
        let config = config::parse(document, "test").unwrap_or_else(|problems| panic!("{problems}"));
        let weights =
            config.services.values().flat_map(|s| s.endpoints.keys().cloned()).map(|r| (r, 100)).collect();
        World {
            core: Core::new(Arc::new(config), State::default(), 7),
            now: Micros(1_795_000_000_000_000),
            broken: BTreeSet::new(),
            slow: BTreeSet::new(),
            journeys: false,
            journeys_fail: false,
            blind_entrance: BTreeSet::new(),
            flags: BTreeSet::new(),
            silent: BTreeSet::new(),
            acknowledges: true,
            follows: true,
            entrance: weights,
            notes: Vec::new(),
            plans: Vec::new(),
            confirming: BTreeMap::new(),
            sequence: 0,
            public_count: 0,
        }
    }

    pub fn config(&self) -> &Config {
        &self.core.config
    }

    pub fn break_all(&mut self, region: &str) {
        self.broken.insert(("*".into(), region.into()));
    }

    pub fn heal(&mut self) {
        self.broken.clear();
        self.slow.clear();
        self.silent.clear();
    }

    /// Lets whole seconds pass.
    pub fn play(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.second();
        }
    }

    /// Plays until a condition holds and says how many seconds that took.
    pub fn play_until(&mut self, most: i64, condition: impl Fn(&World) -> bool) -> i64 {
        for second in 0..most {
            if condition(self) {
                return second;
            }
            self.second();
        }
        panic!(
            "not within {most} s; the last notes: {:#?}",
            self.notes.iter().rev().take(5).collect::<Vec<_>>()
        );
    }

    pub fn verdict(&self, region: &str) -> VerdictState {
        self.core.state.services[&shop()].regions[&id(region)].verdict.state
    }

    pub fn plan(&self) -> &Plan {
        self.plans.last().expect("there is a plan")
    }

    pub fn weights(&self) -> Vec<u8> {
        self.plan().weights.values().copied().collect()
    }

    pub fn noted(&self, kind: TimelineKind) -> Vec<&Note> {
        self.notes.iter().filter(|note| note.kind == kind).collect()
    }

    fn second(&mut self) {
        let probes: Vec<ProbeId> = self.config().probes.keys().cloned().collect();
        let regions: Vec<RegionId> = self.config().services[&shop()].endpoints.keys().cloned().collect();
        for (index, probe) in probes.iter().enumerate() {
            if self.silent.contains(probe.as_str()) {
                continue;
            }
            let mut samples = Vec::new();
            for region in &regions {
                let target = Target::Region(region.clone());
                let confirming = self.confirming.get(&target).is_some_and(|until| *until > self.now);
                let due = (self.now.0 / SECOND + index as i64) % 2 == 0;
                if due || confirming {
                    samples.push(self.health(probe, region));
                }
            }
            if self.journeys {
                samples.push(self.journey(probe));
            }
            samples.push(self.public(probe));
            if self.flags.contains(probe.as_str()) {
                let failed = samples.iter_mut().filter(|sample| sample.outcome.is_fail());
                failed.for_each(|sample| sample.flags.push(Flag::Blind));
            }
            self.sequence += 1;
            let report = Report { probe: probe.clone(), sequence: self.sequence, samples, mesh: Vec::new() };
            // Every probe's clock is off by its own constant; nothing may depend on it.
            let sent = self.now.plus_us(index as i64 * 3_600 * SECOND);
            self.apply(Event::Report { received: self.now, sent, report, lost: 0 });
        }
        self.apply(Event::Tick);
        self.now = self.now.plus_us(SECOND);
    }

    fn clock_of(&self, probe: &ProbeId) -> Micros {
        let index = self.config().probes.keys().position(|p| p == probe).expect("a known probe");
        self.now.plus_us(index as i64 * 3_600 * SECOND)
    }

    fn fails(&self, probe: &str, region: &str) -> bool {
        ["*", probe].iter().any(|vantage| self.broken.contains(&((*vantage).into(), region.into())))
    }

    fn health(&self, probe: &ProbeId, region: &RegionId) -> Sample {
        let failed = self.fails(probe.as_str(), region.as_str());
        let slow = !failed && self.slow.contains(region.as_str());
        let mut sample = sample("health", Target::Region(region.clone()), self.clock_of(probe));
        sample.slow = slow;
        if failed {
            sample.outcome = Outcome::Fail(FailClass::Connect);
            let summary = "connection refused".into();
            sample.evidence = Some(Evidence { summary, step: None, excerpt: None });
        }
        sample
    }

    /// A batch with failing samples, sent `seconds` ago and under way since.
    pub fn arrive_late(&mut self, probe: &str, region: &str, seconds: i64) {
        let probe: ProbeId = probe.parse().expect("an id");
        let began = self.clock_of(&probe).plus_us(-(seconds + 8) * SECOND);
        let samples = (0..9)
            .map(|n| {
                let at = began.plus_us(n * SECOND);
                let mut sample = sample("health", Target::Region(id(region)), at);
                sample.outcome = Outcome::Fail(FailClass::Connect);
                sample
            })
            .collect();
        self.sequence += 1;
        let report = Report { probe: probe.clone(), sequence: self.sequence, samples, mesh: Vec::new() };
        let sent = self.clock_of(&probe).plus_us(-seconds * SECOND);
        self.apply(Event::Report { received: self.now, sent, report, lost: 0 });
    }

    /// A journey that begins in r1 and ends in r2.
    fn journey(&self, probe: &ProbeId) -> Sample {
        let mut sample = sample("follows", Target::Region(id("r1")), self.clock_of(probe));
        let failed = self.journeys_fail || self.fails(probe.as_str(), "r2");
        if failed {
            sample.outcome = Outcome::Fail(FailClass::Status);
        }
        let step = |name: &str, elsewhere: Option<RegionId>, outcome: Outcome| StepResult {
            name: name.into(),
            elsewhere,
            outcome,
            total_us: 1,
            phases: Phases::default(),
            status: None,
            served_by: None,
            attempts: 1,
            until_us: None,
        };
        sample.steps.push(step("there", Some(id("r2")), sample.outcome));
        // Cleaning up goes well in any case, and hides nothing.
        sample.steps.push(step("leave", None, Outcome::Ok));
        sample
    }

    /// A user's request: spread over the entrance's weights in turn.
    fn public(&mut self, probe: &ProbeId) -> Sample {
        let total: u32 = self.entrance.values().map(|w| u32::from(*w)).sum();
        // A low-discrepancy walk hits every region in proportion to its weight.
        self.public_count += 1;
        let point = (f64::from(self.public_count) * 0.618_033_988_75).fract() * f64::from(total);
        let mut sum = 0.0;
        let served = self.entrance.iter().find(|(_, weight)| {
            sum += f64::from(**weight);
            point < sum
        });
        let region = served.map(|(region, _)| region.to_string()).expect("somebody serves");
        let mut sample = sample("public", Target::Public, self.clock_of(probe));
        let unreached = self.blind_entrance.contains(probe.as_str());
        if unreached || self.broken.contains(&("*".into(), region.clone())) {
            sample.outcome = Outcome::Fail(FailClass::Status);
        } else {
            sample.served_by = Some(region);
        }
        sample
    }

    pub fn apply(&mut self, event: Event) {
        let effects = self.core.apply(&event, self.now);
        let (mut plans, mut retold) = (Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Note(note) => self.notes.push(note),
                Effect::Plan { plan, guards } => {
                    assert!(
                        guards.iter().all(|guard| guard.passed),
                        "a plan with a failed guard: {guards:?}"
                    );
                    plans.push(plan);
                }
                Effect::Retell(plan) => retold.push(plan),
                Effect::Confirm(confirm) => {
                    if confirm.purpose == Purpose::Suspicion {
                        let until = self.now.plus_us(i64::from(confirm.runs) * i64::from(confirm.every_us));
                        self.confirming.insert(confirm.target, until);
                    }
                }
            }
        }
        for plan in retold {
            if self.acknowledges {
                self.acknowledge(&plan);
            }
        }
        for plan in plans {
            self.plans.push(plan.clone());
            if self.acknowledges {
                self.acknowledge(&plan);
            }
        }
    }

    pub fn acknowledge(&mut self, plan: &Plan) {
        if self.follows {
            self.entrance.clone_from(&plan.weights);
        }
        self.apply(Event::Told {
            service: shop(),
            term: plan.term,
            generation: plan.generation,
            receiver: "edge".parse().expect("an id"),
            told: Told::Acknowledged { after_us: 1000 },
            at: self.now,
        });
    }
}

pub fn shop() -> ServiceId {
    "shop".parse().expect("an id")
}

pub fn id(region: &str) -> RegionId {
    region.parse().expect("an id")
}

fn sample(check: &str, target: Target, at: Micros) -> Sample {
    Sample {
        check: check.parse().expect("an id"),
        target,
        scheduled: at,
        started: at,
        total_us: 40_000,
        outcome: Outcome::Ok,
        slow: false,
        phases: Phases::default(),
        trigger: Trigger::Schedule,
        address: None,
        status: None,
        served_by: None,
        bytes: None,
        certificate_expires: None,
        attempt: 1,
        connection: Connection::default(),
        hops: Vec::new(),
        addresses: Vec::new(),
        flags: Vec::new(),
        trace_id: None,
        evidence: None,
        steps: Vec::new(),
    }
}
