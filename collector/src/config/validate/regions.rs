//! `regions`: where users and servers are.

use super::Entries;
use crate::config::{model::Region, read::At};
use wire::RegionId;

/// Words that stand where a region's id can stand, and so can be no id.
const RESERVED: [&str; 5] = [wire::assignment::PUBLIC, "all", "here", "other", "nearest"];

/// Reads the section.
pub fn read(section: Option<&At<'_>>) -> Entries<RegionId, Region> {
    let entries = section.map(At::ids::<RegionId>).unwrap_or_default();
    entries
        .into_iter()
        .map(|(id, at)| {
            if RESERVED.contains(&id.as_str()) {
                at.problem_with_key(format!(
                    "`{id}` has a meaning of its own in checks; give the region another id"
                ));
            }
            let region = region(&id, &at);
            (id, region)
        })
        .collect()
}

fn region(id: &RegionId, at: &At<'_>) -> Option<Region> {
    if at.is_null() {
        return Some(Region { name: id.to_string(), coordinates: None });
    }
    let fields = at.fields(&["name", "coordinates"])?;
    let name = fields.or("name", id.to_string(), At::label);
    let coordinates = fields.maybe("coordinates", coordinates);
    Some(Region { name: name?, coordinates: coordinates? })
}

/// Latitude and longitude in degrees.
fn coordinates(at: &At<'_>) -> Option<(f64, f64)> {
    let items = at.list()?;
    let [latitude, longitude] = items.as_slice() else {
        return at.expected("latitude and longitude, for example [53.3, -6.3]");
    };
    let (latitude, longitude) = (latitude.number(-90.0..=90.0), longitude.number(-180.0..=180.0));
    Some((latitude?, longitude?))
}
