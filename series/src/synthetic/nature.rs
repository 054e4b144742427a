//! What stays the same in a series: where the target is, and how steady everything on the way is.

use super::{Noise, random::Random};

/// Durations are microseconds.
#[derive(Debug, Clone)]
pub struct Nature {
    /// The round trip without queues: 1 ms (same city) to 120 ms (another continent).
    pub rtt: f64,
    /// What queues add to a round trip: the median, and the spread of its logarithm.
    pub queue: (f64, f64),
    /// The answer of a resolver nearby that has the name.
    pub dns: (f64, f64),
    /// What the handshake's cryptography costs both sides.
    pub crypto: (f64, f64),
    /// Handing over the request.
    pub send: (f64, f64),
    /// What the server takes for the answer.
    pub think: (f64, f64),
    /// Reading what arrived of the body.
    pub read: (f64, f64),
    /// Bytes of the body, and by how many they vary.
    pub body: (f64, f64),
    /// Round trips until the whole body was allowed to come, after the one that brought the head.
    pub rounds: u32,
    /// By how much of itself the server's time and the queues swell towards the busiest hour.
    pub tide: f64,
    /// When the busiest hour is, as a share of the day.
    pub busiest: f64,
}

impl Nature {
    pub fn draw(random: &mut Random, noise: Noise) -> Nature {
        let spread = match noise {
            Noise::Calm => 0.4,
            Noise::Usual => 1.0,
            Noise::Rough => 2.0,
        };
        let rtt = random.log_between(1_000.0, 120_000.0);
        let think = random.log_between(1_000.0, 40_000.0);
        let body = random.log_between(500.0, 60_000.0).round();
        Nature {
            rtt,
            queue: (spread * (30.0 + rtt * 0.004), 0.7),
            dns: (random.log_between(300.0, 3_000.0), 0.2 * spread),
            crypto: (random.between(700.0, 1_500.0), 0.08 * spread),
            send: (random.between(20.0, 60.0), 0.2 * spread),
            think: (think, random.between(0.08, 0.25) * spread),
            read: (30.0 + body * 0.005, 0.25 * spread),
            body: (body, random.pick([0.0, 0.0, 0.0, 8.0])),
            rounds: rounds(body),
            tide: random.between(0.05, 0.4),
            busiest: random.unit(),
        }
    }
}

/// The initial window of TCP is ten segments (RFC 6928), and doubles with each round trip.
fn rounds(body: f64) -> u32 {
    let (mut window, mut sent, mut rounds) = (14_600.0, 14_600.0, 0);
    while sent < body {
        window *= 2.0;
        sent += window;
        rounds += 1;
    }
    rounds
}
