//! What Sextant says of itself: logs by `tracing`, metrics by the OpenTelemetry API (scraped at `/metrics`), and
//! both traces and metrics by OTLP when the standard `OTEL_*` variables name an endpoint.
//!
//! This is the only module that knows the OpenTelemetry SDK. Everything else speaks to the API crate: a meter from
//! `opentelemetry::global::meter`, spans by `tracing`.

mod keep;

use opentelemetry::{KeyValue, global, trace::TracerProvider as _};
use opentelemetry_sdk::{
    Resource,
    metrics::SdkMeterProvider,
    trace::{BatchSpanProcessor, SdkTracerProvider},
};
use prometheus::{Encoder, Registry, TextEncoder};
use std::{env, io::IsTerminal, sync::OnceLock};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot set up the {signal} exporter named by the OTEL_* variables: correct or unset them")]
    Exporter { signal: &'static str, source: opentelemetry_otlp::ExporterBuildError },
    #[error("cannot set up metrics")]
    Metrics(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("a log filter is wrong: set SEXTANT_LOG to something like `info` or `info,collector=debug`")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    #[error(
        "SEXTANT_TRACE_SHARE is {0:?}: set it to a number from 0 to 1, or unset it to export every trace"
    )]
    Share(String),
    #[error("telemetry was set up twice in this process")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// The log filter where `SEXTANT_LOG` is not set; `info` unless [`default_filter`] said otherwise.
static DEFAULT_FILTER: OnceLock<&str> = OnceLock::new();

/// Sets the log filter for a process whose user did not choose one. Call it before [`init`].
pub fn default_filter(filter: &'static str) {
    // The first caller decides; a second one in the same process has no better reason.
    let _ = DEFAULT_FILTER.set(filter);
}

/// The registry behind `/metrics`, one a process as OpenTelemetry's global meter is.
static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// Flushes and ends telemetry when the process stops.
#[derive(Debug)]
pub struct Guard {
    traces: Option<SdkTracerProvider>,
    metrics: SdkMeterProvider,
}

impl Guard {
    /// Sends what is still buffered. Blocking exporters must not run on an async thread, so this moves to one
    /// that may block; failures are logged, because a process that stops has nobody to tell.
    pub async fn shutdown(self) {
        let end = tokio::task::spawn_blocking(move || {
            if let Some(Err(error)) = self.traces.map(|traces| traces.shutdown()) {
                tracing::warn!(%error, "some spans were not exported");
            }
            if let Err(error) = self.metrics.shutdown() {
                tracing::warn!(%error, "the last metrics were not exported");
            }
        });
        if end.await.is_err() {
            tracing::warn!("telemetry shutdown panicked");
        }
    }
}

/// Sets up logs on stderr, metrics, and OTLP where the environment asks for it.
///
/// Variables: `SEXTANT_LOG` (filter, default `info`), `SEXTANT_TRACE_SHARE` (0 to 1; failed traces are always exported), `OTEL_EXPORTER_OTLP_ENDPOINT`,
/// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`, `OTEL_SERVICE_NAME`,
/// `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SDK_DISABLED` and the others that OpenTelemetry defines for OTLP over HTTP.
///
/// # Errors
/// When a filter or an exporter's settings are wrong, or telemetry is set up already.
pub fn init(role: &'static str, format: LogFormat) -> Result<Guard, Error> {
    crate::tls::install();
    let resource = Resource::builder()
        .with_attributes([KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))])
        .with_attributes(
            env::var("OTEL_SERVICE_NAME")
                .is_err()
                .then(|| KeyValue::new("service.name", format!("sextant-{role}"))),
        )
        .build();
    let metrics = metrics(resource.clone())?;
    let traces = if exports("TRACES") { Some(traces(resource)?) } else { None };

    let filter = EnvFilter::builder()
        .parse(env::var("SEXTANT_LOG").unwrap_or_else(|_| (*DEFAULT_FILTER.get_or_init(|| "info")).into()))
        .map_err(Error::Filter)?
        // At its lowest levels it writes whole requests and messages: secrets, and what must not leave a region.
        .add_directive("tungstenite=warn".parse().map_err(Error::Filter)?);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match format {
        LogFormat::Human => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // Spans of the exporter's own HTTP client would be exported for ever.
    let spans = traces.as_ref().map(|provider| {
        let ours = EnvFilter::new("off,sextant=info,probe=info,collector=info,web=info");
        tracing_opentelemetry::layer().with_tracer(provider.tracer("sextant")).with_filter(ours)
    });
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(spans)
        .try_init()
        .map_err(Error::Twice)?;
    if traces.is_some() {
        crate::trace::set_exported();
    }
    Ok(Guard { traces, metrics })
}

/// The process's metrics in the Prometheus text format; empty before [`init`].
pub fn prometheus_text() -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(registry) = REGISTRY.get()
        && let Err(error) = TextEncoder::new().encode(&registry.gather(), &mut text)
    {
        tracing::error!(%error, "metrics could not be encoded");
    }
    text
}

/// The media type of [`prometheus_text`].
pub const PROMETHEUS_MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether the environment names an OTLP endpoint for a signal.
fn exports(signal: &str) -> bool {
    let set = |name: &str| env::var(name).is_ok_and(|value| !value.trim().is_empty());
    let disabled = env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"))
        || env::var(format!("OTEL_{signal}_EXPORTER")).is_ok_and(|value| value == "none");
    !disabled && (set("OTEL_EXPORTER_OTLP_ENDPOINT") || set(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")))
}

/// The share of good traces to export; absent for all.
fn share(text: Option<String>) -> Result<Option<f64>, Error> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    match text.trim().parse::<f64>() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(Some(share)),
        Ok(1.0) => Ok(None),
        _ => Err(Error::Share(text)),
    }
}

fn traces(resource: Resource) -> Result<SdkTracerProvider, Error> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .build()
        .map_err(|source| Error::Exporter { signal: "trace", source })?;
    let batches = BatchSpanProcessor::builder(exporter).build();
    let provider = SdkTracerProvider::builder().with_resource(resource);
    let provider = match share(env::var("SEXTANT_TRACE_SHARE").ok())? {
        Some(share) => provider.with_span_processor(keep::Keep::new(batches, share)),
        None => provider.with_span_processor(batches),
    }
    .build();
    global::set_tracer_provider(provider.clone());
    Ok(provider)
}

fn metrics(resource: Resource) -> Result<SdkMeterProvider, Error> {
    let registry = REGISTRY.get_or_init(Registry::new).clone();
    let scraped = opentelemetry_prometheus::exporter()
        .with_registry(registry)
        .scope_info_enabled(false)
        .build()
        .map_err(|error| Error::Metrics(error.into()))?;
    let mut provider = SdkMeterProvider::builder().with_resource(resource).with_reader(scraped);
    if exports("METRICS") {
        let pushed = opentelemetry_otlp::MetricExporter::builder()
            .with_http()
            .build()
            .map_err(|source| Error::Exporter { signal: "metric", source })?;
        provider = provider.with_periodic_exporter(pushed);
    }
    let provider = provider.build();
    global::set_meter_provider(provider.clone());
    Ok(provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_from_0_to_1() {
        let read = |text: &str| share(Some(text.to_owned())).ok();
        assert_eq!(share(None).ok(), Some(None));
        assert_eq!(
            (read(""), read("1"), read("0.25"), read(" 0 ")),
            (Some(None), Some(None), Some(Some(0.25)), Some(Some(0.0)))
        );
        for wrong in ["-0.1", "1.01", "NaN", "10%", "half"] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }
}
