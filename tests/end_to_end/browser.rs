//! What a person at the dashboard sees and does, in a real browser against the real demo.

use crate::{
    bad_input::program::Program,
    chrome::{Browser, Page, Scheme},
};
use std::{
    env,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

/// One browser at a time: two of them would take the machine from everything that is timed.
static TURN: Mutex<()> = Mutex::const_new(());

/// From the start of the demo to its first proof.
const CALM: Duration = Duration::from_secs(180);
/// From a fault to each of its consequences.
const CONSEQUENCE: Duration = Duration::from_secs(120);
/// From the end of a fault to the last user's return.
const RETURN: Duration = Duration::from_secs(300);

const WIDE: (u32, u32) = (1440, 900);

const PROOF: &str = "document.querySelector('[data-proof-state]')";
const VERDICT: &str = "document.querySelector('[data-verdict=\"shop/eu-west-1\"]')";

/// A demo, a browser, and one tab on the dashboard.
struct Visit {
    page: Page,
    demo: Program,
    url: String,
    _browser: Browser,
    _folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Visit {
    async fn begin((width, height): (u32, u32)) -> anyhow::Result<Visit> {
        let turn = TURN.lock().await;
        let folder = tempfile::tempdir()?;
        let mut demo = Program::start(folder.path(), &["demo", "--listen", "127.0.0.1:0", "--dir", "world"]);
        let url = demo.dashboard().await;
        let browser = Browser::start().await?;
        let page = browser.page(width, height).await?;
        Ok(Visit { page, demo, url, _browser: browser, _folder: folder, _turn: turn })
    }

    async fn open(&self) -> anyhow::Result<()> {
        self.page.goto(&format!("{}/", self.url)).await
    }
}

/// Where the pictures go.
fn pictures() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    env::var_os("SEXTANT_SCREENSHOTS").map_or_else(beside, PathBuf::from)
}

/// The same page in both colour schemes.
async fn picture(page: &Page, name: &str) -> anyhow::Result<()> {
    for (scheme, suffix) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
        page.colours(scheme).await?;
        page.screenshot(&pictures().join(format!("{name}-{suffix}.png"))).await?;
    }
    page.colours(Scheme::Light).await
}

fn quiet(page: &Page) {
    let complaints = page.complaints();
    assert!(complaints.is_empty(), "the browser complains:\n{}", complaints.join("\n"));
}

/// The weight that the plan on the page gives a region.
fn weight(region: &str) -> String {
    format!(
        "[...document.querySelectorAll('#plan-shop .proof tbody tr')]
            .filter(row => row.querySelector('th').textContent.trim() === '{region}')
            .map(row => Number(row.querySelector('td').textContent))[0]"
    )
}

/// The timeline has an entry of a kind that speaks of a text.
fn told(kind: &str, text: &str) -> String {
    format!(
        "[...document.querySelectorAll('#timeline li[data-kind=\"{kind}\"]')]
            .some(entry => entry.textContent.includes('{text}'))"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breaks_a_region_with_the_button() -> anyhow::Result<()> {
    let visit = Visit::begin(WIDE).await?;
    let page = &visit.page;
    visit.open().await?;
    page.eval("window.__mark = 1").await?;
    page.wait_for("document.querySelector('#live').dataset.live === 'live'", CONSEQUENCE).await?;
    page.wait_for(&format!("{PROOF}?.dataset.proofState === 'verified'"), CALM).await?;
    page.wait_for("document.querySelectorAll('.verdict[data-state=\"healthy\"]').length === 3", CALM).await?;
    let before = page.eval(&format!("Number({PROOF}.dataset.generation)")).await?;
    picture(page, "1-calm").await?;

    // What a person chose must survive the page's renewal every second.
    let how = "li[data-region=\"eu-west-1\"] select[name=\"how\"]";
    let requests = page.text("#demo .users").await?;
    page.choose(how, "errors").await?;
    let renewed =
        format!("document.querySelector('#demo .users').innerText !== {}", serde_json::json!(requests));
    page.wait_for(&renewed, CONSEQUENCE).await?;
    let kept = page.eval(&format!("document.querySelector({}).value", serde_json::json!(how))).await?;
    assert_eq!(kept, "errors", "the choice was lost when the page was renewed");

    page.choose(how, "refuse").await?;
    page.click("#break-eu-west-1").await?;
    page.wait_for("document.querySelector('#demo-result').dataset.state === 'done'", CONSEQUENCE).await?;
    assert!(page.text("#demo-result").await?.contains("eu-west-1 is broken by refuse"));
    page.wait_for(
        "document.querySelector('li[data-region=\"eu-west-1\"]').dataset.fault === 'refuse'",
        CONSEQUENCE,
    )
    .await?;

    page.wait_for(&told("suspicion", "eu-west-1"), CONSEQUENCE).await?;
    page.wait_for(&format!("{VERDICT}.dataset.state === 'down'"), CONSEQUENCE).await?;
    page.wait_for(&format!("Number({PROOF}.dataset.generation) > {before}"), CONSEQUENCE).await?;
    page.wait_for(&format!("{} === 0", weight("eu-west-1")), CONSEQUENCE).await?;
    let delivery = "document.querySelector('[data-delivery=\"entrance\"]')?.dataset.state === 'acknowledged'";
    page.wait_for(delivery, CONSEQUENCE).await?;
    page.wait_for(&format!("{PROOF}.dataset.proofState === 'verified'"), CONSEQUENCE).await?;
    for (kind, text) in
        [("verdict", "eu-west-1"), ("plan", "eu-west-1"), ("delivery", "entrance"), ("proof", "follow")]
    {
        page.wait_for(&told(kind, text), CONSEQUENCE).await?;
    }
    let undone = page
        .eval("[...document.querySelectorAll('#plan-shop .step')].filter(s => s.dataset.progress !== 'done').length")
        .await?;
    assert_eq!(undone, 0, "a step of the chain is not done:\n{}", page.text("#plan-shop").await?);
    let headline = page.text("#headline").await?;
    assert!(headline.contains("eu-west-1") && headline.contains("verified"), "{headline}");
    picture(page, "2-outage").await?;

    page.click("#heal").await?;
    page.wait_for(
        "document.querySelector('li[data-region=\"eu-west-1\"]').dataset.fault === ''",
        CONSEQUENCE,
    )
    .await?;
    page.wait_for(&format!("{VERDICT}.dataset.state === 'healthy'"), CONSEQUENCE).await?;
    page.wait_for(&format!("{} > 0", weight("eu-west-1")), RETURN).await?;
    picture(page, "3-returning").await?;
    page.wait_for(&format!("{} === 100", weight("eu-west-1")), RETURN).await?;
    page.wait_for(&format!("{PROOF}.dataset.proofState === 'verified'"), CONSEQUENCE).await?;
    page.wait_for(&told("recovery", "eu-west-1"), CONSEQUENCE).await?;
    picture(page, "4-healed").await?;

    assert_eq!(page.eval("window.__mark").await?, 1, "the page was reloaded");
    quiet(page);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readable_without_javascript() -> anyhow::Result<()> {
    let visit = Visit::begin(WIDE).await?;
    let page = &visit.page;
    page.without_scripts().await?;
    reload_until(&visit, &format!("{PROOF} !== null && {VERDICT}?.dataset.state === 'healthy'"), CALM)
        .await?;
    assert_eq!(page.eval("document.querySelector('#live').hidden").await?, true, "a badge that never moves");
    let text = page.text("body").await?;
    for word in ["Without a script", "Weights and proof", "Timeline", "probe-eu-west-1", "UTC"] {
        assert!(text.contains(word), "the page does not say {word:?}:\n{text}");
    }
    picture(page, "5-without-javascript").await?;

    page.click("#break-eu-west-1").await?;
    let broken = "document.querySelector('li[data-region=\"eu-west-1\"]')?.dataset.fault === 'refuse'";
    page.wait_for(&format!("document.readyState === 'complete' && {broken}"), CONSEQUENCE).await?;
    assert_eq!(page.eval("location.pathname").await?, "/", "the form leads back to the overview");
    reload_until(&visit, &format!("{VERDICT}?.dataset.state === 'down'"), CONSEQUENCE).await?;
    page.click("#heal").await?;
    page.wait_for(
        "document.querySelector('li[data-region=\"eu-west-1\"]')?.dataset.fault === ''",
        CONSEQUENCE,
    )
    .await?;
    quiet(page);
    Ok(())
}

/// Loads the page again until a condition holds.
async fn reload_until(visit: &Visit, condition: &str, limit: Duration) -> anyhow::Result<()> {
    let begin = Instant::now();
    loop {
        visit.open().await?;
        // Short, because a page without scripts does not change by itself.
        let seen = visit.page.wait_for(condition, Duration::from_millis(500)).await;
        if seen.is_ok() || begin.elapsed() > limit {
            return seen;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fits_a_telephone() -> anyhow::Result<()> {
    let visit = Visit::begin((390, 844)).await?;
    let page = &visit.page;
    visit.open().await?;
    page.wait_for(&format!("{PROOF} !== null"), CALM).await?;
    let wide = "[...document.querySelectorAll('body *')]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, .quiet, .skip'))
        .map(e => e.outerHTML.slice(0, 120)).slice(0, 5)";
    for width in [390, 768, 1180] {
        page.viewport(width, 844).await?;
        let (takes, culprits) =
            (page.eval("document.documentElement.scrollWidth").await?, page.eval(wide).await?);
        assert_eq!(takes, width, "the page is wider than the window because of {culprits}");
        picture(page, &format!("6-wide-{width}")).await?;
    }
    quiet(page);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn says_that_it_lost_the_collector() -> anyhow::Result<()> {
    let mut visit = Visit::begin(WIDE).await?;
    visit.open().await?;
    visit.page.wait_for("document.querySelector('#live').dataset.live === 'live'", CONSEQUENCE).await?;
    visit.demo.kill().await;
    let page = &visit.page;
    page.wait_for("document.querySelector('#live').dataset.live === 'reconnecting'", Duration::from_secs(15))
        .await?;
    page.wait_for("!document.querySelector('#stale').hidden", Duration::from_secs(20)).await?;
    let banner = page.text("#stale").await?;
    assert!(banner.contains("what you see is old"), "{banner}");
    picture(page, "7-collector-lost").await?;
    // A button that cannot work says so.
    page.click("#break-eu-west-1").await?;
    page.wait_for("document.querySelector('#demo-result').dataset.state === 'failed'", CONSEQUENCE).await?;

    // It comes back at the same address: the page recovers by itself.
    let (folder, listen) = (tempfile::tempdir()?, visit.url.trim_start_matches("http://"));
    let mut again = Program::start(folder.path(), &["demo", "--listen", listen, "--dir", "world"]);
    again.dashboard().await;
    page.wait_for("document.querySelector('#live').dataset.live === 'live'", CONSEQUENCE).await?;
    page.wait_for("document.querySelector('#stale').hidden", CONSEQUENCE).await?;
    Ok(())
}
