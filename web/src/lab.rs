//! The demo's world: what it shows on the page, and what a visitor may do to it.

use std::collections::BTreeMap;
use wire::Micros;

/// A small world that can be broken and healed from the page. Absent in production.
pub trait Lab: Send + Sync + 'static {
    /// The state of the world now. Called about once a second for each open page, so it must be cheap.
    fn panel(&self) -> Panel;

    /// The configuration of this world, for people to copy; without secrets.
    ///
    /// # Errors
    /// A sentence for the visitor: why it cannot be read.
    fn configuration(&self) -> Result<String, String>;

    /// Breaks a region in one of the ways that its [`PanelRegion::breakable`] lists, for a time or until healed.
    /// Tells what was done.
    ///
    /// # Errors
    /// A sentence for the visitor: what is wrong with the request.
    fn break_region(&self, region: &str, how: &str, seconds: Option<u64>) -> Result<String, String>;

    /// Ends every fault. Tells what was done.
    ///
    /// # Errors
    /// A sentence for the visitor: why the world cannot be healed.
    fn heal(&self) -> Result<String, String>;
}

/// What the demo panel shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Panel {
    pub regions: Vec<PanelRegion>,
    pub users: PanelUsers,
    /// The file that configures this world, for people to edit.
    pub config_path: String,
    /// What to try, a sentence or two.
    pub hint: String,
}

/// A region of the demo's world.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PanelRegion {
    pub id: String,
    /// The ways in which it can be broken.
    pub breakable: Vec<String>,
    /// The fault in force.
    pub fault: Option<String>,
    /// Since when that fault is in force.
    pub since: Option<Micros>,
    /// How far its store is behind, in words; empty when that does not apply.
    pub backlog: String,
}

/// The demo's users, who only know the public address.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PanelUsers {
    /// Requests a second.
    pub per_second: f64,
    pub total: u64,
    pub failed: u64,
    pub failed_last_minute: u64,
    /// Share of recent requests that each region served, 0 to 1.
    pub shares: BTreeMap<String, f64>,
}
