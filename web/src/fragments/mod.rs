//! The parts of the overview, each with its element id. The page is made of them, and the stream sends those
//! that changed.

mod chain;
mod demo;
mod headline;
mod map;
mod mesh;
mod plan;
mod probes;
mod services;
mod story;
mod strip;
mod timeline;
mod votes;
mod words;

use crate::{html::Stamp, lab::Panel};
use wire::{Micros, view::Overview};

/// The content of the element with this id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    pub id: &'static str,
    pub html: String,
}

/// Who fills in how long ago something was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ages {
    /// The server: for a page that must read well without a script.
    Written,
    /// The script, so that a fragment does not change merely because time passes.
    Ticking,
}

/// The clock of one drawing.
#[derive(Debug, Clone, Copy)]
struct Clock {
    now: Micros,
    ages: Ages,
}

impl Clock {
    fn age(self, at: Micros) -> Stamp {
        Stamp::age(at, (self.ages == Ages::Written).then(|| self.now.since(at)))
    }

    /// An age that came as an age. The instant is cut to tenths of a second, because it is computed from two
    /// clock readings and would otherwise tremble.
    fn ago(self, age_us: i64) -> Stamp {
        let at = self.now.plus_us(age_us.saturating_neg());
        self.age(Micros(at.0 - at.0.rem_euclid(100_000)))
    }
}

/// Draws every part.
///
/// # Errors
/// When a template fails, which none is known to do.
pub fn render(
    overview: &Overview,
    panel: Option<&Panel>,
    ages: Ages,
) -> Result<Vec<Fragment>, askama::Error> {
    let clock = Clock { now: overview.now, ages };
    let part =
        |id, template: &dyn askama::DynTemplate| template.dyn_render().map(|html| Fragment { id, html });
    let mut parts = vec![
        part("storage", &headline::Storage::new(overview))?,
        part("posture", &headline::Posture::new(overview))?,
        part("headline", &headline::Headline::new(overview))?,
        part("map", &map::Map::new(overview))?,
        part("services", &services::Services::new(overview, clock))?,
        part("plan", &plan::Plans::new(overview, clock))?,
        part("timeline", &timeline::Timeline::new(overview, clock))?,
        part("probes", &probes::Probes::new(overview, clock))?,
        part("mesh", &mesh::Mesh::new(overview, clock))?,
    ];
    if let Some(panel) = panel {
        parts.push(part("demo", &demo::Demo::new(panel, clock))?);
    }
    Ok(parts)
}
