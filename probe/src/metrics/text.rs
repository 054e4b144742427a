//! The rows of [`super::table`] in the Prometheus text format, version 0.0.4.
//!
//! The names are those of the blackbox exporter where it has the figure, so that dashboards and alerts written for it
//! go on working, with the labels `check`, `target` and `region` in place of its `instance`. What did not happen has no
//! line: never a zero that nobody measured. docs/metrics.md explains each.
//!
//! They are written here and not by OpenTelemetry instruments because ten thousand series of twenty figures each would
//! be two hundred thousand attribute sets, of which the SDK keeps two thousand for each instrument.

use super::table::{Ip, Kind, Last, Protocol, Rows, Run, Tls};
use std::fmt::Write;
use wire::RegionId;

/// Takes one line's further labels (`,name="value"` or nothing) and value.
type Line<'l> = dyn FnMut(&str, f64) + 'l;

struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    lines: fn(&Last, &mut Line<'_>),
}

/// All rows as text.
pub fn render(rows: &Rows, region: &RegionId) -> String {
    let mut text = String::new();
    for family in FAMILIES {
        let begin = text.len();
        // Writing into a string cannot fail.
        let _ = writeln!(text, "# HELP {0} {1}\n# TYPE {0} {2}", family.name, family.help, family.kind);
        let header = text.len();
        for ((check, target), last) in rows {
            (family.lines)(last, &mut |labels, value| {
                let name = family.name;
                // Ids are slugs, so nothing in them needs escaping.
                let _ = writeln!(
                    text,
                    "{name}{{check=\"{check}\",target=\"{target}\",region=\"{region}\"{labels}}} {value}"
                );
            });
        }
        if text.len() == header {
            text.truncate(begin);
        }
    }
    text
}

/// Lines of the last run, where there was one.
macro_rules! run {
    (|$run:ident, $line:ident| $body:expr) => {
        |last, $line| {
            if let Some($run) = &last.run {
                $body
            }
        }
    };
}

const FAMILIES: &[Family] = &[
    Family {
        name: "probe_success",
        kind: "gauge",
        help: "Whether the last run was good.",
        lines: run!(|run, line| line("", flag(run.ok))),
    },
    Family {
        name: "probe_duration_seconds",
        kind: "gauge",
        help: "How long the last run took.",
        lines: run!(|run, line| line("", seconds(run.total_us))),
    },
    Family {
        name: "probe_slow",
        kind: "gauge",
        help: "Whether the last run was good and took longer than the check's budget.",
        lines: run!(|run, line| line("", flag(run.slow))),
    },
    Family {
        name: "probe_last_run_timestamp_seconds",
        kind: "gauge",
        help: "When the last run ended, by this probe's clock.",
        lines: run!(|run, line| line("", run.ended.0 as f64 / 1e6)),
    },
    Family {
        name: "probe_schedule_delay_seconds",
        kind: "gauge",
        help: "How late the last run started.",
        lines: run!(|run, line| line("", run.delay_us as f64 / 1e6)),
    },
    Family {
        name: "probe_runs_total",
        kind: "counter",
        help: "Runs since this process began.",
        lines: |last, line| {
            line(",result=\"ok\"", last.ok as f64);
            line(",result=\"failed\"", last.failed as f64);
        },
    },
    Family {
        name: "probe_skipped_total",
        kind: "counter",
        help: "Runs that were due and did not start, since this process began.",
        lines: |last, line| line("", last.skipped as f64),
    },
    Family {
        name: "probe_dns_lookup_time_seconds",
        kind: "gauge",
        help: "How long the name took to resolve.",
        lines: run!(|run, line| phase(line, "", run.phases.dns)),
    },
    Family {
        name: "probe_ip_protocol",
        kind: "gauge",
        help: "The version of IP that was used, 4 or 6.",
        lines: run!(|run, line| match run.ip {
            Some(Ip::V4) => line("", 4.0),
            Some(Ip::V6) => line("", 6.0),
            None => {}
        }),
    },
    Family {
        name: "probe_http_phase_duration_seconds",
        kind: "gauge",
        help: "How long each phase of the last HTTP run took; they add up to the duration.",
        lines: |last, line| {
            if let (Kind::Http, Some(run)) = (last.kind, &last.run) {
                for (name, us) in run.phases.named() {
                    line(&format!(",phase=\"{name}\""), seconds(us));
                }
            }
        },
    },
    Family {
        name: "probe_http_duration_seconds",
        kind: "gauge",
        help: "The same in the phases of the blackbox exporter.",
        lines: |last, line| {
            if let (Kind::Http, Some(run)) = (last.kind, &last.run) {
                let phases = &run.phases;
                phase(line, "resolve", phases.dns);
                phase(line, "connect", phases.connect);
                phase(line, "tls", phases.tls);
                phase(
                    line,
                    "processing",
                    phases.wait.map(|wait| wait.saturating_add(phases.send.unwrap_or(0))),
                );
                phase(line, "transfer", phases.transfer);
            }
        },
    },
    Family {
        name: "probe_http_status_code",
        kind: "gauge",
        help: "The status that was answered.",
        lines: run!(|run, line| if let Some(status) = run.status {
            line("", status.into());
        }),
    },
    Family {
        name: "probe_http_version",
        kind: "gauge",
        help: "The version of HTTP that was spoken, 1.1 or 2.",
        lines: run!(|run, line| match run.protocol {
            Some(Protocol::Http1) => line("", 1.1),
            Some(Protocol::Http2) => line("", 2.0),
            None => {}
        }),
    },
    Family {
        name: "probe_http_ssl",
        kind: "gauge",
        help: "Whether the last HTTP run shook hands by TLS.",
        lines: |last, line| {
            if let (Kind::Http, Some(run @ Run { status: Some(_), .. })) = (last.kind, &last.run) {
                line("", flag(run.phases.tls.is_some() || run.tls.is_some()));
            }
        },
    },
    Family {
        name: "probe_http_redirects",
        kind: "gauge",
        help: "How many redirects were followed.",
        lines: |last, line| {
            if let (Kind::Http, Some(run @ Run { status: Some(_), .. })) = (last.kind, &last.run) {
                line("", run.redirects.into());
            }
        },
    },
    Family {
        name: "probe_http_uncompressed_body_length",
        kind: "gauge",
        help: "Bytes of the body that were read, at most 1 MiB.",
        lines: run!(|run, line| if let Some(bytes) = run.bytes {
            line("", bytes.into());
        }),
    },
    Family {
        name: "probe_ssl_earliest_cert_expiry",
        kind: "gauge",
        help: "When the server's certificate stops being valid, seconds since 1970.",
        lines: run!(|run, line| if let Some(at) = run.certificate_expires {
            line("", (at.0 / 1_000_000) as f64);
        }),
    },
    Family {
        name: "probe_tls_version_info",
        kind: "gauge",
        help: "1 for the version of TLS that was spoken.",
        lines: run!(|run, line| match run.tls {
            Some(Tls::V12) => line(",version=\"TLS 1.2\"", 1.0),
            Some(Tls::V13) => line(",version=\"TLS 1.3\"", 1.0),
            None => {}
        }),
    },
    Family {
        name: "probe_dns_duration_seconds",
        kind: "gauge",
        help: "How long each phase of the last DNS run took.",
        lines: |last, line| {
            if let (Kind::Dns, Some(run)) = (last.kind, &last.run) {
                phase(line, "resolve", run.phases.dns);
                phase(line, "connect", run.phases.connect);
                phase(line, "request", run.phases.wait);
            }
        },
    },
    Family {
        name: "probe_icmp_duration_seconds",
        kind: "gauge",
        help: "How long each phase of the last ICMP run took; rtt is the median round trip.",
        lines: |last, line| {
            if let (Kind::Icmp, Some(run)) = (last.kind, &last.run) {
                phase(line, "resolve", run.phases.dns);
                phase(line, "rtt", run.phases.wait);
            }
        },
    },
];

fn phase(line: &mut Line<'_>, name: &str, us: Option<u32>) {
    if let Some(us) = us {
        let label = if name.is_empty() { String::new() } else { format!(",phase=\"{name}\"") };
        line(&label, seconds(us));
    }
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

fn seconds(us: u32) -> f64 {
    f64::from(us) / 1e6
}

#[cfg(test)]
mod tests;
