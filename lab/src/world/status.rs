//! The state of the world in one document.

use super::{How, World};
use crate::{
    entrance::EntranceState,
    http::{lock, now},
    shop::ShopStats,
    users::UsersStats,
};
use serde::Serialize;
use std::collections::BTreeMap;
use wire::{Micros, RegionId, instant::rfc3339};

/// A fault in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultStatus {
    pub how: How,
    #[serde(with = "rfc3339")]
    pub since: Micros,
    /// When it heals by itself.
    #[serde(with = "rfc3339::option")]
    pub until: Option<Micros>,
}

/// One region.
#[derive(Debug, Clone, Serialize)]
pub struct RegionStatus {
    pub fault: Option<FaultStatus>,
    /// The region's shop, with its replication backlog, if it has one.
    pub shop: Option<ShopStats>,
}

/// The whole world.
#[derive(Debug, Clone, Serialize)]
pub struct WorldStatus {
    #[serde(with = "rfc3339")]
    pub at: Micros,
    pub regions: BTreeMap<RegionId, RegionStatus>,
    pub users: UsersStats,
    pub entrance: EntranceState,
    /// Entries that wait to be copied from any shop to any other.
    pub replication_backlog: usize,
}

impl World {
    /// The state of everything at this moment.
    pub fn status(&self) -> WorldStatus {
        let broken = lock(&self.inner.broken);
        let regions: BTreeMap<_, _> = self
            .inner
            .regions
            .iter()
            .map(|region| {
                let fault = broken.regions.get(region).map(|active| FaultStatus {
                    how: active.how,
                    since: active.since,
                    until: active.until,
                });
                let shop = self.inner.shops.get(region).map(|shop| shop.stats());
                (region.clone(), RegionStatus { fault, shop })
            })
            .collect();
        WorldStatus {
            at: now(),
            replication_backlog: regions.values().filter_map(|r| r.shop.as_ref()).map(|s| s.backlog).sum(),
            regions,
            users: self.users.stats(),
            entrance: self.entrance.state(),
        }
    }
}
