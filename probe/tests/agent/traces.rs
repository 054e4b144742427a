//! The spans that are exported and the `traceparent` that a service receives tell the same story.
//!
//! Exporting is set up once a process and by variables, so the probe runs in a process of its own: this test program
//! again, with the ignored test below.

use super::*;
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, http::Uri};
use std::{
    process::Stdio,
    sync::{Arc, Mutex},
};
use tokio::process::Command;
use wire::assignment::{Journey, Step};

/// Set in the process that measures.
const CHILD: &str = "traces::the_process_that_measures";

/// A secret of the probe, which goes to the service and nowhere else.
const WORD: &str = "hush-hush-4711";
const DOCUMENT: &str = "word: { file: word }";

type Log<T> = Arc<Mutex<Vec<T>>>;

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// Answers the first step and fails the second, and notes what it was told of the trace.
async fn shop(State(log): State<Log<String>>, uri: Uri, headers: HeaderMap) -> StatusCode {
    let parent = headers.get("traceparent").and_then(|value| value.to_str().ok()).unwrap_or_default();
    log.lock().expect("no panic").push(format!("told {} {parent}", uri.path()));
    if uri.path() == "/cart" { StatusCode::BAD_GATEWAY } else { StatusCode::OK }
}

#[tokio::test]
#[ignore = "a part of the test below, which starts it"]
async fn the_process_that_measures() {
    let telemetry =
        runtime::telemetry::init("probe", runtime::telemetry::LogFormat::Json).expect("telemetry");
    let log = Log::default();
    let url = serve(Router::new().fallback(shop).with_state(Arc::clone(&log))).await;
    let mut journey = check("buy", 100_000, &url);
    let step = |name: &str, path: &str| {
        let CheckKind::Http(mut request) = check("step", 1, &url).kind else { unreachable!("made so") };
        request.path = path.into();
        Step { name: name.into(), request, ..Step::default() }
    };
    let steps = vec![step("look", "/look/{{ secret.word }}?session=s3cret"), step("cart", "/cart")];
    journey.kind = CheckKind::Journey(Journey { steps, set: Vec::new(), cleanup_us: 1_000_000 });
    let collector = Collector::start(assignment(vec![journey]));
    let data = folder();
    std::fs::write(data.path().join("word"), WORD).expect("written");
    let secrets = data.path().join("secrets.yaml");
    std::fs::write(&secrets, DOCUMENT).expect("written");
    let settings = Settings { secrets: Some(secrets), ..settings(data.path(), &[&collector.url()]) };
    let probe = Probe::start(settings);
    collector.when(|shown| shown.samples() >= 2, |_| ()).await;
    probe.stop().await;
    telemetry.shutdown().await;
    for told in log.lock().expect("no panic").iter() {
        println!("{told}");
    }
}

#[tokio::test]
async fn every_request_is_a_span_below_its_run_and_carries_its_id() {
    async fn export(State(log): State<Log<Vec<u8>>>, uri: Uri, body: Bytes) {
        if uri.path() == "/v1/traces" {
            log.lock().expect("no panic").push(body.to_vec());
        }
    }
    let log = Log::default();
    let otlp = serve(Router::new().fallback(export).with_state(Arc::clone(&log))).await;
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", CHILD, "--ignored", "--nocapture"]).kill_on_drop(true);
    child.env("OTEL_EXPORTER_OTLP_ENDPOINT", otlp).env("OTEL_METRICS_EXPORTER", "none");
    let ended = soon(child.stdout(Stdio::piped()).stderr(Stdio::piped()).output()).await.expect("it runs");
    let (said, errors) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{said}\n{errors}");

    let spans: Vec<Span> = log.lock().expect("no panic").iter().flat_map(|body| spans(body)).collect();
    // The test harness prints before the first line.
    let told: Vec<(&str, &str)> = said
        .lines()
        .filter_map(|line| line.split_once("told "))
        .map(|(_, rest)| rest.split_once(' ').expect("a path and a parent"))
        .collect();
    assert!(told.len() >= 4 && told.iter().any(|(path, _)| path.contains(WORD)), "{said}");
    for body in log.lock().expect("no panic").iter() {
        for secret in [WORD, "s3cret"] {
            let leaks = body.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!leaks, "{secret} is exported");
        }
    }
    for (path, parent) in told {
        let parts: Vec<&str> = parent.split('-').collect();
        let [_, trace, id, "01"] = parts[..] else { panic!("not a traceparent: {parent}") };
        let request = spans.iter().find(|span| span.id == id).expect("the request's span is exported");
        assert_eq!((request.trace.as_str(), request.name.as_str(), request.kind), (trace, "GET", 3));
        let run = spans.iter().find(|span| span.id == request.parent).expect("the run's span is exported");
        assert_eq!((run.trace.as_str(), run.name.as_str(), run.parent.as_str()), (trace, "check.run", ""));
        // A failed run can be found by the run and by the request.
        assert_eq!((run.status, run.text("error.type")), (2, "status"));

        let url = request.text("url.full");
        let shown = path.replace(WORD, "[redacted]");
        assert!(url.starts_with("http://127.0.0.1:") && url.ends_with(&shown), "{url} and {shown}");
        assert_eq!(request.text("http.request.method"), "GET");
        assert_eq!(request.text("server.address"), "127.0.0.1");
        assert_eq!(request.text("network.peer.address"), "127.0.0.1");
        assert!(request.number("server.port") > 0);
        assert_eq!(request.number("server.port"), request.number("network.peer.port"));
        assert_eq!(request.text("user_agent.synthetic.type"), "test");
        let (status, number, error) = if path == "/cart" { (2, 502, "502") } else { (0, 200, "") };
        assert_eq!((request.status, request.text("error.type")), (status, error));
        assert_eq!(request.number("http.response.status_code"), number);
    }
}

/// A span as it was exported.
#[derive(Debug, Default)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    kind: u64,
    /// 2 is an error.
    status: u64,
    texts: BTreeMap<String, String>,
    numbers: BTreeMap<String, u64>,
}

impl Span {
    fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> u64 {
        self.numbers.get(name).copied().unwrap_or(0)
    }
}

/// One field of a protobuf message.
enum Field<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// The fields of a protobuf message with their numbers.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = bytes.split_first().expect("a whole number");
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return value;
            }
        }
        panic!("a number without an end");
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                fields.push((key >> 3, Field::Number(varint(&mut bytes))));
                continue;
            }
            1 => 8,
            2 => varint(&mut bytes) as usize,
            5 => 4,
            other => panic!("a wire type of {other}"),
        };
        let (content, rest) = bytes.split_at(length);
        bytes = rest;
        fields.push((key >> 3, Field::Bytes(content)));
    }
    fields
}

/// The messages at a field.
fn at(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    let all = fields(bytes).into_iter();
    all.filter_map(|field| match field {
        (is, Field::Bytes(bytes)) if is == number => Some(bytes),
        _ => None,
    })
    .collect()
}

/// The spans of an ExportTraceServiceRequest (opentelemetry-proto, trace/v1).
fn spans(export: &[u8]) -> Vec<Span> {
    let scopes = at(export, 1).into_iter().flat_map(|resource| at(resource, 2));
    scopes.flat_map(|scope| at(scope, 2)).map(span).collect()
}

fn span(bytes: &[u8]) -> Span {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut span = Span::default();
    for field in fields(bytes) {
        match field {
            (1, Field::Bytes(id)) => span.trace = hex(id),
            (2, Field::Bytes(id)) => span.id = hex(id),
            (4, Field::Bytes(id)) => span.parent = hex(id),
            (5, Field::Bytes(name)) => span.name = text(name),
            (6, Field::Number(kind)) => span.kind = kind,
            (9, Field::Bytes(attribute)) => {
                let key = text(at(attribute, 1)[0]);
                match fields(at(attribute, 2)[0]).first() {
                    Some((1, Field::Bytes(value))) => drop(span.texts.insert(key, text(value))),
                    Some((3, Field::Number(value))) => drop(span.numbers.insert(key, *value)),
                    _ => {}
                }
            }
            (15, Field::Bytes(status)) => {
                for field in fields(status) {
                    if let (3, Field::Number(code)) = field {
                        span.status = code;
                    }
                }
            }
            _ => {}
        }
    }
    span
}
