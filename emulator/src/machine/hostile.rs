//! Queues as a hostile guest fills them: descriptors that lie, loop or lead nowhere.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use getrandom::SysRng;
use quorate_init::nsm::wire::{ErrorCode, REQUEST_MAX, Request, Response};
use vhost_user_backend::{VhostUserBackend as _, VringRwLock, VringT as _};
use vm_memory::{Bytes as _, GuestAddress, GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;

use super::fault::{NsmFaults, VsockFaults};
use super::nsm::Nsm;
use super::queue::Memory;
use super::vsock::Vsock;
use super::vsock::packet::{HEADER_LEN, Header, Operation, TYPE_STREAM};
use crate::device::{Config, Mode, NsmDevice};
use crate::identity::InstanceId;
use crate::measurements::process_measurements;
use crate::pki::DevelopmentRoot;
use crate::server::system_clock_ms;

const SIZE: u16 = 16;
/// Bytes of the guest's memory.
const MEMORY: usize = 0x10_0000;
/// Where buffers begin; queues are before.
const BUFFERS: u64 = 0x2_0000;

const NEXT: u16 = 1;
const WRITE: u16 = 2;

/// One descriptor.
#[derive(Clone, Copy)]
struct Piece {
    address: u64,
    len: u32,
    flags: u16,
    next: u16,
}

fn piece(address: u64, len: u32, flags: u16) -> Piece {
    Piece {
        address,
        len,
        flags,
        next: 0,
    }
}

/// A queue in the guest's memory, filled by hand.
struct Ring {
    memory: Memory,
    vring: VringRwLock,
    at: u64,
    free: u16,
    offered: u16,
    seen: u16,
}

impl Ring {
    fn new(memory: &Memory, at: u64) -> Self {
        let vring = VringRwLock::new(memory.clone(), SIZE).unwrap();
        vring.set_queue_size(SIZE);
        vring.set_queue_info(at, at + 0x1000, at + 0x2000).unwrap();
        vring.set_queue_ready(true);
        vring.set_enabled(true);
        Self {
            memory: memory.clone(),
            vring,
            at,
            free: 0,
            offered: 0,
            seen: 0,
        }
    }

    fn write(&self, address: u64, bytes: &[u8]) {
        use vm_memory::GuestAddressSpace as _;
        let memory = self.memory.memory();
        memory.write_slice(bytes, GuestAddress(address)).unwrap();
    }

    fn read(&self, address: u64, len: usize) -> Vec<u8> {
        use vm_memory::GuestAddressSpace as _;
        let mut bytes = vec![0; len];
        let memory = self.memory.memory();
        memory
            .read_slice(&mut bytes, GuestAddress(address))
            .unwrap();
        bytes
    }

    /// Offers a chain of these pieces, linked in order: its head.
    fn offer(&mut self, pieces: &[Piece]) -> u16 {
        let head = self.free;
        for (number, piece) in pieces.iter().enumerate() {
            let last = number + 1 == pieces.len();
            let next = if last { piece.next } else { self.free + 1 };
            let flags = if last {
                piece.flags
            } else {
                piece.flags | NEXT
            };
            let mut bytes = piece.address.to_le_bytes().to_vec();
            bytes.extend(piece.len.to_le_bytes());
            bytes.extend(flags.to_le_bytes());
            bytes.extend(next.to_le_bytes());
            self.write(self.at + 16 * u64::from(self.free), &bytes);
            self.free = (self.free + 1) % SIZE;
        }
        self.promise(head);
        head
    }

    /// Says that this head is offered.
    fn promise(&mut self, head: u16) {
        let slot = self.at + 0x1000 + 4 + 2 * u64::from(self.offered % SIZE);
        self.write(slot, &head.to_le_bytes());
        self.offered = self.offered.wrapping_add(1);
        self.write(self.at + 0x1000 + 2, &self.offered.to_le_bytes());
    }

    /// What came back since last asked: head and length.
    fn used(&mut self) -> Vec<(u16, u32)> {
        let index = self.read(self.at + 0x2000 + 2, 2);
        let index = u16::from_le_bytes(index.try_into().unwrap());
        let mut used = Vec::new();
        while self.seen != index {
            let slot = self.at + 0x2000 + 4 + 8 * u64::from(self.seen % SIZE);
            let bytes: [u8; 8] = self.read(slot, 8).try_into().unwrap();
            let (head, len) = bytes.split_at(4);
            let head = u32::from_le_bytes(head.try_into().unwrap());
            let len = u32::from_le_bytes(len.try_into().unwrap());
            used.push((u16::try_from(head).unwrap(), len));
            self.seen = self.seen.wrapping_add(1);
        }
        used
    }
}

fn memory() -> Memory {
    let regions = [(GuestAddress(0), MEMORY)];
    GuestMemoryAtomic::new(GuestMemoryMmap::from_ranges(&regions).unwrap())
}

struct NsmBench {
    nsm: Nsm,
    ring: Ring,
}

impl NsmBench {
    fn new() -> Self {
        let now = system_clock_ms();
        let root = Arc::new(DevelopmentRoot::generate(&mut SysRng, now).unwrap());
        let config = Config {
            measurements: process_measurements(b"init"),
            instance: InstanceId::generate(&mut SysRng).unwrap(),
            role_arn: None,
            mode: Mode::Normal,
        };
        let device = NsmDevice::new(config, root, SysRng, now).unwrap();
        let nsm = Nsm::new(device, NsmFaults::default()).unwrap();
        let memory = memory();
        nsm.update_memory(memory.clone()).unwrap();
        Self {
            nsm,
            ring: Ring::new(&memory, 0),
        }
    }

    fn kick(&self) {
        let vrings = [self.ring.vring.clone()];
        self.nsm.handle_event(0, EventSet::IN, &vrings, 0).unwrap();
    }

    fn answers(&mut self, request: &[u8], room: u32) -> Vec<u8> {
        self.ring.write(BUFFERS, request);
        let len = u32::try_from(request.len()).unwrap();
        let head = self.ring.offer(&[piece(BUFFERS, len, 0)]);
        let response = self.ring.offer(&[piece(BUFFERS + 0x8000, room, WRITE)]);
        self.kick();
        let used = self.ring.used();
        assert_eq!(used.first(), Some(&(head, 0)), "the request comes first");
        assert_eq!(used.len(), 2);
        assert_eq!(used[1].0, response);
        self.ring.read(BUFFERS + 0x8000, used[1].1 as usize)
    }
}

#[test]
fn a_request_and_its_response_come_back_in_the_drivers_order() {
    let mut bench = NsmBench::new();
    let request = Request::GetRandom.encode().unwrap();
    let answer = bench.answers(&request, 0x3000);
    assert!(matches!(
        Response::decode(&answer),
        Ok(Response::GetRandom { random }) if random.len() == 256
    ));
    // Offered the other way round, and in pieces.
    let ring = &mut bench.ring;
    ring.write(BUFFERS, &request);
    let half = request.len() as u32 / 2;
    let response = ring.offer(&[
        piece(BUFFERS + 0x8000, 10, WRITE),
        piece(BUFFERS + 0x800a, 0x2000, WRITE),
    ]);
    let head = ring.offer(&[
        piece(BUFFERS, half, 0),
        piece(BUFFERS + u64::from(half), request.len() as u32 - half, 0),
    ]);
    bench.kick();
    let used = bench.ring.used();
    assert_eq!((used[0], used[1].0), ((head, 0), response));
    assert!(used[1].1 > 256);
}

#[test]
fn requests_that_are_none_fail_closed() {
    let mut bench = NsmBench::new();
    let error = |answer: &[u8]| match Response::decode(answer) {
        Ok(Response::Error(code)) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        error(&bench.answers(b"\xff", 0x3000)),
        ErrorCode::InvalidOperation
    );
    let long = vec![0; REQUEST_MAX + 1];
    assert_eq!(
        error(&bench.answers(&long, 0x3000)),
        ErrorCode::InputTooLarge
    );
    // No room for the answer: nothing, rather than half of it.
    let request = Request::GetRandom.encode().unwrap();
    assert_eq!(bench.answers(&request, 16), b"");
}

#[test]
fn descriptors_of_the_nsm_that_lie_fail_closed() {
    let outside = MEMORY as u64;
    for (request, response) in [
        (piece(outside, 16, 0), piece(BUFFERS, 0x3000, WRITE)),
        (piece(u64::MAX - 4, 16, 0), piece(BUFFERS, 0x3000, WRITE)),
        (piece(BUFFERS, u32::MAX, 0), piece(BUFFERS, 0x3000, WRITE)),
        (piece(BUFFERS, 16, 0), piece(outside, 0x3000, WRITE)),
        (piece(BUFFERS, 16, 0), piece(BUFFERS, u32::MAX, WRITE)),
        (piece(BUFFERS, 0, 0), piece(BUFFERS, 0, WRITE)),
    ] {
        let mut bench = NsmBench::new();
        bench
            .ring
            .write(BUFFERS, &Request::GetRandom.encode().unwrap());
        bench.ring.offer(&[request]);
        bench.ring.offer(&[response]);
        bench.kick();
        // The next guest's request is served as if nothing had been.
        let request = Request::DescribeNsm.encode().unwrap();
        bench.ring.used();
        let answer = bench.answers(&request, 0x3000);
        assert!(Response::decode(&answer).is_ok());
    }
}

#[test]
fn chains_that_loop_and_queues_that_lie_end_and_fail_closed() {
    let mut bench = NsmBench::new();
    // A descriptor that is its own successor.
    let looped = Piece {
        next: 0,
        ..piece(BUFFERS, 1, NEXT)
    };
    bench.ring.offer(&[looped]);
    bench.ring.offer(&[piece(BUFFERS, 0x3000, WRITE)]);
    // A head beyond the table.
    bench.ring.promise(SIZE + 5);
    bench.kick();
    // More buffers than the queue has places, and a queue that went back.
    for index in [bench.ring.offered.wrapping_add(5000), 0, 1] {
        bench.ring.write(0x1002, &index.to_le_bytes());
        bench.kick();
    }
}

#[test]
fn requests_without_a_place_for_the_answer_are_bounded_fails_closed() {
    let mut bench = NsmBench::new();
    bench
        .ring
        .write(BUFFERS, &Request::GetRandom.encode().unwrap());
    let mut given_back = 0;
    for _ in 0..1000 {
        bench.ring.offer(&[piece(BUFFERS, 16, 0)]);
        bench.kick();
        given_back += bench.ring.used().len();
    }
    // The driver has one at a time.
    assert!(given_back >= 1000 - 128, "{given_back}");
}

const CID: u32 = 16;

struct VsockBench {
    vsock: Vsock,
    receive: Ring,
    transmit: Ring,
    _folder: tempfile::TempDir,
}

impl VsockBench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (beat, _) = sync_channel(1);
        let vsock = Vsock::new(CID, folder.path(), VsockFaults::default(), beat).unwrap();
        let memory = memory();
        vsock.update_memory(memory.clone()).unwrap();
        Self {
            vsock,
            receive: Ring::new(&memory, 0),
            transmit: Ring::new(&memory, 0x8000),
            _folder: folder,
        }
    }

    fn kick(&self) {
        let vrings = [self.receive.vring.clone(), self.transmit.vring.clone()];
        self.vsock
            .handle_event(0, EventSet::IN, &vrings, 0)
            .unwrap();
    }
}

/// A packet to a port nobody listens on, which is answered with a reset.
fn stray(len: u32) -> [u8; HEADER_LEN] {
    Header {
        src_cid: u64::from(CID),
        dst_cid: 3,
        src_port: 1024,
        dst_port: 7,
        len,
        kind: TYPE_STREAM,
        operation: Operation::Data.number(),
        ..Header::default()
    }
    .encode()
}

#[test]
fn a_packet_in_pieces_is_a_packet() {
    let mut bench = VsockBench::new();
    bench.transmit.write(BUFFERS, &stray(2));
    bench.transmit.write(BUFFERS + 44, b"xy");
    let head = bench.transmit.offer(&[
        piece(BUFFERS, 1, 0),
        piece(BUFFERS + 1, 42, 0),
        piece(BUFFERS + 43, 3, 0),
    ]);
    let room = bench.receive.offer(&[
        piece(BUFFERS + 0x8000, 40, WRITE),
        piece(BUFFERS + 0x8028, 100, WRITE),
    ]);
    bench.kick();
    assert_eq!(bench.transmit.used(), [(head, 0)]);
    assert_eq!(bench.receive.used(), [(room, HEADER_LEN as u32)]);
    let answer = bench.receive.read(BUFFERS + 0x8000, HEADER_LEN);
    let answer = Header::parse(answer.first_chunk().unwrap());
    assert_eq!(Operation::of(answer.operation), Some(Operation::Reset));
    assert_eq!((answer.src_port, answer.dst_port), (7, 1024));
}

#[test]
fn packets_that_promise_more_than_there_is_fail_closed() {
    let outside = MEMORY as u64;
    let mut bench = VsockBench::new();
    bench.transmit.write(BUFFERS, &stray(200_000));
    let mut queues: VecDeque<Vec<Piece>> = [
        vec![piece(BUFFERS, 43, 0)],
        vec![piece(BUFFERS, 44, 0)],
        vec![piece(BUFFERS, 300_000, 0)],
        vec![piece(outside - 10, 44, 0)],
        vec![piece(u64::MAX, 44, 0)],
        vec![piece(BUFFERS, u32::MAX, 0)],
        vec![piece(BUFFERS, 44, WRITE)],
        vec![piece(BUFFERS, 0, 0)],
    ]
    .into();
    while let Some(pieces) = queues.pop_front() {
        let head = bench.transmit.offer(&pieces);
        bench.receive.offer(&[piece(BUFFERS + 0x8000, 4096, WRITE)]);
        bench.kick();
        assert_eq!(bench.transmit.used(), [(head, 0)]);
        assert_eq!(bench.receive.used(), [], "nothing is answered");
    }
}

#[test]
fn buffers_too_short_for_a_packet_are_given_back_unused() {
    let outside = MEMORY as u64;
    let mut bench = VsockBench::new();
    bench.transmit.write(BUFFERS, &stray(0));
    bench.transmit.offer(&[piece(BUFFERS, 44, 0)]);
    let bad: Vec<_> = [
        piece(BUFFERS + 0x8000, 43, WRITE),
        piece(BUFFERS + 0x8000, 4096, 0),
        piece(outside, 4096, WRITE),
        piece(BUFFERS, 0, WRITE),
    ]
    .map(|piece| (bench.receive.offer(&[piece]), 0))
    .into();
    bench.kick();
    assert_eq!(bench.receive.used(), bad);
    let good = bench.receive.offer(&[piece(BUFFERS + 0x8000, 44, WRITE)]);
    bench.kick();
    assert_eq!(bench.receive.used(), [(good, 44)]);
}

#[test]
fn vsock_queues_that_lie_end_and_fail_closed() {
    let mut bench = VsockBench::new();
    bench.transmit.promise(SIZE + 1);
    bench.transmit.offer(&[Piece {
        next: 0,
        ..piece(BUFFERS, 1, NEXT)
    }]);
    bench.kick();
    for index in [9999_u16, 0, 3] {
        bench.transmit.write(0x8000 + 0x1002, &index.to_le_bytes());
        bench.receive.write(0x1002, &index.to_le_bytes());
        bench.kick();
    }
}
