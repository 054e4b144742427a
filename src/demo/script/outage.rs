//! One outage from the fault to the last user's return, with the time of each event.

use super::measure::{place, shop, wait};
use crate::demo::{Stage, cast::Cast};
use anyhow::bail;
use runtime::clock::{Clock, SystemClock};
use serde::Serialize;
use std::{fmt, time::Duration};
use wire::{
    Micros,
    plan::Cause,
    view::{DeliveryState, Overview, ProofState, TimelineKind, VerdictState},
};

/// What one run measured. Times are milliseconds after the fault unless named otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    #[serde(with = "wire::instant::rfc3339")]
    pub fault: Micros,
    /// The first failing sample reached the collector.
    pub first_failing_sample_ms: Option<i64>,
    pub verdict_ms: Option<i64>,
    pub plan_ms: Option<i64>,
    /// The webhook's acknowledgement, after the fault and after the plan.
    pub acknowledged_ms: Option<i64>,
    pub acknowledged_after_plan_ms: Option<i64>,
    /// Public requests were measured to go elsewhere.
    pub verified_ms: Option<i64>,
    /// The fault was ended by the script.
    pub healed_ms: Option<i64>,
    /// The first users were sent back.
    pub failback_began_ms: Option<i64>,
    /// All users were back, and that was measured.
    pub failback_verified_ms: Option<i64>,
    /// Percent of its weight that the region was given at each step back.
    pub failback_steps: Vec<u8>,
    pub generations: Vec<i64>,
    pub users: Users,
    /// Whether the run did what it should.
    pub closed: bool,
    pub problems: Vec<String>,
}

/// What the simulated users met.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Users {
    /// From the fault until traffic was verified to have moved.
    pub requests_until_verified: u64,
    pub failed_until_verified: u64,
    /// From then until all users were back.
    pub failed_afterwards: u64,
}

impl Run {
    fn new(fault: Micros) -> Run {
        Run {
            fault,
            first_failing_sample_ms: None,
            verdict_ms: None,
            plan_ms: None,
            acknowledged_ms: None,
            acknowledged_after_plan_ms: None,
            verified_ms: None,
            healed_ms: None,
            failback_began_ms: None,
            failback_verified_ms: None,
            failback_steps: Vec::new(),
            generations: Vec::new(),
            users: Users::default(),
            closed: false,
            problems: Vec::new(),
        }
    }

    fn after(&self, at: Micros) -> Option<i64> {
        Some(at.since(self.fault) / 1000)
    }
}

/// Breaks the region, waits for the proof, heals it, waits for the return.
pub async fn play(stage: &Stage, cast: &Cast) -> anyhow::Result<Run> {
    calm(cast).await?;
    let users = cast.world.users().stats();
    let mut run = Run::new(SystemClock.now());
    cast.world.break_region(&stage.region, stage.how, None)?;
    let moved = watch_it_move(stage, cast, &mut run).await;
    let then = cast.world.users().stats();
    run.users.requests_until_verified = then.total - users.total;
    run.users.failed_until_verified = then.failed - users.failed;
    cast.world.heal_region(&stage.region)?;
    run.healed_ms = run.after(SystemClock.now());
    let returned = match moved {
        Ok(()) => watch_it_return(stage, cast, &mut run).await,
        Err(problem) => Err(problem),
    };
    run.users.failed_afterwards = cast.world.users().stats().failed - then.failed;
    run.problems.extend(returned.err());
    run.closed = run.problems.is_empty();
    Ok(run)
}

/// Breaks the region for a moment, and watches for a while that nothing moves.
pub async fn blip(stage: &Stage, cast: &Cast, length: Duration) -> anyhow::Result<Run> {
    calm(cast).await?;
    let generation = |overview: &Overview| Some(shop(overview)?.plan.as_ref()?.plan.generation);
    let before = cast.board.read().await.ok().and_then(|overview| generation(&overview));
    let mut run = Run::new(SystemClock.now());
    cast.world.break_region(&stage.region, stage.how, Some(length))?;
    let fault = run.fault;
    let seen =
        wait(cast, Duration::from_secs(10), "the suspicion", |o| suspicion(o, &stage.region, fault)).await;
    match seen {
        Ok(at) => run.first_failing_sample_ms = run.after(at),
        Err(problem) => run.problems.push(problem),
    }
    // Twice the hold after its end is enough for whatever would still be decided.
    let quiet = length + Duration::from_secs(12);
    let moved = wait(cast, quiet, "a plan", |o| generation(o).filter(|now| Some(*now) != before)).await;
    if let Ok(generation) = moved {
        run.generations.push(generation);
        run.problems.push(format!("a blip of {} s led to plan {generation}", length.as_secs()));
    }
    run.closed = run.problems.is_empty();
    Ok(run)
}

/// Waits until every region is healthy and the plan in force is proved.
async fn calm(cast: &Cast) -> anyhow::Result<()> {
    let is_calm = |overview: &Overview| {
        let shop = shop(overview)?;
        let healthy = shop.regions.iter().all(|r| r.verdict.state == VerdictState::Healthy);
        let full = shop.regions.iter().all(|r| r.planned_weight == r.configured_weight);
        let proved = shop.plan.as_ref()?.proof.state == ProofState::Verified;
        (healthy && full && proved).then_some(())
    };
    match wait(cast, Duration::from_secs(90), "a calm beginning", is_calm).await {
        Ok(()) => Ok(()),
        Err(problem) => bail!("{problem}: SEXTANT_LOG=info tells more"),
    }
}

/// When the first failing sample was noted.
fn suspicion(overview: &Overview, region: &str, since: Micros) -> Option<Micros> {
    let entries = overview.timeline.iter().rev();
    let mut of_region = entries.filter(|e| e.region.as_ref().is_some_and(|r| r.as_str() == region));
    of_region.find(|e| e.kind == TimelineKind::Suspicion && e.at >= since).map(|e| e.at)
}

async fn watch_it_move(stage: &Stage, cast: &Cast, run: &mut Run) -> Result<(), String> {
    let (region, fault) = (stage.region.as_str(), run.fault);
    let limit = Duration::from_secs(45);
    let seen = wait(cast, limit, "the first failing sample", |o| suspicion(o, region, fault)).await?;
    run.first_failing_sample_ms = run.after(seen);

    let verdict = wait(cast, limit, "the verdict", |o| {
        let verdict = &place(o, region)?.verdict;
        (verdict.state == VerdictState::Down && verdict.since >= fault).then_some(verdict.since)
    });
    run.verdict_ms = run.after(verdict.await?);

    let plan = wait(cast, limit, "the plan", |o| {
        let plan = &shop(o)?.plan.as_ref()?.plan;
        let evacuates = matches!(&plan.cause, Cause::Evacuate(from) if from.as_str() == region);
        (evacuates && plan.created >= fault).then_some((plan.created, plan.generation))
    });
    let (planned, generation) = plan.await?;
    run.plan_ms = run.after(planned);
    run.generations.push(generation);

    let acknowledged = wait(cast, limit, "the acknowledgement", |o| {
        let deliveries = &shop(o)?.plan.as_ref()?.deliveries;
        let all = deliveries.iter().all(|d| d.state == DeliveryState::Acknowledged);
        deliveries.iter().filter_map(|d| d.acknowledged).max().filter(|_| all)
    });
    let acknowledged = acknowledged.await?;
    run.acknowledged_ms = run.after(acknowledged);
    run.acknowledged_after_plan_ms = Some(acknowledged.since(planned) / 1000);

    let verified = wait(cast, limit, "the proof", |o| {
        let proof = &shop(o)?.plan.as_ref()?.proof;
        proof.at.filter(|_| proof.state == ProofState::Verified)
    });
    run.verified_ms = run.after(verified.await?);
    Ok(())
}

async fn watch_it_return(stage: &Stage, cast: &Cast, run: &mut Run) -> Result<(), String> {
    let region = stage.region.as_str();
    let limit = Duration::from_secs(240);
    let mut seen = run.generations.last().copied().unwrap_or(0);
    loop {
        let step = wait(cast, limit, "the next step back", |o| {
            let plan = shop(o)?.plan.as_ref()?;
            (plan.plan.generation > seen).then(|| plan.plan.clone())
        });
        let plan = step.await?;
        seen = plan.generation;
        run.generations.push(seen);
        match &plan.cause {
            Cause::Failback { region: of, percent } if of.as_str() == region => {
                run.failback_began_ms = run.failback_began_ms.or_else(|| run.after(plan.created));
                run.failback_steps.push(*percent);
                if *percent == 100 {
                    break;
                }
            }
            cause => return Err(format!("an unexpected plan during the return: {cause:?}")),
        }
    }
    let verified = wait(cast, limit, "the proof of the return", |o| {
        let plan = shop(o)?.plan.as_ref()?;
        plan.proof.at.filter(|_| plan.plan.generation == seen && plan.proof.state == ProofState::Verified)
    });
    run.failback_verified_ms = run.after(verified.await?);
    let entrance = cast.world.entrance().state();
    if entrance.generation != Some(seen) || entrance.weights.values().any(|weight| *weight != 100) {
        return Err(format!(
            "the entrance is at generation {:?} with {:?}",
            entrance.generation, entrance.weights
        ));
    }
    Ok(())
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("first failing sample", self.first_failing_sample_ms),
            ("verdict", self.verdict_ms),
            ("plan", self.plan_ms),
            ("webhook acknowledged", self.acknowledged_ms),
            ("traffic verified moved", self.verified_ms),
            ("fault healed", self.healed_ms),
            ("failback began", self.failback_began_ms),
            ("failback verified", self.failback_verified_ms),
        ];
        writeln!(f, "  {:<24} {}", "fault", self.fault)?;
        for (name, ms) in rows {
            if let Some(ms) = ms {
                writeln!(f, "  {name:<24} {:>+8.2} s", ms as f64 / 1000.0)?;
            }
        }
        let Users { requests_until_verified, failed_until_verified, failed_afterwards } = self.users;
        writeln!(
            f,
            "  {:<24} {failed_until_verified} of {requests_until_verified} until verified, {failed_afterwards} afterwards",
            "user requests failed",
        )?;
        write!(f, "  {:<24} {}", "loop closed", if self.closed { "yes" } else { "NO" })?;
        for problem in &self.problems {
            write!(f, "\n  problem: {problem}")?;
        }
        Ok(())
    }
}
