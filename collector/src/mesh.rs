//! Who measures the network to whom: sessions, their numbers and their keys, derived from the configuration.
//!
//! Every pair of probes has one session. Its key follows from the mesh's own key and the two ids alone, and so does its
//! number unless another session has it: collectors agree without talking, and neither a restart nor, but by a rare
//! chance, another probe disturbs a session.

use crate::{
    config::{Config, MeshSeat},
    secret::{Error, MeshSecret},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::{BTreeMap, BTreeSet};
use wire::{
    ProbeId, RegionId,
    mesh::{MeshKey, MeshPlan, MeshReflect, MeshRole, MeshSend, MeshSession},
};

/// What light does in a vacuum, km/ms: no signal is quicker.
const LIGHT_KM_PER_MS: f64 = 299.792_458;
/// The mean radius of the earth, km (IUGG).
const EARTH_KM: f64 = 6371.0088;
/// The polar radius is this much smaller than the mean one: a great circle on a sphere may be this much too long.
const FLATTENING: f64 = 0.994;

/// The plans of all probes. `Debug` shows no key.
#[derive(Debug, Default)]
pub struct Plans(BTreeMap<ProbeId, MeshPlan>);

impl Plans {
    /// Derives them; none without a mesh.
    ///
    /// # Errors
    /// When the mesh's key cannot be read.
    pub fn read(config: &Config) -> Result<Plans, Error> {
        match &config.mesh {
            Some(mesh) => Ok(Plans::derive(config, &MeshSecret::read(&mesh.key)?)),
            None => Ok(Plans::default()),
        }
    }

    /// What a probe does in the mesh, if it takes part.
    pub fn of(&self, probe: &ProbeId) -> Option<MeshPlan> {
        self.0.get(probe).cloned()
    }

    fn derive(config: &Config, secret: &MeshSecret) -> Plans {
        let seats: Vec<(&ProbeId, &MeshSeat)> =
            config.probes.iter().filter_map(|(id, probe)| Some((id, probe.mesh.as_ref()?))).collect();
        let mut plans: BTreeMap<ProbeId, MeshPlan> = seats
            .iter()
            .map(|(id, seat)| ((*id).clone(), MeshPlan { listen: seat.listen, sessions: Vec::new() }))
            .collect();
        let mut taken = BTreeSet::new();
        for (at, (one, seat)) in seats.iter().enumerate() {
            for (other, other_seat) in &seats[at + 1..] {
                let proof = derive(secret, one, other);
                let Some((sender, reflector, address)) = roles((one, seat), (other, other_seat), proof[0])
                else {
                    continue;
                };
                let ssid = number([proof[1], proof[2]], &mut taken);
                let key = MeshKey::new(derive_key(secret, one, other)).ok();
                let (Some(from), Some(to)) = (region(config, sender), region(config, reflector)) else {
                    continue;
                };
                let send = MeshRole::Send(send(config, address, (from, to)));
                let session = |peer: &ProbeId, peer_region: &RegionId, role| MeshSession {
                    ssid,
                    peer: peer.clone(),
                    peer_region: peer_region.clone(),
                    role,
                    key: key.clone(),
                };
                let ends = [
                    (sender, session(reflector, to, send)),
                    // The sender's address as the reflector sees it may be a translated one; the key tells who it is.
                    (reflector, session(sender, from, MeshRole::Reflect(MeshReflect { from: None }))),
                ];
                for (probe, session) in ends {
                    if let Some(plan) = plans.get_mut(probe) {
                        plan.sessions.push(session);
                    }
                }
            }
        }
        Plans(plans)
    }
}

type Seat<'a> = (&'a ProbeId, &'a MeshSeat);

/// Who sends, who answers, and where; nothing when nobody can be reached. Where both can, a coin decides, so that
/// the work is shared.
fn roles<'a>(one: Seat<'a>, other: Seat<'a>, coin: u8) -> Option<(&'a ProbeId, &'a ProbeId, &'a str)> {
    match (&one.1.address, &other.1.address) {
        (Some(address), None) => Some((other.0, one.0, address)),
        (None, Some(address)) => Some((one.0, other.0, address)),
        (Some(address), Some(_)) if coin % 2 == 1 => Some((other.0, one.0, address)),
        (Some(_), Some(address)) => Some((one.0, other.0, address)),
        (None, None) => None,
    }
}

fn region<'a>(config: &'a Config, probe: &ProbeId) -> Option<&'a RegionId> {
    config.probes.get(probe).map(|probe| &probe.region)
}

fn send(config: &Config, address: &str, (from, to): (&RegionId, &RegionId)) -> MeshSend {
    let micros = |duration: std::time::Duration| u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    let place = |id| config.regions.get(id).and_then(|region| region.coordinates);
    let least = place(from).zip(place(to)).map_or(0, |(from, to)| light_us(from, to));
    let usual = MeshSend::to(address);
    match &config.mesh {
        Some(mesh) => MeshSend {
            interval_us: micros(mesh.every),
            window_us: micros(mesh.window),
            least_delay_us: least,
            ..usual
        },
        None => usual,
    }
}

/// The time that light needs at least between two places in degrees, microseconds. Coordinates say where a region is,
/// not where the machine is, so 100 km are given away.
fn light_us(from: (f64, f64), to: (f64, f64)) -> u32 {
    const DOUBT_KM: f64 = 100.0;
    let ((lat1, lon1), (lat2, lon2)) = (from, to);
    let (phi1, phi2) = (lat1.to_radians(), lat2.to_radians());
    let half = |difference: f64| (difference / 2.0).sin().powi(2);
    let a = half(phi2 - phi1) + phi1.cos() * phi2.cos() * half((lon2 - lon1).to_radians());
    let km = 2.0 * EARTH_KM * a.clamp(0.0, 1.0).sqrt().asin() * FLATTENING - DOUBT_KM;
    // At most 67 ms, so it fits.
    (km.max(0.0) / LIGHT_KM_PER_MS * 1000.0).floor() as u32
}

/// A number that is not 0 and not taken: the wanted one or the next that is free.
fn number(wanted: [u8; 2], taken: &mut BTreeSet<u16>) -> u16 {
    let mut ssid = u16::from_be_bytes(wanted).max(1);
    // There are at most 200 × 199 / 2 sessions, so one is free.
    while !taken.insert(ssid) {
        ssid = ssid.checked_add(1).unwrap_or(1);
    }
    ssid
}

fn derive(secret: &MeshSecret, one: &ProbeId, other: &ProbeId) -> [u8; 32] {
    code(secret, "sextant mesh session", one, other)
}

fn derive_key(secret: &MeshSecret, one: &ProbeId, other: &ProbeId) -> Vec<u8> {
    code(secret, "sextant mesh key", one, other).to_vec()
}

/// HMAC-SHA-256 as a derivation function (RFC 5869, expand with one block): ids hold no zero byte.
fn code(secret: &MeshSecret, what: &str, one: &ProbeId, other: &ProbeId) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.bytes()).expect("HMAC takes keys of every length (RFC 2104)");
    for part in [what, one.as_str(), other.as_str()] {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn config(seats: &[(&str, &str)]) -> Config {
        let probes: String = seats
            .iter()
            .map(|(id, seat)| {
                format!("  {id}: {{ region: {}, token: {{ env: {} }}{seat} }}\n", &id[..1], id.to_uppercase())
            })
            .collect();
        let text = format!(
            "version: 1\nmesh: {{ key: {{ env: K }}, every: 50ms }}\nregions:\n  f: {{ coordinates: [50.1, 8.7] }}\n  t: \
             {{ coordinates: [35.7, 139.7] }}\n  x: {{}}\nprobes:\n{probes}"
        );
        parse(&text, "test.yaml").unwrap_or_else(|problems| panic!("{problems}\n{text}"))
    }

    fn secret() -> MeshSecret {
        MeshSecret::parse("mesh_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key")
    }

    const REACHABLE: &str = ", mesh: 192.0.2.1:862";

    #[test]
    fn every_pair_has_one_session_with_two_ends() {
        let ids = ["f1", "f2", "t1", "t2", "x1"];
        let seats: Vec<_> = ids.iter().map(|id| (*id, REACHABLE)).collect();
        let plans = Plans::derive(&config(&seats), &secret());
        let mut ends: BTreeMap<u16, Vec<(&ProbeId, &MeshSession)>> = BTreeMap::new();
        for (probe, plan) in &plans.0 {
            assert_eq!(plan.sessions.len(), 4, "{probe}");
            for session in &plan.sessions {
                ends.entry(session.ssid).or_default().push((probe, session));
            }
        }
        assert_eq!(ends.len(), 10);
        for (ssid, ends) in &ends {
            let [(one, a), (other, b)] = ends.as_slice() else { panic!("{ssid} has {} ends", ends.len()) };
            assert_eq!((&a.peer, &b.peer), (*other, *one));
            assert_eq!(a.key, b.key);
            let sends = |s: &MeshSession| matches!(s.role, MeshRole::Send(_));
            assert!(sends(a) != sends(b), "one sends, one answers");
        }
        let keys: BTreeSet<String> =
            ends.values().map(|ends| String::from(ends[0].1.key.clone().expect("a key"))).collect();
        assert_eq!(keys.len(), 10, "every session has a key of its own");
    }

    #[test]
    fn another_probe_disturbs_no_session() {
        let few = Plans::derive(&config(&[("f1", REACHABLE), ("t1", REACHABLE)]), &secret());
        let more = [("a1", REACHABLE), ("f1", REACHABLE), ("t1", REACHABLE)];
        let more: Vec<_> = more.iter().map(|(id, seat)| (id.replace('a', "x"), *seat)).collect();
        let more: Vec<(&str, &str)> = more.iter().map(|(id, seat)| (id.as_str(), *seat)).collect();
        let more = Plans::derive(&config(&more), &secret());
        let f1: ProbeId = "f1".parse().expect("an id");
        let was = few.of(&f1).expect("takes part").sessions;
        let is = more.of(&f1).expect("takes part").sessions;
        assert!(is.contains(&was[0]) && is.len() == 2);
    }

    #[test]
    fn who_cannot_be_reached_sends() {
        let seats =
            [("f1", ", mesh: send"), ("t1", ", mesh: t1.example:862"), ("t2", ", mesh: send"), ("x1", "")];
        let plans = Plans::derive(&config(&seats), &secret());
        let of = |id: &str| plans.of(&id.parse().expect("an id"));
        let f1 = of("f1").expect("takes part");
        assert_eq!((f1.listen, f1.sessions.len()), (None, 1), "f1 and t2 cannot reach each other");
        let MeshRole::Send(send) = &f1.sessions[0].role else { panic!("f1 sends") };
        assert_eq!((send.address.as_str(), send.interval_us), ("t1.example:862", 50_000));
        // Frankfurt to Tokyo are about 9 300 km: 31 ms for light.
        assert!((30_000..31_500).contains(&send.least_delay_us), "{}", send.least_delay_us);
        assert_eq!(of("t1").expect("takes part").sessions.len(), 2);
        assert_eq!(of("x1"), None);
    }

    #[test]
    fn light_is_never_slower_than_a_real_path() {
        assert_eq!(light_us((50.0, 8.0), (50.1, 8.1)), 0);
        // The longest way there is, 20 004 km through the poles.
        assert!(light_us((0.0, 0.0), (0.0, 180.0)) < 66_500);
    }

    #[test]
    fn numbers_are_never_0_nor_used_twice() {
        let mut taken = BTreeSet::new();
        assert_eq!(number([0, 0], &mut taken), 1);
        assert_eq!(number([0, 1], &mut taken), 2);
        assert_eq!(number([255, 255], &mut taken), u16::MAX);
        assert_eq!(number([255, 255], &mut taken), 3);
    }
}
