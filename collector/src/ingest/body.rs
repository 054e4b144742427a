//! The body of a batch: how much is read, how long that may take, and how it is unpacked.
//!
//! A batch comes as it is or as `gzip` (RFC 9110, 8.4.1.3). The limit holds for both forms: what is sent and what
//! comes out. Unpacking stops at the limit, so a small body that would unpack to a huge one costs no more than a batch.

use crate::api::Rejected;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header::CONTENT_ENCODING};
use http_body_util::BodyExt;
use std::{io::Read, time::Duration};
use tokio::time::timeout;
use wire::report::MAX_BATCH_BYTES;

/// How much of a body that is too large is read all the same, bytes.
const DRAINED_BYTES: usize = 4 * MAX_BATCH_BYTES;
/// How long a batch may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
const TITLE: &str = "The body was not taken";

/// Reads a body within its limits of size and time: a caller that sends nothing must not hold its connection for ever.
///
/// # Errors
/// 413 when it is too large, 400 when it breaks off, 408 when it takes too long.
pub async fn collect(body: Body) -> Result<Bytes, Rejected> {
    match timeout(PATIENCE, gather(body)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(too_large("has")),
        Ok(Err(error)) => Err(malformed(error.to_string())),
        Err(_) => {
            let detail = format!("it did not arrive within {} s; send it again", PATIENCE.as_secs());
            Err(Rejected::new(408, "too-slow", TITLE, detail))
        }
    }
}

/// Undoes the coding that the headers name.
///
/// # Errors
/// 413 when it unpacks to too much, 415 when its coding is not known, 400 when it cannot be unpacked.
pub fn unpack(headers: &HeaderMap, packed: Bytes) -> Result<Bytes, Rejected> {
    let coding = headers.get(CONTENT_ENCODING).map(|value| String::from_utf8_lossy(value.as_bytes()));
    match coding.as_deref().map(str::trim) {
        None => Ok(packed),
        Some(coding) if coding.is_empty() || coding.eq_ignore_ascii_case("identity") => Ok(packed),
        Some(coding) if ["gzip", "x-gzip"].iter().any(|known| coding.eq_ignore_ascii_case(known)) => {
            gunzip(&packed)
        }
        Some(coding) => {
            let detail = format!("content-encoding {coding:?} is not known here; send gzip, or leave it out");
            Err(Rejected::new(415, "unknown-coding", TITLE, detail))
        }
    }
}

fn gunzip(packed: &[u8]) -> Result<Bytes, Rejected> {
    let mut plain = Vec::new();
    // One byte more than is allowed, to see that there is more.
    let mut bounded = MultiGzDecoder::new(packed).take(MAX_BATCH_BYTES as u64 + 1);
    match bounded.read_to_end(&mut plain) {
        Ok(_) if plain.len() > MAX_BATCH_BYTES => Err(too_large("unpacks to")),
        Ok(_) => Ok(plain.into()),
        Err(error) => Err(malformed(format!("it is not valid gzip: {error}"))),
    }
}

fn too_large(verb: &str) -> Rejected {
    let detail = format!("a batch {verb} at most {MAX_BATCH_BYTES} bytes; send fewer reports at a time");
    Rejected::new(413, "too-large", TITLE, detail)
}

fn malformed(detail: String) -> Rejected {
    Rejected::new(400, "malformed", TITLE, detail)
}

/// Collects a body that is not too large. One that is somewhat too large is read to its end and thrown away: a caller
/// that is cut off while it sends would not read why.
async fn gather(mut body: Body) -> Result<Option<Bytes>, axum::Error> {
    let mut bytes = BytesMut::new();
    let mut seen = 0;
    while seen <= DRAINED_BYTES
        && let Some(frame) = body.frame().await
    {
        let Ok(data) = frame?.into_data() else { continue };
        seen += data.len();
        if seen <= MAX_BATCH_BYTES {
            bytes.extend_from_slice(&data);
        }
    }
    Ok((seen <= MAX_BATCH_BYTES).then(|| bytes.freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use flate2::{Compression, write::GzEncoder};
    use http::StatusCode;
    use std::io::Write;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    }

    async fn sent(coding: Option<&'static str>, body: Vec<u8>) -> Result<Bytes, Rejected> {
        let mut headers = HeaderMap::new();
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, coding.parse().expect("a value"));
        }
        unpack(&headers, collect(Body::from(body)).await?)
    }

    async fn refused(coding: Option<&'static str>, body: Vec<u8>) -> StatusCode {
        let answer = sent(coding, body).await.expect_err("refused").into_response();
        assert_eq!(answer.headers()[http::header::CONTENT_TYPE], wire::problem::MEDIA_TYPE);
        answer.status()
    }

    #[tokio::test]
    async fn comes_plain_and_packed() {
        let text = b"{\"reports\":[]}".to_vec();
        for coding in [None, Some(""), Some("identity")] {
            assert_eq!(sent(coding, text.clone()).await.expect("taken"), text);
        }
        for coding in ["gzip", "GZIP", "x-gzip"] {
            assert_eq!(sent(Some(coding), gzip(&text)).await.expect("taken"), text);
        }
        // RFC 1952, 2.2: a file may have several members.
        let (first, second) = text.split_at(5);
        assert_eq!(sent(Some("gzip"), [gzip(first), gzip(second)].concat()).await.expect("taken"), text);
    }

    #[tokio::test]
    async fn the_limit_holds_packed_and_unpacked() {
        let most = vec![b' '; MAX_BATCH_BYTES];
        assert_eq!(sent(Some("gzip"), gzip(&most)).await.expect("taken").len(), MAX_BATCH_BYTES);
        assert_eq!(refused(None, vec![b' '; MAX_BATCH_BYTES + 1]).await, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(
            refused(Some("gzip"), gzip(&vec![b' '; MAX_BATCH_BYTES + 1])).await,
            StatusCode::PAYLOAD_TOO_LARGE
        );
        // A bomb: small on the way, and hundreds of times the limit when it is unpacked.
        let member = gzip(&vec![0; 64 << 20]);
        let bomb = member.repeat(8);
        assert!(bomb.len() < MAX_BATCH_BYTES);
        assert_eq!(refused(Some("gzip"), bomb).await, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn what_cannot_be_unpacked_is_refused() {
        let packed = gzip(b"{\"reports\":[]}");
        let torn = packed[..packed.len() - 6].to_vec();
        assert_eq!(refused(Some("gzip"), torn).await, StatusCode::BAD_REQUEST);
        assert_eq!(refused(Some("gzip"), b"{}".to_vec()).await, StatusCode::BAD_REQUEST);
        for coding in ["br", "gzip, gzip"] {
            assert_eq!(refused(Some(coding), packed.clone()).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
    }
}
