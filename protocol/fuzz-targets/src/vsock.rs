//! The emulator's end of a guest's vsock: no packet and no order of events breaks it.
//!
//! The bytes are a script: what a hostile guest sends, what the parent's sockets do, and when time
//! passes. After each step the bounds that the switch promises are checked, and every packet for the
//! guest is checked against what the guest has allowed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::{Duration, Instant};

use quorate_emulator::machine::vsock::packet::{HEADER_LEN, Header, Operation, TYPE_STREAM};
use quorate_emulator::machine::vsock::switch::{
    GUEST_MAX, Host, Id, PARENT_CID, PARENT_MAX, Switch, WAITING_MAX,
};
use quorate_emulator::machine::vsock::{Stream, WINDOW};

const GUEST: u64 = 16;

/// What the parent does with a socket.
#[derive(Default)]
struct Wire {
    up: usize,
    greeting: Vec<u8>,
    ended: bool,
    closed: bool,
    room: usize,
}

struct Socket(Rc<RefCell<Wire>>);

impl Stream for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if let (Some(first), Some(to)) = (wire.greeting.first().copied(), buffer.first_mut()) {
            *to = first;
            wire.greeting.remove(0);
            return Ok(1);
        }
        let len = wire.up.min(buffer.len());
        if len == 0 && !wire.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        wire.up -= len;
        Ok(len)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if wire.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let len = wire.room.min(bytes.len());
        if len == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        wire.room -= len;
        Ok(len)
    }

    fn shutdown(&mut self, _: Shutdown) {}
}

/// Somebody listens on every even port of the parent.
#[derive(Default)]
struct Parent(Vec<(Id, Rc<RefCell<Wire>>)>);

impl Host for Parent {
    type Stream = Socket;

    fn open(&mut self, port: u32, id: Id) -> Option<Socket> {
        port.is_multiple_of(2).then(|| self.socket(id, Vec::new()))
    }
}

impl Parent {
    fn socket(&mut self, id: Id, greeting: Vec<u8>) -> Socket {
        let wire = Wire {
            greeting,
            room: 64,
            ..Wire::default()
        };
        let wire = Rc::new(RefCell::new(wire));
        self.0.push((id, Rc::clone(&wire)));
        Socket(wire)
    }
}

/// What is left of the script.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        front
    }
}

/// What the guest has allowed on the connection between two ports, and what came.
#[derive(Default)]
struct Allowed {
    window: u32,
    taken: u32,
    sent: u32,
}

struct World {
    switch: Switch<Parent>,
    now: Instant,
    /// By the parent's and the guest's port.
    allowed: HashMap<(u32, u32), Allowed>,
    /// Ports of the parent the guest has seen.
    seen: Vec<(u32, u32)>,
}

pub(crate) fn script(data: &[u8]) {
    let mut world = World {
        switch: Switch::new(GUEST, Parent::default()),
        now: Instant::now(),
        allowed: HashMap::new(),
        seen: Vec::new(),
    };
    let mut script = Script(data);
    while let Some(step) = script.byte() {
        if world.step(step, &mut script).is_none() {
            break;
        }
        assert!(world.switch.len() <= PARENT_MAX + GUEST_MAX, "too many");
        // Those that are reset hold what they have until the guest hears of it.
        let most = WAITING_MAX + usize::try_from(WINDOW).unwrap_or(usize::MAX);
        assert!(world.switch.waiting() <= most, "too much waits");
    }
    // Whatever happened, everything ends: the guest listens, and time passes.
    for _ in 0..3 {
        while world.next(4096) {}
        for (id, wire) in world.switch.host().0.clone() {
            let mut wire = wire.borrow_mut();
            (wire.ended, wire.closed) = (true, true);
            drop(wire);
            world.switch.awake(id, true, true, true, world.now);
        }
        while world.next(4096) {}
        world.now += Duration::from_secs(60);
        world.switch.expire(world.now);
    }
    while world.next(4096) {}
    assert!(world.switch.is_empty(), "a connection never ends");
    assert_eq!(world.switch.waiting(), 0, "bytes of no connection");
}

impl World {
    fn step(&mut self, step: u8, script: &mut Script<'_>) -> Option<()> {
        match step % 7 {
            0 => {
                let operation = u16::from(script.byte()? % 9);
                let index = usize::from(script.byte()?);
                let len = usize::from(script.byte()?) * 64;
                let (flags, window) = (script.byte()?, script.byte()?);
                let (dst_port, src_port) = match self.seen.get(index % (self.seen.len() + 1)) {
                    Some(ports) => *ports,
                    None => (u32::try_from(index).ok()?, 1024),
                };
                let header = Header {
                    src_cid: GUEST,
                    dst_cid: PARENT_CID,
                    src_port,
                    dst_port,
                    len: u32::try_from(len).ok()?,
                    kind: TYPE_STREAM,
                    operation,
                    flags: u32::from(flags),
                    buf_alloc: u32::from(window) * 256,
                    fwd_cnt: u32::from(flags / 4),
                };
                self.packet(&header, &vec![0; len]);
            }
            1 => {
                let header = script.bytes(HEADER_LEN).first_chunk().copied();
                let header = Header::parse(&header?);
                assert_eq!(Header::parse(&header.encode()), header, "a header changed");
                let len = usize::from(script.byte()?);
                self.packet(&header, &vec![0; len]);
            }
            2 => {
                let port = u32::from(script.byte()?);
                let id = self.switch.next_id();
                let socket = self.switch.host().socket(id, Vec::new());
                let _ = self.switch.connect(socket, Some(port), self.now);
            }
            3 => {
                let len = usize::from(script.byte()? % 32);
                let greeting = script.bytes(len).to_vec();
                let id = self.switch.next_id();
                let socket = self.switch.host().socket(id, greeting);
                let _ = self.switch.connect(socket, None, self.now);
            }
            4 => {
                let (which, what) = (script.byte()?, script.byte()?);
                let sockets = &self.switch.host().0;
                let (id, wire) = sockets
                    .get(usize::from(which) % sockets.len().max(1))?
                    .clone();
                let amount = usize::from(what / 4) * 64;
                match what % 4 {
                    0 => wire.borrow_mut().up += amount,
                    1 => wire.borrow_mut().room += amount,
                    2 => wire.borrow_mut().ended = true,
                    _ => wire.borrow_mut().closed = true,
                }
                let hung_up = wire.borrow().ended && wire.borrow().closed;
                self.switch.awake(id, true, true, hung_up, self.now);
            }
            5 => drop(self.next(usize::from(script.byte()?) * 16)),
            _ => {
                self.now += Duration::from_secs(u64::from(script.byte()?));
                self.switch.expire(self.now);
                let next = self.switch.next_deadline();
                assert!(next.is_none_or(|when| when > self.now), "a deadline stands");
            }
        }
        Some(())
    }

    /// The guest sends a packet.
    fn packet(&mut self, header: &Header, payload: &[u8]) {
        let whole = header.kind == TYPE_STREAM && usize::try_from(header.len) == Ok(payload.len());
        if whole && header.src_cid == GUEST && header.dst_cid == PARENT_CID {
            let ports = (header.dst_port, header.src_port);
            let known = self.allowed.entry(ports).or_default();
            if header.operation == Operation::Request.number() {
                known.sent = 0;
            }
            (known.window, known.taken) = (header.buf_alloc, header.fwd_cnt);
            self.seen.push(ports);
            self.seen.truncate(64);
        }
        self.switch.receive(header, payload, self.now);
    }

    /// The guest takes a packet. False if there is none.
    fn next(&mut self, room: usize) -> bool {
        let mut buffer = vec![0; room];
        let Some(header) = self.switch.next(&mut buffer, self.now) else {
            return false;
        };
        assert!(
            usize::try_from(header.len).is_ok_and(|len| len <= room),
            "more than fits"
        );
        assert_eq!(header.dst_cid, GUEST, "a packet for another guest");
        let operation = Operation::of(header.operation);
        let operation = operation.expect("a packet of no kind");
        let ports = (header.src_port, header.dst_port);
        match operation {
            Operation::Request | Operation::Response => {
                self.allowed.entry(ports).or_default().sent = 0;
                self.seen.insert(0, ports);
                self.seen.truncate(64);
            }
            Operation::Data => {
                let known = self.allowed.entry(ports).or_default();
                known.sent = known.sent.wrapping_add(header.len);
                let on_the_way = known.sent.wrapping_sub(known.taken);
                assert!(header.len > 0, "an empty packet");
                assert!(on_the_way <= known.window, "more than the guest allowed");
            }
            _ => assert_eq!(header.len, 0, "a payload that belongs to nothing"),
        }
        true
    }
}
