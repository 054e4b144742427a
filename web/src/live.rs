//! One rendering for all open pages: during an outage many people watch, and the collector has better things to
//! do than draw the same page for each of them.

use crate::{
    board::BoardError,
    fragments::{self, Ages, Fragment},
    site::Site,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::Instant};
use wire::Micros;

/// How long a rendering may serve further streams while the board reports no change.
const FRESH: Duration = Duration::from_millis(500);

/// The overview as fragments, as sent over a stream.
pub struct Drawing {
    /// The board's clock at the time of drawing.
    pub now: Micros,
    pub fragments: Vec<Fragment>,
}

struct Last {
    version: u64,
    at: Instant,
    drawing: Arc<Drawing>,
}

/// The site, with its newest rendering.
pub struct Live {
    pub site: Site,
    last: Mutex<Option<Last>>,
}

impl Live {
    /// Nothing is rendered before somebody watches.
    pub fn new(site: Site) -> Self {
        Self { site, last: Mutex::new(None) }
    }

    /// A rendering that includes every change up to `version`. Callers at the same time wait for one rendering.
    ///
    /// # Errors
    /// When the board has no overview.
    pub async fn draw(&self, version: u64) -> Result<Arc<Drawing>, BoardError> {
        let mut last = self.last.lock().await;
        if let Some(last) = &*last
            && last.version >= version
            && last.at.elapsed() < FRESH
        {
            return Ok(Arc::clone(&last.drawing));
        }
        let overview = self.site.board.overview().await?;
        let panel = self.site.lab.as_ref().map(|lab| lab.panel());
        let fragments = fragments::render(&overview, panel.as_ref(), Ages::Ticking).map_err(|e| {
            BoardError::new(format!("the page could not be drawn: {e}"), "report this as a bug")
        })?;
        let drawing = Arc::new(Drawing { now: overview.now, fragments });
        *last = Some(Last { version, at: Instant::now(), drawing: Arc::clone(&drawing) });
        Ok(drawing)
    }
}
