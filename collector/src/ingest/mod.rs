//! Takes reports: who sends is known by the token, what is sent is checked, and 2xx is answered only after the
//! commit.

pub mod auth;
mod body;
mod stream;
mod writer;

pub use stream::stream;
pub use writer::{Refused, Writer, start};

use crate::{App, api::Rejected, decide::Event, store::Entry};
use auth::Caller;
use axum::{Json, body::Body, extract::State};
use http::HeaderMap;
use wire::{
    Micros,
    report::{Accepted, Batch, MAX_REPORTS, MAX_SAMPLES, MAX_WINDOWS},
};

/// `POST /api/v1/reports`
///
/// # Errors
/// A problem document when the batch is malformed, is not the caller's, or cannot be stored now.
pub async fn reports(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Accepted>, Rejected> {
    let body = body::read(&headers, body).await?;
    let received = app.clock.now();
    let mut batch: Batch = serde_json::from_slice(&body).map_err(|error| {
        Rejected::new(400, "malformed", "The body is not a batch of reports", error.to_string())
    })?;
    check(&caller, &batch)?;
    // Windows with probes that are configured no more may still come from a spool; nobody could make anything of them.
    for report in &mut batch.reports {
        // Before anything is stored or folded: from here on nobody sees what a region's policy withholds.
        app.residency.apply(report);
        report.mesh.retain(|window| {
            let peer = app.config.probes.get(&window.to);
            window.to != window.from
                && window.from_region == caller.region
                && peer.is_some_and(|peer| peer.region == window.to_region)
        });
    }
    let samples: usize = batch.reports.iter().map(|report| report.samples.len()).sum();
    let entries = entries(batch, received);
    let total = entries.len();
    let stored = app.writer.append(entries).await?;
    app.metrics.ingested(&caller.probe, stored, total - stored, samples);
    Ok(Json(Accepted { stored, duplicates: total - stored }))
}

fn entries(batch: Batch, received: Micros) -> Vec<Entry> {
    let Batch { sent, reports, lost } = batch;
    let entry = |report: wire::report::Report| Entry {
        source: report.probe.to_string(),
        sequence: report.sequence,
        received,
        event: Event::Report { received, sent, report, lost },
    };
    reports.into_iter().map(entry).collect()
}

/// A probe speaks for itself only, within bounds.
fn check(caller: &Caller, batch: &Batch) -> Result<(), Rejected> {
    let refuse =
        |detail: String| Err(Rejected::new(422, "report-refused", "The reports were refused", detail));
    if batch.reports.len() > MAX_REPORTS {
        return refuse(format!("{} reports in a batch; send at most {MAX_REPORTS}", batch.reports.len()));
    }
    for report in &batch.reports {
        if report.probe != caller.probe {
            return Err(Rejected::new(
                403,
                "not-your-report",
                "A probe can report for itself only",
                format!("the token is {}'s and the report is {}'s", caller.probe, report.probe),
            ));
        }
        if report.samples.len() > MAX_SAMPLES {
            return refuse(format!(
                "{} samples in a report; send at most {MAX_SAMPLES}",
                report.samples.len()
            ));
        }
        if report.mesh.len() > MAX_WINDOWS {
            let count = report.mesh.len();
            return refuse(format!("{count} windows of the mesh in a report; send at most {MAX_WINDOWS}"));
        }
        if let Some(window) = report.mesh.iter().find(|window| window.from != caller.probe) {
            return refuse(format!(
                "a window says that {} sent it; a probe reports what it sent",
                window.from
            ));
        }
        // Samples of checks that are not this probe's (any more) may still be under way from its spool. They are kept
        // in the log and the core leaves them out; refusing the report would lose the others in it.
    }
    Ok(())
}
