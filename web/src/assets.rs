//! Style, script and pictures, compiled in. Their names carry a hash of their content, so browsers may keep them
//! for ever and a new version is fetched at once.

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use std::{fmt::Write, sync::LazyLock};

/// A file with the name it is served under.
struct Asset {
    name: &'static str,
    hashed: String,
    media_type: &'static str,
    bytes: &'static [u8],
}

static ASSETS: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    [
        asset("sextant.css", "text/css; charset=utf-8", include_bytes!("../assets/sextant.css")),
        asset("sextant.js", "text/javascript; charset=utf-8", include_bytes!("../assets/sextant.js")),
        asset("mark.svg", "image/svg+xml", include_bytes!("../assets/mark.svg")),
        asset("land.svg", "image/svg+xml", include_bytes!("../assets/land.svg")),
    ]
});

fn asset(name: &'static str, media_type: &'static str, bytes: &'static [u8]) -> Asset {
    let mut hash = String::new();
    for byte in &Sha256::digest(bytes)[..6] {
        // Writing to a String cannot fail.
        let _ = write!(hash, "{byte:02x}");
    }
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    Asset { name, hashed: format!("{stem}-{hash}.{ending}"), media_type, bytes }
}

/// The address of an asset, given its plain name; an unknown name leads to the 404 page.
pub fn href(name: &str) -> String {
    let hashed = ASSETS.iter().find(|a| a.name == name).map_or(name, |a| &a.hashed);
    format!("/assets/{hashed}")
}

/// Serves an asset by its hashed name.
pub async fn serve(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|a| a.hashed == name) {
        Some(found) => (
            [
                (header::CONTENT_TYPE, found.media_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ],
            found.bytes,
        )
            .into_response(),
        None => crate::pages::not_found().await,
    }
}
