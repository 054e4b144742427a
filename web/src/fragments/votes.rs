//! Who says what of whom: probes down, regions across.

use super::{Clock, words::Shape};
use crate::{
    format,
    html::{Icon, Stamp},
};
use std::collections::BTreeMap;
use wire::{
    ProbeId, RegionId,
    view::{ServiceView, Vote, VoteView},
};

/// The characters of a detail that find room beside its age, in the narrowest grid.
const SHORT: usize = 8;

/// The votes on a service.
pub struct Grid {
    pub regions: Vec<RegionId>,
    pub rows: Vec<Row>,
}

/// One vantage's votes.
pub struct Row {
    pub probe: ProbeId,
    pub vantage: RegionId,
    /// In the order of [`Grid::regions`]; absent where the vantage does not look.
    pub cells: Vec<Option<Cell>>,
}

/// One vote.
pub struct Cell {
    pub vote: Vote,
    pub icon: Icon,
    pub latency: String,
    pub age: Option<Stamp>,
    pub detail: String,
    /// Whether the detail may need more than one line, and so must be one that can be opened.
    pub long: bool,
}

impl Grid {
    pub fn new(service: &ServiceView, clock: Clock) -> Self {
        let mut rows: BTreeMap<(&RegionId, &ProbeId), Vec<Option<Cell>>> = BTreeMap::new();
        for (column, region) in service.regions.iter().enumerate() {
            for vote in &region.verdict.votes {
                let cells = rows
                    .entry((&vote.vantage, &vote.probe))
                    .or_insert_with(|| service.regions.iter().map(|_| None).collect());
                cells[column] = Some(cell(vote, clock));
            }
        }
        let rows = rows.into_iter().map(|((vantage, probe), cells)| Row {
            probe: probe.clone(),
            vantage: vantage.clone(),
            cells,
        });
        Self { regions: service.regions.iter().map(|r| r.region.clone()).collect(), rows: rows.collect() }
    }
}

fn cell(vote: &VoteView, clock: Clock) -> Cell {
    Cell {
        vote: vote.vote,
        icon: vote.vote.icon(),
        latency: vote.latency_us.map_or_else(|| "–".to_owned(), |us| format::duration(us.into())),
        age: vote.age_us.map(|us| clock.ago(us)),
        long: vote.detail.chars().count() > SHORT,
        detail: vote.detail.clone(),
    }
}

/// How many vantages take part, and how many of them say `vote`.
pub fn count(votes: &[VoteView], vote: Vote) -> (usize, usize) {
    let eligible = votes.iter().filter(|v| !matches!(v.vote, Vote::Unknown | Vote::Excluded)).count();
    (votes.iter().filter(|v| v.vote == vote).count(), eligible)
}
