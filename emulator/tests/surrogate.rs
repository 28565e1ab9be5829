//! Surrogates in a real emulated enclave: a manifest approved, and a share given, for somebody else.
//!
//! Each refusal is followed by the honest message, which must still be taken: a refused one changed
//! nothing. Ends are an hour before or a day after the clock of this machine; the boundary itself is
//! tested in `verify/tests/trust/surrogate.rs`.

#[path = "common/mod.rs"]
mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use common::{Enclave, Instance, Person, World, approvals, echo, nonce, reason};
use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::cbor::{Checked, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::evidence::Evidence;
use quorate_protocol::genesis::GenesisRecord;
use quorate_protocol::keys::{EncryptionKey, VerificationKey};
use quorate_protocol::manifest::{Approval, Link, Manifest};
use quorate_protocol::members::Role;
use quorate_protocol::message::{
    BootRequest, EvidenceRequest, ProvisionRequest, Reason, Request, Response,
};
use quorate_protocol::surrogate::{Delegation, DelegationFields, SurrogateApproval};
use quorate_sharing::Share;
use quorate_verify::attestation::{Partition, TrustAnchor, TrustAnchors};
use quorate_verify::evidence::{Policy, Report, Time, verify};

const HOUR: u64 = 60 * 60 * 1000;

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// Somebody with keys of their own and no seat.
fn stranger(name: &str) -> Person {
    Person::new(name, 200)
}

/// A delegation that still lasts a day.
fn fields(record: &GenesisRecord, member: &Person, surrogate: &Person) -> DelegationFields {
    DelegationFields {
        genesis: record.digest(),
        member: member.name.clone(),
        roles: vec![Role::ManifestSet, Role::ShareSet],
        surrogate: surrogate.name.clone(),
        signing_key: VerificationKey::of(&surrogate.signing),
        encryption_key: surrogate.decryption.public().into(),
        sequence: 1,
        expires: UnixMillis(now() + 24 * HOUR),
        time: UnixMillis(now() - 2 * HOUR),
    }
}

fn signed(fields: DelegationFields, by: &Person) -> Signed<Delegation> {
    Signed::sign(Checked::new(fields).unwrap(), &by.signing)
}

struct Case {
    world: World,
    record: GenesisRecord,
    shares: Vec<Share>,
    grace: Person,
}

impl Case {
    fn new() -> Self {
        let mut world = World::new(3, 2);
        let (record, shares) = world.genesis();
        Self {
            world,
            record,
            shares,
            grace: stranger("grace"),
        }
    }

    fn manifest(&self) -> Manifest {
        Checked::new(self.world.manifest_fields(&self.record, &echo())).unwrap()
    }

    /// The first member approves, and Grace for the second.
    fn link(&self, delegation: Signed<Delegation>) -> Link {
        let manifest = self.manifest();
        let approval = Approval {
            role: Role::ManifestSet,
            genesis: self.record.digest(),
            manifest: Digest::of(&manifest),
            index: self.world.people[1].index,
            time: UnixMillis(1),
        };
        let surrogates = vec![SurrogateApproval {
            delegation,
            approval: Signed::sign(approval, &self.grace.signing),
        }];
        Link {
            approvals: approvals(&manifest, &self.world.people[..1], Role::ManifestSet),
            manifest,
            reshare: None,
            surrogates,
        }
    }

    fn fields(&self) -> DelegationFields {
        fields(&self.record, &self.world.people[1], &self.grace)
    }

    fn delegation(&self) -> Signed<Delegation> {
        signed(self.fields(), &self.world.people[1])
    }

    fn copies(&self) -> Vec<Share> {
        common::copies(&self.shares)
    }

    /// An instance that waits for shares, approved by members.
    fn waiting(&mut self) -> Instance {
        let link = self.world.approved(self.manifest().into_inner());
        let (record, shares) = (self.record.clone(), self.copies());
        self.world.boot(record, shares, vec![link])
    }

    fn report(&self, evidence: &Evidence) -> Report {
        let mut anchors = TrustAnchors::empty();
        let root = common::root_der(&self.world.hypervisor);
        let anchor = TrustAnchor::from_der(Partition::Development, &root).unwrap();
        anchors.insert(anchor).unwrap();
        let policy = Policy::pinned(self.record.digest());
        verify(&to_bytes(evidence), &policy, &anchors, Time::Archived)
    }
}

/// The share at a position, given by this person under a delegation.
fn given(
    instance: &Instance,
    position: usize,
    by: &Person,
    delegation: Signed<Delegation>,
) -> Request {
    let sealed = instance.sealed(position, &*instance.shares[position].to_bytes());
    let request = instance.signed(instance.grant(position), sealed, by);
    Request::Provision(ProvisionRequest {
        delegation: Some(Box::new(delegation)),
        ..request
    })
}

fn evidence(enclave: &Enclave) -> Evidence {
    let request = Request::Evidence(EvidenceRequest { nonce: nonce() });
    match enclave.ask_public(&request) {
        Response::Evidence(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_surrogate_approves_and_gives_a_share() {
    let mut case = Case::new();
    let link = case.link(case.delegation());
    let (record, shares) = (case.record.clone(), case.copies());
    let instance = case.world.boot(record, shares, vec![link]);
    let request = given(&instance, 1, &case.grace, case.delegation());
    let answer = instance.enclave.ask(&request);
    assert!(matches!(answer, Response::Provisioned(_)), "{answer:?}");
    instance.provision(&case.world, &[0]);
    let evidence = evidence(&instance.enclave);
    let report = case.report(&evidence);
    assert!(report.is_accepted(), "{report:#?}");
    let facts = &report.facts.shares_given_by;
    let by = facts.iter().map(|member| member.surrogate.as_ref());
    assert_eq!(by.collect::<Vec<_>>(), [None, Some(&case.grace.name)]);
    let chain = report.check("chain").unwrap();
    let told = format!("{} by surrogate grace", case.world.people[1].name);
    assert!(chain.claim.contains(&told), "{}", chain.claim);
}

/// Every delegation that does not let Grace give the second member's share; then the one that does.
#[test]
fn a_share_by_a_surrogate_who_may_not_fails_closed() {
    let mut case = Case::new();
    let instance = case.waiting();
    let [first, second, third] = &case.world.people[..] else {
        panic!("three people");
    };
    let refused = |delegation: Signed<Delegation>, reason: Reason| {
        let refusal = instance
            .enclave
            .refused(&given(&instance, 1, &case.grace, delegation));
        assert_eq!(refusal.reason, reason, "{refusal:?}");
        let member = refusal.member.map(|member| member.0);
        assert_eq!(member, Some(second.index), "{refusal:?}");
        assert!(!refusal.detail.as_str().is_empty(), "{refusal:?}");
        assert_eq!(instance.enclave.status().accepted, []);
    };
    let changed = |change: &dyn Fn(&mut DelegationFields)| {
        let mut fields = case.fields();
        change(&mut fields);
        signed(fields, second)
    };
    let invalid = Reason::DelegationInvalid;
    // Ended an hour ago by the security module's time.
    let ended = changed(&|f| f.expires = UnixMillis(now() - HOUR));
    refused(ended, Reason::DelegationExpired);
    refused(changed(&|f| f.sequence = 2), invalid);
    refused(
        changed(&|f| f.genesis = Digest::from_bytes([7; 32])),
        invalid,
    );
    // Of another member, signed by that member.
    let theirs = fields(&case.record, first, &case.grace);
    refused(signed(theirs, first), invalid);
    // For the manifest set only.
    refused(changed(&|f| f.roles = vec![Role::ManifestSet]), invalid);
    // Keys and name of members.
    let key = VerificationKey::of(&third.signing);
    refused(changed(&|f| f.signing_key = key), invalid);
    let key = EncryptionKey::from(third.decryption.public());
    refused(changed(&|f| f.encryption_key = key.clone()), invalid);
    refused(changed(&|f| f.surrogate = third.name.clone()), invalid);
    // Signed by somebody else, and by the surrogate.
    refused(signed(case.fields(), third), invalid);
    refused(signed(case.fields(), &case.grace), invalid);
    // A surrogate names a surrogate.
    let mut further = fields(&case.record, second, &case.grace);
    further.member = Name::new("heidi").unwrap();
    refused(signed(further, &stranger("heidi")), invalid);

    // The grant is not the surrogate's; a member's grant needs no delegation and takes none.
    let request = given(&instance, 1, &stranger("heidi"), case.delegation());
    let refusal = instance.enclave.refused(&request);
    assert_eq!(refusal.reason, Reason::GrantSignature);
    let request = given(&instance, 1, second, case.delegation());
    assert_eq!(
        instance.enclave.refused(&request).reason,
        Reason::GrantSignature
    );

    let request = given(&instance, 1, &case.grace, case.delegation());
    let answer = instance.enclave.ask(&request);
    assert!(matches!(answer, Response::Provisioned(_)), "{answer:?}");
}

/// A member and their surrogate, two surrogates of one member, and one surrogate of two members: each
/// of them counts once.
#[test]
fn one_person_counted_twice_fails_closed() {
    let mut case = Case::new();
    let instance = case.waiting();
    let (second, third) = (&case.world.people[1], &case.world.people[2]);
    let request = given(&instance, 1, &case.grace, case.delegation());
    let answer = instance.enclave.ask(&request);
    assert!(matches!(answer, Response::Provisioned(_)), "{answer:?}");
    // The same again, by the member, and by another surrogate.
    assert_eq!(
        reason(instance.enclave.ask(&request)),
        Reason::ShareRepeated
    );
    let own = Request::Provision(instance.honest(&case.world, 1));
    assert_eq!(reason(instance.enclave.ask(&own)), Reason::ShareRepeated);
    let heidi = stranger("heidi");
    let other = signed(fields(&case.record, second, &heidi), second);
    let request = given(&instance, 1, &heidi, other);
    assert_eq!(
        reason(instance.enclave.ask(&request)),
        Reason::ShareRepeated
    );
    // For another member too, under her own or another name.
    for name in ["grace", "heidi"] {
        let mut both = fields(&case.record, third, &case.grace);
        both.surrogate = Name::new(name).unwrap();
        let request = given(&instance, 2, &case.grace, signed(both, third));
        let refusal = instance.enclave.refused(&request);
        assert_eq!(refusal.reason, Reason::DelegationInvalid, "{refusal:?}");
    }
    // Somebody who acts for the third member alone may.
    let theirs = signed(fields(&case.record, third, &heidi), third);
    let answer = instance.enclave.ask(&given(&instance, 2, &heidi, theirs));
    assert!(matches!(answer, Response::Provisioned(_)), "{answer:?}");
    instance.await_running();
}

/// Shares of an older epoch, and a share that is none: the delegation changes nothing about that.
#[test]
fn a_wrong_share_by_a_surrogate_fails_closed() {
    let mut case = Case::new();
    let instance = case.waiting();
    let grant = |change: &dyn Fn(&mut quorate_protocol::provision::ShareGrant)| {
        let sealed = instance.sealed(1, &*instance.shares[1].to_bytes());
        let mut grant = instance.grant(1);
        change(&mut grant);
        let request = instance.signed(grant, sealed, &case.grace);
        Request::Provision(ProvisionRequest {
            delegation: Some(Box::new(case.delegation())),
            ..request
        })
    };
    let older = quorate_protocol::genesis::Epoch::from_bytes([7; 32]);
    let request = grant(&|grant| grant.epoch = older);
    assert_eq!(
        reason(instance.enclave.ask(&request)),
        Reason::GrantForAnother
    );
    let sealed = instance.sealed(1, &*instance.shares[0].to_bytes());
    let request = instance.signed(instance.grant(1), sealed, &case.grace);
    let refusal = instance
        .enclave
        .refused(&Request::Provision(ProvisionRequest {
            delegation: Some(Box::new(case.delegation())),
            ..request
        }));
    assert_eq!(refusal.reason, Reason::ShareWrong);
    let answer = instance.enclave.ask(&grant(&|_| {}));
    assert!(matches!(answer, Response::Provisioned(_)), "{answer:?}");
}

/// A chain that rests on a surrogate whose time is over, by the security module, does not boot; the
/// same chain with the member's own approval does.
#[test]
fn a_boot_on_an_ended_delegation_fails_closed() {
    let mut case = Case::new();
    let enclave = case.world.start();
    enclave.upload(&echo());
    let boot = |link: Link| {
        let request = BootRequest {
            record: case.record.clone(),
            chain: vec![link],
        };
        enclave.ask(&Request::Boot(request))
    };
    let second = &case.world.people[1];
    let changed = |change: &dyn Fn(&mut DelegationFields)| {
        let mut fields = case.fields();
        change(&mut fields);
        case.link(signed(fields, second))
    };
    let ended = changed(&|f| f.expires = UnixMillis(now() - HOUR));
    assert_eq!(reason(boot(ended)), Reason::DelegationExpired);
    let another = changed(&|f| f.sequence = 2);
    assert_eq!(reason(boot(another)), Reason::DelegationInvalid);
    let holders = changed(&|f| f.roles = vec![Role::ShareSet]);
    assert_eq!(reason(boot(holders)), Reason::DelegationInvalid);
    // A member and their surrogate are one.
    let mut both = case.link(case.delegation());
    both.approvals = approvals(&both.manifest, &case.world.people[..2], Role::ManifestSet);
    assert_eq!(reason(boot(both.clone())), Reason::ApprovalInvalid);
    both.surrogates.clear();
    let answer = boot(both);
    assert!(matches!(answer, Response::Booted(_)), "{answer:?}");
}
