//! The facts for people: builds [`Overview`] from the decider's state and the store, once for all who look.

use crate::{
    config::{Config, EndpointConfig, Service},
    decide::{
        State,
        evidence::BEATS,
        proof,
        state::{PlanState, RegionState, ServiceState},
        vote::{self, Ballot, Scene},
        words,
    },
    fold::Published,
    history::History,
    hub::Hub,
    store::Store,
};
use runtime::clock::SharedClock;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Mutex, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use wire::{
    Micros, ProbeId, RegionId, ServiceId,
    assignment::Target,
    instant::us,
    mesh::MeshWindow,
    plan::FULL,
    sample::Outcome,
    view::{
        OddSamples, Overview, PlanView, ProbeState, ProbeView, Proof, ProofState, RegionView, SeriesView,
        ServiceRegionView, ServiceView, StorageView, VerdictState, VerdictView, Vote, VoteView,
    },
};

/// How many timeline entries the overview shows.
const TIMELINE: i64 = 100;
/// The observed shares are of public requests from this long ago until now, microseconds.
const OBSERVED_US: i64 = 15_000_000;

/// How long a page waits for a database that does not work, when there is something older to show.
const IMPATIENT: Duration = Duration::from_millis(500);
/// How often the overview is made when nobody asks: what is shown while the database is away is not older than that.
const KEEP_EVERY: Duration = Duration::from_secs(5);
/// What is older than this while storage does not work, microseconds, is told as what it was.
const OLD_US: i64 = 3_000_000;

/// What a window takes from its end until it is here: the last answer is waited for, then the report is on its way.
const MESH_SLACK: Duration = Duration::from_secs(15);

/// Why there is nothing to show: a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

/// Reads the state for people. Cheap to clone.
#[derive(Clone)]
pub struct Board {
    pub config: Arc<Config>,
    pub revision: i64,
    pub store: Store,
    pub hub: Hub,
    pub history: History,
    pub clock: SharedClock,
    published: watch::Receiver<Published>,
    changes: watch::Receiver<u64>,
    /// When this collector began: nothing is known of what was before.
    begun: Micros,
    /// The overview of the newest change, so that many readers cost as much as one.
    cached: Arc<Mutex<Option<(u64, Overview)>>>,
}

impl Board {
    /// A board over a running decider; `changes` is bumped with `published`.
    #[expect(clippy::too_many_arguments, reason = "the parts of a collector, put together in one place")]
    pub fn new(
        config: Arc<Config>,
        revision: i64,
        store: Store,
        hub: Hub,
        history: History,
        clock: SharedClock,
        published: watch::Receiver<Published>,
        changes: watch::Receiver<u64>,
    ) -> Board {
        let (begun, cached) = (clock.now(), Arc::default());
        Board { config, revision, store, hub, history, clock, published, changes, begun, cached }
    }

    /// Makes the overview now and then, also when nobody asks, until told to stop.
    pub async fn keep(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(KEEP_EVERY) => {}
            }
            // Whoever asks is told why there is nothing.
            let _ = self.read().await;
        }
    }

    /// Everything on the first page. While the database does not answer, this is what was read last, with a word on
    /// why it is not newer.
    ///
    /// # Errors
    /// When the database does not answer and has not answered before.
    pub async fn read(&self) -> Result<Overview, Error> {
        let mut cached = self.cached.lock().await;
        let Published { state, change } = self.published.borrow().clone();
        let is_new = cached.as_ref().is_none_or(|(of, _)| *of != change);
        // Nobody waits for a server that is known to be away: when it is back, that is known too.
        let is_away = self.store.health().borrow().degraded().is_some_and(|degraded| !degraded.answers);
        if is_new && !is_away {
            let patience =
                if cached.is_some() && self.degraded().is_some() { IMPATIENT } else { Duration::MAX };
            match timeout(patience, self.build(&state)).await {
                Ok(Ok(overview)) => *cached = Some((change, overview)),
                Ok(Err(error)) if cached.is_none() => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the overview cannot be read");
                    return Err(Error("the database does not answer; the collector's log says why".into()));
                }
                Ok(Err(error)) => tracing::debug!(%error, "the overview stays as it was"),
                Err(_) => {}
            }
        }
        match &*cached {
            Some((_, overview)) => Ok(match self.degraded() {
                Some(degraded) => as_it_was(overview.clone(), degraded, self.clock.now()),
                None => overview.clone(),
            }),
            None => Err(Error("the database does not answer; the collector's log says why".into())),
        }
    }

    /// The same, when it tells how things are now.
    ///
    /// # Errors
    /// When the database does not answer: what is known is how things were.
    pub async fn read_current(&self) -> Result<Overview, Error> {
        let overview = self.read().await?;
        match &overview.degraded {
            Some(degraded) if self.clock.now().since(overview.now) > OLD_US => Err(Error(format!(
                "{} What is known is of {}; /api/v1/overview has it",
                degraded.what, overview.now
            ))),
            _ => Ok(overview),
        }
    }

    /// What does not work below the database.
    fn degraded(&self) -> Option<StorageView> {
        let health = self.store.health();
        let health = health.borrow();
        health.degraded().map(|degraded| StorageView { since: degraded.since, what: degraded.what.clone() })
    }

    /// The newest run of each series of a service.
    pub fn series(&self, service: &ServiceId) -> Vec<SeriesView> {
        let state = Arc::clone(&self.published.borrow().state);
        let mut series = Vec::new();
        for (id, check) in self.config.checks.iter().filter(|(_, check)| check.service == *service) {
            for probe in &check.from {
                let Some(vantage) = self.config.probes.get(probe).map(|p| p.region.clone()) else { continue };
                for target in &check.to {
                    let Some(head) = state.head(id, probe, target) else { continue };
                    series.push(SeriesView {
                        check: id.clone(),
                        service: service.clone(),
                        probe: probe.clone(),
                        vantage: vantage.clone(),
                        target: target.clone(),
                        at: head.sent,
                        outcome: head.outcome,
                        total_us: head.total_us,
                        phases: head.phases,
                        served_by: head.served_by.clone(),
                        failures: head.failing.map_or(0, |run| run.count),
                        summary: head.summary.clone(),
                    });
                }
            }
        }
        series
    }

    async fn build(&self, state: &State) -> Result<Overview, crate::store::Error> {
        let now = self.clock.now();
        let mut services = Vec::new();
        for (id, service) in &self.config.services {
            let scene = Scene { config: &self.config, id, service, now };
            services.push(self.service(&scene, state).await?);
        }
        let probes: Vec<ProbeView> = self.probes(state, now);
        let (mood, headline) = headline(&services, &probes);
        Ok(Overview {
            now,
            revision: self.revision,
            automation: self.config.steering.automation,
            headline,
            mood,
            regions: self.regions(),
            services,
            probes,
            mesh: self.mesh(now).await?,
            timeline: self.store.timeline(i64::MAX, TIMELINE).await?,
            degraded: None,
        })
    }

    /// The mesh as of now: windows that ended a little more than two windows ago are still the newest there can be.
    async fn mesh(&self, now: Micros) -> Result<Vec<MeshWindow>, crate::store::Error> {
        match &self.config.mesh {
            Some(mesh) => self.store.mesh(now.minus(3 * mesh.window + MESH_SLACK)).await,
            None => Ok(Vec::new()),
        }
    }

    fn regions(&self) -> Vec<RegionView> {
        let regions = self.config.regions.iter();
        regions
            .map(|(id, region)| RegionView {
                id: id.clone(),
                name: region.name.clone(),
                latitude: region.coordinates.map(|(latitude, _)| latitude),
                longitude: region.coordinates.map(|(_, longitude)| longitude),
            })
            .collect()
    }

    fn probes(&self, state: &State, now: Micros) -> Vec<ProbeView> {
        let probes = self.config.probes.iter();
        let arrivals = self.history.heads().arrivals();
        probes
            .map(|(id, probe)| {
                let head = state.probes.get(id);
                let odd = arrivals.get(id).copied().unwrap_or_default();
                ProbeView {
                    id: id.clone(),
                    region: probe.region.clone(),
                    state: vote::probe_state(&self.config, state, id, now),
                    age_us: head.map(|head| now.since(head.heard).max(0)),
                    connected: self.hub.is_connected(id),
                    clock_offset_us: head.map(|head| head.clock_offset_us),
                    lost: head.map_or(0, |head| head.lost),
                    flags: head.map(|head| head.flags(now)).unwrap_or_default(),
                    odd: OddSamples {
                        late: odd.late,
                        ahead: odd.ahead,
                        too_old: odd.too_old,
                        unconfigured: odd.unconfigured,
                    },
                }
            })
            .collect()
    }

    async fn service(&self, scene: &Scene<'_>, state: &State) -> Result<ServiceView, crate::store::Error> {
        let empty = ServiceState::default();
        let record = state.services.get(scene.id).unwrap_or(&empty);
        let excluded = vote::excluded(state);
        let observed = observed(record, scene.now, &excluded);
        let regions = scene.service.endpoints.iter();
        let regions =
            regions.map(|(region, endpoint)| self.region(scene, state, record, region, endpoint, &observed));
        let plan = match &record.plan {
            Some(plan) => Some(self.plan(scene.service, record, plan, &excluded).await?),
            None => None,
        };
        Ok(ServiceView {
            id: scene.id.clone(),
            name: scene.service.name.clone(),
            public_url: scene.service.public_url.clone(),
            regions: regions.collect(),
            checks: self
                .config
                .checks
                .iter()
                .filter(|(_, c)| c.service == *scene.id)
                .map(|(c, _)| c.clone())
                .collect(),
            plan,
        })
    }

    fn region(
        &self,
        scene: &Scene<'_>,
        state: &State,
        record: &ServiceState,
        region: &RegionId,
        endpoint: &EndpointConfig,
        observed: &BTreeMap<String, f64>,
    ) -> ServiceRegionView {
        let empty = RegionState::default();
        let known = record.regions.get(region).unwrap_or(&empty);
        let planned = record.plan.as_ref().and_then(|plan| plan.plan.weights.get(region).copied());
        let ballots = vote::ballots(scene, state, region);
        let skip = known.beats.0.len().saturating_sub(BEATS);
        ServiceRegionView {
            region: region.clone(),
            url: endpoint.url.clone(),
            verdict: VerdictView {
                state: known.verdict.state,
                since: if known.verdict.since == Micros(0) { self.begun } else { known.verdict.since },
                reason: known.verdict.reason.clone(),
                located: known.verdict.located.clone(),
                votes: ballots.iter().filter_map(|ballot| self.vote(ballot, scene.now)).collect(),
            },
            configured_weight: endpoint.weight,
            planned_weight: planned.unwrap_or(endpoint.weight).min(FULL),
            observed_share: (!observed.is_empty())
                .then(|| observed.get(region.as_str()).copied().unwrap_or(0.0)),
            median_us: median(scene, state, region),
            beats: known.beats.0.iter().skip(skip).copied().collect(),
        }
    }

    fn vote(&self, ballot: &Ballot<'_>, now: Micros) -> Option<VoteView> {
        Some(VoteView {
            probe: ballot.probe.clone(),
            vantage: self.config.probes.get(ballot.probe)?.region.clone(),
            vote: ballot.vote,
            age_us: ballot.head.map(|head| now.since(head.sent).max(0)),
            latency_us: ballot.head.map(|head| head.total_us),
            detail: ballot.head.map_or_else(|| "no evidence yet".into(), |head| head.summary.clone()),
        })
    }

    async fn plan(
        &self,
        service: &Service,
        record: &ServiceState,
        plan: &PlanState,
        excluded: &BTreeSet<ProbeId>,
    ) -> Result<PlanView, crate::store::Error> {
        let since = plan.acknowledged_at.unwrap_or(Micros(i64::MAX));
        let seen = proof::seen_after(&record.public, since, excluded);
        // The same requests that the judgement's sentence speaks of.
        let shares = proof::shares(&proof::judged(&self.config, &seen));
        let detail = match (plan.proof.state, plan.acknowledged_at) {
            (ProofState::Waiting, None) if service.receivers.is_empty() => {
                "The service has no receivers: nobody is told.".to_owned()
            }
            (ProofState::Waiting, None) => "Waiting for every receiver to acknowledge.".to_owned(),
            _ => plan.proof.detail.clone(),
        };
        Ok(PlanView {
            plan: plan.plan.clone(),
            guards: plan.guards.clone(),
            deliveries: self.store.deliveries(&plan.plan.service, plan.plan.generation).await?,
            proof: Proof {
                state: plan.proof.state,
                samples: u32::try_from(seen.len()).unwrap_or(u32::MAX),
                shares: shares.into_iter().filter_map(|(r, share)| Some((r.parse().ok()?, share))).collect(),
                at: plan.proof.at,
                detail,
            },
        })
    }
}

impl web::Board for Board {
    fn overview(&self) -> web::BoardFuture<'_> {
        Box::pin(async {
            self.read()
                .await
                .map_err(|Error(detail)| web::BoardError::new("the facts cannot be read now", detail))
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }
}

/// Who served the recent public requests: only those since the plan in force was acknowledged, so that this never
/// contradicts its proof.
fn observed(record: &ServiceState, now: Micros, excluded: &BTreeSet<ProbeId>) -> BTreeMap<String, f64> {
    let acknowledged = record.plan.as_ref().and_then(|plan| plan.acknowledged_at).unwrap_or_default();
    proof::shares(&proof::seen_after(&record.public, now.plus_us(-OBSERVED_US).max(acknowledged), excluded))
}

/// The median of the newest successful runs of all vantages.
fn median(scene: &Scene<'_>, state: &State, region: &RegionId) -> Option<u32> {
    let target = Target::Region(region.clone());
    let fresh = us(scene.config.steering.fresh);
    let mut times: Vec<u32> = scene
        .config
        .checks
        .iter()
        .filter(|(_, check)| check.service == *scene.id)
        .flat_map(|(id, check)| check.from.iter().filter_map(|probe| state.head(id, probe, &target)))
        .filter(|head| head.outcome == Outcome::Ok && scene.now.since(head.sent) <= fresh)
        .map(|head| head.total_us)
        .collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// An overview while storage does not work. Nothing is decided meanwhile, so an old one tells how things were.
fn as_it_was(overview: Overview, degraded: StorageView, now: Micros) -> Overview {
    let mut overview = Overview { degraded: Some(degraded), ..overview };
    if now.since(overview.now) > OLD_US {
        overview.mood = VerdictState::Unknown;
        overview.headline = format!(
            "Nothing newer is known than of {}, and nothing is decided. Then: {}",
            overview.now, overview.headline
        );
    }
    overview
}

/// One sentence on the worst thing, and how bad it is.
fn headline(services: &[ServiceView], probes: &[ProbeView]) -> (VerdictState, String) {
    let places = |state: VerdictState| -> Vec<String> {
        let regions = services.iter().flat_map(|s| s.regions.iter().map(move |r| (s, r)));
        regions
            .filter(|(_, r)| r.verdict.state == state)
            .map(|(s, r)| format!("{} in {}", s.name, r.region))
            .collect()
    };
    let (down, degraded, unknown) =
        (places(VerdictState::Down), places(VerdictState::Degraded), places(VerdictState::Unknown));
    if !down.is_empty() {
        return (VerdictState::Down, format!("{}. {}", words::list(down), steering(services)));
    }
    if !degraded.is_empty() {
        return (VerdictState::Degraded, format!("{}. {}", words::list(degraded), steering(services)));
    }
    if services.is_empty() {
        return (VerdictState::Unknown, "No service is configured.".into());
    }
    if !unknown.is_empty() {
        return (VerdictState::Unknown, format!("Too little evidence on {}.", words::list(unknown)));
    }
    let places = services.iter().map(|service| service.regions.len()).sum::<usize>();
    let silent = probes.iter().filter(|p| p.state == ProbeState::Silent).count();
    let doubted: Vec<String> = services
        .iter()
        .flat_map(|service| service.regions.iter().map(move |region| (service, region)))
        .filter(|(_, region)| {
            region.verdict.votes.iter().any(|vote| matches!(vote.vote, Vote::Down | Vote::Suspect))
        })
        .map(|(service, region)| format!("{} in {}", service.name, region.region))
        .collect();
    let all = match doubted.len() {
        0 => format!("All {places} places answer well. {}", steering(services)),
        _ => format!(
            "No place is found bad, but some vantages see failures of {}. {}",
            words::list(doubted),
            steering(services)
        ),
    };
    let silent =
        if silent > 0 { format!(" {silent} of {} probes are silent.", probes.len()) } else { String::new() };
    (VerdictState::Healthy, format!("{}{silent}", all.trim_end()))
}

/// Where users are kept away from, and whether that is proved.
fn steering(services: &[ServiceView]) -> String {
    let mut sentences = Vec::new();
    for service in services {
        let away: Vec<String> = service
            .regions
            .iter()
            .filter(|r| r.planned_weight < r.configured_weight)
            .map(|r| match r.planned_weight {
                0 => format!("No users are sent to {}", r.region),
                weight => {
                    format!("{} has {} % of its users back", r.region, share_of(weight, r.configured_weight))
                }
            })
            .collect();
        if let (false, Some(plan)) = (away.is_empty(), &service.plan) {
            // With one service its name has been said.
            let name = if services.len() > 1 { format!("{}: ", service.name) } else { String::new() };
            sentences.push(format!("{name}{} (proof: {}).", words::list(away), plan.proof.state));
        }
    }
    match (sentences.is_empty(), services.iter().all(|service| service.plan.is_none())) {
        (true, true) => "Nothing is planned yet: users go where the entrance sends them.".into(),
        (true, false) => "Users are sent everywhere as configured.".into(),
        _ => sentences.join(" "),
    }
}

fn share_of(weight: u8, configured: u8) -> u32 {
    u32::from(weight) * 100 / u32::from(configured).max(1)
}
