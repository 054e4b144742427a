//! A UDP relay between sender and reflector that does to each packet what a test says, and remembers what it did.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::net::UdpSocket;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Pass,
    Drop,
    Twice,
    /// Wait until the next packet of this direction has passed.
    BehindTheNext,
}

/// What was done, by the sender's sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    pub sequence: u32,
    pub there: Act,
    pub back: Act,
}

/// Says what becomes of a packet there and back.
pub type Script = fn(u32) -> (Act, Act);

/// A running relay; it ends with its test's runtime.
pub struct Relay {
    pub address: SocketAddr,
    done: Arc<Mutex<Vec<Done>>>,
}

impl Relay {
    /// Between one sender (whoever sends first) and the reflector. Packets must not be authenticated, because their
    /// numbers are read.
    pub async fn start(reflector: SocketAddr, script: Script) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let back = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        back.connect(reflector).await.expect("a route");
        let address = front.local_addr().expect("an address");
        let done = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(run(front, back, script, Arc::clone(&done)));
        Self { address, done }
    }

    /// What was done to the packets from one number up to another (not included).
    pub fn done(&self, from: u32, to: u32) -> Vec<Done> {
        let done = runtime::lock::lock(&self.done);
        done.iter().filter(|done| (from..to).contains(&done.sequence)).copied().collect()
    }
}

async fn run(front: UdpSocket, back: UdpSocket, script: Script, done: Arc<Mutex<Vec<Done>>>) {
    let (mut there, mut here) = ([0u8; 2048], [0u8; 2048]);
    let (mut held_there, mut held_here) = (None, None);
    let mut sender = None;
    loop {
        tokio::select! {
            Ok((n, from)) = front.recv_from(&mut there) => {
                sender = Some(from);
                let sequence = number(&there, 0);
                let (act, later) = script(sequence);
                runtime::lock::lock(&done).push(Done { sequence, there: act, back: later });
                for packet in pass(act, &there[..n], &mut held_there) {
                    back.send(&packet).await.expect("sent");
                }
            }
            Ok(n) = back.recv(&mut here) => {
                let (_, act) = script(number(&here, 24));
                let Some(to) = sender else { continue };
                for packet in pass(act, &here[..n], &mut held_here) {
                    front.send_to(&packet, to).await.expect("sent");
                }
            }
        }
    }
}

fn number(packet: &[u8], at: usize) -> u32 {
    packet[at..at + 4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The packets that leave when this one comes.
fn pass(act: Act, packet: &[u8], held: &mut Option<Vec<u8>>) -> Vec<Vec<u8>> {
    let packet = packet.to_vec();
    let mut leaving = match act {
        Act::Drop => Vec::new(),
        Act::Pass => vec![packet],
        Act::Twice => vec![packet.clone(), packet],
        Act::BehindTheNext => {
            assert!(held.replace(packet).is_none(), "one at a time");
            return Vec::new();
        }
    };
    leaving.extend(held.take());
    leaving
}
