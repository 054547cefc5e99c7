//! A session made for the test on one end of a loopback connection, a plain client on the other.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;

use bytes::{Buf, BufMut, Bytes};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

const BIG: usize = 1 << 20;
const PARKED_AT_MOST: usize = 2;

/// What the test sees and steers.
#[derive(Default)]
struct Desk {
    waker: Mutex<Option<Waker>>,
    released: AtomicBool,
    received: AtomicUsize,
    most_out: AtomicUsize,
    closed: AtomicUsize,
}

impl Desk {
    fn release(&self) {
        self.released.store(true, Ordering::SeqCst);
        if let Some(waker) = self.waker.lock().unwrap().take() {
            waker.wake();
        }
    }
}

/// Frames are a length and bytes; the first byte says what to do: echo, park, big answer, hang up, panic.
struct Desked {
    desk: Arc<Desk>,
    parked: Vec<Bytes>,
}

impl Session for Desked {
    fn receive(&mut self, input: &mut BytesMut, out: &mut Outbox) -> Result<(), Hangup> {
        while let Some((size, rest)) = input.split_first_chunk::<4>() {
            let size = u32::from_be_bytes(*size) as usize;
            let full = self.parked.len() == PARKED_AT_MOST || limits::OUTPUT_PER_CONNECTION <= out.len();
            if rest.len() < size || full {
                break;
            }
            input.advance(4);
            let frame = input.split_to(size).freeze();
            self.desk.received.fetch_add(1, Ordering::SeqCst);
            match frame.first() {
                Some(b'p') => self.parked.push(frame),
                Some(b'b') => out.push(Bytes::from(vec![b'b'; BIG])),
                Some(b'x') => panic!("as asked"),
                Some(b'h') => {
                    out.push(frame);
                    return Err(Hangup::quiet("as asked"));
                }
                _ => {
                    out.head().put_u32(size as u32);
                    out.push(frame);
                }
            }
            self.desk.most_out.fetch_max(out.len(), Ordering::SeqCst);
        }
        Ok(())
    }

    fn resume(&mut self, waker: &Waker, out: &mut Outbox) -> Result<(), Hangup> {
        *self.desk.waker.lock().unwrap() = Some(waker.clone());
        if self.desk.released.load(Ordering::SeqCst) {
            self.parked.drain(..).for_each(|frame| out.push(frame));
        }
        Ok(())
    }

    fn reads(&self) -> bool {
        self.parked.len() < PARKED_AT_MOST
    }

    fn finishing(&mut self, _: &mut Outbox) -> bool {
        !self.parked.is_empty()
    }

    fn closed(&mut self) {
        self.desk.closed.fetch_add(1, Ordering::SeqCst);
    }
}

struct Bench {
    client: TcpStream,
    desk: Arc<Desk>,
    memory: Arc<ReadMemory>,
    shutdown: Shutdown,
    end: JoinHandle<End>,
}

async fn bench() -> Bench {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let (desk, shutdown, memory) = (Arc::new(Desk::default()), Shutdown::new(), ReadMemory::new(64 << 20));
    let session = Box::new(Desked { desk: Arc::clone(&desk), parked: Vec::new() });
    let idle = Duration::from_secs(120);
    let connection = Connection::new(stream, session, idle, Arc::clone(&memory), &shutdown);
    Bench { client, desk, memory, shutdown, end: tokio::spawn(connection) }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(payload);
    frame
}

async fn read_all(client: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.unwrap();
    all
}

#[tokio::test]
async fn answers_frames_however_they_arrive() {
    let mut bench = bench().await;
    let sent = [frame(b"one"), frame(&[b'e'; 70_000]), frame(b"three")].concat();
    for piece in sent.chunks(1_000) {
        bench.client.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = vec![0; sent.len()];
    bench.client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, sent);
    drop(bench.client);
    assert!(matches!(bench.end.await.unwrap(), End::Closed));
    assert_eq!(bench.desk.closed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_large_frame_grows_the_buffer_and_gives_it_back() {
    let mut bench = bench().await;
    let sent = frame(&vec![b'e'; 10 << 20]);
    let (mut reader, mut writer) = bench.client.split();
    let mut answer = vec![0; sent.len()];
    let (written, read) = tokio::join!(writer.write_all(&sent), reader.read_exact(&mut answer));
    written.unwrap();
    read.unwrap();
    assert!(answer == sent);
    drop(bench.client);
    bench.end.await.unwrap();
    assert_eq!(bench.memory.used(), 0);
}

#[tokio::test]
async fn says_that_a_peer_left_within_a_frame() {
    let mut bench = bench().await;
    bench.client.write_all(&frame(b"never whole")[..7]).await.unwrap();
    drop(bench.client);
    assert!(matches!(bench.end.await.unwrap(), End::ClosedWithinFrame(7)));
}

#[tokio::test]
async fn a_parked_request_is_answered_after_later_ones() {
    let mut bench = bench().await;
    bench.client.write_all(&[frame(b"parked"), frame(b"e")].concat()).await.unwrap();
    let mut answer = [0; 5];
    bench.client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer[..], frame(b"e"));
    bench.desk.release();
    let mut answer = [0; 6];
    bench.client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"parked");
}

#[tokio::test]
async fn reading_stops_while_too_many_wait_and_goes_on_with_what_was_read() {
    let mut bench = bench().await;
    let sent = [frame(b"p1"), frame(b"p2"), frame(b"p3"), frame(b"e")].concat();
    bench.client.write_all(&sent).await.unwrap();
    while bench.desk.received.load(Ordering::SeqCst) < PARKED_AT_MOST {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.desk.received.load(Ordering::SeqCst), PARKED_AT_MOST);
    bench.desk.release();
    let mut answer = [0; 11];
    bench.client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer[..4], b"p1p2");
    assert_eq!(bench.desk.received.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_slow_reader_bounds_its_own_output() {
    let mut bench = bench().await;
    let requests = 100;
    bench.client.write_all(&frame(b"b").repeat(requests)).await.unwrap();
    let mut answer = vec![0; requests * BIG];
    bench.client.read_exact(&mut answer).await.unwrap();
    assert!(answer.iter().all(|byte| *byte == b'b'));
    assert!(bench.desk.most_out.load(Ordering::SeqCst) < limits::OUTPUT_PER_CONNECTION + BIG);
}

#[tokio::test]
async fn a_panic_ends_this_connection_only() {
    let mut bench = bench().await;
    bench.client.write_all(&frame(b"x")).await.unwrap();
    assert!(matches!(bench.end.await.unwrap(), End::Panicked(what) if what == "as asked"));
    assert_eq!(bench.desk.closed.load(Ordering::SeqCst), 1);
    assert_eq!(read_all(&mut bench.client).await, b"");
}

#[tokio::test]
async fn a_hangup_is_preceded_by_its_answer() {
    let mut bench = bench().await;
    bench.client.write_all(&[frame(b"h1"), vec![7; 100_000]].concat()).await.unwrap();
    let mut answer = [0; 2];
    bench.client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"h1");
    assert!(matches!(bench.end.await.unwrap(), End::Hangup(hangup) if hangup.why == "as asked"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_traffic_is_closed() {
    let mut bench = bench().await;
    let started = Instant::now();
    assert_eq!(read_all(&mut bench.client).await, b"");
    assert!(matches!(bench.end.await.unwrap(), End::Idle(_)));
    assert!(Duration::from_secs(120) <= started.elapsed());
}

#[tokio::test]
async fn a_stop_closes_idle_connections_at_once() {
    let mut bench = bench().await;
    bench.shutdown.stop();
    assert!(matches!(bench.end.await.unwrap(), End::Stopped));
    assert_eq!(read_all(&mut bench.client).await, b"");
}

#[tokio::test]
async fn a_stop_waits_for_answers_that_are_on_their_way() {
    let mut bench = bench().await;
    bench.client.write_all(&frame(b"parked")).await.unwrap();
    while bench.desk.received.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    bench.shutdown.stop();
    tokio::task::yield_now().await;
    bench.desk.release();
    assert_eq!(read_all(&mut bench.client).await, b"parked");
    assert!(matches!(bench.end.await.unwrap(), End::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_forever() {
    let mut bench = bench().await;
    bench.client.write_all(&frame(b"parked")).await.unwrap();
    while bench.desk.received.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let stopped = Instant::now();
    bench.shutdown.stop();
    assert!(matches!(bench.end.await.unwrap(), End::Stopped));
    assert!(limits::CLOSE_GRACE <= stopped.elapsed());
}
