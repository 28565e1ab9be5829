//! Real shares for tests.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use quorate_protocol::atoms::ShareIndex;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{CommitmentList, Genesis};
use quorate_sharing::{Secret, Share, split};

use crate::{Backup, Expected, Origin};

/// A key in five shares of which three open it.
pub(crate) struct Key {
    pub(crate) genesis: Digest<Genesis>,
    pub(crate) commitments: CommitmentList,
    pub(crate) shares: Vec<Share>,
}

impl Key {
    pub(crate) fn new(seed: u8) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let members: Vec<ShareIndex> = (1..=5).filter_map(ShareIndex::new).collect();
        let secret = Secret::random(&mut rng);
        let (commitments, shares) = split(&secret, 3, &members, &mut rng).unwrap();
        Self {
            genesis: Digest::from_bytes([seed; 32]),
            commitments: commitments.into(),
            shares,
        }
    }

    pub(crate) fn backup(&self, share: usize) -> Backup {
        let epoch = self.commitments.epoch();
        Backup::new(Origin::Hardware, &self.genesis, &epoch, &self.shares[share])
    }

    pub(crate) fn expected(&self, share: usize) -> Expected<'_> {
        Expected {
            origin: Origin::Hardware,
            genesis: &self.genesis,
            index: self.shares[share].index(),
            commitments: &self.commitments,
        }
    }
}

/// Compares with a file of `testdata/`, or writes it where `QUORATE_TEST_UPDATE` is set.
pub(crate) fn frozen(name: &str, found: &str) {
    let path = format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("QUORATE_TEST_UPDATE").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(&path).unwrap(), "{name}");
}
