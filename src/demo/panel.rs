//! The demo's panel on the dashboard: what the world looks like, and buttons to break it.

use lab::world::{How, RegionStatus, World};
use runtime::clock::{Clock, SystemClock};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use wire::instant::us;

/// How far back the users' shares are counted.
const RECENT: Duration = Duration::from_secs(10);

/// The lab as the dashboard sees it.
pub struct Panel {
    world: Arc<World>,
    config: PathBuf,
}

impl Panel {
    /// A panel over a world that was configured by a document.
    pub fn new(world: Arc<World>, config: PathBuf) -> Panel {
        Panel { world, config }
    }

    fn users(&self) -> web::PanelUsers {
        let now = SystemClock.now();
        let users = self.world.users();
        let (stats, recent) = (users.stats(), users.snapshot());
        let since = now.minus(RECENT);
        let served = recent.regions_between(since, now);
        let all: u64 = served.values().sum();
        let shares: BTreeMap<String, f64> =
            served.into_iter().map(|(region, n)| (region, n as f64 / all.max(1) as f64)).collect();
        web::PanelUsers {
            per_second: recent.total_between(since, now) as f64 / (us(RECENT) as f64 / 1e6),
            total: stats.total,
            failed: stats.failed,
            failed_last_minute: recent.failed_between(now.minus(Duration::from_secs(60)), now),
            shares,
        }
    }
}

impl web::Lab for Panel {
    fn panel(&self) -> web::Panel {
        let status = self.world.status();
        let region = |(id, status): (&wire::RegionId, &RegionStatus)| {
            let ways = How::ALL.iter().filter(|how| status.shop.is_some() || **how == How::Partition);
            web::PanelRegion {
                id: id.to_string(),
                breakable: ways.map(How::to_string).collect(),
                fault: status.fault.as_ref().map(|fault| fault.how.to_string()),
                since: status.fault.as_ref().map(|fault| fault.since),
                backlog: status.shop.as_ref().map_or_else(String::new, |shop| match shop.backlog {
                    0 => "store in step".into(),
                    n => format!("{n} writes behind, {:.1} s", shop.oldest_ms as f64 / 1000.0),
                }),
            }
        };
        web::Panel {
            regions: status.regions.iter().map(region).collect(),
            users: self.users(),
            config_path: self.config.display().to_string(),
            hint: "Break a region that has a shop and watch: suspicion, verdict, plan, acknowledgement, proof. Heal it \
                   and its users return in steps. A blip shorter than 6 s moves nobody."
                .into(),
        }
    }

    fn configuration(&self) -> Result<String, String> {
        let path = self.config.display();
        std::fs::read_to_string(&self.config).map_err(|error| format!("{path} cannot be read: {error}"))
    }

    fn break_region(&self, region: &str, how: &str, seconds: Option<u64>) -> Result<String, String> {
        let how: How = how.parse().map_err(|error: lab::world::UnknownHow| error.to_string())?;
        let duration = seconds.map(Duration::from_secs);
        self.world.break_region(region, how, duration).map_err(|error| error.to_string())?;
        Ok(match duration {
            None => format!("{region} is broken by {how} until it is healed"),
            Some(duration) => format!("{region} is broken by {how} for {} s", duration.as_secs()),
        })
    }

    fn heal(&self) -> Result<String, String> {
        self.world.heal();
        Ok("every fault is healed".into())
    }
}
