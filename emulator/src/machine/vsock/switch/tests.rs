//! Connections of a guest: what a guest and the parent's sockets do, and what becomes of it.

use std::cell::RefCell;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use super::super::credit::WINDOW;
use super::*;

const GUEST: u64 = 16;

/// A socket of the parent, seen from both sides.
#[derive(Default)]
struct Wire {
    /// What the parent wrote and the switch has not read.
    up: VecDeque<u8>,
    /// The parent will write no more.
    up_ended: bool,
    /// What the switch wrote.
    down: Vec<u8>,
    /// How much more the parent takes.
    room: usize,
    /// The parent reads no more.
    closed: bool,
    shut: Vec<Shutdown>,
}

#[derive(Clone, Default)]
struct Socket(Rc<RefCell<Wire>>);

impl Socket {
    fn new() -> Self {
        let socket = Self::default();
        socket.0.borrow_mut().room = usize::MAX;
        socket
    }

    fn says(&self, bytes: &[u8]) {
        self.0.borrow_mut().up.extend(bytes);
    }

    fn heard(&self) -> Vec<u8> {
        self.0.borrow().down.clone()
    }

    /// Whether the switch still holds it.
    fn is_held(&self) -> bool {
        Rc::strong_count(&self.0) > 1
    }
}

impl Stream for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if wire.up.is_empty() && !wire.up_ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = buffer.len().min(wire.up.len());
        for (to, from) in buffer.iter_mut().zip(wire.up.drain(..len)) {
            *to = from;
        }
        Ok(len)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if wire.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if wire.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = bytes.len().min(wire.room);
        wire.room -= len;
        wire.down.extend(&bytes[..len]);
        Ok(len)
    }

    fn shutdown(&mut self, how: Shutdown) {
        self.0.borrow_mut().shut.push(how);
    }
}

/// A parent that listens on port 7 only.
#[derive(Default)]
struct Parent(Vec<Socket>);

impl Host for Parent {
    type Stream = Socket;

    fn open(&mut self, port: u32, _: Id) -> Option<Socket> {
        let socket = Socket::new();
        self.0.push(socket.clone());
        (port == 7).then_some(socket)
    }
}

/// A switch and a clock.
struct Bench {
    switch: Switch<Parent>,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self {
            switch: Switch::new(GUEST, Parent::default()),
            now: Instant::now(),
        }
    }

    /// The guest sends a packet from its port to the parent's.
    fn guest(&mut self, operation: Operation, from: u32, to: u32, payload: &[u8]) {
        self.guest_flags(operation, from, to, payload, 0);
    }

    fn guest_flags(
        &mut self,
        operation: Operation,
        from: u32,
        to: u32,
        payload: &[u8],
        flags: u32,
    ) {
        let header = Header {
            src_cid: GUEST,
            dst_cid: PARENT_CID,
            src_port: from,
            dst_port: to,
            len: payload.len() as u32,
            kind: TYPE_STREAM,
            operation: operation.number(),
            flags,
            buf_alloc: 1 << 20,
            fwd_cnt: 0,
        };
        self.switch.receive(&header, payload, self.now);
    }

    /// The next packet for the guest.
    fn next(&mut self) -> Option<(Operation, Header, Vec<u8>)> {
        let mut buffer = [0; 4096];
        let header = self.switch.next(&mut buffer, self.now)?;
        assert_eq!((header.src_cid, header.dst_cid), (PARENT_CID, GUEST));
        let payload = buffer[..header.len as usize].to_vec();
        Some((Operation::of(header.operation).unwrap(), header, payload))
    }

    /// All packets for the guest.
    fn all(&mut self) -> Vec<Operation> {
        std::iter::from_fn(|| self.next().map(|(operation, ..)| operation)).collect()
    }

    fn connect(&mut self, port: u32) -> (Id, Socket) {
        let socket = Socket::new();
        let id = self
            .switch
            .connect(socket.clone(), Some(port), self.now)
            .unwrap();
        (id, socket)
    }

    /// A connection of the parent to port 5000, accepted: its id, socket and port of the parent.
    fn open(&mut self) -> (Id, Socket, u32) {
        let (id, socket) = self.connect(5000);
        let (operation, header, _) = self.next().unwrap();
        assert_eq!((operation, header.dst_port), (Operation::Request, 5000));
        self.guest(Operation::Response, 5000, header.src_port, b"");
        (id, socket, header.src_port)
    }

    /// The parent's socket became ready.
    fn awake(&mut self, id: Id) {
        self.switch.awake(id, true, true, false, self.now);
    }

    fn hang_up(&mut self, id: Id, socket: &Socket) {
        {
            let mut wire = socket.0.borrow_mut();
            wire.up_ended = true;
            wire.closed = true;
        }
        self.switch.awake(id, true, true, true, self.now);
    }

    fn later(&mut self, by: Duration) {
        self.now += by;
        self.switch.expire(self.now);
    }
}

#[test]
fn bytes_go_both_ways() {
    let mut bench = Bench::new();
    let (id, socket, port) = bench.open();
    socket.says(b"question");
    bench.awake(id);
    let (operation, header, payload) = bench.next().unwrap();
    assert_eq!(operation, Operation::Data);
    assert_eq!((header.src_port, header.dst_port), (port, 5000));
    assert_eq!(payload, b"question");
    bench.guest(Operation::Data, 5000, port, b"answer");
    assert_eq!(socket.heard(), b"answer");
    assert_eq!(bench.all(), []);
}

#[test]
fn nothing_is_sent_before_the_guest_accepted() {
    let mut bench = Bench::new();
    let (id, socket) = bench.connect(5000);
    socket.says(b"early");
    bench.awake(id);
    assert_eq!(bench.all(), [Operation::Request]);
}

#[test]
fn a_connection_the_guest_refuses_is_closed() {
    let mut bench = Bench::new();
    let (_, socket) = bench.connect(5000);
    let (_, header, _) = bench.next().unwrap();
    bench.guest(Operation::Reset, 5000, header.src_port, b"");
    assert!(!socket.is_held());
    assert!(bench.switch.is_empty());
}

#[test]
fn a_guest_reaches_who_listens_and_nobody_else() {
    let mut bench = Bench::new();
    bench.guest(Operation::Request, 1024, 7, b"");
    assert_eq!(bench.all(), [Operation::Response]);
    bench.guest(Operation::Data, 1024, 7, b"hello");
    assert_eq!(bench.switch.host().0[0].heard(), b"hello");
    bench.guest(Operation::Request, 1025, 8, b"");
    assert_eq!(bench.all(), [Operation::Reset]);
    assert_eq!(bench.switch.len(), 1);
}

#[test]
fn a_greeting_names_the_port() {
    let mut bench = Bench::new();
    let socket = Socket::new();
    socket.says(b"CONNECT 6000\nrest");
    let id = bench
        .switch
        .connect(socket.clone(), None, bench.now)
        .unwrap();
    let (operation, header, _) = bench.next().unwrap();
    assert_eq!((operation, header.dst_port), (Operation::Request, 6000));
    assert_eq!(socket.heard(), b"");
    bench.guest(Operation::Response, 6000, header.src_port, b"");
    assert_eq!(
        socket.heard(),
        format!("OK {}\n", header.src_port).as_bytes()
    );
    bench.awake(id);
    assert_eq!(bench.next().unwrap().2, b"rest");
}

#[test]
fn a_wrong_greeting_fails_closed() {
    for line in [
        "\n",
        "CONNECT\n",
        "CONNECT x\n",
        "CONNECT 4294967296\n",
        "connect 1\n",
        "CONNECT 00000000000000000001\n",
        "a line without an end that is too long",
    ] {
        let mut bench = Bench::new();
        let socket = Socket::new();
        socket.says(line.as_bytes());
        bench
            .switch
            .connect(socket.clone(), None, bench.now)
            .unwrap();
        assert!(!socket.is_held(), "{line:?}");
        assert_eq!(bench.all(), []);
    }
    // And one that never comes.
    let mut bench = Bench::new();
    let socket = Socket::new();
    bench
        .switch
        .connect(socket.clone(), None, bench.now)
        .unwrap();
    bench.later(END_LIMIT);
    assert!(!socket.is_held());
}

#[test]
fn a_half_closed_connection_goes_on_the_other_way() {
    let mut bench = Bench::new();
    let (id, socket, port) = bench.open();
    socket.says(b"last");
    socket.0.borrow_mut().up_ended = true;
    bench.awake(id);
    assert_eq!(bench.next().unwrap().2, b"last");
    let (operation, header, _) = bench.next().unwrap();
    assert_eq!(operation, Operation::Shutdown);
    assert_eq!(header.flags, SHUTDOWN_SEND);
    bench.guest(Operation::Data, 5000, port, b"answer");
    assert_eq!(socket.heard(), b"answer");
    // The guest ends too: the reader sees the end, the guest hears that all arrived.
    bench.guest_flags(Operation::Shutdown, 5000, port, b"", SHUTDOWN_BOTH);
    assert_eq!(socket.0.borrow().shut, [Shutdown::Write]);
    assert_eq!(bench.all(), [Operation::Reset]);
    assert!(!socket.is_held());
}

#[test]
fn a_guest_that_only_stops_sending_still_receives() {
    let mut bench = Bench::new();
    let (id, socket, port) = bench.open();
    bench.guest_flags(Operation::Shutdown, 5000, port, b"", SHUTDOWN_SEND);
    assert_eq!(socket.0.borrow().shut, [Shutdown::Write]);
    socket.says(b"more");
    bench.awake(id);
    assert_eq!(bench.next().unwrap().2, b"more");
    // Data after that breaks the protocol.
    bench.guest(Operation::Data, 5000, port, b"x");
    assert_eq!(bench.all(), [Operation::Reset]);
    assert!(!socket.is_held());
}

#[test]
fn a_reader_that_closes_ends_the_connection_in_order() {
    let mut bench = Bench::new();
    let (id, socket, port) = bench.open();
    bench.hang_up(id, &socket);
    let (operation, header, _) = bench.next().unwrap();
    assert_eq!(
        (operation, header.flags),
        (Operation::Shutdown, SHUTDOWN_BOTH)
    );
    // What the guest sent meanwhile goes nowhere.
    bench.guest(Operation::Data, 5000, port, &[0; 4096]);
    assert_eq!(bench.all(), []);
    bench.guest(Operation::Reset, 5000, port, b"");
    assert!(bench.switch.is_empty());
}

#[test]
fn a_guest_that_never_acknowledges_the_end_fails_closed() {
    let mut bench = Bench::new();
    let (id, socket, _) = bench.open();
    bench.hang_up(id, &socket);
    assert_eq!(bench.all(), [Operation::Shutdown]);
    bench.later(END_LIMIT);
    assert_eq!(bench.all(), [Operation::Reset]);
    assert!(bench.switch.is_empty());
}

#[test]
fn a_guest_that_never_accepts_fails_closed() {
    let mut bench = Bench::new();
    let (_, socket) = bench.connect(5000);
    assert_eq!(bench.all(), [Operation::Request]);
    bench.later(CONNECT_LIMIT);
    assert_eq!(bench.all(), [Operation::Reset]);
    assert!(!socket.is_held());
}

#[test]
fn what_a_slow_reader_has_not_taken_waits_and_is_not_lost() {
    let mut bench = Bench::new();
    let (id, socket, port) = bench.open();
    socket.0.borrow_mut().room = 3;
    bench.guest(Operation::Data, 5000, port, b"abcdef");
    assert_eq!(socket.heard(), b"abc");
    assert_eq!(bench.switch.waiting(), 3);
    // The guest closes, and forgets the connection when it has waited long enough.
    bench.guest_flags(Operation::Shutdown, 5000, port, b"", SHUTDOWN_BOTH);
    assert_eq!(bench.all(), []);
    bench.guest(Operation::Reset, 5000, port, b"");
    assert!(socket.is_held());
    socket.0.borrow_mut().room = 10;
    bench.awake(id);
    assert_eq!(socket.heard(), b"abcdef");
    assert!(!socket.is_held());
    assert_eq!(bench.switch.waiting(), 0);
}

#[test]
fn a_reader_that_never_reads_fails_closed() {
    let mut bench = Bench::new();
    let (_, socket, port) = bench.open();
    socket.0.borrow_mut().room = 0;
    bench.guest(Operation::Data, 5000, port, b"abcdef");
    bench.guest(Operation::Reset, 5000, port, b"");
    bench.later(END_LIMIT);
    assert!(!socket.is_held());
    assert_eq!(bench.switch.waiting(), 0);
}

#[test]
fn the_window_is_kept_on_both_sides() {
    let mut bench = Bench::new();
    let (id, socket, port) = bench.open();
    socket.0.borrow_mut().room = 0;
    let piece = vec![1; WINDOW as usize / 4];
    for _ in 0..4 {
        bench.guest(Operation::Data, 5000, port, &piece);
    }
    assert_eq!(bench.all(), [], "nothing was taken, nothing is announced");
    socket.0.borrow_mut().room = usize::MAX;
    bench.awake(id);
    let (operation, header, _) = bench.next().unwrap();
    assert_eq!(operation, Operation::CreditUpdate);
    assert_eq!((header.buf_alloc, header.fwd_cnt), (WINDOW, WINDOW));
    // The guest's own buffer: 1 MiB, and nothing of it taken.
    socket.says(&vec![2; 2 << 20]);
    bench.awake(id);
    let mut sent = 0;
    while let Some((_, _, payload)) = bench.next() {
        sent += payload.len();
    }
    assert_eq!(sent, 1 << 20);
    bench.guest(Operation::CreditRequest, 5000, port, b"");
    assert_eq!(bench.all(), [Operation::CreditUpdate]);
}

#[test]
fn a_guest_that_sends_beyond_the_window_fails_closed() {
    let mut bench = Bench::new();
    let (_, socket, port) = bench.open();
    socket.0.borrow_mut().room = 0;
    for _ in 0..4 {
        bench.guest(Operation::Data, 5000, port, &vec![1; WINDOW as usize / 4]);
    }
    bench.guest(Operation::Data, 5000, port, b"x");
    assert_eq!(bench.all(), [Operation::Reset]);
    assert!(!socket.is_held());
    assert_eq!(bench.switch.waiting(), 0);
}

#[test]
fn slow_readers_together_are_bounded_fails_closed() {
    let mut bench = Bench::new();
    let piece = vec![1; WINDOW as usize / 4];
    let mut sockets = Vec::new();
    let mut ended = Vec::new();
    for _ in 0..WAITING_MAX / WINDOW as usize + 8 {
        let (_, socket, port) = bench.open();
        socket.0.borrow_mut().room = 0;
        sockets.push(socket);
        for _ in 0..4 {
            bench.guest(Operation::Data, 5000, port, &piece);
            assert!(bench.switch.waiting() <= WAITING_MAX);
        }
        ended.extend(bench.all());
    }
    assert!(ended.contains(&Operation::Reset));
    let held = sockets.iter().filter(|socket| socket.is_held()).count();
    assert_eq!(held, WAITING_MAX / WINDOW as usize, "those that fit go on");
}

#[test]
fn packets_out_of_place_fails_closed() {
    let odd: [(Operation, &[u8]); 5] = [
        (Operation::Request, b""),
        (Operation::Response, b""),
        (Operation::Shutdown, b"payload"),
        (Operation::CreditUpdate, b"payload"),
        (Operation::CreditRequest, b"payload"),
    ];
    for (operation, payload) in odd {
        let mut bench = Bench::new();
        let (_, socket, port) = bench.open();
        let (_, other, _) = bench.open();
        bench.guest(operation, 5000, port, payload);
        assert_eq!(bench.all(), [Operation::Reset], "{operation:?}");
        assert!(!socket.is_held(), "{operation:?}");
        assert!(other.is_held(), "another connection is not touched");
    }
}

#[test]
fn packets_that_name_nothing_fails_closed() {
    let good = Header {
        src_cid: GUEST,
        dst_cid: PARENT_CID,
        src_port: 1024,
        dst_port: 7,
        kind: TYPE_STREAM,
        operation: Operation::Request.number(),
        ..Header::default()
    };
    let reset = Some(Operation::Reset);
    let odd = [
        (
            Header {
                src_cid: 17,
                ..good
            },
            None,
        ),
        (Header { dst_cid: 2, ..good }, reset),
        (Header { kind: 2, ..good }, reset),
        (
            Header {
                operation: 0,
                ..good
            },
            reset,
        ),
        (
            Header {
                operation: 8,
                ..good
            },
            reset,
        ),
        (Header { len: 1, ..good }, reset),
        (
            Header {
                operation: Operation::Data.number(),
                ..good
            },
            reset,
        ),
        (
            Header {
                operation: Operation::Reset.number(),
                ..good
            },
            None,
        ),
    ];
    for (header, expected) in odd {
        let mut bench = Bench::new();
        bench.switch.receive(&header, b"", bench.now);
        let mut buffer = [];
        let answer = bench.switch.next(&mut buffer, bench.now);
        let operation = answer.and_then(|header| Operation::of(header.operation));
        assert_eq!(operation, expected, "{header:?}");
        if let Some(answer) = answer {
            assert_eq!(answer.dst_cid, GUEST);
            assert_eq!((answer.src_port, answer.dst_port), (7, 1024));
        }
        assert!(bench.switch.is_empty());
    }
}

#[test]
fn a_flood_of_stray_packets_is_bounded_fails_closed() {
    let mut bench = Bench::new();
    for port in 0..10_000 {
        bench.guest(Operation::Data, port, 9, b"x");
    }
    assert_eq!(bench.all().len(), STRAY_MAX);
}

#[test]
fn too_many_connections_fails_closed() {
    let mut bench = Bench::new();
    for port in 0..GUEST_MAX as u32 + 10 {
        bench.guest(Operation::Request, port, 7, b"");
    }
    assert_eq!(bench.switch.len(), GUEST_MAX);
    let mut sockets = Vec::new();
    for _ in 0..PORT_MAX {
        sockets.push(bench.connect(5000).1);
    }
    let one_more = bench.switch.connect(Socket::new(), Some(5000), bench.now);
    assert_eq!(one_more, Err(Full));
    assert!(
        bench
            .switch
            .connect(Socket::new(), Some(5001), bench.now)
            .is_ok()
    );
    // One that ends makes room.
    bench.later(CONNECT_LIMIT);
    bench.all();
    assert!(
        bench
            .switch
            .connect(Socket::new(), Some(5000), bench.now)
            .is_ok()
    );
}

#[test]
fn connections_take_turns() {
    let mut bench = Bench::new();
    let (one, first, _) = bench.open();
    let (two, second, _) = bench.open();
    first.says(&[1; 3 * 4096]);
    second.says(&[2; 10]);
    bench.awake(one);
    bench.awake(two);
    let order = std::iter::from_fn(|| bench.next().map(|(_, _, payload)| payload[0]));
    let order: Vec<_> = order.collect();
    assert_eq!(order.len(), 4);
    assert!(order[..2].contains(&2), "{order:?}");
}
