//! Regions on a plate carrée map: shape and colour tell the worst verdict there, the halo the share of traffic.

use super::words::Shape;
use crate::{format, html::Icon};
use askama::Template;
use wire::view::{Overview, RegionView, VerdictState};

/// The map's window in its own units, one degree each: 180° W to 180° E, 84° N to 58° S.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 142.0;
const NORTH: f64 = 84.0;
/// Line height and mean character width of the labels.
const LINE: f64 = 10.0;
const CHAR: f64 = 5.3;

#[derive(Template)]
#[template(path = "map.html")]
pub struct Map {
    markers: Vec<Marker>,
    /// Regions without coordinates.
    elsewhere: Vec<Place>,
    summary: String,
}

struct Place {
    name: String,
    /// Whether any service has an endpoint here. Elsewhere there is nothing that a state could be known of.
    served: bool,
    state: VerdictState,
    icon: Icon,
    share: String,
}

impl Place {
    fn sentence(&self) -> String {
        let Place { name, state, share, .. } = self;
        if self.served { format!("{name} {state}, {share}") } else { format!("{name}, {share}") }
    }
}

struct Marker {
    place: Place,
    x: f64,
    y: f64,
    halo: f64,
    label_x: f64,
    label_y: f64,
    anchor: &'static str,
}

impl Map {
    pub fn new(overview: &Overview) -> Self {
        let mut map = Map { markers: Vec::new(), elsewhere: Vec::new(), summary: String::new() };
        let mut taken = Vec::new();
        let mut spots = Vec::new();
        for region in &overview.regions {
            let (place, share) = place(overview, region);
            match (region.latitude, region.longitude) {
                (Some(latitude), Some(longitude)) => spots.push((place, share, project(latitude, longitude))),
                _ => map.elsewhere.push(place),
            }
        }
        // A label may cover no marker, whichever comes first.
        taken.extend(spots.iter().map(|(_, _, (x, y))| Area { x: x - 6.0, y: y - 6.0, w: 12.0, h: 12.0 }));
        for (place, share, (x, y)) in spots {
            let chars = place.name.chars().count().max(place.share.chars().count());
            let (area, anchor) = spot(x, y, chars as f64 * CHAR, &taken);
            let label_x = match anchor {
                "start" => area.x,
                "end" => area.x + area.w,
                _ => area.x + area.w / 2.0,
            };
            let label_y = area.y + LINE * 0.8;
            taken.push(area);
            let halo = share.map_or(0.0, |s| 5.0 + 15.0 * s.clamp(0.0, 1.0).sqrt());
            map.markers.push(Marker { place, x, y, halo, label_x, label_y, anchor });
        }
        let all = map.markers.iter().map(|m| &m.place).chain(&map.elsewhere);
        map.summary = all.map(Place::sentence).collect::<Vec<_>>().join("; ");
        map
    }
}

/// The worst verdict in a region, and its mean share of the services' traffic.
fn place(overview: &Overview, region: &RegionView) -> (Place, Option<f64>) {
    let here: Vec<_> =
        overview.services.iter().flat_map(|s| &s.regions).filter(|r| r.region == region.id).collect();
    let state = here.iter().map(|r| r.verdict.state).max().unwrap_or_default();
    let shares: Vec<f64> = here.iter().filter_map(|r| r.observed_share).collect();
    let share = (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64);
    let served = !here.is_empty();
    let text = match share {
        Some(share) => format::percent(share),
        None if served => "no traffic data".to_owned(),
        None => "no service here".to_owned(),
    };
    let icon = if served { state.icon() } else { Icon("none") };
    (Place { name: region.name.clone(), served, state, icon, share: text }, share)
}

fn project(latitude: f64, longitude: f64) -> (f64, f64) {
    ((longitude + 180.0).clamp(0.0, WIDTH), (NORTH - latitude).clamp(0.0, HEIGHT))
}

#[derive(Debug, Clone, Copy)]
struct Area {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
}

impl Area {
    fn meets(&self, other: &Area) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && self.y < other.y + other.h
            && other.y < self.y + self.h
    }

    fn fits(&self) -> bool {
        self.x >= 0.0 && self.y >= 0.0 && self.x + self.w <= WIDTH && self.y + self.h <= HEIGHT
    }
}

/// Where a label of two lines goes: the first free place around the marker; to the right when there is none.
fn spot(x: f64, y: f64, w: f64, taken: &[Area]) -> (Area, &'static str) {
    let h = 2.0 * LINE;
    let around = [
        (Area { x: x + 9.0, y: y - LINE, w, h }, "start"),
        (Area { x: x - 9.0 - w, y: y - LINE, w, h }, "end"),
        (Area { x: x - w / 2.0, y: y + 11.0, w, h }, "middle"),
        (Area { x: x - w / 2.0, y: y - 11.0 - h, w, h }, "middle"),
    ];
    let free = around.into_iter().find(|(area, _)| area.fits() && !taken.iter().any(|t| t.meets(area)));
    free.or_else(|| around.into_iter().find(|(area, _)| area.fits())).unwrap_or(around[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_the_corners() {
        assert_eq!(project(84.0, -180.0), (0.0, 0.0));
        assert_eq!(project(-90.0, 180.0), (WIDTH, HEIGHT));
        assert_eq!(project(0.0, 0.0), (180.0, 84.0));
    }

    #[test]
    fn labels_of_neighbours_do_not_overlap() {
        let mut taken = Vec::new();
        for x in [170.0, 180.0, 190.0] {
            let (area, _) = spot(x, 33.0, 60.0, &taken);
            assert!(area.fits() && !taken.iter().any(|t: &Area| t.meets(&area)), "{x}: {area:?}");
            taken.push(area);
        }
    }

    #[test]
    fn a_label_at_the_edge_stays_inside() {
        assert!(spot(355.0, 80.0, 60.0, &[]).0.fits());
    }
}
