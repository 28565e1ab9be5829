//! Where the records of forwards are kept before the key leaves.
//!
//! Guarantees: the key is sealed only to the importer of a record that is anchored, because sealing
//! takes the [`Anchored`] that only an anchor gives.
//!
//! There is one anchor, [`MemoryAnchor`]: records live as long as the instance and are shown in its
//! evidence, whose document names the newest. It shows what this instance forwarded to whoever asks
//! it with a challenge of their own. It does not show that the instance was ever asked before it
//! ended, and nothing of what another instance with the same key does. The anchor that a manifest
//! will name plugs in behind [`ForwardAnchor`].

use quorate_protocol::atoms::Pcr;
use quorate_protocol::cose::Signed;
use quorate_protocol::forward::ForwardRecord;

/// Forwards of one instance, at most.
pub(crate) const MAX_FORWARDS: usize = 64;

/// A forward that was made.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) record: Signed<ForwardRecord>,
    /// The importer's PCR17: its live keys are these or it is another enclave.
    pub(crate) live_register: Pcr,
}

/// A record that is kept. The key may leave.
pub(crate) struct Anchored<'a>(&'a Made);

impl<'a> Anchored<'a> {
    pub(crate) fn record(&self) -> &'a Signed<ForwardRecord> {
        &self.0.record
    }
}

/// There is no room for another record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// Keeps records, in the order in which they were made.
pub(crate) trait ForwardAnchor {
    /// What is kept.
    fn made(&self) -> &[Made];

    /// Whether another one has room. Asked before anything is signed.
    ///
    /// # Errors
    /// [`Exhausted`].
    fn check_room(&self) -> Result<(), Exhausted>;

    /// Keeps a record. When this returns it will be shown, whatever happens next.
    ///
    /// # Errors
    /// [`Exhausted`]; nothing was kept.
    fn anchor(&mut self, made: Made) -> Result<Anchored<'_>, Exhausted>;

    /// What the number of the next record is.
    fn next_count(&self) -> u64 {
        let made = self.made().last();
        let newest = made.map_or(0, |made| made.record.unverified().count);
        newest.saturating_add(1)
    }
}

/// Keeps records in the instance's memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryAnchor(Vec<Made>);

impl ForwardAnchor for MemoryAnchor {
    fn made(&self) -> &[Made] {
        &self.0
    }

    fn check_room(&self) -> Result<(), Exhausted> {
        match self.0.len() < MAX_FORWARDS {
            true => Ok(()),
            false => Err(Exhausted),
        }
    }

    fn anchor(&mut self, made: Made) -> Result<Anchored<'_>, Exhausted> {
        self.check_room()?;
        self.0.push(made);
        self.0.last().map(Anchored).ok_or(Exhausted)
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use quorate_protocol::atoms::{Sha256, Text, UnixMillis};
    use quorate_protocol::cbor::Checked;
    use quorate_protocol::digest::Digest;
    use quorate_protocol::forward::ForwardRecordFields;
    use quorate_protocol::keys::{KeyPair, VerificationKey};

    use super::*;

    fn made(count: u64) -> Made {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let verification = VerificationKey::of(&key);
        let pair = KeyPair::from_attested(&[verification.to_uncompressed(); 2].concat()).unwrap();
        let record = ForwardRecordFields {
            genesis: Digest::from_bytes([1; 32]),
            from: Digest::from_bytes([2; 32]),
            to: Digest::from_bytes([2; 32]),
            exporter: pair.clone(),
            exporter_module: Text::default(),
            importer: pair,
            importer_module: Text::default(),
            document: Sha256([3; 32]),
            count,
            time: UnixMillis(count),
        };
        Made {
            record: Signed::sign(Checked::new(record).unwrap(), &key),
            live_register: Pcr([4; 48]),
        }
    }

    #[test]
    fn records_are_kept_in_order_and_counted() {
        let mut anchor = MemoryAnchor::default();
        for count in 1..=3 {
            assert_eq!(anchor.next_count(), count);
            let anchored = anchor.anchor(made(count)).ok().unwrap();
            assert_eq!(anchored.record().unverified().count, count);
        }
        assert_eq!(anchor.made().len(), 3);
    }

    #[test]
    fn one_forward_too_many_fails_closed() {
        let mut anchor = MemoryAnchor::default();
        for count in 1..=MAX_FORWARDS as u64 {
            assert_eq!(anchor.check_room(), Ok(()));
            assert!(anchor.anchor(made(count)).is_ok());
        }
        assert_eq!(anchor.check_room(), Err(Exhausted));
        assert!(anchor.anchor(made(65)).is_err());
        assert_eq!(anchor.made().len(), MAX_FORWARDS);
    }
}
