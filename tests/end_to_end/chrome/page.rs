//! One tab: go, look, click with a real mouse, take a picture, and hear what the page complains of.

use super::cdp::Cdp;
use anyhow::{Context, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use tokio::time::{Instant, interval};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long a page may take to load.
const LOAD: Duration = Duration::from_secs(30);

/// A colour scheme that the visitor prefers.
#[derive(Debug, Clone, Copy)]
pub enum Scheme {
    Light,
    Dark,
}

/// One tab.
pub struct Page {
    cdp: Cdp,
    session: String,
}

impl Page {
    /// Opens an empty tab and listens to its complaints.
    pub(super) async fn open(cdp: Cdp, width: u32, height: u32) -> anyhow::Result<Page> {
        let context =
            cdp.call(None, "Target.createBrowserContext", json!({ "disposeOnDetach": true })).await?;
        let target = json!({ "url": "about:blank", "browserContextId": context["browserContextId"] });
        let target = cdp.call(None, "Target.createTarget", target).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = cdp.call(None, "Target.attachToTarget", attach).await?;
        let session = attached["sessionId"].as_str().context("a session has an id")?.to_owned();
        let page = Page { cdp, session };
        for domain in ["Page", "Runtime", "Log", "Audits"] {
            page.call(&format!("{domain}.enable"), json!({})).await?;
        }
        page.viewport(width, height).await?;
        Ok(page)
    }

    async fn call(&self, method: &str, params: Value) -> anyhow::Result<Value> {
        self.cdp.call(Some(&self.session), method, params).await
    }

    /// The size of the window, CSS pixels.
    pub async fn viewport(&self, width: u32, height: u32) -> anyhow::Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size).await.map(drop)
    }

    /// What the visitor's system prefers.
    pub async fn colours(&self, scheme: Scheme) -> anyhow::Result<()> {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.call("Emulation.setEmulatedMedia", features).await.map(drop)
    }

    /// Switches the page's own scripts off; ours still run.
    pub async fn without_scripts(&self) -> anyhow::Result<()> {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await.map(drop)
    }

    /// Goes to an address and waits until it is loaded.
    pub async fn goto(&self, url: &str) -> anyhow::Result<()> {
        let went = self.call("Page.navigate", json!({ "url": url })).await?;
        if let Some(error) = went["errorText"].as_str() {
            bail!("{url} cannot be loaded: {error}");
        }
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'", LOAD).await
    }

    /// The value of a JavaScript expression, as JSON.
    pub async fn eval(&self, expression: &str) -> anyhow::Result<Value> {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.call("Runtime.evaluate", params).await?;
        if let Some(exception) = answer.get("exceptionDetails") {
            bail!("{expression}\nthrew {exception}");
        }
        Ok(answer["result"]["value"].take())
    }

    /// Waits until a JavaScript expression is true.
    ///
    /// # Errors
    /// When it is not within `limit`; the message holds the text of the page.
    pub async fn wait_for(&self, condition: &str, limit: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        let mut look = interval(LOOK);
        let mut last = String::new();
        while Instant::now() < deadline {
            look.tick().await;
            match self.eval(condition).await {
                Ok(Value::Bool(true)) => return Ok(()),
                Ok(value) => last = value.to_string(),
                // A page that is being replaced cannot answer for a moment.
                Err(error) => last = format!("{error:#}"),
            }
        }
        let text = self.text("body").await.unwrap_or_else(|error| format!("{error:#}"));
        let complaints = self.complaints().join("\n");
        bail!(
            "not so within {limit:?}: {condition}\n(last: {last})\nThe page says:\n{text}\nIt complains:\n{complaints}"
        )
    }

    /// The visible text of the first element that a selector finds.
    pub async fn text(&self, selector: &str) -> anyhow::Result<String> {
        let selector = Value::from(selector);
        let text = self.eval(&format!("document.querySelector({selector})?.innerText ?? null")).await?;
        text.as_str().map(str::to_owned).with_context(|| format!("{selector} is not on the page"))
    }

    /// Clicks in the middle of an element with the mouse, as a person would: what covers it takes the click.
    pub async fn click(&self, selector: &str) -> anyhow::Result<()> {
        let quoted = Value::from(selector);
        let place = self
            .eval(&format!(
                "(() => {{
                    const element = document.querySelector({quoted});
                    if (!element) return null;
                    element.scrollIntoView({{ block: 'center', behavior: 'instant' }});
                    const r = element.getBoundingClientRect();
                    const [x, y] = [r.x + r.width / 2, r.y + r.height / 2];
                    const hit = document.elementFromPoint(x, y);
                    return {{ x, y, hit: element.contains(hit), by: hit?.outerHTML.slice(0, 200) ?? 'nothing' }};
                }})()"
            ))
            .await?;
        ensure!(!place.is_null(), "{selector} is not on the page");
        ensure!(place["hit"] == true, "{selector} cannot be clicked, this is in the way: {}", place["by"]);
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let mut event = json!({ "type": kind, "x": place["x"], "y": place["y"] });
            if kind != "mouseMoved" {
                event["button"] = json!("left");
                event["clickCount"] = json!(1);
            }
            self.call("Input.dispatchMouseEvent", event).await?;
        }
        Ok(())
    }

    /// Chooses an option of a `<select>`.
    pub async fn choose(&self, selector: &str, option: &str) -> anyhow::Result<()> {
        let (quoted, value) = (Value::from(selector), Value::from(option));
        let chosen = self
            .eval(&format!(
                "(() => {{
                    const select = document.querySelector({quoted});
                    if (!select) return null;
                    select.value = {value};
                    for (const kind of ['input', 'change']) select.dispatchEvent(new Event(kind, {{ bubbles: true }}));
                    return select.value;
                }})()"
            ))
            .await?;
        ensure!(chosen == *option, "{selector} has no option {option}: {chosen}");
        Ok(())
    }

    /// Saves a picture of the whole page as PNG.
    pub async fn screenshot(&self, file: &Path) -> anyhow::Result<()> {
        let size = &self.call("Page.getLayoutMetrics", json!({})).await?["cssContentSize"];
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let params = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.call("Page.captureScreenshot", params).await?;
        let png = STANDARD.decode(picture["data"].as_str().context("a picture is base64")?)?;
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, png).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Errors, warnings, uncaught exceptions and policy violations of the page so far.
    pub fn complaints(&self) -> Vec<String> {
        self.cdp.events(&self.session).iter().filter_map(complaint).collect()
    }
}

fn complaint(event: &Value) -> Option<String> {
    let params = &event["params"];
    let bad = |level: &Value| matches!(level.as_str(), Some("error" | "warning" | "assert"));
    let told = match event["method"].as_str()? {
        "Runtime.exceptionThrown" => &params["exceptionDetails"],
        "Runtime.consoleAPICalled" if bad(&params["type"]) => &params["args"],
        "Log.entryAdded" if bad(&params["entry"]["level"]) => &params["entry"],
        "Audits.issueAdded" if params["issue"]["code"] == "ContentSecurityPolicyIssue" => &params["issue"],
        _ => return None,
    };
    Some(told.to_string())
}
