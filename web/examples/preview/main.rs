//! Serves the dashboard with made-up facts, to look at it: `cargo run -p sextant-web --example preview [port]`.
//! The page's own buttons break and heal the world; `preview PORT broken|back|silent|empty|gone` starts it that way.
//! `preview PORT FILE.json` shows a saved answer of `GET /api/v1/overview`.

#[path = "../../tests/dashboard/fixture.rs"]
mod fixture;

use fixture::World;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;
use web::{Board, BoardError, BoardFuture, Lab, Panel, PanelRegion, PanelUsers, Site};
use wire::{Micros, instant::us, view::Overview};

struct Preview {
    world: Mutex<World>,
    mode: String,
    changes: watch::Sender<u64>,
}

fn now() -> Micros {
    Micros(us(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()))
}

impl Preview {
    fn world(&self) -> World {
        *self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, broken_at: Option<Micros>) {
        self.world.lock().unwrap_or_else(PoisonError::into_inner).broken_at = broken_at;
        self.changes.send_modify(|v| *v += 1);
    }
}

impl Board for Preview {
    fn overview(&self) -> BoardFuture<'_> {
        Box::pin(async {
            let mut overview = fixture::overview(now(), self.world());
            match self.mode.as_str() {
                "gone" => {
                    return Err(BoardError::new("the store does not answer", "check that the database runs"));
                }
                "empty" => clear(&mut overview),
                "back" => overview = fixture::step_back(now(), true),
                file if file.ends_with(".json") => overview = saved(file)?,
                _ => {}
            }
            Ok(overview)
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

fn saved(file: &str) -> Result<Overview, BoardError> {
    let text = std::fs::read_to_string(file).map_err(|e| BoardError::new(e.to_string(), "check the path"))?;
    serde_json::from_str(&text).map_err(|e| BoardError::new(e.to_string(), "save /api/v1/overview again"))
}

fn clear(overview: &mut Overview) {
    overview.headline = "Nothing is configured yet.".into();
    overview.mood = wire::view::VerdictState::Unknown;
    overview.regions.clear();
    overview.services.clear();
    overview.probes.clear();
    overview.timeline.clear();
}

impl Lab for Preview {
    fn panel(&self) -> Panel {
        let broken_at = self.world().broken_at;
        let regions = ["eu-west", "us-east", "ap-south"].map(|id| PanelRegion {
            id: id.into(),
            breakable: vec!["hang".into(), "refuse".into(), "error-500".into(), "slow".into()],
            fault: broken_at.filter(|_| id == "eu-west").map(|_| "hang".into()),
            since: broken_at.filter(|_| id == "eu-west"),
            backlog: if id == "ap-south" { "store 0.2 s behind".into() } else { String::new() },
        });
        let total = u64::try_from(now().0 / 50_000 % 1_000_000).unwrap_or_default();
        Panel {
            regions: regions.into(),
            users: PanelUsers {
                per_second: 20.0,
                total,
                failed: if broken_at.is_some() { 17 } else { 0 },
                failed_last_minute: if broken_at.is_some() { 17 } else { 0 },
                shares: BTreeMap::from([
                    ("eu-west".into(), 0.34),
                    ("us-east".into(), 0.33),
                    ("ap-south".into(), 0.33),
                ]),
            },
            config_path: "/tmp/sextant-demo/sextant.yaml".into(),
            hint: "Break a region and watch its users being moved, then heal it and watch them come back."
                .into(),
        }
    }

    fn configuration(&self) -> Result<String, String> {
        Ok("version: 1\n".into())
    }

    fn break_region(&self, region: &str, how: &str, seconds: Option<u64>) -> Result<String, String> {
        if region != "eu-west" {
            return Err(format!("This preview can only break eu-west, not {region}."));
        }
        self.set(Some(now()));
        let end = seconds.map_or_else(|| "until healed".to_owned(), |s| format!("for {s} s"));
        Ok(format!("{region} is broken ({how}) {end}."))
    }

    fn heal(&self) -> Result<String, String> {
        self.set(None);
        Ok("Every region is whole.".into())
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().and_then(|p| p.parse().ok()).unwrap_or(8099);
    let mode = arguments.next().unwrap_or_default();
    let broken_at = (mode == "broken").then(|| now().plus_us(-11_000_000));
    let world = World { broken_at, silent: mode == "silent" };
    // The step back shows the page as in production, without the demo's panel.
    let has_lab = !matches!(mode.as_str(), "empty" | "back");
    let preview = Arc::new(Preview { world: Mutex::new(world), mode, changes: watch::Sender::new(0) });
    let ticking = Arc::clone(&preview);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            ticking.changes.send_modify(|v| *v += 1);
        }
    });
    let (_stop, stop) = watch::channel(false);
    let lab = has_lab.then(|| Arc::clone(&preview) as Arc<dyn Lab>);
    let router = web::router(Site { board: preview, lab, stop });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}/", listener.local_addr()?);
    axum::serve(listener, router).await
}
