//! The parent's end of the guest's vsock: which connection a packet belongs to, and which packet
//! goes to the guest next.
//!
//! Guarantees: no packet, whatever is in it, makes this panic, grow without bound or touch a
//! connection it does not name. A packet that breaks the protocol ends the connection it names and
//! nothing else. Connections with something for the guest take turns.
//!
//! Does not: know sockets or memory. [`Host`] opens streams, the device moves bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use super::connection::{
    CONNECT_LIMIT, Connection, END_LIMIT, Greeting, Moved, Phase, SHUTDOWN_BOTH, Stream,
};
use super::packet::{HEADER_LEN, Header, Operation, SHUTDOWN_SEND, TYPE_STREAM};

/// The parent instance, as enclaves address it.
pub const PARENT_CID: u64 = 3;

/// Most connections from the parent to one port of the guest.
pub const PORT_MAX: usize = 640;

/// Most connections from the parent to all ports, and most that wait for a greeting.
pub const PARENT_MAX: usize = 4096;

/// Most connections the guest may have made.
pub const GUEST_MAX: usize = 256;

/// Most bytes of all connections that wait here for slow readers: 16 MiB.
pub const WAITING_MAX: usize = 16 * 1024 * 1024;

/// Most resets that wait for the guest. It gets no more than these.
const STRAY_MAX: usize = 512;

/// First port of the parent's end of connections to the guest.
const FIRST_PORT: u32 = 1 << 30;

/// Names a connection; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64);

/// What the switch stands on.
pub trait Host {
    /// The parent's end of a connection.
    type Stream: Stream;

    /// Connects to whoever listens on this port of the parent; none if nobody does.
    fn open(&mut self, port: u32, id: Id) -> Option<Self::Stream>;
}

/// Why a connection of the parent is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// All connections of one guest.
pub struct Switch<H: Host> {
    guest_cid: u64,
    host: H,
    connections: BTreeMap<Id, Connection<H::Stream>>,
    /// By the parent's and the guest's port.
    ports: HashMap<(u32, u32), Id>,
    /// Those with something for the guest, each once.
    turns: VecDeque<Id>,
    stray: VecDeque<Header>,
    deadlines: BTreeSet<(Instant, Id)>,
    /// By the guest's port, how many the parent has made.
    made: HashMap<u32, usize>,
    by_guest: usize,
    waiting: usize,
    next_id: u64,
    next_port: u32,
}

impl<H: Host> Switch<H> {
    /// A switch without connections for the guest with this CID.
    pub fn new(guest_cid: u64, host: H) -> Self {
        Self {
            guest_cid,
            host,
            connections: BTreeMap::new(),
            ports: HashMap::new(),
            turns: VecDeque::new(),
            stray: VecDeque::new(),
            deadlines: BTreeSet::new(),
            made: HashMap::new(),
            by_guest: 0,
            waiting: 0,
            next_id: 0,
            next_port: FIRST_PORT,
        }
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Bytes that wait for slow readers.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// What opens streams.
    pub fn host(&mut self) -> &mut H {
        &mut self.host
    }

    /// Whether there may be a packet for the guest.
    pub fn has_packet(&self) -> bool {
        !self.stray.is_empty() || !self.turns.is_empty()
    }

    /// When [`expire`](Self::expire) is next needed.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(when, _)| *when)
    }

    /// The id the next connection will have.
    pub fn next_id(&self) -> Id {
        Id(self.next_id)
    }

    /// A connection of the parent: to this port of the guest, or, with none, to the one its first
    /// line names (`CONNECT 5000`, answered `OK …` when the guest has accepted).
    ///
    /// # Errors
    /// [`Full`]; the stream is closed.
    pub fn connect(
        &mut self,
        stream: H::Stream,
        guest_port: Option<u32>,
        now: Instant,
    ) -> Result<Id, Full> {
        if self.connections.len() >= PARENT_MAX + GUEST_MAX {
            return Err(Full);
        }
        let id = self.new_id();
        let phase = Phase::Greeting(Vec::new());
        let connection = Connection::new(stream, phase, 0, 0);
        self.connections.insert(id, connection);
        self.limit(id, Some(now + END_LIMIT));
        match guest_port {
            Some(port) => self.request(id, port, false, now)?,
            None => self.greet(id, now),
        }
        Ok(id)
    }

    /// The parent's end of a connection became ready.
    pub fn awake(&mut self, id: Id, readable: bool, writable: bool, hung_up: bool, now: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.awake(readable, writable, hung_up);
        if matches!(connection.phase, Phase::Greeting(_)) {
            return self.greet(id, now);
        }
        self.progress(id, now);
    }

    /// A packet of the guest. `payload` is what stands behind the header, which must say so.
    pub fn receive(&mut self, header: &Header, payload: &[u8], now: Instant) {
        // A guest speaks for itself only; to others there is no way from here.
        if header.src_cid != self.guest_cid {
            return;
        }
        let operation = Operation::of(header.operation);
        let fits = usize::try_from(header.len) == Ok(payload.len());
        let known = header.dst_cid == PARENT_CID && header.kind == TYPE_STREAM && fits;
        let id = self.ports.get(&(header.dst_port, header.src_port)).copied();
        let id = id.filter(|_| header.dst_cid == PARENT_CID && header.kind == TYPE_STREAM);
        match (operation, id) {
            (Some(Operation::Reset), Some(id)) => self.forgotten(id, now),
            (Some(Operation::Reset), None) => {}
            (Some(Operation::Request), None) if known && payload.is_empty() => {
                self.accept(header, now);
            }
            (Some(operation), Some(id)) if known => {
                if !self.step(id, operation, header, payload, now) {
                    self.reset(id);
                }
            }
            (_, Some(id)) => self.reset(id),
            (_, None) => self.refuse(header),
        }
    }

    /// The next packet for the guest: its header, and `len` bytes of payload in `buffer`. With no
    /// room for payload (`buffer` is empty) only packets without one come.
    pub fn next(&mut self, buffer: &mut [u8], now: Instant) -> Option<Header> {
        if let Some(header) = self.stray.pop_front() {
            return Some(header);
        }
        // Each connection is asked at most once: one that turns out to have nothing leaves.
        for _ in 0..self.turns.len() {
            let id = self.turns.pop_front()?;
            let header = self.packet_of(id, buffer, now);
            self.progress(id, now);
            if header.is_some() {
                return header;
            }
        }
        None
    }

    /// Ends what has taken too long.
    pub fn expire(&mut self, now: Instant) {
        while let Some((when, id)) = self.deadlines.first().copied() {
            if when > now {
                return;
            }
            self.limit(id, None);
            match self
                .connections
                .get(&id)
                .map(|connection| &connection.phase)
            {
                // The guest knows nothing of it, or nothing any more.
                Some(Phase::Greeting(_) | Phase::Draining) => self.remove(id),
                Some(_) => self.reset(id),
                None => {}
            }
        }
    }

    /// Ends a connection at once, on both sides. What waits for its reader is dropped.
    pub fn reset(&mut self, id: Id) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let header = Header {
            src_cid: PARENT_CID,
            dst_cid: self.guest_cid,
            src_port: connection.parent_port,
            dst_port: connection.guest_port,
            kind: TYPE_STREAM,
            operation: Operation::Reset.number(),
            ..Header::default()
        };
        self.remove(id);
        self.stray(header);
    }

    /// Answers a packet of the guest with a reset, whatever it is, and ends its connection.
    pub(crate) fn refuse_and_reset(&mut self, header: &Header) {
        match self.ports.get(&(header.dst_port, header.src_port)) {
            Some(id) => self.reset(*id),
            None if header.operation == Operation::Reset.number() => {}
            None => self.refuse(header),
        }
    }

    fn new_id(&mut self) -> Id {
        let id = Id(self.next_id);
        self.next_id += 1;
        id
    }

    /// Reads the greeting of a connection as far as it is there.
    fn greet(&mut self, id: Id, now: Instant) {
        let connection = self.connections.get_mut(&id);
        match connection.map_or(Greeting::Wrong, Connection::read_greeting) {
            Greeting::Incomplete => {}
            // One that is full was removed.
            Greeting::Port(port) => drop(self.request(id, port, true, now)),
            Greeting::Wrong => self.remove(id),
        }
    }

    /// Gives a connection of the parent its ports.
    fn request(&mut self, id: Id, port: u32, greeted: bool, now: Instant) -> Result<(), Full> {
        let parent_port = self.free_port(port);
        let made = self.made.entry(port).or_default();
        if *made >= PORT_MAX {
            self.remove(id);
            return Err(Full);
        }
        *made += 1;
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Requested { greeted };
            connection.parent_port = parent_port;
            connection.guest_port = port;
            connection.pending.request = true;
            self.ports.insert((parent_port, port), id);
            self.limit(id, Some(now + CONNECT_LIMIT));
            self.wake(id);
        }
        Ok(())
    }

    /// A port of the parent that no connection to this port of the guest has.
    fn free_port(&mut self, guest_port: u32) -> u32 {
        // There are fewer connections than ports, so this ends.
        loop {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
            if !self.ports.contains_key(&(port, guest_port)) {
                return port;
            }
        }
    }

    /// A connection the guest asks for.
    fn accept(&mut self, header: &Header, now: Instant) {
        if self.by_guest >= GUEST_MAX {
            return self.refuse(header);
        }
        let id = self.new_id();
        let Some(stream) = self.host.open(header.dst_port, id) else {
            return self.refuse(header);
        };
        let (parent, guest) = (header.dst_port, header.src_port);
        let mut connection = Connection::new(stream, Phase::Open, parent, guest);
        connection.by_guest = true;
        connection.credit.heard(header);
        connection.pending.response = true;
        self.by_guest += 1;
        self.connections.insert(id, connection);
        self.ports.insert((parent, guest), id);
        self.progress(id, now);
    }

    /// A packet of a connection. False if it has no place there.
    fn step(
        &mut self,
        id: Id,
        operation: Operation,
        header: &Header,
        payload: &[u8],
        now: Instant,
    ) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else {
            return true;
        };
        connection.credit.heard(header);
        if operation != Operation::Data && !payload.is_empty() {
            return false;
        }
        let before = connection.waiting();
        match (&connection.phase, operation) {
            (&Phase::Requested { greeted }, Operation::Response) if !connection.pending.request => {
                connection.phase = Phase::Open;
                if greeted {
                    connection.answer_greeting();
                }
                self.limit(id, None);
            }
            (Phase::Open, Operation::Data) => {
                let may = connection.guest_shut & SHUTDOWN_SEND == 0;
                if !may || !connection.credit.receive(header.len) {
                    return false;
                }
                connection.take(payload);
                let more = connection.waiting().saturating_sub(before);
                self.waiting += more;
                if self.waiting > WAITING_MAX {
                    return false;
                }
            }
            (Phase::Open, Operation::Shutdown) => {
                connection.guest_shut |= header.flags & SHUTDOWN_BOTH;
                if connection.guest_shut == SHUTDOWN_BOTH {
                    self.limit(id, Some(now + END_LIMIT));
                }
            }
            (Phase::Open, Operation::CreditUpdate) => {}
            (Phase::Open, Operation::CreditRequest) => connection.pending.credit = true,
            _ => return false,
        }
        self.progress(id, now);
        true
    }

    /// The guest has ended a connection: what it sent before still goes out.
    fn forgotten(&mut self, id: Id, now: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let ports = (connection.parent_port, connection.guest_port);
        self.ports.remove(&ports);
        if connection.waiting() == 0 {
            return self.remove(id);
        }
        connection.phase = Phase::Draining;
        connection.pending = super::connection::Pending::default();
        self.limit(id, Some(now + END_LIMIT));
    }

    /// Does what is possible for a connection without a packet of the guest.
    fn progress(&mut self, id: Id, now: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let before = connection.waiting();
        connection.flush();
        let left = connection.waiting();
        self.waiting = self.waiting.saturating_sub(before - left);
        let ends = connection.deadline.is_some()
            && (connection.phase == Phase::Draining || connection.guest_shut == SHUTDOWN_BOTH);
        if ends && left < before {
            // A slow reader may be slow as long as it reads.
            self.limit(id, Some(now + END_LIMIT));
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if left == 0 {
            match connection.phase {
                Phase::Draining => return self.remove(id),
                // Nobody sends any more and everything arrived: the guest waits to hear that.
                Phase::Open if connection.guest_shut == SHUTDOWN_BOTH => return self.reset(id),
                _ => {}
            }
        }
        // Nobody is left at the parent's end: the guest takes what is there, or the end comes.
        if (connection.told_shut == SHUTDOWN_BOTH || connection.is_hung_up())
            && connection.deadline.is_none()
        {
            self.limit(id, Some(now + END_LIMIT));
        }
        self.wake(id);
    }

    /// Puts a connection in the queue if it has something for the guest.
    fn wake(&mut self, id: Id) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.queued
            && connection.has_work()
        {
            connection.queued = true;
            self.turns.push_back(id);
        }
    }

    /// What a connection has for the guest now.
    fn packet_of(&mut self, id: Id, buffer: &mut [u8], now: Instant) -> Option<Header> {
        let guest_cid = self.guest_cid;
        let connection = self.connections.get_mut(&id)?;
        connection.queued = false;
        let mut header = Header {
            src_cid: PARENT_CID,
            dst_cid: guest_cid,
            src_port: connection.parent_port,
            dst_port: connection.guest_port,
            kind: TYPE_STREAM,
            ..Header::default()
        };
        let pending = &mut connection.pending;
        let operation = if core::mem::take(&mut pending.request) {
            Operation::Request
        } else if core::mem::take(&mut pending.response) {
            Operation::Response
        } else {
            let read = if connection.can_read() && !buffer.is_empty() {
                let room = usize::try_from(connection.credit.room()).unwrap_or(usize::MAX);
                let len = buffer.len().min(room);
                connection.read(buffer.get_mut(..len).unwrap_or_default())
            } else {
                Moved::Nothing
            };
            let news = connection.parent_shut & !connection.told_shut;
            if let Moved::Bytes(len) = read {
                header.len = u32::try_from(len).unwrap_or(u32::MAX);
                connection.credit.send(header.len);
                connection.pending.credit = false;
                if connection.is_hung_up() {
                    self.limit(id, Some(now + END_LIMIT));
                }
                Operation::Data
            } else if news != 0 {
                connection.told_shut = connection.parent_shut;
                header.flags = connection.told_shut;
                if connection.told_shut == SHUTDOWN_BOTH {
                    self.limit(id, Some(now + END_LIMIT));
                }
                Operation::Shutdown
            } else if core::mem::take(&mut connection.pending.credit) {
                Operation::CreditUpdate
            } else {
                return None;
            }
        };
        header.operation = operation.number();
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.credit.tell(&mut header);
        }
        Some(header)
    }

    /// Answers a packet that belongs to no connection.
    fn refuse(&mut self, header: &Header) {
        self.stray(Header {
            src_cid: header.dst_cid,
            dst_cid: header.src_cid,
            src_port: header.dst_port,
            dst_port: header.src_port,
            kind: header.kind,
            operation: Operation::Reset.number(),
            ..Header::default()
        });
    }

    /// A packet for the guest of no connection. A guest that takes none loses some: it hears of the
    /// end when it next sends.
    fn stray(&mut self, header: Header) {
        if self.stray.len() < STRAY_MAX {
            self.stray.push_back(header);
        }
    }

    /// Sets or lifts the deadline of a connection.
    fn limit(&mut self, id: Id, deadline: Option<Instant>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if let Some(old) = connection.deadline {
            self.deadlines.remove(&(old, id));
        }
        connection.deadline = deadline;
        self.deadlines.extend(deadline.map(|when| (when, id)));
    }

    fn remove(&mut self, id: Id) {
        self.limit(id, None);
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        self.waiting = self.waiting.saturating_sub(connection.waiting());
        let ports = (connection.parent_port, connection.guest_port);
        if self.ports.get(&ports) == Some(&id) {
            self.ports.remove(&ports);
        }
        if connection.by_guest {
            self.by_guest = self.by_guest.saturating_sub(1);
        } else if !matches!(connection.phase, Phase::Greeting(_))
            && let Some(made) = self.made.get_mut(&connection.guest_port)
        {
            *made = made.saturating_sub(1);
            if *made == 0 {
                self.made.remove(&connection.guest_port);
            }
        }
    }
}

/// Most bytes of payload in one packet for the guest; what it may send is bounded by its buffers and
/// by this: 64 KiB, as in Linux.
pub const PAYLOAD_MAX: usize = 64 * 1024;

/// Most bytes of one packet.
pub const PACKET_MAX: usize = HEADER_LEN + PAYLOAD_MAX;

#[cfg(test)]
mod tests;
