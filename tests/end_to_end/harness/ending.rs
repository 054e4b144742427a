//! How a world ends: everybody stops in order, and nothing that was measured is missing.

use super::{Process, World, ledger::Ledger, world::id};
use anyhow::ensure;
use std::collections::BTreeMap;
use wire::{
    CheckId, ProbeId, RegionId,
    view::{DeliveryState, PlanView, ProofState},
};

impl World {
    /// Stops everything with SIGTERM, probes first. Everybody must exit with 0, and every sample that a probe counted
    /// must be in the collector's log, once.
    pub async fn stop(&mut self) -> anyhow::Result<Ledger> {
        let regions: Vec<RegionId> = self.probes.keys().cloned().collect();
        let mut counted = BTreeMap::new();
        for region in &regions {
            counted.insert(region.clone(), self.runs(region).await?);
        }
        for region in &regions {
            ensure!(self.probe(region).stop().await? == 0, "the probe in {region} did not end well");
        }
        let mut collectors = self.leave_seats();
        for collector in &mut collectors {
            ensure!(collector.stop().await? == 0, "a collector did not end well");
        }
        for region in &regions {
            no_false_alarm(self.probe(region))?;
        }
        collectors.iter().try_for_each(no_false_alarm)?;
        for (region, shop) in &mut self.shops {
            ensure!(shop.stop().await? == 0, "the shop in {region} did not end well");
        }
        let store = self.database.open().await?;
        let ledger = Ledger::read(&store).await?;
        store.close().await;
        for (region, runs) in counted {
            let probe = probe_of(&region);
            ledger.check_complete(&probe, &self.probe_data(&region).join("spool"))?;
            ledger.check_once(&probe)?;
            let stored = ledger.samples(&probe).count() as u64;
            ensure!(stored >= runs, "{probe} made {runs} runs, and {stored} are stored");
        }
        Ok(ledger)
    }

    /// The runs that the present process of a probe has made, by its own count.
    pub async fn runs(&self, region: &RegionId) -> anyhow::Result<u64> {
        self.probe_api(region)?.metric("sextant_probe_runs_total", "").await
    }

    /// The samples that the present process of the collector has taken from a probe, by its own count.
    pub async fn ingested(&self, region: &RegionId) -> anyhow::Result<u64> {
        let label = format!("probe=\"{}\"", probe_of(region));
        self.api().metric("sextant_ingest_samples_total", &label).await
    }
}

/// A stop that was asked for must not look like an accident.
fn no_false_alarm(process: &Process) -> anyhow::Result<()> {
    let said = process.stderr();
    let alarm = said.lines().find(|line| line.contains("task ended early") || line.contains("panicked at"));
    ensure!(alarm.is_none(), "a false alarm at the end: {}", alarm.unwrap_or_default());
    Ok(())
}

/// The id of the probe in a region.
pub fn probe_of(region: &RegionId) -> ProbeId {
    id(&format!("probe-{region}"))
}

/// The intervals of the scheduled checks, microseconds, as [`super::config`] has them.
pub fn intervals() -> BTreeMap<CheckId, i64> {
    [("shop-health", 1_000_000), ("shop-public", 500_000)].map(|(check, us)| (id(check), us)).into()
}

/// Whether a plan was acknowledged by every receiver, and traffic was measured to follow it.
pub fn proved(view: PlanView) -> anyhow::Result<PlanView> {
    let acknowledged = view.deliveries.iter().all(|delivery| delivery.state == DeliveryState::Acknowledged);
    ensure!(acknowledged && !view.deliveries.is_empty(), "deliveries: {:?}", view.deliveries);
    ensure!(view.proof.state == ProofState::Verified, "proof: {:?}", view.proof);
    Ok(view)
}
