//! Breaking and healing regions. A region has one fault at a time: a new one replaces it.

use super::{How, Inner, World, WorldError};
use crate::{
    http::{lock, now},
    link::Fault,
    shop::{Mode, REPLICATION_DELAY, Shop},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio_util::task::AbortOnDropHandle;
use wire::{Micros, RegionId};

/// How much slower a slow shop is.
const SLOW: Duration = Duration::from_millis(1500);
/// How late a lagging shop copies.
const LAG: Duration = Duration::from_secs(30);

/// The faults in force.
#[derive(Default)]
pub(super) struct Broken {
    pub regions: BTreeMap<RegionId, Active>,
    /// Counts faults, so that the timer of one does not end another.
    serial: u64,
}

/// A fault in force.
pub(super) struct Active {
    pub how: How,
    pub since: Micros,
    pub until: Option<Micros>,
    serial: u64,
    _timer: Option<AbortOnDropHandle<()>>,
}

impl World {
    /// Breaks a region; with a duration it heals by itself. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// When the region does not exist, or has no shop to be broken that way.
    pub fn break_region(&self, region: &str, how: How, duration: Option<Duration>) -> Result<(), WorldError> {
        let region = self.inner.region(region)?;
        if how != How::Partition && !self.inner.shops.contains_key(region) {
            let choices = names(self.inner.shops.keys());
            return Err(WorldError::NoShop { region: region.clone(), how, choices });
        }
        let mut broken = lock(&self.inner.broken);
        broken.regions.remove(region);
        self.inner.repair(region)?;
        self.inner.afflict(region, how)?;
        broken.serial += 1;
        let (serial, since) = (broken.serial, now());
        let timer = duration.map(|duration| {
            let heal = heal_later(Arc::downgrade(&self.inner), region.clone(), serial, duration);
            AbortOnDropHandle::new(tokio::spawn(heal))
        });
        let until = duration.map(|duration| since.plus(duration));
        broken.regions.insert(region.clone(), Active { how, since, until, serial, _timer: timer });
        Ok(())
    }

    /// Ends the fault of a region; nothing happens if it has none.
    ///
    /// # Errors
    /// When the region does not exist.
    pub fn heal_region(&self, region: &str) -> Result<(), WorldError> {
        let region = self.inner.region(region)?;
        let mut broken = lock(&self.inner.broken);
        broken.regions.remove(region);
        self.inner.repair(region)
    }

    /// Ends all faults, also those set on the network or on a shop directly.
    pub fn heal(&self) {
        let mut broken = lock(&self.inner.broken);
        broken.regions.clear();
        self.inner.wan.heal();
        for shop in self.inner.shops.values() {
            calm(shop);
        }
    }
}

/// Heals a region when the time has come, if it still has the fault that this timer was set for.
async fn heal_later(world: Weak<Inner>, region: RegionId, serial: u64, after: Duration) {
    tokio::time::sleep(after).await;
    let Some(inner) = world.upgrade() else { return };
    let mut broken = lock(&inner.broken);
    if broken.regions.get(&region).is_some_and(|active| active.serial == serial) {
        broken.regions.remove(&region);
        if let Err(error) = inner.repair(&region) {
            tracing::error!(%region, %error, "a fault did not heal by itself");
        }
    }
}

impl Inner {
    fn region(&self, name: &str) -> Result<&RegionId, WorldError> {
        self.regions.iter().find(|region| region.as_str() == name).ok_or_else(|| WorldError::UnknownRegion {
            region: name.into(),
            choices: names(self.regions.iter()),
        })
    }

    fn afflict(&self, region: &RegionId, how: How) -> Result<(), WorldError> {
        if how == How::Partition {
            return Ok(self.wan.fault_site(region.as_str(), Fault::Blackhole)?);
        }
        if let Some(shop) = self.shops.get(region) {
            match how {
                How::Refuse => {
                    shop.set_mode(Mode::Stopped);
                    // The links accept on the shop's behalf, so they must refuse like it.
                    self.wan.fault_server(shop.addr(), Fault::Refuse);
                }
                How::Blackhole => self.wan.fault_server(shop.addr(), Fault::Blackhole),
                How::Errors => shop.set_mode(Mode::Errors),
                How::Slow => shop.set_mode(Mode::Slow(SLOW)),
                How::Lag => shop.set_replication_delay(LAG),
                How::Partition => {}
            }
        }
        Ok(())
    }

    /// Undoes whatever fault a region has.
    fn repair(&self, region: &RegionId) -> Result<(), WorldError> {
        self.wan.fault_site(region.as_str(), Fault::None)?;
        if let Some(shop) = self.shops.get(region) {
            self.wan.fault_server(shop.addr(), Fault::None);
            calm(shop);
        }
        Ok(())
    }
}

fn calm(shop: &Shop) {
    shop.set_mode(Mode::Normal);
    shop.set_replication_delay(REPLICATION_DELAY);
}

fn names<'a>(regions: impl Iterator<Item = &'a RegionId>) -> String {
    regions.map(RegionId::as_str).collect::<Vec<_>>().join(", ")
}
