//! One request and its answer.
//!
//! Phase `send` begins with the HTTP connection (for HTTP/2 that includes its preface and settings) and ends
//! when the request has left for the system's socket; of a large HTTP/2 body, what flow control holds back is
//! part of `wait`. `wait` ends with the response head, `transfer` with the last body byte read.

use super::{
    MAX_BODY,
    crew::{Crew, Stamped, Witness},
    dial::{self, Line},
    fault::Fault,
    keep,
    prepare::Prepared,
    record::{Phase, Recorder},
    way::Way,
};
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

/// Connects, sends and reads; on a kept connection where the check wants that and there is one that still lives. What is
/// learned goes to the recorder, also when this fails or is dropped.
pub(super) async fn exchange(prepared: &Prepared, way: &Way<'_>, recorder: &Recorder) -> Result<(), Fault> {
    if way.reach.reuse {
        return keep::exchange(prepared, way, recorder).await;
    }
    let mut talk = open(prepared, way, recorder).await?;
    let request = prepared.to_http(talk.h2(), false)?;
    talk.exchange(request, recorder).await
}

/// Makes a connection for HTTP; phase `send` has begun.
pub(super) async fn open(prepared: &Prepared, way: &Way<'_>, recorder: &Recorder) -> Result<Talk, Fault> {
    let line = dial::line(&prepared.to, prepared.secure.then_some(ALPN), way, recorder).await?;
    recorder.enter(Phase::Send);
    Talk::open(line, recorder).await
}

/// Sends a request over a new connection and reads the answer; phase `send` must have begun.
pub(super) async fn over(
    line: Line,
    request: http::Request<Full<Bytes>>,
    recorder: &Recorder,
) -> Result<(), Fault> {
    Talk::open(line, recorder).await?.exchange(request, recorder).await
}

/// A connection that speaks HTTP.
pub(super) struct Talk {
    sender: Sender,
    crew: Crew,
    end: End,
    witness: Witness,
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Talk {
    /// Begins to speak.
    pub(super) async fn open(line: Line, recorder: &Recorder) -> Result<Talk, Fault> {
        let stamped = Stamped::new(line.socket, recorder.clone());
        let witness = stamped.witness();
        let io = TokioIo::new(stamped);
        let early = |error: hyper::Error| Fault::http(&error, false);
        let crew = Crew::default();
        let end = End::default();
        let sender = if line.h2 {
            // Boxed, because its state is large and most runs speak HTTP/1.1; see `rare`.
            let (sender, connection) = Box::pin(http2::handshake(crew.inbox(), io)).await.map_err(early)?;
            crew.hire(end.of(connection));
            Sender::Two(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(early)?;
            crew.hire(end.of(connection));
            Sender::One(sender)
        };
        let talk = Talk { sender, crew, end, witness };
        let protocol = if talk.h2() { "HTTP/2" } else { "HTTP/1.1" };
        recorder.note(|record| record.connection.protocol = Some(protocol.to_owned()));
        Ok(talk)
    }

    /// Whether HTTP/2 is spoken.
    pub(super) fn h2(&self) -> bool {
        matches!(self.sender, Sender::Two(_))
    }

    /// Sends a request, once, and reads the answer.
    pub(super) async fn exchange(
        &mut self,
        request: http::Request<Full<Bytes>>,
        recorder: &Recorder,
    ) -> Result<(), Fault> {
        let Talk { sender, crew, end, .. } = self;
        match sender {
            Sender::One(sender) => {
                let answer = async {
                    sender.ready().await?;
                    recorder.arm();
                    sender.send_request(request).await
                };
                converse(crew, answer, end, recorder).await
            }
            Sender::Two(sender) => {
                let answer = async {
                    sender.ready().await?;
                    recorder.arm();
                    sender.send_request(request).await
                };
                Box::pin(converse(crew, answer, end, recorder)).await
            }
        }
    }

    /// Reads what has arrived meanwhile, and tells whether the connection can take another request.
    pub(super) async fn lives(&mut self) -> bool {
        self.crew.catch_up().await;
        match &mut self.sender {
            Sender::One(sender) => sender.is_ready(),
            Sender::Two(sender) => sender.is_ready(),
        }
    }

    /// Another stop watch is told from now on.
    pub(super) fn serve(&self, recorder: &Recorder) {
        *lock(&self.witness) = recorder.clone();
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
