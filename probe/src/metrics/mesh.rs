//! The last window of each session of the mesh in the Prometheus text format.
//!
//! One-way delays stand only beside their bounds, and what is not known has no line.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};
use wire::{
    ProbeId,
    mesh::{Direction, MeshMethod, MeshWindow},
};

/// The newest window of each session and method.
pub type Windows = BTreeMap<(ProbeId, MeshMethod), MeshWindow>;

/// Keeps only the windows with these peers.
pub fn keep(windows: &mut Windows, peers: &BTreeSet<ProbeId>) {
    windows.retain(|(peer, _), _| peers.contains(peer));
}

/// Takes one line's further labels and its value.
type Line<'l> = dyn FnMut(&str, f64) + 'l;

/// One name with its lines.
struct Family {
    name: &'static str,
    help: &'static str,
    lines: fn(&MeshWindow, &mut Line<'_>),
}

/// All windows as text.
pub fn render(windows: &Windows) -> String {
    let mut text = String::new();
    for Family { name, help, lines } in FAMILIES {
        let begin = text.len();
        // Writing into a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        let header = text.len();
        for window in windows.values() {
            let (from, to, method) = (&window.from, &window.to, word(window.method));
            lines(window, &mut |labels, value| {
                let _ = writeln!(
                    text,
                    "{name}{{from=\"{from}\",to=\"{to}\",method=\"{method}\"{labels}}} {value}"
                );
            });
        }
        if text.len() == header {
            text.truncate(begin);
        }
    }
    text
}

fn word(method: MeshMethod) -> &'static str {
    match method {
        MeshMethod::Stamp => "stamp",
        MeshMethod::Tcp => "tcp",
        MeshMethod::Http => "http",
    }
}

/// Both directions that are known, with their label.
fn directions(window: &MeshWindow) -> impl Iterator<Item = (&'static str, &Direction)> {
    let both = [("forward", &window.forward), ("reverse", &window.reverse)];
    both.into_iter().filter_map(|(name, direction)| Some((name, direction.as_ref()?)))
}

const FAMILIES: &[Family] = &[
    Family {
        name: "probe_network_rtt_seconds",
        help: "Round trip of the last window without the time at the other end, by quantile.",
        lines: |window, line| {
            if let Some(rtt) = &window.rtt {
                let all = [
                    (0.5, rtt.p50_ns),
                    (0.9, rtt.p90_ns),
                    (0.99, rtt.p99_ns),
                    (0.0, rtt.min_ns),
                    (1.0, rtt.max_ns),
                ];
                all.into_iter().for_each(|(q, ns)| line(&format!(",quantile=\"{q}\""), seconds(ns)));
            }
        },
    },
    Family {
        name: "probe_network_pdv_seconds",
        help: "How much longer packets took than the quickest of the last window (RFC 5481), by quantile.",
        lines: |window, line| {
            for (way, direction) in directions(window) {
                if let Some(variation) = &direction.variation {
                    let all = [
                        (0.5, variation.p50_ns),
                        (0.95, variation.p95_ns),
                        (0.99, variation.p99_ns),
                        (0.999, variation.p999_ns),
                    ];
                    all.into_iter().for_each(|(q, ns)| {
                        line(&format!(",direction=\"{way}\",quantile=\"{q}\""), seconds(ns))
                    });
                }
            }
        },
    },
    Family {
        name: "probe_network_jitter_rfc3550_seconds",
        help: "Interarrival jitter (RFC 3550, 6.4.1) at the end of the last window.",
        lines: |window, line| {
            for (way, direction) in directions(window) {
                if let Some(variation) = &direction.variation {
                    line(&format!(",direction=\"{way}\""), seconds(variation.jitter_ns));
                }
            }
        },
    },
    Family {
        name: "probe_network_owd_seconds",
        help: "Median one-way delay of the last window: the truth is between the lower and the upper bound.",
        lines: |window, line| {
            for (way, direction) in directions(window) {
                if let Some(one) = direction.one_way {
                    let all =
                        [("lower", one.lower_ns), ("estimate", one.estimate_ns), ("upper", one.upper_ns)];
                    all.into_iter().for_each(|(bound, ns)| {
                        line(&format!(",direction=\"{way}\",bound=\"{bound}\""), ns as f64 / 1e9);
                    });
                }
            }
        },
    },
    Family {
        name: "probe_network_packets_sent",
        help: "Packets that left in the last window.",
        lines: |window, line| line("", f64::from(window.sent)),
    },
    Family {
        name: "probe_network_packets_not_sent",
        help: "Packets of the last window that this machine did not send.",
        lines: |window, line| line("", f64::from(window.not_sent)),
    },
    Family {
        name: "probe_network_packets_lost",
        help: "Packets of the last window that were lost, there and back or in one direction.",
        lines: |window, line| {
            line(",direction=\"round_trip\"", f64::from(window.loss.lost));
            // Where nothing was answered, nobody knows on which way they were lost.
            line(",direction=\"unknown\"", f64::from(window.lost_somewhere));
            directions(window).filter(|_| window.answered > 0).for_each(|(way, direction)| {
                line(&format!(",direction=\"{way}\""), f64::from(direction.loss.lost));
            });
        },
    },
    Family {
        name: "probe_network_duplicates",
        help: "Answers of the last window beyond the first to the same packet.",
        lines: |window, line| line("", f64::from(window.duplicates)),
    },
    Family {
        name: "probe_network_reordered",
        help: "Answers of the last window that came after one to a later packet.",
        lines: |window, line| line("", f64::from(window.reordered)),
    },
    Family {
        name: "probe_clock_offset_seconds",
        help: "The other probe's clock minus this one's: the truth is between the bounds.",
        lines: |window, line| {
            if let Some(offset) = window.clock.and_then(|clock| clock.offset) {
                line(",bound=\"lower\"", offset.lower_ns as f64 / 1e9);
                line(",bound=\"upper\"", offset.upper_ns as f64 / 1e9);
            }
        },
    },
    Family {
        name: "probe_network_window_end_timestamp_seconds",
        help: "When the last window ended.",
        lines: |window, line| line("", window.ended.0 as f64 / 1e6),
    },
];

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(to: &str, more: &str) -> MeshWindow {
        let text = format!(
            r#"{{"ssid": 7, "from": "north-1", "from_region": "north", "to": "{to}", "to_region": "south",
                "method": "stamp", "started": 0, "ended": 60000000, "timeout_us": 3000000, "sent": 600, "answered": 599,
                "loss": {{"lost": 1, "of": 600, "low": 0.0, "high": 0.01}}{more}}}"#
        );
        serde_json::from_str(&text).expect("a window")
    }

    #[test]
    fn what_is_known_has_a_line_and_what_is_not_has_none() {
        let rtt = r#", "rtt": {"min_ns": 1, "p50_ns": 43120000, "p90_ns": 1, "p99_ns": 1, "max_ns": 1}"#;
        let south: ProbeId = "south-1".parse().expect("an id");
        let west: ProbeId = "west-1".parse().expect("an id");
        let mut windows = Windows::from([
            ((south.clone(), MeshMethod::Stamp), window("south-1", rtt)),
            ((west, MeshMethod::Stamp), window("west-1", "")),
        ]);
        let text = render(&windows);
        let labels = r#"{from="north-1",to="south-1",method="stamp",quantile="0.5"}"#;
        assert!(text.contains(&format!("probe_network_rtt_seconds{labels} 0.04312\n")), "{text}");
        assert_eq!(text.matches("probe_network_rtt_seconds{").count(), 5, "none for the silent peer");
        assert!(!text.contains("probe_network_owd_seconds"), "no bound, no delay");
        assert_eq!(text.matches("probe_network_packets_lost{").count(), 4);
        keep(&mut windows, &BTreeSet::from([south]));
        assert_eq!(windows.len(), 1);
    }
}
