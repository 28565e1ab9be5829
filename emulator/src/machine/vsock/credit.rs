//! Flow control of one connection: how many bytes each side may still send.
//!
//! Guarantees: what this side sends never exceeds the room the guest announced, and what the guest
//! may send never exceeds [`WINDOW`], whatever numbers the guest writes. A guest that lies about its
//! own room stops its own connection.

use core::num::Wrapping;

use super::packet::Header;

/// Most bytes of one connection that wait here for a slow reader: 256 KiB.
pub const WINDOW: u32 = 256 * 1024;

/// After so many bytes taken the guest is told, so that it does not stop at the window's end.
const ANNOUNCE_AFTER: u32 = WINDOW / 4;

/// Counters of one connection, all modulo 2³².
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Credit {
    /// Room of the guest's buffer, as it says.
    guest_window: u32,
    /// Bytes the guest says it took out of it.
    guest_taken: Wrapping<u32>,
    /// Bytes sent to it.
    sent: Wrapping<u32>,
    /// Bytes it sent.
    received: Wrapping<u32>,
    /// Of those, bytes given to the reader.
    taken: Wrapping<u32>,
    /// What the guest was told of `taken`.
    announced: Wrapping<u32>,
}

impl Credit {
    /// Takes over what the guest says about itself.
    pub(crate) fn heard(&mut self, header: &Header) {
        self.guest_window = header.buf_alloc;
        self.guest_taken = Wrapping(header.fwd_cnt);
    }

    /// Bytes that may be sent now.
    pub(crate) fn room(&self) -> u32 {
        let on_the_way = (self.sent - self.guest_taken).0;
        self.guest_window.saturating_sub(on_the_way)
    }

    /// Bytes were sent.
    pub(crate) fn send(&mut self, len: u32) {
        self.sent += len;
    }

    /// Bytes came. False if the guest had no right to send them.
    #[must_use]
    pub(crate) fn receive(&mut self, len: u32) -> bool {
        let waiting = (self.received - self.taken).0;
        if len > WINDOW.saturating_sub(waiting) {
            return false;
        }
        self.received += len;
        true
    }

    /// Bytes reached the reader.
    pub(crate) fn take(&mut self, len: u32) {
        self.taken += len;
    }

    /// Whether the guest should be told of its room.
    pub(crate) fn is_worth_telling(&self) -> bool {
        (self.taken - self.announced).0 >= ANNOUNCE_AFTER
    }

    /// Tells it in this header.
    pub(crate) fn tell(&mut self, header: &mut Header) {
        header.buf_alloc = WINDOW;
        header.fwd_cnt = self.taken.0;
        self.announced = self.taken;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(buf_alloc: u32, fwd_cnt: u32) -> Header {
        Header {
            buf_alloc,
            fwd_cnt,
            ..Header::default()
        }
    }

    #[test]
    fn no_more_is_sent_than_the_guest_has_room_for() {
        let mut credit = Credit::default();
        assert_eq!(credit.room(), 0);
        credit.heard(&guest(100, 0));
        credit.send(60);
        assert_eq!(credit.room(), 40);
        credit.heard(&guest(100, 60));
        assert_eq!(credit.room(), 100);
        credit.heard(&guest(10, 0));
        assert_eq!(credit.room(), 0, "the guest made its buffer smaller");
    }

    #[test]
    fn counters_go_round() {
        let mut credit = Credit::default();
        let mut taken = 0_u32;
        for _ in 0..5 {
            credit.heard(&guest(u32::MAX, taken));
            credit.send(1 << 30);
            taken = taken.wrapping_add(1 << 30);
            assert!(credit.receive(WINDOW));
            credit.take(WINDOW);
        }
        credit.heard(&guest(1000, taken));
        assert_eq!(credit.room(), 1000);
    }

    #[test]
    fn a_guest_that_took_what_was_not_sent_fails_closed() {
        let mut credit = Credit::default();
        credit.heard(&guest(1000, 1));
        assert_eq!(credit.room(), 0);
    }

    #[test]
    fn a_guest_that_sends_more_than_it_may_fails_closed() {
        let mut credit = Credit::default();
        assert!(credit.receive(WINDOW));
        assert!(!credit.receive(1));
        credit.take(1);
        assert!(credit.receive(1));
        assert!(!credit.receive(u32::MAX));
    }

    #[test]
    fn the_guest_is_told_before_it_has_to_stop() {
        let mut credit = Credit::default();
        assert!(credit.receive(WINDOW));
        credit.take(ANNOUNCE_AFTER - 1);
        assert!(!credit.is_worth_telling());
        credit.take(1);
        assert!(credit.is_worth_telling());
        let mut header = Header::default();
        credit.tell(&mut header);
        assert_eq!((header.buf_alloc, header.fwd_cnt), (WINDOW, ANNOUNCE_AFTER));
        assert!(!credit.is_worth_telling());
    }
}
