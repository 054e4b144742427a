//! Each service, region by region: the verdict with its reasons, and where traffic should go, and goes.

use super::{Clock, strip::Strip, votes::Grid, words::Shape};
use crate::{
    format,
    html::{Bar, Icon, Stamp},
};
use askama::Template;
use wire::view::{Overview, ServiceRegionView, ServiceView, VerdictState};

#[derive(Template)]
#[template(path = "services.html")]
pub struct Services {
    services: Vec<Card>,
}

struct Card {
    id: String,
    name: String,
    public_url: String,
    /// Whether that URL may become a link: anything but HTTP could be a script.
    linkable: bool,
    checks: Vec<String>,
    rows: Vec<Row>,
    grid: Grid,
}

struct Row {
    region: String,
    name: String,
    url: String,
    state: VerdictState,
    icon: Icon,
    since: Stamp,
    strip: Strip,
    median: String,
    traffic: [Share; 3],
    reason: String,
    located: String,
}

/// One of configured, planned, observed.
struct Share {
    label: &'static str,
    text: String,
    title: String,
    bar: Bar,
}

impl Services {
    pub fn new(overview: &Overview, clock: Clock) -> Self {
        Self { services: overview.services.iter().map(|s| card(overview, s, clock)).collect() }
    }
}

fn card(overview: &Overview, service: &ServiceView, clock: Clock) -> Card {
    let url = service.public_url.clone().unwrap_or_default();
    Card {
        id: service.id.to_string(),
        name: service.name.clone(),
        linkable: url.starts_with("https://") || url.starts_with("http://"),
        public_url: url,
        checks: service.checks.iter().map(ToString::to_string).collect(),
        rows: service.regions.iter().map(|r| row(overview, service, r, clock)).collect(),
        grid: Grid::new(service, clock),
    }
}

fn row(overview: &Overview, service: &ServiceView, here: &ServiceRegionView, clock: Clock) -> Row {
    let known = overview.regions.iter().find(|r| r.id == here.region);
    Row {
        region: here.region.to_string(),
        name: known.map_or_else(|| here.region.to_string(), |r| r.name.clone()),
        url: here.url.clone(),
        state: here.verdict.state,
        icon: here.verdict.state.icon(),
        since: clock.age(here.verdict.since),
        strip: Strip::new(&here.beats),
        median: here.median_us.map_or_else(|| "–".to_owned(), |us| format::duration(us.into())),
        traffic: traffic(service, here),
        reason: here.verdict.reason.clone(),
        located: here.verdict.located.clone(),
    }
}

/// Weights become shares, so that all three can be compared.
fn traffic(service: &ServiceView, here: &ServiceRegionView) -> [Share; 3] {
    let weight = |label, class, own: u8, of: fn(&ServiceRegionView) -> u8| {
        let sum: u32 = service.regions.iter().map(|r| u32::from(of(r))).sum();
        let share = if sum == 0 { 0.0 } else { f64::from(own) / f64::from(sum) };
        let title = format!("weight {own} of {sum}");
        Share { label, text: format::percent(share), title, bar: Bar { share, class } }
    };
    let planned = match service.plan {
        Some(_) => weight("planned", "planned", here.planned_weight, |r| r.planned_weight),
        None => Share {
            label: "planned",
            text: "–".to_owned(),
            title: "no plan yet: users go where the entrance sends them".to_owned(),
            bar: Bar { share: 0.0, class: "planned" },
        },
    };
    let observed = Share {
        label: "observed, last 15 s",
        text: here.observed_share.map_or_else(|| "no data".to_owned(), format::percent),
        title:
            "of the public requests of the last 15 s, and never of those from before the plan in force was \
                acknowledged; the proof's “measured” is of the newest requests since then"
                .to_owned(),
        bar: Bar { share: here.observed_share.unwrap_or(0.0), class: "observed" },
    };
    [weight("configured", "configured", here.configured_weight, |r| r.configured_weight), planned, observed]
}
