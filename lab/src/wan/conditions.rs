//! What is wrong with the network at present, and what that means for one path.

use super::Path;
use crate::link::{Fault, Shape};
use std::{collections::HashMap, net::SocketAddr, time::Duration};

/// What is wrong with the paths of one site.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trouble {
    pub fault: Fault,
    /// Extra one-way delay.
    pub extra: Duration,
    /// Extra loss, 0 to 1.
    pub loss: f64,
}

#[derive(Debug, Default)]
pub(super) struct Conditions {
    sites: HashMap<&'static str, Trouble>,
    /// By (dialling site, dialled site).
    pub pairs: HashMap<(&'static str, &'static str), Fault>,
    /// By the server that a link leads to.
    pub servers: HashMap<SocketAddr, Fault>,
}

impl Conditions {
    pub fn site(&mut self, at: &'static str) -> &mut Trouble {
        self.sites.entry(at).or_default()
    }

    /// Drops the conditions of a site and of the pairs it is part of.
    pub fn forget(&mut self, at: &str) {
        self.sites.remove(at);
        self.pairs.retain(|(from, to), _| *from != at && *to != at);
    }

    /// The shape and the fault of a path.
    pub fn upon(&self, path: &Path, healthy: Shape) -> (Shape, Fault) {
        let mut shape = healthy;
        let pair = self.pairs.get(&(path.from, path.to)).copied().unwrap_or_default();
        let server = self.servers.get(&path.addr).copied().unwrap_or_default();
        let mut fault = pair.max(server);
        if path.from != path.to {
            for trouble in [path.from, path.to].iter().filter_map(|site| self.sites.get(site)) {
                fault = fault.max(trouble.fault);
                shape.delay += trouble.extra;
                shape.loss = (shape.loss + trouble.loss).clamp(0.0, 1.0);
            }
        }
        (shape, fault)
    }
}
