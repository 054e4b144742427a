//! The network between the probes: round trips, what each direction adds and loses.

use super::Clock;
use crate::{format, html::Stamp};
use askama::Template;
use std::collections::{BTreeMap, BTreeSet};
use wire::{
    ProbeId,
    mesh::{Direction, MeshMethod, MeshWindow},
    view::Overview,
};

/// Loss of a direction above this is marked, and above ten times as much strongly. A share of 0 to 1.
const SOME_LOSS: f64 = 0.001;

#[derive(Template)]
#[template(path = "mesh.html")]
pub struct Mesh {
    /// Column heads.
    probes: Vec<String>,
    rows: Vec<Row>,
    /// The oldest window that is shown.
    oldest: Option<Stamp>,
}

struct Row {
    from: String,
    region: String,
    cells: Vec<Cell>,
}

enum Cell {
    Itself,
    Nothing,
    Known { rtt: String, note: String, level: &'static str, title: String },
}

impl Mesh {
    pub fn new(overview: &Overview, clock: Clock) -> Self {
        let part: BTreeSet<&ProbeId> = overview.mesh.iter().flat_map(|w| [&w.from, &w.to]).collect();
        let mut best: BTreeMap<(&ProbeId, &ProbeId), &MeshWindow> = BTreeMap::new();
        for window in &overview.mesh {
            let known = best.entry((&window.from, &window.to)).or_insert(window);
            // A window that was answered tells more than a silent one; STAMP more than its stand-ins.
            if (window.answered > 0, worth(window.method)) > (known.answered > 0, worth(known.method)) {
                *known = window;
            }
        }
        let region = |probe: &ProbeId| {
            let known = overview.probes.iter().find(|view| view.id == *probe);
            known.map_or_else(String::new, |view| view.region.to_string())
        };
        let rows = part.iter().map(|from| Row {
            from: from.to_string(),
            region: region(from),
            cells: part.iter().map(|to| cell(from, to, &best)).collect(),
        });
        Self {
            rows: rows.collect(),
            probes: part.iter().map(ToString::to_string).collect(),
            oldest: best.values().map(|window| window.ended).min().map(|at| clock.age(at)),
        }
    }
}

fn worth(method: MeshMethod) -> u8 {
    match method {
        MeshMethod::Stamp => 2,
        MeshMethod::Tcp => 1,
        MeshMethod::Http => 0,
    }
}

/// The way from one probe to another, whichever of them sent.
fn cell(from: &ProbeId, to: &ProbeId, best: &BTreeMap<(&ProbeId, &ProbeId), &MeshWindow>) -> Cell {
    if from == to {
        return Cell::Itself;
    }
    if let Some(window) = best.get(&(from, to)) {
        return known(window, window.forward.as_ref());
    }
    match best.get(&(to, from)) {
        Some(window) => known(window, window.reverse.as_ref()),
        None => Cell::Nothing,
    }
}

fn known(window: &MeshWindow, direction: Option<&Direction>) -> Cell {
    let loss = direction.map_or(window.loss, |direction| direction.loss);
    let of = |lost: u32, of: u32| if of == 0 { 0.0 } else { f64::from(lost) / f64::from(of) };
    let share = of(loss.lost, loss.of);
    // Lost on one of the two ways, so perhaps on this one.
    let perhaps = of(window.lost_somewhere, window.loss.of);
    if window.sent == 0 {
        let (from, turns) = (&window.from, window.not_sent);
        let title = format!("{from} did not send: {turns} turns were missed or refused by its machine");
        return Cell::Known { rtt: "not sent".into(), note: String::new(), level: "unsent", title };
    }
    let Some(rtt) = &window.rtt else {
        let title = format!("{} sent by {}, none answered", packets(window.sent), method(window.method));
        return Cell::Known { rtt: "no answer".into(), note: String::new(), level: "lost", title };
    };
    let level = match share.max(perhaps) {
        share if share >= 10.0 * SOME_LOSS => "heavy",
        share if share >= SOME_LOSS => "some",
        _ => "none",
    };
    let note = if share > 0.0 {
        format!("{} lost", format::percent(share))
    } else if perhaps > 0.0 {
        format!("≤ {} lost", format::percent(perhaps))
    } else if window.method != MeshMethod::Stamp {
        format!("by {}", method(window.method))
    } else {
        let variation = direction.and_then(|direction| direction.variation);
        variation.map_or_else(String::new, |variation| format!("+{}", nanos(variation.p99_ns)))
    };
    Cell::Known { rtt: nanos(rtt.p50_ns), note, level, title: title(window, direction) }
}

/// Everything known, for who points at a cell.
fn title(window: &MeshWindow, direction: Option<&Direction>) -> String {
    let rtt = window.rtt.as_ref().map_or_else(String::new, |rtt| {
        format!(
            "Round trip: least {}, median {}, 99 % {}, most {}.",
            nanos(rtt.min_ns),
            nanos(rtt.p50_ns),
            nanos(rtt.p99_ns),
            nanos(rtt.max_ns)
        )
    });
    let mut parts = vec![rtt];
    if let Some(direction) = direction {
        parts.push(format!(
            "This way: {} of {} lost (95 %: {} to {}), {} overtaken.",
            direction.loss.lost,
            direction.loss.of,
            format::percent(direction.loss.low),
            format::percent(direction.loss.high),
            direction.reordered,
        ));
        if let Some(variation) = direction.variation {
            parts.push(format!(
                "99 % took up to {} longer than the quickest, jitter {} (RFC 3550).",
                nanos(variation.p99_ns),
                nanos(variation.jitter_ns)
            ));
        }
        parts.push(match direction.one_way {
            Some(way) => {
                format!("One way between {} and {}.", signed(way.lower_ns), signed(way.upper_ns))
            }
            None => "One-way delay unknown: the clocks contradict each other or nothing bounds them.".into(),
        });
    }
    parts.push(format!("{} by {}.", packets(window.sent), method(window.method)));
    if window.not_sent > 0 {
        parts.push(format!("{} more were not sent by the machine of {}.", window.not_sent, window.from));
    }
    if window.lost_somewhere > 0 {
        parts.push(format!("{} were lost on one of the two ways.", window.lost_somewhere));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

fn packets(count: u32) -> String {
    if count == 1 { "1 packet".into() } else { format!("{count} packets") }
}

fn method(method: MeshMethod) -> &'static str {
    match method {
        MeshMethod::Stamp => "STAMP",
        MeshMethod::Tcp => "TCP",
        MeshMethod::Http => "HTTP",
    }
}

fn nanos(ns: u64) -> String {
    signed(i64::try_from(ns).unwrap_or(i64::MAX))
}

/// To the microsecond below one millisecond, as elsewhere above.
fn signed(ns: i64) -> String {
    if ns.unsigned_abs() < 1_000_000 {
        format!("{} µs", ns / 1_000).replace('-', "−")
    } else {
        format::duration(ns / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_readable_at_every_scale() {
        for (ns, text) in [(0, "0 µs"), (999_999, "999 µs"), (-42_000, "−42 µs"), (43_120_000, "43.1 ms")]
        {
            assert_eq!(signed(ns), text);
        }
    }
}
