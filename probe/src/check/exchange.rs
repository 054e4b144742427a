//! One request and its answer on a fresh connection.
//!
//! Phase `send` begins with the HTTP connection (for HTTP/2 that includes its preface and settings) and ends
//! when the request has left for the system's socket; of a large HTTP/2 body, what flow control holds back is
//! part of `wait`. `wait` ends with the response head, `transfer` with the last body byte read.

use super::{
    MAX_BODY,
    crew::{Crew, Stamped},
    dial::{self, Line},
    fault::Fault,
    prepare::Prepared,
    record::{Phase, Recorder},
};
use crate::net::Net;
use bytes::{Buf, Bytes};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::TokioIo;
use runtime::lock::lock;
use std::sync::{Arc, Mutex};

/// HTTP/2 is preferred, as browsers do.
const ALPN: dial::Alpn = &["h2", "http/1.1"];

/// Connects, sends and reads. What is learned goes to the recorder, also when this fails or is dropped.
pub(super) async fn exchange(prepared: &Prepared, net: &Net, recorder: &Recorder) -> Result<(), Fault> {
    let line = dial::line(&prepared.to, prepared.secure.then_some(ALPN), net, recorder).await?;
    recorder.enter(Phase::Send);
    let request = prepared.to_http(line.h2)?;
    over(line, request, recorder).await
}

/// Sends a request over a connection and reads the answer; phase `send` must have begun.
pub(super) async fn over(
    line: Line,
    request: http::Request<Full<Bytes>>,
    recorder: &Recorder,
) -> Result<(), Fault> {
    let io = TokioIo::new(Stamped::new(line.socket, recorder.clone()));
    let early = |error: hyper::Error| Fault::http(&error, false);
    let mut crew = Crew::default();
    let end = End::default();
    if line.h2 {
        // Boxed, because its state is large and most runs speak HTTP/1.1; see `rare`.
        let (mut sender, connection) = Box::pin(http2::handshake(crew.inbox(), io)).await.map_err(early)?;
        crew.hire(end.of(connection));
        let answer = async {
            sender.ready().await?;
            recorder.arm();
            sender.send_request(request).await
        };
        Box::pin(converse(&mut crew, answer, &end, recorder)).await
    } else {
        let (mut sender, connection) = http1::handshake(io).await.map_err(early)?;
        crew.hire(end.of(connection));
        let answer = async {
            sender.ready().await?;
            recorder.arm();
            sender.send_request(request).await
        };
        converse(&mut crew, answer, &end, recorder).await
    }
}

/// How a connection ended, when it ended badly: it knows better than the request that was lost with it.
#[derive(Clone, Default)]
struct End {
    error: Arc<Mutex<Option<hyper::Error>>>,
}

impl End {
    fn of(
        &self,
        connection: impl Future<Output = Result<(), hyper::Error>> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let slot = self.error.clone();
        async move {
            if let Err(error) = connection.await {
                *lock(&slot) = Some(error);
            }
        }
    }

    fn take(&self) -> Option<hyper::Error> {
        lock(&self.error).take()
    }
}

async fn converse(
    crew: &mut Crew,
    answer: impl Future<Output = Result<http::Response<Incoming>, hyper::Error>>,
    end: &End,
    recorder: &Recorder,
) -> Result<(), Fault> {
    let work = async {
        let response = answer.await.map_err(|error| {
            let vague = error.is_canceled() || error.is_closed();
            let cause = if vague { end.take() } else { None };
            Fault::http(&cause.unwrap_or(error), false)
        })?;
        recorder.enter(Phase::Transfer);
        let (head, body) = response.into_parts();
        recorder.note(|record| {
            record.status = Some(head.status.as_u16());
            record.headers = head.headers;
        });
        read(body, recorder).await.map_err(|error| Fault::http(&error, true))
    };
    crew.assist(work).await
}

/// Reads a body up to [`MAX_BODY`], and the trailers behind it.
async fn read(mut body: Incoming, recorder: &Recorder) -> Result<(), hyper::Error> {
    while let Some(frame) = body.frame().await {
        let mut data = match frame?.into_data() {
            Ok(data) => data,
            Err(other) => {
                if let Ok(trailers) = other.into_trailers() {
                    recorder.note(|record| record.trailers = trailers);
                }
                continue;
            }
        };
        let full = recorder.note(|record| {
            let room = MAX_BODY - record.body.len();
            record.truncated = data.remaining() > room;
            record.body.extend_from_slice(&data.split_to(room.min(data.remaining())));
            record.truncated
        });
        if full {
            break;
        }
    }
    Ok(())
}
