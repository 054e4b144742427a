//! The demo's world: break it, heal it, and see what its users notice.

use super::Clock;
use crate::{
    format,
    html::{Bar, Stamp},
    lab::{Panel, PanelRegion},
};
use askama::Template;

#[derive(Template)]
#[template(path = "demo.html")]
pub struct Demo {
    regions: Vec<Region>,
    broken: bool,
    rate: String,
    total: String,
    failed: String,
    failing: bool,
    failed_last_minute: String,
    shares: Vec<(String, String, Bar)>,
    config_path: String,
    hint: String,
}

struct Region {
    id: String,
    breakable: Vec<String>,
    fault: Option<String>,
    since: Option<Stamp>,
    backlog: String,
}

impl Demo {
    pub fn new(panel: &Panel, clock: Clock) -> Self {
        let users = &panel.users;
        let share = |(region, share): (&String, &f64)| {
            (region.clone(), format::percent(*share), Bar { share: *share, class: "observed" })
        };
        Self {
            regions: panel.regions.iter().map(|r| region(r, clock)).collect(),
            broken: panel.regions.iter().any(|r| r.fault.is_some()),
            rate: format!("{:.1}", users.per_second),
            total: format::count(users.total),
            failed: format::count(users.failed),
            failing: users.failed_last_minute > 0,
            failed_last_minute: format::count(users.failed_last_minute),
            shares: users.shares.iter().map(share).collect(),
            config_path: panel.config_path.clone(),
            hint: panel.hint.clone(),
        }
    }
}

fn region(region: &PanelRegion, clock: Clock) -> Region {
    Region {
        id: region.id.clone(),
        breakable: region.breakable.clone(),
        fault: region.fault.clone(),
        since: region.since.map(|at| clock.age(at)),
        backlog: region.backlog.clone(),
    }
}
