//! Sender and reflector in a world whose truth is known: two clocks that are wrong and drift, two ways of different
//! length. Whatever is published as an interval must contain the truth.

use super::*;
use crate::{
    packet::{BASE_LEN, Stamp},
    reflect::{Arrival, Core, Provision},
};
use proptest::prelude::*;

const PERIOD_NS: i64 = 100_000_000;
const WINDOW_NS: i64 = 20_000_000_000;
/// Stamps have a resolution of a nanosecond, and quantities are made of a few of them.
const ROUNDING_NS: i64 = 4;

/// What is true of a world.
#[derive(Debug, Clone)]
struct World {
    /// The reflector's clock minus the sender's in the middle of the window.
    offset_ns: i64,
    drift_ppm: f64,
    there_ns: i64,
    back_ns: i64,
    /// For each packet: what queues add there and back, and how long the reflector holds it; absent when lost.
    packets: Vec<Option<(i64, i64, i64)>>,
    least_share: f64,
}

fn world() -> impl Strategy<Value = World> {
    let queue = 0i64..30_000_000;
    let packet = proptest::option::weighted(0.9, (queue.clone(), queue, 0i64..5_000_000));
    (
        -5_000_000_000i64..5_000_000_000,
        -15.0f64..15.0,
        0i64..200_000_000,
        0i64..200_000_000,
        proptest::collection::vec(packet, (WINDOW_NS / PERIOD_NS) as usize),
        0.0f64..1.0,
    )
        .prop_map(|(offset_ns, drift_ppm, there_ns, back_ns, packets, least_share)| World {
            offset_ns,
            drift_ppm,
            there_ns,
            back_ns,
            packets,
            least_share,
        })
}

impl World {
    const START: Moment = Moment { wall_ns: 1_795_000_000_000_000_000, monotonic_ns: 7_000_000_000 };

    fn moment(at_ns: i64) -> Moment {
        let Moment { wall_ns, monotonic_ns } = Self::START;
        Moment { wall_ns: wall_ns + at_ns, monotonic_ns: monotonic_ns + at_ns }
    }

    fn offset_at(&self, at_ns: i64) -> i64 {
        self.offset_ns + ((at_ns - WINDOW_NS / 2) as f64 * self.drift_ppm / 1e6).round() as i64
    }

    fn remote(&self, at_ns: i64) -> Stamp {
        Self::moment(at_ns + self.offset_at(at_ns)).stamp()
    }

    fn least_ns(&self) -> i64 {
        (self.there_ns.min(self.back_ns) as f64 * self.least_share) as i64
    }

    /// Plays a window. `remote_clock` is what the reflector says of its clock.
    fn play(&self, remote_clock: ErrorEstimate, local: &Discipline) -> MeshWindow {
        let settings = Settings { least_delay_ns: self.least_ns(), ..settings() };
        let mut session = Session::new(tests::identity(), settings, Self::START);
        let mut reflector = Core::new(1000);
        reflector.provision([Provision { ssid: 7, from: None, key: None }]);
        for (turn, packet) in self.packets.iter().enumerate() {
            let sent_ns = turn as i64 * PERIOD_NS;
            let moment = Self::moment(sent_ns);
            let request = session.request(moment.stamp(), local.estimate(), Vec::new());
            session.sent(moment, moment.stamp());
            let Some((queue_there, queue_back, hold)) = *packet else { continue };
            let reached_ns = sent_ns + self.there_ns + queue_there;
            let returned_ns = reached_ns + hold;
            let received_ns = returned_ns + self.back_ns + queue_back;
            let arrival = Arrival {
                from: "192.0.2.1:9".parse().expect("an address"),
                bytes: &request.encode(None),
                reached: self.remote(reached_ns),
                by_kernel: true,
                ttl: Some(60),
            };
            let reply = reflector
                .reflect(arrival, remote_clock, reached_ns, || self.remote(returned_ns))
                .expect("a provisioned session");
            assert_eq!(reply.bytes.len(), BASE_LEN);
            let answer = Answer::decode(&reply.bytes, None).expect("an answer");
            let at = Self::moment(received_ns);
            let heard =
                Heard { answer, told: tlv::Told::default(), received: at.stamp(), by_kernel: true, at };
            assert_eq!(session.hear(heard), Hearing::Answered);
        }
        session.close(Self::moment(WINDOW_NS * 2), local).expect("a finished window")
    }

    /// The true median of one way, from the same packets.
    fn median(&self, base_ns: i64, queue: impl Fn(&(i64, i64, i64)) -> i64) -> Option<i64> {
        let mut all: Vec<i64> = self.packets.iter().flatten().map(|packet| base_ns + queue(packet)).collect();
        all.sort_unstable();
        delays::quantile(&all, 0.5)
    }
}

fn settings() -> Settings {
    Settings { window_ns: WINDOW_NS, ..Settings::from(&MeshSend::to("")) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_truth_is_in_every_interval(world in world(), e_local in 0u64..20_000_000, slack in 0u64..20_000_000, synchronised in any::<bool>()) {
        // Two kernels that promise no more than is true at every instant of the window.
        let worst_ns = world.offset_ns.unsigned_abs() + 15 * 21_000;
        let remote_error_ns = (worst_ns + slack).saturating_sub(e_local);
        let local = Discipline { synchronised, error_ns: e_local, reason: None };
        let window = world.play(ErrorEstimate::new(synchronised, remote_error_ns), &local);
        let answered = world.packets.iter().flatten().count() as u32;
        prop_assert_eq!((window.sent, window.answered), (200, answered));
        let clock = window.clock.expect("packets were answered");
        prop_assert_eq!(clock.declared.is_some(), synchronised);
        let offset = clock.offset.expect("nobody lies");
        let truth = world.offset_ns;
        prop_assert!(offset.lower_ns - ROUNDING_NS <= truth && truth <= offset.upper_ns + ROUNDING_NS, "{:?} {}", offset, truth);
        let there = window.forward.and_then(|way| way.one_way).expect("bounds");
        let back = window.reverse.and_then(|way| way.one_way).expect("bounds");
        let true_there = world.median(world.there_ns, |packet| packet.0).expect("a median");
        let true_back = world.median(world.back_ns, |packet| packet.1).expect("a median");
        for (said, truth) in [(there, true_there), (back, true_back)] {
            prop_assert!(said.lower_ns - ROUNDING_NS <= truth && truth <= said.upper_ns + ROUNDING_NS, "{:?} {}", said, truth);
            prop_assert!(said.lower_ns <= said.estimate_ns && said.estimate_ns <= said.upper_ns);
        }
        let rtt = window.rtt.expect("round trips");
        let quickest = world.packets.iter().flatten().map(|(there, back, _)| there + back).min().expect("one");
        let error = rtt.min_ns.abs_diff((world.there_ns + world.back_ns + quickest).unsigned_abs());
        prop_assert!(error <= 200, "a round trip is off by drift while the reflector holds it only: {}", error);
    }

    #[test]
    fn a_clock_that_lies_is_found_out(world in world(), ahead in any::<bool>()) {
        let mut world = world;
        // Further away than the packets leave room for, and yet promised to be near.
        world.offset_ns = if ahead { 1_000_000_000 } else { -1_000_000_000 };
        let local = Discipline { synchronised: true, error_ns: 1_000_000, reason: None };
        let window = world.play(ErrorEstimate::new(true, 1_000_000), &local);
        prop_assert_eq!(window.clock.expect("bounds").offset, None);
        prop_assert_eq!(window.forward.and_then(|way| way.one_way), None);
        prop_assert_eq!(window.reverse.and_then(|way| way.one_way), None);
        prop_assert!(window.rtt.is_some(), "round trips need no clock");
    }
}

#[test]
fn wrong_coordinates_are_a_contradiction() {
    let world = World {
        offset_ns: 3_000_000,
        drift_ppm: 0.0,
        there_ns: 10_000_000,
        back_ns: 10_000_000,
        packets: vec![Some((0, 0, 0)); 200],
        // The plan says that light needs 15 ms each way, but packets took 10.
        least_share: 1.5,
    };
    let window = world.play(ErrorEstimate::new(false, 1), &Discipline::unknown("test"));
    let clock = window.clock.expect("bounds");
    assert!(clock.network.lower_ns > clock.network.upper_ns && clock.offset.is_none());
}
