//! Where a step goes.

use super::step::Traveller;
use crate::check::fault::Fault;
use wire::{
    RegionId,
    assignment::{PUBLIC, Place, Target},
};

impl Traveller<'_> {
    /// The base address of a place.
    pub(super) fn base(&self, place: &Place) -> Result<String, Fault> {
        let of = |region: &RegionId| {
            let base = self.check.regions.get(region).cloned();
            base.ok_or_else(|| Fault::request(format!("region {region} has no endpoint")))
        };
        match place {
            Place::Here => Ok(self.endpoint.url.clone()),
            Place::Region(region) => of(region),
            Place::Nearest => match &self.check.places.nearest {
                Some(region) => of(region),
                None => Err(Fault::request("this probe was not told which region is nearest")),
            },
            Place::Public => {
                let public = self.check.places.public.clone();
                public.ok_or_else(|| Fault::request("the service has no public address"))
            }
            Place::Other => {
                let other = self.other().ok_or_else(|| Fault::request("the service has no other region"))?;
                of(other)
            }
        }
    }

    /// The region that a step goes to, or the word for the public entrance, when that is not what the series points
    /// at.
    pub(super) fn elsewhere(&self, place: &Place) -> Option<RegionId> {
        let region = match place {
            Place::Here => None,
            Place::Region(region) => Some(region),
            Place::Nearest => self.check.places.nearest.as_ref(),
            Place::Other => self.other(),
            Place::Public if self.endpoint.target == Target::Public => None,
            Place::Public => return PUBLIC.parse().ok(),
        };
        region.filter(|region| self.check.regions.contains_key(*region) && !self.is_here(region)).cloned()
    }

    /// The first other region of the service, in the order of ids.
    fn other(&self) -> Option<&RegionId> {
        self.check.regions.keys().find(|region| !self.is_here(region))
    }

    fn is_here(&self, region: &RegionId) -> bool {
        matches!(&self.endpoint.target, Target::Region(here) if here == region)
    }
}
