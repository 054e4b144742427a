//! Our sender with our reflector, nothing between them.

use crate::harness::{Sending, key, reflecting, reflector, send_to, sending};
use wire::mesh::{MeshPlan, MeshWindow, Stamping};

fn is_healthy(window: &MeshWindow) {
    assert!(window.sent > 0 && window.answered > 0, "{window:?}");
    let rtt = window.rtt.expect("answered");
    assert!(rtt.min_ns > 0 && rtt.min_ns <= rtt.p50_ns && rtt.p50_ns <= rtt.max_ns);
    assert!(rtt.p50_ns < 50_000_000, "nothing is between the two sockets: {rtt:?}");
    let clock = window.clock.expect("answered");
    let offset = clock.offset.expect("one clock does not contradict itself");
    assert!(offset.lower_ns <= 0 && offset.upper_ns >= 0, "both ends have the same clock: {offset:?}");
    for way in [window.forward, window.reverse] {
        let way = way.expect("UDP has two ways");
        assert!(way.variation.is_some());
        let one_way = way.one_way.expect("bounded clocks");
        assert!(one_way.lower_ns <= one_way.estimate_ns && one_way.estimate_ns <= one_way.upper_ns);
    }
}

#[tokio::test]
async fn both_modes_and_both_families_measure() {
    for (loopback, key) in
        [("127.0.0.1:0", None), ("127.0.0.1:0", Some(key("ab"))), ("[::1]:0", Some(key("cd")))]
    {
        let (reflector, address) = reflector(loopback, vec![reflecting(7, key.clone())]).await;
        let mut sending = Sending::start(vec![sending(7, send_to(address), key)]).await;
        let window = sending.window_that(|window| window.answered == window.sent).await;
        is_healthy(&window);
        assert_eq!(
            (window.ssid, window.from.as_str(), window.to_region.as_str()),
            (7, "paris-1", "ap-northeast-1")
        );
        assert_eq!((window.duplicates, window.rejected, window.lost_somewhere), (0, 0, 0));
        if cfg!(target_os = "linux") {
            assert_eq!(window.ttl, Some(255), "no hop between");
        }
        sending.mesh.stop().await;
        reflector.stop().await;
    }
}

#[tokio::test]
async fn one_port_is_for_both_families() {
    let (reflector, any) = reflector("[::]:0", vec![reflecting(7, None), reflecting(8, None)]).await;
    let to = |host: &str| send_to(format!("{host}:{}", any.port()).parse().expect("an address"));
    let sessions = vec![sending(7, to("127.0.0.1"), None), sending(8, to("[::1]"), None)];
    let mut sending = Sending::start(sessions).await;
    for ssid in [7, 8] {
        let window =
            sending.window_that(|window| window.ssid == ssid && window.answered == window.sent).await;
        is_healthy(&window);
        if cfg!(target_os = "linux") {
            assert_eq!(window.ttl, Some(255), "no hop between");
        }
    }
    reflector.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_kernel_takes_all_four_stamps() {
    let (_reflector, address) = reflector("127.0.0.1:0", vec![reflecting(7, None)]).await;
    let mut sending = Sending::start(vec![sending(7, send_to(address), None)]).await;
    // The kernel begins to stamp a moment after it was asked, so the first window may have others.
    let all = |kinds: wire::mesh::Stamps| [kinds.sent, kinds.reached, kinds.returned, kinds.received];
    let window = sending
        .window_that(|window| {
            window.stamps.is_some_and(|kinds| {
                all(kinds).iter().all(|kind| matches!(kind, Stamping::Kernel | Stamping::MostlyKernel))
            })
        })
        .await;
    is_healthy(&window);
}

#[tokio::test]
async fn stamps_of_the_program_are_called_so() {
    let (_reflector, address) = reflector("127.0.0.1:0", vec![reflecting(7, None)]).await;
    let (windows, received) = tokio::sync::mpsc::channel(10);
    let settings =
        mesh::run::Settings { kernel_stamps: false, ..crate::harness::settings("paris-1", "eu-west-3") };
    let mut mesh = mesh::run::Mesh::new(settings, windows);
    mesh.apply(&MeshPlan { listen: None, sessions: vec![sending(7, send_to(address), None)] })
        .await
        .expect("a good plan");
    let mut sending = Sending { mesh, windows: received };
    let stamps = sending.window_that(|window| window.answered > 0).await.stamps.expect("answered");
    assert_eq!((stamps.sent, stamps.received), (Stamping::User, Stamping::User));
}

#[tokio::test]
async fn another_session_comes_and_goes_without_disturbing_the_first() {
    let (_reflector, address) =
        reflector("127.0.0.1:0", vec![reflecting(7, None), reflecting(8, None)]).await;
    let mut probe = Sending::start(vec![sending(7, send_to(address), None)]).await;
    let first = probe.window().await;
    let both = vec![sending(7, send_to(address), None), sending(8, send_to(address), None)];
    probe.mesh.apply(&MeshPlan { listen: None, sessions: both }).await.expect("a good plan");
    probe.window_that(|window| window.ssid == 8 && window.answered > 0).await;
    let one = vec![sending(7, send_to(address), None)];
    probe.mesh.apply(&MeshPlan { listen: None, sessions: one }).await.expect("a good plan");
    // Windows of a session follow each other without a gap for as long as it is not started anew.
    let later = probe.window_that(|window| window.ssid == 7).await;
    let apart_us = later.started.since(first.started);
    let off_us = apart_us.rem_euclid(1_000_000);
    assert!(apart_us > 0 && off_us.min(1_000_000 - off_us) < 1_000, "on the same grid: {apart_us}");
}

#[tokio::test]
async fn a_plan_that_cannot_be_carried_out_is_explained() {
    let (_taken, address) = reflector("127.0.0.1:0", Vec::new()).await;
    let mut probe = Sending::start(Vec::new()).await;
    let mut slow = send_to(address);
    slow.interval_us = 1;
    let sessions = vec![sending(7, slow, None), sending(0, send_to(address), None)];
    let refused =
        probe.mesh.apply(&MeshPlan { listen: Some(address), sessions }).await.expect_err("three mistakes");
    let said: Vec<String> = refused.iter().map(ToString::to_string).collect();
    for part in ["choose another address or port", "10 ms to 60 s", "must not be 0"] {
        assert!(said.iter().any(|text| text.contains(part)), "{part}: {said:?}");
    }
}

#[tokio::test]
async fn a_reflector_may_be_turned_off_and_on() {
    let (mut reflector, address) = reflector("127.0.0.1:0", vec![reflecting(7, None)]).await;
    reflector.apply(&MeshPlan::default()).await.expect("nothing to do");
    assert!(reflector.reflector().is_none());
    let plan = MeshPlan { listen: Some(address), sessions: vec![reflecting(7, None)] };
    reflector.apply(&plan).await.expect("the port is free at once");
    let mut sending = Sending::start(vec![sending(7, send_to(address), None)]).await;
    is_healthy(&sending.window_that(|window| window.answered > 0).await);
}
