//! Which region of a service is nearest to a vantage, by the coordinates of the configuration.

use super::Region;
use std::collections::BTreeMap;
use wire::RegionId;

/// The mean radius of the Earth, kilometres.
const EARTH: f64 = 6371.0;

/// The nearest of `regions` to `vantage`: itself when it is among them, else the one at the least distance, of equally
/// near ones the first. Nothing when nobody can say, because coordinates are missing.
pub fn to<'r>(
    known: &BTreeMap<RegionId, Region>,
    vantage: &RegionId,
    regions: impl Iterator<Item = &'r RegionId> + Clone,
) -> Option<RegionId> {
    if regions.clone().any(|region| region == vantage) {
        return Some(vantage.clone());
    }
    let place = |region: &RegionId| known.get(region)?.coordinates;
    let from = place(vantage)?;
    let far = regions.map(|region| Some((distance(from, place(region)?), region)));
    let far: Vec<(f64, &RegionId)> = far.collect::<Option<_>>()?;
    far.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, region)| region.clone())
}

/// The way over the ground between two points in degrees, kilometres (haversine formula).
fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    let [(a_lat, a_lon), (b_lat, b_lon)] = [a, b].map(|(lat, lon)| (lat.to_radians(), lon.to_radians()));
    let half = |difference: f64| (difference / 2.0).sin().powi(2);
    let chord = half(b_lat - a_lat) + a_lat.cos() * b_lat.cos() * half(b_lon - a_lon);
    2.0 * EARTH * chord.clamp(0.0, 1.0).sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUBLIN: (f64, f64) = (53.3, -6.3);
    const TOKYO: (f64, f64) = (35.6, 139.7);

    #[test]
    fn distances_are_those_of_an_atlas() {
        assert!((distance(DUBLIN, TOKYO) - 9_590.0).abs() < 60.0, "{}", distance(DUBLIN, TOKYO));
        assert!(distance(DUBLIN, DUBLIN) < 1e-6);
        // Over the date line.
        assert!((distance((0.0, 179.5), (0.0, -179.5)) - 111.2).abs() < 0.1);
        assert!((distance((90.0, 0.0), (-90.0, 0.0)) - 20_015.0).abs() < 1.0);
    }

    #[test]
    fn itself_then_the_nearest_then_nobody_knows() {
        let id = |id: &str| -> RegionId { id.parse().expect("an id") };
        let place = |name: &str, coordinates| (id(name), Region { coordinates, ..Region::named(name) });
        let mut known = BTreeMap::from([
            place("dublin", Some(DUBLIN)),
            place("tokyo", Some(TOKYO)),
            place("frankfurt", Some((50.1, 8.7))),
            place("nowhere", None),
        ]);
        let service = [id("dublin"), id("tokyo")];
        assert_eq!(to(&known, &id("tokyo"), service.iter()), Some(id("tokyo")));
        assert_eq!(to(&known, &id("frankfurt"), service.iter()), Some(id("dublin")));
        assert_eq!(to(&known, &id("nowhere"), service.iter()), None);
        known.extend([place("tokyo", None)]);
        assert_eq!(to(&known, &id("tokyo"), service.iter()), Some(id("tokyo")));
        assert_eq!(to(&known, &id("frankfurt"), service.iter()), None);
    }
}
