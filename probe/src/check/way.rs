//! What a run needs to know to get to its endpoint, in one hand.

use super::{attempt::Limit, dial::Destination, fault::Fault, record::Recorder, words};
use crate::net::Net;
use std::net::SocketAddr;
use wire::{
    CheckId,
    assignment::{AssignedCheck, Endpoint, Reach, Target},
};

/// How one run, or one part of it, gets to where it goes.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) net: &'a Net,
    pub(super) reach: &'a Reach,
    pub(super) limit: Limit,
    pub(super) series: Series<'a>,
    /// Where the lookup was made already.
    pub(super) start: Option<&'a Start>,
    /// Secrets that are filled in and that no span may show. Evidence is cleaned of them at the end of the run.
    pub(super) hidden: &'a [String],
    /// What the target says must not be exported either.
    pub(super) private: bool,
}

/// Whose run it is, for the connections that are kept between runs.
#[derive(Clone, Copy)]
pub(super) struct Series<'a> {
    pub(super) check: &'a CheckId,
    pub(super) target: &'a Target,
    pub(super) interval_us: u32,
}

/// One address of a name, and the watch that has measured the lookup.
pub(super) struct Start {
    pub(super) to: Destination,
    pub(super) address: SocketAddr,
    pub(super) watch: Recorder,
}

impl<'a> Way<'a> {
    pub(super) fn of(
        check: &'a AssignedCheck,
        endpoint: &'a Endpoint,
        net: &'a Net,
        limit: Limit,
    ) -> Way<'a> {
        let series = Series { check: &check.id, target: &endpoint.target, interval_us: check.interval_us };
        Way {
            net,
            reach: &check.reach,
            limit,
            series,
            start: None,
            hidden: &[],
            private: !endpoint.evidence.travels(),
        }
    }

    /// The watch of a run that begins here.
    pub(super) fn watch(&self) -> Recorder {
        self.start.map_or_else(Recorder::start, |start| start.watch.fork())
    }

    /// The address that was given, when it is for this destination.
    pub(super) fn given(&self, to: &Destination) -> Option<SocketAddr> {
        self.start.filter(|start| start.to == *to).map(|start| start.address)
    }

    /// The DNS servers that the check names.
    ///
    /// # Errors
    /// [`wire::sample::FailClass::Request`] for what is no address with a port, or an address that is denied.
    pub(super) fn servers(&self) -> Result<Vec<SocketAddr>, Fault> {
        let read = |text: &String| {
            let address = text.parse::<SocketAddr>().map_err(|_| {
                Fault::request(format!("the resolver {} is no address with a port", words::quote(text)))
            })?;
            super::dial::permit_server(address)?;
            Ok(address)
        };
        self.reach.resolvers.iter().map(read).collect()
    }
}
