//! One connection through a TCP link: reads, waits, writes, in both directions, with bounded memory.

use super::{Direction, Fault, LinkControl, control::State, dice::Dice};
use bytes::{Bytes, BytesMut};
use std::{net::SocketAddr, sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

/// Bytes read at once, and chunks under way in each direction: 256 KiB, which is also the most a link carries in
/// one one-way delay.
const CHUNK: usize = 8 * 1024;
const QUEUE: usize = 32;
/// How long the upstream may take to accept.
const DIAL: Duration = Duration::from_secs(10);

/// The connection must end with RST on both sides.
struct Reset;

enum Frame {
    Data(Bytes),
    /// The sender closed its direction.
    End,
    /// The sender's connection broke.
    Broken,
}

/// Carries a connection to its end.
pub(super) async fn carry(
    mut client: TcpStream,
    to: SocketAddr,
    control: LinkControl,
    seed: u64,
    serial: u64,
) {
    let born = control.state();
    let _ = client.set_nodelay(true);
    let ended = if born.fault == Fault::Blackhole {
        swallow(&mut client, &control, born.epoch).await
    } else {
        both(&mut client, to, &control, &born, (seed, serial)).await
    };
    if ended.is_err() {
        let _ = client.set_zero_linger();
    }
}

/// A connection made into a black hole: what is sent is lost, and the end of the fault (or the client) ends it.
async fn swallow(client: &mut TcpStream, control: &LinkControl, epoch: u64) -> Result<(), Reset> {
    let mut state = control.watch();
    let mut rubbish = [0; 1024];
    let over = state.wait_for(|state| state.epoch != epoch);
    tokio::pin!(over);
    loop {
        tokio::select! {
            _ = &mut over => return Err(Reset),
            read = client.read(&mut rubbish) => if !matches!(read, Ok(1..)) { return Ok(()) },
        }
    }
}

async fn both(
    client: &mut TcpStream,
    to: SocketAddr,
    control: &LinkControl,
    born: &State,
    (seed, serial): (u64, u64),
) -> Result<(), Reset> {
    let (from_client, to_client) = client.split();
    let (out, inbox) = mpsc::channel(QUEUE);
    let dice = |direction| Dice::new(seed, serial.wrapping_mul(2) + direction);
    // Reading begins at once: what the client sends early is under way while the upstream is dialled.
    let listen = read(from_client, out, Direction::There, control, dice(0));
    let rest = async {
        let reset = reset(control.watch(), born.resets);
        tokio::pin!(reset);
        let mut upstream = tokio::select! {
            dialled = dial(to, control) => dialled?,
            () = &mut reset => return Err(Reset),
        };
        let (from_upstream, to_upstream) = upstream.split();
        let (back, answers) = mpsc::channel(QUEUE);
        let passing = async {
            tokio::try_join!(
                write(to_upstream, inbox, Direction::There, control),
                read(from_upstream, back, Direction::Back, control, dice(1)),
                write(to_client, answers, Direction::Back, control),
            )
        };
        let ended = tokio::select! {
            ended = passing => ended.map(|_| ()),
            () = &mut reset => Err(Reset),
        };
        if ended.is_err() {
            let _ = upstream.set_zero_linger();
        }
        ended
    };
    tokio::try_join!(listen, rest).map(|_| ())
}

/// Waits until a refusal resets all connections, or the link is gone.
async fn reset(mut state: watch::Receiver<State>, known: u64) {
    let _ = state.wait_for(|state| state.resets != known).await;
}

/// Waits until the link is no black hole.
async fn passable(state: &mut watch::Receiver<State>) -> Result<(), Reset> {
    state.wait_for(|state| state.fault != Fault::Blackhole).await.map(|_| ()).map_err(|_| Reset)
}

/// Connects to the upstream one delay after now; a failure is known at the client one delay later.
async fn dial(to: SocketAddr, control: &LinkControl) -> Result<TcpStream, Reset> {
    pause(control.state().there.delay).await;
    passable(&mut control.watch()).await?;
    if let Ok(Ok(upstream)) = timeout(DIAL, TcpStream::connect(to)).await {
        let _ = upstream.set_nodelay(true);
        return Ok(upstream);
    }
    pause(control.state().back.delay).await;
    Err(Reset)
}

/// Sleeps, but not for nothing: a timer takes a millisecond even for no time.
async fn pause(delay: Duration) {
    if !delay.is_zero() {
        sleep(delay).await;
    }
}

/// Takes bytes from the sender and gives each chunk the instant at which it is due. Ends with the connection, and
/// never fails by itself: a broken connection is news that travels like data.
async fn read(
    mut from: impl AsyncRead + Unpin,
    out: mpsc::Sender<(Instant, Frame)>,
    direction: Direction,
    control: &LinkControl,
    mut dice: Dice,
) -> Result<(), Reset> {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(CHUNK);
        let mut limited = (&mut from).take(CHUNK as u64);
        let frame = match limited.read_buf(&mut buffer).await {
            Ok(0) => Frame::End,
            Ok(_) => Frame::Data(buffer.split().freeze()),
            Err(_) => Frame::Broken,
        };
        let (last, bytes) = match &frame {
            Frame::Data(data) => (false, data.len()),
            Frame::End | Frame::Broken => (true, 0),
        };
        let state = control.state();
        let rtt = state.there.delay + state.back.delay;
        let (due, lost) = dice.chunk(Instant::now(), state.shape(direction), rtt, bytes);
        control.counters().lost.fetch_add(lost.into(), Relaxed);
        if out.send((due, frame)).await.is_err() || last {
            return Ok(());
        }
    }
}

/// Delivers chunks when they are due, and none while the link is a black hole.
async fn write(
    mut to: impl AsyncWrite + Unpin,
    mut inbox: mpsc::Receiver<(Instant, Frame)>,
    direction: Direction,
    control: &LinkControl,
) -> Result<(), Reset> {
    let mut state = control.watch();
    while let Some((due, frame)) = inbox.recv().await {
        if due > Instant::now() {
            sleep_until(due).await;
        }
        passable(&mut state).await?;
        match frame {
            Frame::Data(data) => {
                to.write_all(&data).await.map_err(|_| Reset)?;
                control.delivered(direction, data.len());
            }
            Frame::End => to.shutdown().await.map_err(|_| Reset)?,
            Frame::Broken => return Err(Reset),
        }
    }
    Ok(())
}
