//! Any valid object survives encoding and decoding; any bytes that decode encode to themselves.

mod applications;
mod drill;
mod forward;
mod reshare;
mod surrogate;
mod wallets;

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index as Pick, select, subsequence};
use quorate_protocol::application::{
    ApplicationCertificate, ApplicationEvidence, ApplicationProof,
};
use quorate_protocol::atoms::{Bytes, Name, Pcr, Sha256, ShareIndex, Text, UnixMillis};
use quorate_protocol::attested::UserData;
use quorate_protocol::cbor::{Checked, Object, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::{
    AgeLimit, AttestationRoot, Definition, DefinitionConsent, DefinitionFields, MeasurementFields,
    Measurements,
};
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{CommitmentList, Genesis, Possession, SealedShare};
use quorate_protocol::instance::{
    Index, InstanceCertificate, KeyRing, KeyRingFields, Provenance, Purpose, RingEntry,
};
use quorate_protocol::keys::{KeyPair, VerificationKey};
use quorate_protocol::manifest::{
    Application, Approval, Link, MAX_DELAY_MS, Manifest, ManifestFields, RestartPolicy, Validity,
};
use quorate_protocol::members::{Member, MemberSet, MemberSetFields, Role};
use quorate_protocol::message::{
    ApplicationStatus, AttestRequest, Exit, Fault, Phase, ProvisionRequest, Reason, Refusal,
    Request, Response, Stage, Status, Upload, Uploaded,
};
use quorate_protocol::provision::{ProvisionReceipt, ShareGrant};
use quorate_sealing::Suite;
use quorate_vectors::committed::{Case, all_cases};
use quorate_vectors::keys::{encryption, pair, signing, verification};
use quorate_vectors::kinds::Kind;

use applications::{launch_record, log, sealed_secret, to_init};

const PEOPLE: [&str; 9] = [
    "ann", "ben", "cas", "dan", "eve", "fay", "gus", "hal", "ivy",
];

fn digest<T>() -> impl Strategy<Value = Digest<T>> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn sha256() -> impl Strategy<Value = Sha256> {
    any::<[u8; 32]>().prop_map(Sha256)
}

fn pcr() -> impl Strategy<Value = Pcr> {
    any::<[u8; 32]>().prop_map(|seed| Pcr::ZERO.extend(&seed))
}

fn name() -> impl Strategy<Value = Name> {
    "[a-z0-9][a-z0-9._-]{0,62}".prop_map(|text| Name::new(&text).expect("a name"))
}

fn text<const MAX: usize>() -> impl Strategy<Value = Text<MAX>> {
    // Up to four bytes a character.
    let text = prop::string::string_regex(&format!("\\PC{{0,{}}}", (MAX / 4).min(60)));
    text.expect("a pattern")
        .prop_filter_map("a control character", |text| Text::new(&text).ok())
}

fn bytes<const MIN: usize, const MAX: usize>() -> impl Strategy<Value = Bytes<MIN, MAX>> {
    vec(any::<u8>(), MIN..=MAX.min(MIN + 300)).prop_map(|b| Bytes::new(b).expect("a length"))
}

fn time() -> impl Strategy<Value = UnixMillis> {
    any::<u64>().prop_map(UnixMillis)
}

fn index() -> impl Strategy<Value = ShareIndex> {
    (1..=255_u8).prop_map(|at| ShareIndex::new(at).expect("an index"))
}

fn indices() -> impl Strategy<Value = Vec<Index>> {
    vec(index().prop_map(Index), 0..8)
}

fn key() -> impl Strategy<Value = VerificationKey> {
    select(PEOPLE.to_vec()).prop_map(verification)
}

fn keys() -> impl Strategy<Value = KeyPair> {
    select(vec!["setup", "live"]).prop_map(pair)
}

fn signed<T: Object + Clone + std::fmt::Debug>(
    payload: impl Strategy<Value = T>,
) -> impl Strategy<Value = Signed<T>> {
    (payload, select(PEOPLE.to_vec()))
        .prop_map(|(payload, who)| Signed::sign(payload, &signing(who)))
}

/// Members of one pool, so that a person has the same keys in both sets.
fn member_set() -> impl Strategy<Value = MemberSet> {
    let people = subsequence(PEOPLE.to_vec(), 2..=PEOPLE.len()).prop_shuffle();
    let set = people.prop_flat_map(|people| {
        let count = people.len();
        let indices = subsequence((1..=255_u8).collect::<Vec<_>>(), count);
        (
            Just(people),
            indices,
            2..=u8::try_from(count).expect("few people"),
        )
    });
    set.prop_map(|(people, indices, threshold)| {
        let members = people.into_iter().zip(indices).map(|(person, at)| Member {
            name: Name::new(person).expect("a name"),
            index: ShareIndex::new(at).expect("an index"),
            signing_key: verification(person),
            encryption_key: encryption(&format!("{person} encryption")),
        });
        let members = members.collect();
        Checked::new(MemberSetFields { threshold, members }).expect("a set")
    })
}

fn measurements() -> impl Strategy<Value = Measurements> {
    let role = text::<2048>().prop_filter("empty", |role| !role.as_str().is_empty());
    let fields = (
        pcr(),
        pcr(),
        pcr(),
        prop::option::of(role),
        prop::option::of(pcr()),
    );
    fields.prop_map(|(pcr0, pcr1, pcr2, role_arn, pcr8)| {
        let fields = MeasurementFields {
            pcr0,
            pcr1,
            pcr2,
            role_arn,
            pcr8,
        };
        Checked::new(fields).expect("measurements")
    })
}

fn definition() -> impl Strategy<Value = Definition> {
    let root = (name(), sha256());
    let root = root.prop_map(|(partition, fingerprint)| AttestationRoot {
        partition,
        fingerprint,
    });
    let age = (60..=1800_u16).prop_map(|age| AgeLimit::new(age).expect("a limit"));
    let parts = (
        name(),
        member_set(),
        member_set(),
        root,
        measurements(),
        age,
    );
    parts.prop_map(
        |(namespace, manifest_set, share_set, attestation_root, measurements, age_limit)| {
            let fields = DefinitionFields {
                format: quorate_protocol::FORMAT,
                namespace,
                manifest_set,
                share_set,
                attestation_root,
                measurements,
                age_limit,
            };
            Checked::new(fields).expect("a definition")
        },
    )
}

fn applications() -> impl Strategy<Value = Vec<Application>> {
    let one = (
        name().prop_filter("reserved", |name| name.as_str() != Application::RESERVED),
        sha256(),
        1..=64 * 1024 * 1024_u64,
        vec(text::<4096>(), 0..4),
        prop::collection::btree_map("[A-Z_]{1,8}", "[ -~]{0,20}", 0..4),
        0..4_usize,
        1..=(1_u64 << 46),
        (restart(), any::<u32>(), any::<u32>()),
    );
    vec(one, 1..=4).prop_map(|all| {
        let mut next_port = 5100;
        let mut others = Vec::new();
        let mut applications: Vec<_> = all
            .into_iter()
            .map(
                |(name, sha256, size, arguments, variables, ports, memory_limit, last)| {
                    let first = next_port;
                    next_port += ports as u32;
                    let variable = |(name, value): (String, String)| {
                        Text::new(&format!("{name}={value}")).expect("a text")
                    };
                    let (restart, calls, shares) = last;
                    others.push((calls, shares));
                    Application {
                        name,
                        sha256,
                        size,
                        arguments,
                        environment: variables.into_iter().map(variable).collect(),
                        ports: (first..next_port).collect(),
                        memory_limit,
                        restart,
                        calls: Vec::new(),
                        shares: Vec::new(),
                        egress: Vec::new(),
                    }
                },
            )
            .collect();
        applications.sort_by(|a, b| a.name.cmp(&b.name));
        applications.dedup_by(|a, b| a.name == b.name);
        // Calls go to earlier ones only, so there is no circle; shares go anywhere.
        let names: Vec<_> = applications.iter().map(|a| a.name.clone()).collect();
        for (at, (application, (calls, shares))) in applications.iter_mut().zip(others).enumerate()
        {
            let chosen = |bits: u32, below: usize| {
                let chosen = names.iter().take(below).enumerate();
                let chosen = chosen.filter(|(other, _)| *other != at && bits >> other & 1 == 1);
                chosen.map(|(_, name)| name.clone()).collect()
            };
            application.calls = chosen(calls, at);
            application.shares = chosen(shares, names.len());
        }
        applications
    })
}

fn restart() -> impl Strategy<Value = RestartPolicy> {
    let parts = (
        any::<u16>(),
        1..=MAX_DELAY_MS,
        1..=MAX_DELAY_MS,
        1..=MAX_DELAY_MS,
    );
    parts.prop_map(|(restarts, one, other, start_deadline_ms)| RestartPolicy {
        restarts,
        first_back_off_ms: one.min(other),
        largest_back_off_ms: one.max(other),
        start_deadline_ms,
    })
}

/// Commitments for any threshold up to the people there are.
fn commitments(threshold: u8) -> CommitmentList {
    let points = (0..threshold).map(|at| verification(&format!("point {at}")).to_compressed());
    let points: Vec<_> = points.collect();
    let parsed = quorate_sharing::Commitments::from_compressed(&points).expect("points");
    parsed.into()
}

fn manifest() -> impl Strategy<Value = Manifest> {
    let parts = (
        (digest(), 1..=u64::MAX, digest(), prop::option::of(digest())),
        (measurements(), applications(), member_set(), member_set()),
        (any::<u64>(), any::<u64>(), forward::policy()),
    );
    parts.prop_map(|(chain, what, (early, late, forward))| {
        let (genesis, sequence, previous, last_set_change) = chain;
        let (measurements, applications, manifest_set, share_set) = what;
        let commitments = commitments(share_set.threshold);
        let later = sequence > 1;
        let fields = ManifestFields {
            format: quorate_protocol::FORMAT,
            genesis,
            sequence,
            previous: later.then_some(previous),
            last_set_change: last_set_change.filter(|_| later),
            quorum_key: commitments.quorum_key().expect("a point"),
            epoch: commitments.epoch(),
            commitments,
            measurements,
            applications,
            manifest_set,
            share_set,
            validity: Validity {
                not_before: UnixMillis(early.min(late.saturating_sub(1))),
                not_after: UnixMillis(late.max(1)),
            },
            suites: vec![1],
            forward,
        };
        Checked::new(fields).expect("a manifest")
    })
}

fn approval() -> impl Strategy<Value = Approval> {
    let role = select(vec![Role::ManifestSet, Role::ShareSet]);
    let parts = (role, digest(), digest(), index(), time());
    parts.prop_map(|(role, genesis, manifest, index, time)| Approval {
        role,
        genesis,
        manifest,
        index,
        time,
    })
}

fn sealed() -> impl Strategy<Value = SealedShare> {
    (bytes(), bytes()).prop_map(|(enc, ciphertext)| SealedShare {
        suite: Suite::P256Sha256Aes256Gcm,
        enc,
        ciphertext,
    })
}

fn grant() -> impl Strategy<Value = ShareGrant> {
    let parts = (
        digest(),
        digest(),
        keys(),
        sha256(),
        index(),
        digest(),
        digest(),
        time(),
    );
    parts.prop_map(
        |(genesis, manifest, setup, document, index, epoch, sealed, time)| ShareGrant {
            role: Role::ShareSet,
            genesis,
            manifest,
            setup,
            document,
            index,
            epoch,
            sealed,
            time,
        },
    )
}

fn receipt() -> impl Strategy<Value = ProvisionReceipt> {
    let parts = (
        digest(),
        digest(),
        digest(),
        index(),
        digest(),
        any::<u8>(),
        any::<u8>(),
        time(),
    );
    parts.prop_map(
        |(genesis, manifest, grant, index, epoch, accepted, threshold, time)| ProvisionReceipt {
            genesis,
            manifest,
            grant,
            index,
            epoch,
            accepted,
            threshold,
            time,
        },
    )
}

fn ring() -> impl Strategy<Value = KeyRing> {
    let purpose = select(vec![
        Purpose::Instance,
        Purpose::Signing,
        Purpose::Encryption,
    ]);
    let entries = prop::collection::btree_map((name(), purpose), key(), 1..6);
    (digest(), digest(), any::<u64>(), entries).prop_map(
        |(genesis, manifest, sequence, entries)| {
            let keys = entries
                .into_iter()
                .map(|((application, purpose), key)| RingEntry {
                    application,
                    purpose,
                    key,
                });
            let keys = keys.collect();
            Checked::new(KeyRingFields {
                genesis,
                manifest,
                sequence,
                keys,
            })
            .expect("a ring")
        },
    )
}

fn instance_certificate() -> impl Strategy<Value = InstanceCertificate> {
    let parts = (
        digest(),
        digest(),
        keys(),
        text(),
        digest(),
        provenance(),
        time(),
    );
    parts.prop_map(
        |(genesis, manifest, live, module_id, epoch, provenance, time)| InstanceCertificate {
            genesis,
            manifest,
            live,
            module_id,
            epoch,
            provenance,
            time,
        },
    )
}

fn provenance() -> impl Strategy<Value = Provenance> {
    prop_oneof![
        indices().prop_map(Provenance::Members),
        forward::source().prop_map(|source| Provenance::Forwarded(Box::new(source))),
    ]
}

fn application_certificate() -> impl Strategy<Value = ApplicationCertificate> {
    let parts = (
        digest(),
        digest(),
        name(),
        sha256(),
        any::<u64>(),
        key(),
        time(),
    );
    parts.prop_map(
        |(genesis, manifest, application, sha256, start, live, time)| ApplicationCertificate {
            genesis,
            manifest,
            application,
            sha256,
            start,
            live,
            time,
        },
    )
}

fn proof() -> impl Strategy<Value = ApplicationProof> {
    let parts = (digest(), name(), any::<u64>(), name(), bytes());
    parts.prop_map(
        |(genesis, application, start, kind, payload)| ApplicationProof {
            genesis,
            application,
            start,
            kind,
            payload,
        },
    )
}

fn user_data() -> impl Strategy<Value = UserData> {
    prop_oneof![
        digest().prop_map(UserData::Genesis),
        digest().prop_map(UserData::Setup),
        digest().prop_map(UserData::Live),
        (digest(), digest()).prop_map(|(of, record)| UserData::Forwarded(of, record)),
        (digest(), digest(), digest())
            .prop_map(|(of, record, newest)| UserData::HandedOver(of, record, newest)),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let upload = (sha256(), any::<u64>(), any::<u64>(), bytes());
    let upload = upload.prop_map(|(sha256, size, offset, data)| {
        Request::Upload(Upload {
            sha256,
            size,
            offset,
            data,
        })
    });
    let stage = select(vec![Stage::Genesis, Stage::Setup, Stage::Live]);
    let attest = (stage, bytes());
    let attest = attest.prop_map(|(stage, nonce)| Request::Attest(AttestRequest { stage, nonce }));
    let provision = (signed(grant()), sealed());
    let provision = provision.prop_map(|(grant, sealed)| {
        Request::Provision(ProvisionRequest {
            grant,
            sealed,
            delegation: None,
        })
    });
    prop_oneof![
        Just(Request::Status),
        Just(Request::Log),
        upload,
        attest,
        provision,
    ]
}

fn status() -> impl Strategy<Value = Status> {
    let phase = select(vec![
        Phase::Waiting,
        Phase::Born,
        Phase::Collecting,
        Phase::Launching,
        Phase::Running,
        Phase::Halting,
        Phase::HandingOver,
        Phase::HandedOver,
    ]);
    let exit = prop_oneof![
        any::<u8>().prop_map(Exit::Exited),
        any::<u8>().prop_map(Exit::Signalled),
    ];
    let exit = prop::option::of(exit);
    let application = (name(), any::<u64>(), any::<bool>(), exit, any::<u16>());
    let application =
        application.prop_map(
            |(name, starts, ready, exit, restarts_left)| ApplicationStatus {
                name,
                starts,
                ready,
                exit,
                restarts_left,
            },
        );
    let known = (
        prop::option::of(digest()),
        prop::option::of(digest()),
        prop::option::of(digest()),
    );
    let parts = (phase, known, indices(), any::<u8>(), vec(application, 0..4));
    parts.prop_map(
        |(phase, (genesis, manifest, epoch), accepted, threshold, applications)| Status {
            phase,
            genesis,
            manifest,
            epoch,
            accepted,
            threshold,
            applications,
        },
    )
}

fn response() -> impl Strategy<Value = Response> {
    let reason = select(vec![
        Reason::Malformed,
        Reason::ShareWrong,
        Reason::Internal,
    ]);
    let fault = select(vec![
        Fault::Caller,
        Fault::Member,
        Fault::Ceremony,
        Fault::Enclave,
    ]);
    let refusal = (
        reason,
        fault,
        prop::option::of(index().prop_map(Index)),
        text(),
    );
    let refusal = refusal.prop_map(|(reason, fault, member, detail)| {
        Response::Refused(Refusal {
            reason,
            fault,
            member,
            detail,
        })
    });
    let uploaded = (any::<u64>(), any::<bool>());
    let uploaded = uploaded
        .prop_map(|(received, complete)| Response::Uploaded(Uploaded { received, complete }));
    prop_oneof![
        status().prop_map(Response::Status),
        uploaded,
        log().prop_map(Response::Log),
        bytes().prop_map(Response::Attested),
        signed(receipt()).prop_map(Response::Provisioned),
        refusal,
    ]
}

fn survives<T: Object + PartialEq + std::fmt::Debug>(value: &T) -> Result<(), TestCaseError> {
    let bytes = to_bytes(value);
    prop_assert!(bytes.len() <= T::MAX);
    prop_assert_eq!(&from_bytes::<T>(&bytes).expect("a valid object"), value);
    let kind = Kind::of(T::LABEL);
    prop_assert_eq!(
        (kind.digest)(&bytes).ok(),
        Some(*Digest::of(value).as_bytes())
    );
    Ok(())
}

fn signed_survives<T>(value: &Signed<T>, key: &VerificationKey) -> Result<(), TestCaseError>
where
    T: Object + PartialEq + std::fmt::Debug,
{
    let bytes = to_bytes(value);
    let back = from_bytes::<Signed<T>>(&bytes).expect("a valid object");
    prop_assert_eq!(&back, value);
    prop_assert_eq!(back.verify(key).ok(), Some(value.unverified()));
    survives(value.unverified())
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn any_object_decodes_to_itself(
        definition in definition(),
        manifest in manifest(),
        sealed in sealed(),
        record in launch_record(),
        (data, stored, said) in (user_data(), sealed_secret(), to_init()),
        request in request(),
        response in response(),
    ) {
        survives(&definition)?;
        survives(&manifest)?;
        survives(&sealed)?;
        survives(&record)?;
        survives(&data)?;
        survives(&stored)?;
        survives(&said)?;
        survives(&request)?;
        survives(&response)?;
        survives(&manifest.commitments)?;
        let consent = DefinitionConsent {
            definition: Digest::of(&definition),
            member: definition.people()[0].name.clone(),
        };
        survives(&consent)?;
        let genesis = Genesis {
            definition: Digest::of(&definition),
            output: Digest::from_bytes(*Digest::of(&sealed).as_bytes()),
        };
        survives(&genesis)?;
    }

    #[test]
    fn any_signed_object_decodes_to_itself(
        who in select(PEOPLE.to_vec()),
        approval in approval(),
        grant in grant(),
        receipt in receipt(),
        ring in ring(),
        instance in instance_certificate(),
        certificate in application_certificate(),
        proof in proof(),
        (genesis, epoch, index) in (digest(), digest(), index()),
    ) {
        let (key, public) = (signing(who), verification(who));
        signed_survives(&Signed::sign(approval, &key), &public)?;
        signed_survives(&Signed::sign(grant, &key), &public)?;
        signed_survives(&Signed::sign(receipt, &key), &public)?;
        signed_survives(&Signed::sign(ring, &key), &public)?;
        signed_survives(&Signed::sign(instance, &key), &public)?;
        signed_survives(&Signed::sign(certificate, &key), &public)?;
        signed_survives(&Signed::sign(proof, &key), &public)?;
        let possession = Possession { genesis, epoch, index };
        signed_survives(&Signed::sign(possession, &key), &public)?;
    }

    #[test]
    fn any_link_and_application_evidence_decode_to_themselves(
        manifest in manifest(),
        approvals in vec(signed(approval()), 0..4),
        certificate in signed(application_certificate()),
        proofs in vec(signed(proof()), 0..3),
    ) {
        survives(&Link { manifest, approvals, reshare: None, surrogates: Vec::new() })?;
        let evidence = ApplicationEvidence { certificate, proofs };
        let bytes = to_bytes(&evidence);
        let back: ApplicationEvidence = minicbor::decode(&bytes).expect("valid evidence");
        prop_assert_eq!(back, evidence);
    }
}

/// Vectors of a size that mutates quickly, read once.
static SMALL_CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let cases = all_cases().into_iter();
    cases.filter(|case| case.bytes.len() < 600).collect()
});

/// What decodes is canonical: it encodes to the very bytes that were received.
fn encodes_to_itself(case: &Case, bytes: &[u8]) -> Result<(), TestCaseError> {
    let kind = Kind::of(&case.label);
    if let Ok(again) = (kind.again)(bytes) {
        prop_assert_eq!(again, bytes);
    }
    if let Some(Ok(again)) = kind.signed.map(|signed| (signed.again)(bytes)) {
        prop_assert_eq!(again, bytes);
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn any_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        for case in SMALL_CASES.iter() {
            encodes_to_itself(case, &bytes)?;
        }
    }

    #[test]
    fn changed_vectors_never_panic_and_encode_to_themselves(
        which in any::<Pick>(),
        edits in vec((any::<Pick>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<Pick>()),
    ) {
        let case = which.get(&SMALL_CASES);
        let from = match (&case.signed, edits.len() % 2) {
            (Some(signed), 0) => &signed.cose_sign1,
            _ => &case.bytes,
        };
        let mut bytes = from.clone();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        encodes_to_itself(case, &bytes)?;
    }
}
