//! The TCP check: is a connection accepted?

use super::{
    dial::{self, Destination},
    fault::Fault,
    record::Recorder,
};
use crate::net::Net;
use url::Url;

/// Connects to host and port of `url` and closes: phases `dns`, for a name, and `connect`.
pub(super) async fn connect(url: &str, net: &Net, recorder: &Recorder) -> Result<(), Fault> {
    let url =
        Url::parse(url).map_err(|error| Fault::request(format!("the endpoint is not a URL: {error}")))?;
    dial::tcp(&Destination::of(&url)?, net, recorder).await.map(drop)
}
