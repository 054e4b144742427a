use super::*;
use crate::packet::Stamp;
use wire::mesh::Stamping;

const SECOND_NS: i64 = 1_000_000_000;

pub(super) fn identity() -> Identity {
    Identity {
        ssid: 7,
        from: "paris-1".parse().expect("an id"),
        from_region: "eu-west-3".parse().expect("an id"),
        to: "tokyo-1".parse().expect("an id"),
        to_region: "ap-northeast-1".parse().expect("an id"),
    }
}

fn at(ns: i64) -> Moment {
    Moment { wall_ns: 1_795_000_000 * SECOND_NS + ns, monotonic_ns: ns }
}

fn unsynchronised() -> Discipline {
    Discipline::unknown("test")
}

/// A sender with windows of ten seconds, and a reflector 10 ms away in both directions.
struct Play {
    session: Session,
    returned: u32,
}

impl Play {
    fn new() -> Self {
        let settings = Settings { window_ns: 10 * SECOND_NS, ..Settings::from(&MeshSend::to("")) };
        Self { session: Session::new(identity(), settings, at(0)), returned: 0 }
    }

    fn send(&mut self, ns: i64) -> u32 {
        self.session.sent(at(ns), at(ns).stamp())
    }

    /// What the reflector makes of a packet sent at `ns`.
    fn reflect(&mut self, sequence: u32, ns: i64) -> Heard {
        let number = self.returned;
        self.returned += 1;
        let answer = Answer {
            sequence: number,
            returned: at(ns + 11_000_000).stamp(),
            error: ErrorEstimate::new(false, 1000),
            ssid: 7,
            reached: at(ns + 10_000_000).stamp(),
            sender_sequence: sequence,
            sender_sent: at(ns).stamp(),
            sender_error: ErrorEstimate::new(false, 1000),
            sender_ttl: Some(250),
            extensions: Vec::new(),
        };
        let at = at(ns + 21_000_000);
        Heard { answer, told: tlv::Told::default(), received: at.stamp(), by_kernel: true, at }
    }

    fn exchange(&mut self, ns: i64) -> Hearing {
        let sequence = self.send(ns);
        let heard = self.reflect(sequence, ns);
        self.session.hear(heard)
    }

    fn close(&mut self, ns: i64) -> Option<MeshWindow> {
        self.session.close(at(ns), &unsynchronised())
    }
}

#[test]
fn a_window_is_closed_when_its_last_packet_has_been_waited_for() {
    let mut play = Play::new();
    assert_eq!(play.exchange(0), Hearing::Answered);
    assert_eq!(play.exchange(9_999_999_999), Hearing::Answered);
    assert_eq!(play.exchange(10 * SECOND_NS), Hearing::Answered);
    assert_eq!(play.session.closes_at_ns(), 13 * SECOND_NS);
    assert_eq!(play.close(13 * SECOND_NS - 1), None);
    let window = play.close(13 * SECOND_NS).expect("a window");
    assert_eq!((window.sent, window.answered, window.ttl), (2, 2, Some(250)));
    assert_eq!((window.started, window.ended), (at(0).instant(), at(10 * SECOND_NS).instant()));
    assert_eq!(window.rtt.map(|rtt| (rtt.min_ns, rtt.max_ns)), Some((20_000_000, 20_000_000)));
    assert_eq!(play.close(13 * SECOND_NS), None);
    assert_eq!(play.close(40 * SECOND_NS).map(|window| window.sent), Some(1));
    let silent = play.close(40 * SECOND_NS).expect("also of a window without packets");
    assert_eq!((silent.sent, silent.rtt, silent.clock, silent.stamps), (0, None, None, None));
    assert_eq!(silent.forward.and_then(|way| way.variation), None, "nothing known is not zero");
}

#[test]
fn late_duplicate_overtaken_and_unsent_packets_are_told_apart() {
    let mut play = Play::new();
    let first = play.send(0);
    let second = play.send(SECOND_NS);
    let third = play.send(2 * SECOND_NS);
    play.session.not_sent(at(3 * SECOND_NS));
    let (first, second) = (play.reflect(first, 0), play.reflect(second, SECOND_NS));
    assert_eq!(play.session.hear(second.clone()), Hearing::Answered);
    assert_eq!(play.session.hear(first), Hearing::Answered, "overtaken on the way back");
    assert_eq!(play.session.hear(second.clone()), Hearing::Duplicate);
    let mut late = play.reflect(third, 2 * SECOND_NS);
    late.at = at(5 * SECOND_NS + 1);
    assert_eq!(play.session.hear(late.clone()), Hearing::Late);
    let window = play.close(13 * SECOND_NS).expect("a window");
    assert_eq!((window.sent, window.answered, window.not_sent), (3, 2, 1));
    assert_eq!((window.late, window.duplicates, window.reordered), (1, 1, 1));
    assert_eq!((window.loss.lost, window.lost_somewhere), (1, 1), "late is lost");
    let [forward, reverse] = [window.forward, window.reverse].map(|way| way.expect("known").reordered);
    assert_eq!((forward, reverse), (0, 1));
    assert_eq!(play.session.hear(second), Hearing::Duplicate, "also after the window was closed");
    late.answer.sender_sent = Stamp(1);
    assert_eq!(play.session.hear(late), Hearing::Foreign);
}

#[test]
fn answers_that_are_not_ours_are_ignored() {
    let mut play = Play::new();
    let sequence = play.send(0);
    let heard = play.reflect(sequence, 0);
    let mut other_session = heard.clone();
    other_session.answer.ssid = 8;
    let mut forged = heard.clone();
    forged.answer.sender_sent = Stamp(5);
    let mut future = heard.clone();
    future.answer.sender_sequence = 1;
    for foreign in [other_session, forged, future] {
        assert_eq!(play.session.hear(foreign), Hearing::Foreign);
    }
    let mut older = heard;
    older.answer.ssid = 0;
    assert_eq!(play.session.hear(older), Hearing::Answered, "a reflector that knows no numbers of sessions");
    assert_eq!(play.close(13 * SECOND_NS).map(|window| window.rejected), Some(3));
}

#[test]
fn a_follow_up_corrects_the_previous_answer() {
    let mut play = Play::new();
    play.exchange(0);
    let sequence = play.send(SECOND_NS);
    let mut next = play.reflect(sequence, SECOND_NS);
    let returned = at(12_500_000).stamp();
    next.told.follow_up = Some(tlv::FollowUp { sequence: 0, returned, method: tlv::BY_SOFTWARE });
    next.told.stamping = tlv::TimestampInfo::decode(&[1, 2, 1, 3]);
    play.session.hear(next.clone());
    let sequence = play.send(2 * SECOND_NS);
    let mut wrong = play.reflect(sequence, 2 * SECOND_NS);
    let too_early = at(SECOND_NS + 10_500_000).stamp();
    wrong.told.follow_up = Some(tlv::FollowUp { sequence: 1, returned: too_early, method: tlv::BY_SOFTWARE });
    play.session.hear(wrong);
    let window = play.close(13 * SECOND_NS).expect("a window");
    let rtt = window.rtt.expect("round trips");
    assert_eq!((rtt.min_ns, rtt.max_ns), (18_500_000, 20_000_000), "1.5 ms less on the first way back");
    assert_eq!(window.stamps.map(|stamps| stamps.returned), Some(Stamping::Unknown));
}

#[test]
fn the_kernels_stamp_replaces_the_programs() {
    let mut play = Play::new();
    let sequence = play.send(0);
    play.session.left(sequence, at(4_000_000).stamp());
    let mut heard = play.reflect(sequence, 0);
    heard.told.stamping = tlv::TimestampInfo::decode(&[1, 2, 1, 3]);
    play.session.hear(heard);
    let window = play.close(13 * SECOND_NS).expect("a window");
    assert_eq!(window.rtt.map(|rtt| rtt.max_ns), Some(16_000_000));
    let stamps = window.stamps.expect("answered");
    assert_eq!(stamps.sent, Stamping::Kernel);
    assert_eq!(stamps.reached, Stamping::Kernel);
    assert_eq!(stamps.returned, Stamping::User);
    assert_eq!(stamps.received, Stamping::Kernel);
}

#[test]
fn times_across_a_step_of_the_clock_or_with_invalid_stamps_are_not_used() {
    let mut play = Play::new();
    let first = play.send(0);
    let mut stepped = play.reflect(first, 0);
    stepped.at.wall_ns += 51_000;
    let second = play.send(SECOND_NS);
    let mut invalid = play.reflect(second, SECOND_NS);
    invalid.answer.error = ErrorEstimate::decode([0, 0]);
    let third = play.send(2 * SECOND_NS);
    let mut impossible = play.reflect(third, 2 * SECOND_NS);
    impossible.answer.returned = at(0).stamp();
    for heard in [stepped, invalid, impossible] {
        assert_eq!(play.session.hear(heard), Hearing::Answered);
    }
    let window = play.close(13 * SECOND_NS).expect("a window");
    assert_eq!((window.clock_steps, window.invalid_stamps, window.answered), (1, 2, 3));
    assert_eq!((window.rtt, window.clock, window.loss.lost), (None, None, 0));
}
