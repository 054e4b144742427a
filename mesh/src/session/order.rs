//! Which packets were overtaken, and on which way (RFC 4737: the one that comes late is the one reordered).

use super::probe::{Got, Probe};

/// Packets of a window that were overtaken on each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Overtaken {
    pub(super) there: u32,
    pub(super) back: u32,
}

/// Compares the packets of a window with all that are known, so that the edges of windows do not matter.
pub(super) fn overtaken<'a>(probes: impl IntoIterator<Item = &'a Probe>, window: u64) -> Overtaken {
    let answered: Vec<(&Probe, &Got)> =
        probes.into_iter().filter_map(|probe| Some((probe, probe.got.as_ref()?))).collect();
    let of = |place: &dyn Fn(&Probe, &Got) -> (u32, i64), arrival: &dyn Fn(&Got) -> (u32, i64)| {
        let mut order: Vec<_> = answered
            .iter()
            .map(|(probe, got)| (place(probe, got), arrival(got), probe.window == window))
            .collect();
        order.sort_unstable_by_key(|(place, ..)| std::cmp::Reverse(*place));
        // From the last that set out to the first: whoever arrived after one that set out later was overtaken.
        let (mut earliest, mut count) = ((u32::MAX, i64::MAX), 0);
        for (_, arrival, counts) in order {
            count += u32::from(counts && arrival > earliest);
            earliest = earliest.min(arrival);
        }
        count
    };
    Overtaken {
        there: of(&|probe, _| (0, i64::from(probe.sequence)), &|got| got.number),
        back: of(&|_, got| got.number, &|got| (0, got.arrival)),
    }
}
