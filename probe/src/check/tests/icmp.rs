//! The ICMP check on the loopback interface. Where the machine forbids ICMP, it must say so.

use super::*;
use wire::assignment::Icmp;

async fn ping(url: &str, packets: u8) -> Measured {
    let icmp = Icmp { packets, spacing_us: 1_000, max_loss_percent: 20 };
    let check = AssignedCheck { timeout_us: 300_000, ..check(CheckKind::Icmp(icmp)) };
    run_one(&check, url).await
}

/// True where this machine cannot send ICMP at all; then the result must say how to change that.
fn forbidden(found: &Measured) -> bool {
    let forbidden = found.outcome == Outcome::Unsupported;
    if forbidden {
        let summary = &found.evidence.as_ref().expect("says why").summary;
        assert!(summary.contains("this probe"), "{summary}");
    }
    forbidden
}

#[tokio::test]
async fn both_families_answer() {
    for (url, address) in [("icmp://127.0.0.1", "127.0.0.1"), ("https://[::1]:8443", "::1")] {
        let found = ping(url, 5).await;
        if forbidden(&found) {
            continue;
        }
        assert_eq!(found.outcome, Outcome::Ok, "{found:?}");
        assert_eq!(found.phases.wait, Some(found.total_us));
        assert_eq!(found.address.as_deref(), Some(address));
    }
}

#[tokio::test]
async fn runs_at_the_same_time_do_not_take_each_others_replies() {
    let other = Trace { trace_id: [0xcd; 16], ..TRACE };
    let icmp = Icmp { packets: 20, spacing_us: 500, max_loss_percent: 0 };
    let check = check(CheckKind::Icmp(icmp));
    let (endpoint, net) = (here("icmp://127.0.0.1"), net(&[]));
    let (a, b) = tokio::join!(run(&check, &endpoint, &net, &TRACE), run(&check, &endpoint, &net, &other));
    for found in [a, b] {
        assert!(forbidden(&found) || found.outcome == Outcome::Ok, "{found:?}");
    }
}

#[tokio::test]
async fn denied_addresses_are_not_asked() {
    failed(&ping("icmp://169.254.169.254", 1).await, FailClass::Request, "denied");
    failed(&ping("icmp://[::ffff:169.254.169.254]", 1).await, FailClass::Request, "denied");
    failed(&ping("127.0.0.1", 1).await, FailClass::Request, "not a URL");
}

#[tokio::test]
async fn overrides_and_families_count_here_as_well() {
    let icmp = Icmp { packets: 1, spacing_us: 1_000, max_loss_percent: 0 };
    let mut check = AssignedCheck { timeout_us: 300_000, ..check(CheckKind::Icmp(icmp)) };
    let pinned = net(&["shop.test:443=127.0.0.1:8443"]);
    let found = run(&check, &here("https://shop.test"), &pinned, &TRACE).await;
    if !forbidden(&found) {
        assert_eq!((found.outcome, found.address.as_deref()), (Outcome::Ok, Some("127.0.0.1")), "{found:?}");
        assert_eq!(found.phases.dns, None);
    }
    check.reach.family = wire::assignment::Family::V6;
    let found = run(&check, &here("https://shop.test"), &pinned, &TRACE).await;
    failed(&found, FailClass::Request, "127.0.0.1 is an IPv4 address, and the check asks for IPv6");
}
