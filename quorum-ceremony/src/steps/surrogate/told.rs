//! What a surrogate does is told to everybody: their records are read where they show a delegation that
//! holds, and refused, by name, where it does not.

use quorate_protocol::atoms::{Bytes, UnixMillis};
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::surrogate::{Delegation, DelegationFields};
use quorate_protocol::transcript::{
    Act, Entry, EntryBytes, EntryFields, Fact, Leaf, Opening, RecordFields, Transcript,
};
use quorate_transcript::acting::line;
use quorate_transcript::disclose::{Selection, disclose};
use quorate_transcript::{Expected, Line, TranscriptError, Verified, verify};

use super::tests::{Case, give, serve};
use super::*;
use crate::challenge::wall_clock;
use crate::fixture::{WORDS, name, passphrase};
use crate::keyfile::MemberKeys;
use crate::steps::transcript;
use crate::transcript::{gather, object};

fn told(case: &Case) -> Result<Verified, TranscriptError> {
    let gathered = gather(&case.folders.workspace()).unwrap();
    gathered.verify(&expected(case))
}

fn expected(case: &Case) -> Expected {
    Expected {
        genesis: Some(Digest::of(&case.world.genesis())),
        ..Expected::default()
    }
}

fn acts(verified: &Verified, who: &str) -> Vec<Act> {
    let own = verified
        .records
        .iter()
        .filter(|one| one.author == name(who));
    own.map(|record| record.act).collect()
}

fn sign_as(case: &Case, person: &str) -> transcript::Witnessed {
    let (shared, private) = (case.folders.shared(), case.private(person));
    let review = transcript::review(&shared, &private).unwrap();
    review.sign(passphrase(WORDS)).unwrap()
}

#[test]
fn a_surrogate_who_only_gives_a_share_is_an_author() {
    let case = Case::new(&[0, 2]);
    serve(&case);
    case.name_as("bob", "grace").unwrap();
    case.share().unwrap();
    // Grace has joined, and nothing she wrote says for whom: nobody names it yet.
    let before = sign_as(&case, "bob").verified;
    assert_eq!(acts(&before, "bob"), [Act::Surrogate, Act::Surrogate]);
    assert_eq!(acts(&before, "grace"), []);
    assert!(before.records.iter().all(|record| record.seen.is_empty()));

    case.accept().unwrap();
    give(&case).unwrap();
    let verified = told(&case).unwrap();
    let hers = acts(&verified, "grace");
    assert_eq!(hers, [Act::Join, Act::Surrogate, Act::Provision]);
    let gift = verified
        .records
        .iter()
        .find(|one| one.act == Act::Provision);
    assert!(gift.unwrap().facts().any(|fact| *fact == Fact::Count(1, 2)));
    // The next record of a member names hers, and from then on none of them can be left out.
    let signed = sign_as(&case, "bob");
    let last = signed.verified.records.last().unwrap();
    assert_eq!(
        (last.act, last.seen.clone()),
        (Act::Witness, vec![(name("grace"), 3)])
    );
    let gathered = gather(&case.folders.workspace()).unwrap();
    let mut shorter = gathered.transcript.clone().into_inner();
    shorter.entries.pop();
    let shorter = Checked::new(shorter).unwrap();
    match verify(&shorter, &expected(&case)) {
        Err(TranscriptError::Missing { author, .. }) => assert_eq!(author, name("grace")),
        other => panic!("{other:?}"),
    }

    // A copy in which everything is withheld that may be says by itself whose it is.
    let all = [Selection::All];
    let (copy, withheld) = disclose(&gathered.transcript, &signed.verified, &all, &[]).unwrap();
    assert!(withheld > 10, "{withheld}");
    let read = verify(&copy, &expected(&case)).unwrap();
    assert_eq!(read.fingerprint, signed.verified.fingerprint);
    let shown = read.records.iter().flat_map(|record| &record.lines);
    let shown = shown.filter(|line| matches!(line, Line::Shown(_)));
    assert_eq!(shown.count(), 2);
}

/// Grace's records, written by hand into the transcript of a ceremony.
struct Forger<'a> {
    case: &'a Case,
    keys: MemberKeys,
}

impl<'a> Forger<'a> {
    fn new(case: &'a Case) -> Self {
        let keys = MemberKeys::generate(name("grace")).unwrap();
        Self { case, keys }
    }

    fn delegation(
        &self,
        signer: usize,
        change: impl FnOnce(&mut DelegationFields),
    ) -> Signed<Delegation> {
        let now = wall_clock().0;
        let public = self.keys.public();
        let mut fields = DelegationFields {
            genesis: Digest::of(&self.case.world.genesis()),
            member: name("bob"),
            roles: vec![Role::ManifestSet, Role::ShareSet],
            surrogate: name("grace"),
            signing_key: public.signing,
            encryption_key: public.encryption,
            sequence: 1,
            expires: UnixMillis(now + 3_600_000),
            time: UnixMillis(now),
        };
        change(&mut fields);
        let key = self.case.world.keys[signer].signing_key();
        Signed::sign(Checked::new(fields).unwrap(), &key)
    }

    /// The transcript with one record of this act, saying these things.
    fn transcript(&self, act: Act, time: UnixMillis, facts: &[Fact]) -> Transcript {
        let salted = facts.iter().zip(1_u8..);
        let leaves = salted.map(|(fact, at)| Leaf {
            salt: Bytes::new(vec![at; 16]).unwrap(),
            fact: fact.clone(),
        });
        let leaves: Vec<Leaf> = leaves.collect();
        let record = Checked::new(RecordFields {
            author: self.keys.public().signing,
            sequence: 1,
            previous: None,
            seen: Vec::new(),
            definition: Some(Digest::of(&self.case.world.definition)),
            act,
            time,
            lines: leaves.iter().map(Digest::of).collect(),
        });
        let openings = leaves.into_iter().zip(0..);
        let entry: Entry = Checked::new(EntryFields {
            record: Signed::sign(record.unwrap(), &self.keys.signing_key()),
            openings: openings
                .map(|(leaf, line)| Opening { line, leaf })
                .collect(),
        })
        .unwrap();
        let gathered = gather(&self.case.folders.workspace()).unwrap();
        let mut fields = gathered.transcript.into_inner();
        fields
            .entries
            .push(EntryBytes::new(to_bytes(&entry)).unwrap());
        Checked::new(fields).unwrap()
    }

    fn read(&self, act: Act, facts: &[Fact]) -> Result<Verified, TranscriptError> {
        let transcript = self.transcript(act, wall_clock(), facts);
        verify(&transcript, &expected(self.case))
    }

    /// What a gift under this delegation, attested at this moment, is to a reader.
    fn given(
        &self,
        delegation: &Signed<Delegation>,
        attested: UnixMillis,
        manifest: Digest<Manifest>,
    ) -> Result<Verified, TranscriptError> {
        let facts = [
            line(delegation).unwrap(),
            object(manifest),
            Fact::Attested(attested),
        ];
        self.read(Act::Provision, &facts)
    }
}

/// With a record of Bob's beside hers.
fn case() -> Case {
    let case = Case::new(&[0, 2]);
    case.name_as("bob", "grace").unwrap();
    case
}

#[test]
fn a_record_by_a_surrogate_nobody_named_fails_closed() {
    let case = case();
    let forger = Forger::new(&case);
    let good = forger.delegation(1, |_| {});
    let manifest = Digest::of(&case.manifest);
    // She shows none, or one for other keys.
    match forger.read(Act::Provision, &[Fact::Safe]) {
        Err(TranscriptError::Stranger { key, .. }) => {
            assert_eq!(key, forger.keys.public().signing);
        }
        other => panic!("{other:?}"),
    }
    let other = Forger::new(&case).delegation(1, |_| {});
    let strange = forger.given(&other, wall_clock(), manifest);
    assert!(
        matches!(strange, Err(TranscriptError::Stranger { .. })),
        "{strange:?}"
    );
    // One that somebody else signed, or that is of another namespace, or of nobody.
    let refused =
        |delegation: &Signed<Delegation>| match forger.given(delegation, wall_clock(), manifest) {
            Err(TranscriptError::Surrogate { error, .. }) => error,
            other => panic!("{other:?}"),
        };
    let surrogate = || name("grace");
    let signature = |member: &str| SurrogateError::Signature {
        surrogate: surrogate(),
        member: name(member),
    };
    assert_eq!(refused(&forger.delegation(0, |_| {})), signature("bob"));
    let nobody = forger.delegation(1, |f| f.member = name("nobody"));
    assert_eq!(refused(&nobody), signature("nobody"));
    let foreign = forger.delegation(1, |f| f.genesis = Digest::from_bytes([7; 32]));
    let expected = SurrogateError::OtherGenesis {
        surrogate: surrogate(),
    };
    assert_eq!(refused(&foreign), expected);
    // A member is nobody's surrogate, under whatever key.
    let member = forger.delegation(1, |f| f.surrogate = name("carol"));
    let expected = SurrogateError::IsMember {
        surrogate: name("carol"),
    };
    assert_eq!(refused(&member), expected);
    assert!(forger.given(&good, wall_clock(), manifest).is_ok());
}

#[test]
fn a_record_under_a_delegation_for_another_manifest_fails_closed() {
    let case = case();
    let forger = Forger::new(&case);
    let manifest = Digest::of(&case.manifest);
    let far = forger.delegation(1, |f| f.sequence = 3);
    match forger.given(&far, wall_clock(), manifest) {
        Err(TranscriptError::Surrogate { error, .. }) => {
            let expected = SurrogateError::OtherManifest {
                surrogate: name("grace"),
                named: 3,
                sequence: 2,
            };
            assert_eq!(error, expected);
        }
        other => panic!("{other:?}"),
    }
    let elsewhere = TranscriptError::SurrogateElsewhere {
        author: name("grace"),
        sequence: 1,
    };
    let next = forger.delegation(1, |f| f.sequence = 2);
    let given = forger.given(&next, wall_clock(), manifest).err();
    assert_eq!(given, Some(elsewhere.clone()));
    let other = Digest::from_bytes([9; 32]);
    let good = forger.delegation(1, |_| {});
    let given = forger.given(&good, wall_clock(), other).err();
    assert_eq!(given, Some(elsewhere.clone()));
    // It lets her approve, and not give the share.
    let approver = forger.delegation(1, |f| f.roles = vec![Role::ManifestSet]);
    let given = forger.given(&approver, wall_clock(), manifest).err();
    assert_eq!(given, Some(elsewhere));
    assert!(forger.given(&good, wall_clock(), manifest).is_ok());
    // What is nobody's business but hers she may write under any of them.
    let own = [line(&next).unwrap()];
    assert!(forger.read(Act::Refusal, &own).is_ok());
}

#[test]
fn a_record_under_a_delegation_that_has_ended_fails_closed() {
    let case = case();
    let forger = Forger::new(&case);
    let manifest = Digest::of(&case.manifest);
    let good = forger.delegation(1, |_| {});
    let expires = good.unverified().expires;
    let late = UnixMillis(expires.0 + 1);
    let ended = |time| TranscriptError::SurrogateEnded {
        author: name("grace"),
        sequence: 1,
        expires,
        time,
    };
    assert_eq!(forger.given(&good, late, manifest).err(), Some(ended(late)));
    assert!(forger.given(&good, expires, manifest).is_ok());
    // Without an attestation it is her own clock that says so, within what clocks may differ.
    let own = |act, time: u64| {
        let facts = [line(&good).unwrap(), object(manifest)];
        let transcript = forger.transcript(act, UnixMillis(time), &facts);
        verify(&transcript, &expected(&case)).err()
    };
    let latest = expires.0 + quorate_transcript::CLOCK_TOLERANCE_MS;
    for act in [Act::Provision, Act::Approve] {
        assert_eq!(own(act, latest), None);
        assert_eq!(own(act, latest + 1), Some(ended(late)));
    }
    // That she saw something refused afterwards is no act in anybody's place.
    assert_eq!(own(Act::Refusal, latest + 1), None);
}

/// The delegation goes from the folder: what others have named is missed.
#[test]
fn a_delegation_that_is_taken_away_hides_no_record_fails_closed() {
    let case = Case::new(&[0, 2]);
    serve(&case);
    case.name_as("bob", "grace").unwrap();
    case.share().unwrap();
    case.accept().unwrap();
    give(&case).unwrap();
    sign_as(&case, "bob");
    let file = case.folders.shared().join("surrogates/0001/bob/1.cbor");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    match told(&case) {
        Err(TranscriptError::SeenStranger { author, .. }) => assert_eq!(author, name("bob")),
        other => panic!("{other:?}"),
    }
    std::fs::write(&file, bytes).unwrap();
    assert!(told(&case).is_ok());
}
