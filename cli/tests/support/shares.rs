//! A ceremony whose members have their shares, made with the libraries: what `share` is run on.
//!
//! Everything in it is real but the attestation of the genesis enclave, which no command here looks
//! at: `receipt` did, before.

use std::fs;
use std::path::PathBuf;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use quorate_protocol::atoms::{Name, Pcr, Sha256, UnixMillis};
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::{
    AgeLimit, AttestationRoot, Definition, DefinitionConsent, DefinitionFields, MeasurementFields,
};
use quorate_protocol::digest::Digest;
use quorate_protocol::drill::{DrillSharing, genesis_drill_share_context};
use quorate_protocol::genesis::{
    CommitmentList, Document, Genesis, GenesisOutputFields, GenesisReceipt, GenesisRecord,
    MemberShare, Possession, SealContext, SealedShare, genesis_share_context,
};
use quorate_protocol::instance::Index;
use quorate_protocol::members::{Member, MemberSetFields};
use quorate_quorum_ceremony::keyfile::{KeyFile, MemberKeys, Passphrase};
use quorate_quorum_ceremony::pins::{Pins, SharePin};
use quorate_quorum_ceremony::private::PrivateFolder;
use quorate_quorum_ceremony::workspace::Workspace;
use quorate_sealing::{Suite, seal};
use quorate_sharing::{Secret, Share, split};
use quorate_verify::attestation::TrustAnchor;
use zeroize::Zeroizing;

use crate::support::Place;

pub(crate) const MEMBERS: [&str; 3] = ["alice", "bob", "carol"];
pub(crate) const PASSPHRASE: &str = "correct horse battery staple";

/// A ceremony in the folders `F`, `alice` and so on of a place, with the passphrase in `words`.
pub(crate) struct Ceremony {
    pub(crate) place: Place,
    pub(crate) genesis: Digest<Genesis>,
    pub(crate) shares: Vec<Share>,
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn definition(keys: &[MemberKeys], partition: &str) -> Definition {
    let members = (1_u8..).zip(keys).map(|(index, keys)| Member {
        name: keys.name().clone(),
        index: index.try_into().expect("not zero"),
        signing_key: keys.public().signing,
        encryption_key: keys.public().encryption,
    });
    let set = MemberSetFields {
        threshold: 2,
        members: members.collect(),
    };
    let set = Checked::new(set).expect("a set");
    let pcr = |byte| Pcr([byte; 48]);
    let measurements = MeasurementFields {
        pcr0: pcr(1),
        pcr1: pcr(1),
        pcr2: pcr(2),
        role_arn: None,
        pcr8: None,
    };
    Checked::new(DefinitionFields {
        format: quorate_protocol::FORMAT,
        namespace: name("treasury"),
        manifest_set: set.clone(),
        share_set: set,
        attestation_root: AttestationRoot {
            partition: name(partition),
            fingerprint: Sha256(*TrustAnchor::aws_commercial().fingerprint()),
        },
        measurements: Checked::new(measurements).expect("measurements"),
        age_limit: AgeLimit::SHORTEST,
    })
    .expect("a definition")
}

fn sealed(
    definition: &Definition,
    member: &Member,
    share: &Share,
    rng: &mut ChaCha20Rng,
) -> MemberShare {
    let context = genesis_share_context(&Digest::of(definition), member.index);
    sealed_in(&context, member, share, rng)
}

fn sealed_in(
    context: &SealContext,
    member: &Member,
    share: &Share,
    rng: &mut ChaCha20Rng,
) -> MemberShare {
    let suite = Suite::P256Sha256Aes256Gcm;
    let (key, info) = (member.encryption_key.inner(), context.info.as_bytes());
    let sealed = seal(suite, key, info, &context.aad, &*share.to_bytes(), rng);
    MemberShare {
        index: member.index,
        sealed: SealedShare::new(suite, sealed.expect("sealed")).expect("a share"),
    }
}

/// A drill scalar of its own, shared and sealed as the genesis enclave does.
fn drill_of(definition: &Definition, rng: &mut ChaCha20Rng) -> DrillSharing {
    let set = &definition.share_set;
    let secret = Secret::random(rng);
    let (commitments, shares) = split(&secret, 2, &set.indices(), rng).expect("shares");
    let commitments = CommitmentList::from(commitments);
    let epoch = commitments.epoch();
    let sealed = set.members.iter().zip(&shares).map(|(member, share)| {
        let context = genesis_drill_share_context(&Digest::of(definition), member.index, &epoch);
        sealed_in(&context, member, share, rng)
    });
    let shares = sealed.collect();
    DrillSharing {
        commitments,
        shares,
    }
}

impl Ceremony {
    /// Under AWS's root.
    pub(crate) fn real() -> Self {
        Self::of("aws", 1)
    }

    /// Under a development root.
    pub(crate) fn rehearsal() -> Self {
        Self::of("development", 1)
    }

    /// The share is the same for the same seed.
    fn of(partition: &str, seed: u8) -> Self {
        let place = Place::new();
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let keys = MEMBERS.map(|text| MemberKeys::generate(name(text)).expect("keys"));
        let definition = definition(&keys, partition);
        let set = &definition.share_set;
        let secret = Secret::random(&mut rng);
        let (commitments, shares) = split(&secret, 2, &set.indices(), &mut rng).expect("shares");
        let kept: Vec<MemberShare> = set
            .members
            .iter()
            .zip(&shares)
            .map(|(member, share)| sealed(&definition, member, share, &mut rng))
            .collect();
        let output = Checked::new(GenesisOutputFields {
            definition: Digest::of(&definition),
            commitments: commitments.into(),
            shares: kept.clone(),
            drill: drill_of(&definition, &mut rng),
        })
        .expect("an output");
        let genesis = Digest::of(&Genesis {
            definition: Digest::of(&definition),
            output: Digest::of(&output),
        });
        let epoch = output.commitments.epoch();
        let consent = |keys: &MemberKeys| {
            let consent = DefinitionConsent {
                definition: Digest::of(&definition),
                member: keys.name().clone(),
            };
            Signed::sign(consent, &keys.signing_key())
        };
        let receipt = |(keys, share): (&MemberKeys, &Share)| {
            let index = share.index();
            let possession = Possession {
                genesis,
                epoch,
                index,
            };
            let receipt = GenesisReceipt {
                genesis,
                epoch,
                index,
                document: Sha256([5; 32]),
                time: UnixMillis(1_767_225_600_000),
                possession: Signed::sign(possession, &share.signing_key()),
            };
            Signed::sign(receipt, &keys.signing_key())
        };
        let record = GenesisRecord {
            definition: definition.clone(),
            consents: keys.iter().map(consent).collect(),
            output,
            document: Document::new(vec![0; 8]).expect("bytes"),
            receipts: keys.iter().zip(&shares).map(receipt).collect(),
            exceptions: None,
        };
        let shared = Workspace::create(&place.path("F")).expect("a folder");
        let root = TrustAnchor::aws_commercial();
        shared
            .publish_definition(&definition, &root)
            .expect("written");
        shared
            .publish_genesis(&record.output, &record.document)
            .expect("written");
        shared.publish_record(&record).expect("written");

        let passphrase = || {
            let bytes = Zeroizing::new(PASSPHRASE.as_bytes().to_vec());
            Passphrase::new(bytes).expect("short")
        };
        for ((keys, share), kept) in keys.iter().zip(&shares).zip(&kept).take(1) {
            let private = PrivateFolder::create(&place.path(keys.name().as_str()));
            let private = private.expect("a folder");
            let file = KeyFile::lock(keys, &passphrase()).expect("locked");
            private.store_key_file(&file).expect("written");
            private.store_share(kept).expect("written");
            let mut pins = Pins::new(keys.name().clone());
            pins.pin_definition(&definition).expect("the first");
            let index = Index(share.index());
            let pin = SharePin { index, epoch };
            pins.pin_genesis(genesis, Some(pin)).expect("the first");
            private.store_pins(&pins).expect("written");
        }
        fs::write(place.path("words"), PASSPHRASE).expect("written");
        Self {
            place,
            genesis,
            shares,
        }
    }

    pub(crate) fn share_file(&self) -> PathBuf {
        self.place.path("alice/share.cbor")
    }

    pub(crate) fn lose_share(&self) {
        fs::remove_file(self.share_file()).expect("it was there");
    }

    /// What is in the private folder of the first member.
    pub(crate) fn private_files(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.place.path("alice")) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}
