//! What a run did, for a person at a terminal and for a program.

use probe::check::Measured;
use serde_json::{Value, json};
use std::fmt::Write;
use wire::{
    assignment::{AssignedCheck, CheckKind, Endpoint, Journey, Request},
    sample::{Lookup, Outcome, Phases, StepResult},
};

/// Several lines, without colour.
pub fn text(check: &AssignedCheck, endpoint: &Endpoint, measured: &Measured) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = writeln!(text, "{} on {} ({})", check.id, endpoint.target, endpoint.url);
    match &check.kind {
        CheckKind::Http(request) => {
            let _ = writeln!(text, "  sent      {}", line(request));
        }
        CheckKind::Tcp(tcp) => sent(&mut text, tcp.send.as_deref(), tcp.expect.as_deref()),
        CheckKind::Tls(tls) => {
            if let Some(name) = &tls.server_name {
                let _ = writeln!(text, "  name      {name}");
            }
        }
        CheckKind::Dns(dns) => {
            let transport = if dns.tcp { ", by TCP" } else { "" };
            let record = format!("{:?}", dns.record).to_ascii_uppercase();
            let _ = writeln!(text, "  asked     {record} {}{transport}", dns.name);
        }
        CheckKind::Icmp(icmp) => {
            let _ = writeln!(text, "  sent      {} packets, {} apart", icmp.packets, ms(icmp.spacing_us));
        }
        CheckKind::Grpc(grpc) => {
            let service = if grpc.service.is_empty() { "the server as a whole" } else { &grpc.service };
            let _ = writeln!(text, "  asked     health of {service}");
        }
        CheckKind::WebSocket(socket) => {
            let _ = writeln!(text, "  sent      GET {} (WebSocket)", socket.path);
            sent(&mut text, socket.send.as_deref(), socket.expect.as_deref());
        }
        CheckKind::Journey(journey) => steps(&mut text, journey, &measured.steps),
        CheckKind::Unknown(_) => {}
    }
    reached(&mut text, measured);
    if let Some(address) = &measured.address {
        let _ = writeln!(text, "  address   {address}");
    }
    if let Some(status) = measured.status {
        let _ = writeln!(text, "  status    {status}");
    }
    if let Some(region) = &measured.served_by {
        let _ = writeln!(text, "  served by {region}");
    }
    if let Some(expires) = &measured.certificate_expires {
        let _ = writeln!(text, "  valid to  {expires}");
    }
    if let Some(tls) = &measured.connection.tls {
        let stapled = if tls.stapled { ", OCSP response stapled" } else { "" };
        let _ = writeln!(text, "  tls       {}, {}{stapled}", tls.version, tls.cipher);
        if !tls.verified {
            let _ = writeln!(text, "  WARNING   the certificate was NOT verified (skip_verify: true)");
        }
    }
    if measured.phases != Phases::default() {
        let _ = writeln!(text, "  phases    {}", phases(&measured.phases));
    }
    let slow = if measured.slow { ", slow" } else { "" };
    let _ = writeln!(text, "  outcome   {}{slow}, {}", outcome(measured.outcome), ms(measured.total_us));
    if let Some(evidence) = &measured.evidence {
        let _ = writeln!(text, "  evidence  {}", evidence.summary);
        if let Some(excerpt) = &evidence.excerpt {
            let _ = writeln!(text, "  body      {}", excerpt.replace('\n', "\n            "));
        }
    }
    text.push('\n');
    text
}

/// How the answer was reached: the lookup, the redirects, the addresses, the connection.
fn reached(text: &mut String, measured: &Measured) {
    let connection = &measured.connection;
    if let Some(Lookup { server, rcode, ttl_s, found }) = &connection.lookup {
        let ttl = ttl_s.map_or_else(String::new, |ttl| format!(", for {ttl} s"));
        let _ = writeln!(text, "  lookup    {rcode} from {server}, {found} found{ttl}");
    }
    let mut secure = false;
    for hop in &measured.hops {
        // Said aloud, because what follows can be read by anybody.
        let leaves = if secure && hop.url.starts_with("http:") { ", WITHOUT TLS" } else { "" };
        secure = hop.url.starts_with("https:");
        let _ = writeln!(text, "  redirect  {} {}{leaves}, {}", hop.status, hop.url, ms(hop.total_us));
        let _ = writeln!(text, "            {}", phases(&hop.phases));
    }
    if secure && measured.phases.connect.is_some() && measured.phases.tls.is_none() {
        let _ = writeln!(text, "            and from there on WITHOUT TLS");
    }
    for result in &measured.addresses {
        let _ = writeln!(
            text,
            "  measured  {} {}, {}{}",
            result.address,
            outcome(result.outcome),
            ms(result.total_us),
            result.summary.as_ref().map_or_else(String::new, |why| format!(": {why}"))
        );
    }
    let mut facts: Vec<String> = connection.protocol.iter().cloned().collect();
    facts.extend(connection.reused.then(|| "kept from an earlier run".to_owned()));
    facts.extend(connection.retransmits.map(|n| format!("{n} segments sent again")));
    facts.extend(connection.min_rtt_us.map(|us| format!("least round trip {}", ms(us))));
    if !facts.is_empty() {
        let _ = writeln!(text, "  speaking  {}", facts.join(", "));
    }
}

/// What is said each way; texts on one line.
fn sent(text: &mut String, send: Option<&str>, expect: Option<&str>) {
    if let Some(send) = send {
        let _ = writeln!(text, "  said      {send:?}");
    }
    if let Some(expect) = expect {
        let _ = writeln!(text, "  expected  {expect:?}");
    }
}

fn steps(text: &mut String, journey: &Journey, results: &[StepResult]) {
    for (index, step) in journey.steps.iter().enumerate() {
        let Some(result) = results.get(index) else {
            let _ = writeln!(text, "  {:>2}. {:<28} not run", index + 1, step.name);
            continue;
        };
        let mut facts = vec![outcome(result.outcome), ms(result.total_us)];
        facts.extend(result.status.map(|status| format!("status {status}")));
        facts.extend(result.served_by.as_ref().map(|region| format!("served by {region}")));
        facts.extend((result.attempts > 1).then(|| format!("{} attempts", result.attempts)));
        let _ = writeln!(text, "  {:>2}. {:<28} {}", index + 1, step.name, facts.join(", "));
        let _ = writeln!(text, "      {}; {}", line(&step.request), phases(&result.phases));
    }
}

fn line(request: &Request) -> String {
    let body = request.body.as_ref().map_or(String::new(), |body| format!(", {} bytes of body", body.len()));
    format!("{} {}{body}", request.method, request.path)
}

fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Ok => "ok".into(),
        Outcome::Fail(class) => format!("FAILED ({class})"),
        Outcome::Missed => "missed".into(),
        Outcome::Unsupported => "not supported here".into(),
    }
}

fn phases(phases: &Phases) -> String {
    let named: Vec<String> = phases.named().map(|(name, us)| format!("{name} {}", ms(us))).collect();
    if named.is_empty() { "no phase was reached".into() } else { named.join(", ") }
}

fn ms(us: u32) -> String {
    format!("{:.2} ms", f64::from(us) / 1000.0)
}

/// One object.
pub fn json(check: &AssignedCheck, endpoint: &Endpoint, measured: &Measured) -> Value {
    json!({
        "check": check.id,
        "target": endpoint.target,
        "url": endpoint.url,
        "outcome": measured.outcome,
        "slow": measured.slow,
        "total_us": measured.total_us,
        "phases": measured.phases,
        "address": measured.address,
        "connection": measured.connection,
        "hops": measured.hops,
        "addresses": measured.addresses,
        "status": measured.status,
        "served_by": measured.served_by,
        "bytes": measured.bytes,
        "tls": measured.connection.tls,
        "certificate_expires": measured.certificate_expires.map(|at| at.to_string()),
        "trace_id": measured.trace_id,
        "evidence": measured.evidence,
        "steps": measured.steps,
    })
}
