//! With another implementation of STAMP, in both directions: stamp-suite, a program of its own authors.
//!
//! `tests/interop/install` builds it and prints its path; these tests run when SEXTANT_TEST_STAMP_SUITE is that path
//! and say so when they do not.

use crate::harness::{PATIENCE, Sending, key, reflecting, reflector, send_to, sending};
use std::{
    net::{SocketAddr, UdpSocket},
    process::Stdio,
};
use tokio::process::{Child, Command};
use wire::mesh::{MeshKey, MeshSend, Stamping};

fn program() -> Option<Command> {
    let Some(path) = std::env::var_os("SEXTANT_TEST_STAMP_SUITE") else {
        eprintln!("not run: set SEXTANT_TEST_STAMP_SUITE to the path that tests/interop/install prints");
        return None;
    };
    let mut command = Command::new(path);
    command.kill_on_drop(true).stdin(Stdio::null());
    Some(command)
}

fn authentication(command: &mut Command, key: Option<&MeshKey>) {
    if let Some(key) = key {
        command.args(["--auth-mode", "A", "--hmac-key", &String::from(key.clone())]);
    }
}

/// Starts their reflector at a port that was free a moment ago, and waits until it has taken the port.
async fn their_reflector(mut command: Command, key: Option<&MeshKey>) -> (Child, SocketAddr) {
    let free = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = free.local_addr().expect("an address");
    drop(free);
    let port = address.port().to_string();
    command.args([
        "--is-reflector",
        "--local-addr",
        "127.0.0.1",
        "--local-port",
        &port,
        "--stateful-reflector",
    ]);
    authentication(&mut command, key);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("their reflector starts");
    // Looked up in the kernel's table: trying to take the port would keep them from taking it.
    let listens = || {
        let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
        table.contains(&format!(":{:04X} 00000000:0000", address.port()))
    };
    let taken = async {
        while !listens() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, taken).await.expect("their reflector listens");
    (child, address)
}

#[tokio::test]
async fn their_reflector_answers_our_sender() {
    for key in [None, Some(key("ab"))] {
        let Some(command) = program() else { return };
        let (_child, address) = their_reflector(command, key.as_ref()).await;
        let send = MeshSend { timeout_us: 3_000_000, ..send_to(address) };
        let mut sending = Sending::start(vec![sending(7, send, key.clone())]).await;
        let window = sending.window_that(|window| window.answered > 0).await;
        assert_eq!((window.rejected, window.duplicates, window.invalid_stamps), (0, 0, 0), "{window:?}");
        assert_eq!(window.loss.lost, 0, "{window:?}");
        assert!(window.rtt.is_some_and(|rtt| rtt.min_ns > 0 && rtt.p50_ns < 100_000_000), "{window:?}");
        let offset = window.clock.and_then(|clock| clock.offset).expect("a bounded clock");
        assert!(offset.lower_ns <= 0 && offset.upper_ns >= 0, "both ends have the same clock: {offset:?}");
        let stamps = window.stamps.expect("answered");
        assert_ne!(stamps.reached, Stamping::Unknown, "they say how they take stamps: {stamps:?}");
        let forward = window.forward.expect("UDP has two ways");
        assert_eq!(forward.loss.lost, 0, "they count their answers");
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_by_them() {
    let Some(command) = program() else { return };
    let (_child, address) = their_reflector(command, Some(&key("ab"))).await;
    let mut sending = Sending::start(vec![sending(7, send_to(address), Some(key("ac")))]).await;
    let window = sending.window().await;
    assert!(window.sent > 0);
    assert_eq!(window.answered, 0);
}

#[tokio::test]
async fn their_sender_is_answered_by_our_reflector() {
    for key in [None, Some(key("ab"))] {
        let Some(mut command) = program() else { return };
        let (mesh, address) = reflector("127.0.0.1:0", vec![reflecting(7, key.clone())]).await;
        let port = address.port().to_string();
        command.args(["--remote-addr", "127.0.0.1", "--remote-port", &port, "--local-addr", "127.0.0.1"]);
        command.args(["--count", "20", "--send-delay", "10", "--ssid", "7", "--output-format", "json"]);
        command.args(["--timestamp-info", "--follow-up-telemetry", "--extra-padding", "9"]);
        if key.is_some() {
            command.arg("--verify-tlv-hmac");
        }
        authentication(&mut command, key.as_ref());
        let output =
            tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let summary: serde_json::Value = said
            .lines()
            .rev()
            .find_map(|line| serde_json::from_str(line).ok())
            .unwrap_or_else(|| panic!("no summary: {said}\n{}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(summary["packets_sent"], 20, "{summary}");
        assert_eq!(summary["packets_received"], 20, "{summary}");
        let measured =
            |path: &str| summary.pointer(&format!("/measurements{path}")).and_then(serde_json::Value::as_u64);
        for flag in ["unrecognized", "malformed", "integrity_failed"] {
            assert_eq!(measured(&format!("/tlv_validation/flags/{flag}")), Some(0), "{flag}: {summary}");
        }
        let verified = if key.is_some() { 20 } else { 0 };
        assert_eq!(measured("/tlv_validation/hmac/verified"), Some(verified), "{summary}");
        assert_eq!(measured("/tlv_validation/by_type/7/observed"), Some(20), "{summary}");
        if cfg!(target_os = "linux") {
            assert!(
                measured("/follow_up/matched") >= Some(15),
                "they know the answers of our follow-ups: {summary}"
            );
        }
        assert_eq!(mesh.reflector().expect("a reflector").counters().answered, 20);
    }
}
