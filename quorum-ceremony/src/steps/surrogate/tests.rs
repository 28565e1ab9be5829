//! Steps of surrogates, in folders: bob lets grace act for him.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use quorate_protocol::atoms::{Name, UnixMillis};
use quorate_protocol::carried::CarriedGrant;
use quorate_protocol::cbor::{Checked, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::Role;
use quorate_protocol::message::{ProvisionRequest, Request, Response};
use quorate_protocol::provision::provision_share_context;
use quorate_protocol::surrogate::{Delegation, DelegationFields, MAX_DELEGATION_MS};
use quorate_sealing::open;
use quorate_verify::chain::{ChainError, walk, walk_at};
use quorate_verify::surrogate::SurrogateError;

use super::*;
use crate::address::Address;
use crate::challenge::wall_clock;
use crate::clock::tests::Set;
use crate::error::StepError;
use crate::fixture::{Folders, Instance, WORDS, World, name, passphrase};
use crate::private::PrivateFolder;
use crate::steps::carried::CarriedError;
use crate::steps::{approve, carry, join, provision};
use crate::storage::Published;

pub(in crate::steps) struct Case {
    pub(in crate::steps) world: Arc<World>,
    pub(in crate::steps) folders: Folders,
    pub(in crate::steps) manifest: Manifest,
}

impl Case {
    /// A first manifest that nobody of these has approved but those named; Bob and Grace have joined.
    pub(in crate::steps) fn new(approved: &[usize]) -> Self {
        let (world, folders) = (World::new(), Folders::new());
        let manifest = world.manifest(None, b"app");
        folders.publish(&world, &[world.link(&manifest, approved)]);
        folders.member(&world, 1, &world.pins(1));
        let private = PrivateFolder::open(&folders.private(1)).unwrap();
        private.store_share(&world.output.shares[1]).unwrap();
        drop(private);
        let case = Self {
            world: Arc::new(world),
            folders,
            manifest,
        };
        case.join("grace");
        case
    }

    pub(in crate::steps) fn private(&self, person: &str) -> PathBuf {
        self.folders.private(0).with_file_name(person)
    }

    pub(in crate::steps) fn join(&self, person: &str) {
        let genesis = Some(Digest::of(&self.world.genesis()));
        let shared = self.folders.shared();
        let joining = join::prepare(&shared, &self.private(person), &name(person), genesis);
        joining.unwrap().join(passphrase(WORDS)).unwrap();
    }

    pub(in crate::steps) fn name_as(
        &self,
        member: &str,
        surrogate: &str,
    ) -> Result<name::Named, CeremonyError> {
        let plan = name::Plan {
            surrogate: name(surrogate),
            sequence: None,
            days: 7,
        };
        name::review(&self.folders.shared(), &self.private(member), &plan)?.sign(passphrase(WORDS))
    }

    pub(in crate::steps) fn approve(
        &self,
        person: &str,
    ) -> Result<approve::Approved, CeremonyError> {
        approve::review(&self.folders.shared(), &self.private(person), None)?
            .approve(passphrase(WORDS))
    }

    pub(in crate::steps) fn share(&self) -> Result<share::Shared, CeremonyError> {
        let (shared, private) = (self.folders.shared(), self.private("bob"));
        share::review(&shared, &private, &name("grace"), None)?.entrust(passphrase(WORDS))
    }

    pub(in crate::steps) fn accept(&self) -> Result<accept::Accepted, CeremonyError> {
        let (shared, private) = (self.folders.shared(), self.private("grace"));
        accept::review(&shared, &private, None)?.accept(passphrase(WORDS))
    }

    fn links(&self) -> crate::workspace::Links {
        self.folders
            .workspace()
            .links(&self.world.definition, None)
            .unwrap()
    }

    /// A delegation of Bob's to Grace, changed and signed by somebody.
    pub(in crate::steps) fn publish(
        &self,
        signer: usize,
        change: impl FnOnce(&mut DelegationFields),
    ) -> Delegation {
        let card = self.folders.workspace().card(&name("grace")).unwrap();
        let now = wall_clock().0;
        let mut fields = DelegationFields {
            genesis: Digest::of(&self.world.genesis()),
            member: name("bob"),
            roles: vec![Role::ManifestSet, Role::ShareSet],
            surrogate: card.name.clone(),
            signing_key: card.signing_key,
            encryption_key: card.encryption_key.clone(),
            sequence: 1,
            expires: UnixMillis(now + 3_600_000),
            time: UnixMillis(now - 7_200_000),
        };
        change(&mut fields);
        let delegation = Checked::new(fields).unwrap();
        let key = self.world.keys[signer].signing_key();
        let signed = Signed::sign(delegation.clone(), &key);
        self.folders
            .workspace()
            .publish_delegation(1, &signed)
            .unwrap();
        delegation
    }
}

fn code(error: &CeremonyError) -> &'static str {
    error.explain().code
}

#[test]
fn a_surrogate_approves_in_their_members_place() {
    let case = Case::new(&[0]);
    let named = case.name_as("bob", "grace").unwrap();
    let claim = named.delegation.unverified().clone();
    assert_eq!(claim.roles, [Role::ManifestSet, Role::ShareSet]);
    assert_eq!((claim.sequence, named.number), (1, 1));
    assert!(claim.expires.0 - claim.time.0 <= MAX_DELEGATION_MS);
    let done = case.approve("grace").unwrap();
    assert_eq!(done.published, Published::Written);
    assert_eq!(done.acting.unwrap().member.name, name("bob"));
    assert_eq!(
        case.approve("grace").unwrap().published,
        Published::AlreadyThere
    );
    let links = case.links();
    assert_eq!(links.ignored, []);
    let genesis = case.world.verified();
    let chain = walk_at(&genesis, &links.links, wall_clock()).unwrap();
    assert_eq!(chain.counts_until(), Some(claim.expires));
    let after = walk_at(&genesis, &links.links, UnixMillis(claim.expires.0 + 1));
    assert!(matches!(after, Err(ChainError::SurrogateExpired { .. })));
    // The list says what is there.
    let list = list::read(&case.folders.shared()).unwrap();
    let [one] = &list.delegations[..] else {
        panic!("{list:?}");
    };
    assert!(one.approved && !one.entrusted && one.refused.is_none());
    // What Bob does himself takes the place of it, for ever.
    case.approve("bob").unwrap();
    let links = case.links();
    assert_eq!(links.ignored, []);
    let chain = walk(&genesis, &links.links).unwrap();
    assert_eq!(chain.counts_until(), None);
    // Everybody's records hang together, the surrogate's too.
    let gathered = crate::transcript::gather(&case.folders.workspace()).unwrap();
    gathered
        .verify(&quorate_transcript::Expected::default())
        .unwrap();
}

#[test]
fn naming_who_may_not_act_fails_closed() {
    let case = Case::new(&[0]);
    case.folders.member(&case.world, 2, &case.world.pins(2));
    // A member.
    let carol = join::prepare(
        &case.folders.shared(),
        &case.private("carol"),
        &name("carol"),
        None,
    );
    carol.unwrap().join(passphrase(WORDS)).unwrap();
    let error = case.name_as("bob", "carol").unwrap_err();
    assert_eq!(code(&error), "surrogate-is-member");
    // Nobody's card.
    assert!(case.name_as("bob", "heidi").is_err());
    // A surrogate names a surrogate.
    case.name_as("bob", "grace").unwrap();
    case.join("heidi");
    let error = case.name_as("grace", "heidi").unwrap_err();
    let expected = StepError::NoSeat {
        name: name("grace"),
    };
    assert_eq!(error, expected.into());
    for (days, sequence) in [(0, None), (15, None), (7, Some(3)), (7, Some(0))] {
        let plan = name::Plan {
            surrogate: name("grace"),
            sequence,
            days,
        };
        let error = name::review(&case.folders.shared(), &case.private("bob"), &plan).unwrap_err();
        let expected = match sequence {
            None => StepError::DelegationDays { days },
            Some(sequence) => StepError::ManifestMissing { sequence },
        };
        assert_eq!(error, expected.into());
    }
}

#[test]
fn approving_without_a_delegation_that_counts_fails_closed() {
    let refused = |signer: usize, change: fn(&mut DelegationFields)| {
        let case = Case::new(&[0]);
        case.publish(signer, change);
        let error = case.approve("grace").unwrap_err();
        assert!(
            case.folders
                .workspace()
                .find_acting(1, &name("bob"))
                .unwrap()
                .is_none()
        );
        code(&error)
    };
    assert_eq!(
        refused(1, |f| f.expires = UnixMillis(f.time.0 + 1)),
        "surrogate-expired"
    );
    assert_eq!(
        refused(1, |f| f.genesis = Digest::from_bytes([7; 32])),
        "surrogate-other-genesis"
    );
    assert_eq!(
        refused(1, |f| f.roles = vec![Role::ShareSet]),
        "surrogate-other-role"
    );
    // Signed by somebody else, or there is none.
    assert_eq!(refused(0, |_| {}), "surrogate-signature");
    let case = Case::new(&[0]);
    assert_eq!(
        code(&case.approve("grace").unwrap_err()),
        "no-approval-needed"
    );
}

/// A file in Grace's place under a delegation that does not carry it is named and left out.
#[test]
fn a_forged_approval_by_a_surrogate_is_left_out_fails_closed() {
    let case = Case::new(&[0]);
    case.name_as("bob", "grace").unwrap();
    let (_, delegation) = case
        .folders
        .workspace()
        .delegations(1, &name("bob"))
        .unwrap()
        .pop()
        .unwrap();
    let approval = case.world.approval(&case.manifest, 2);
    let forged = quorate_protocol::surrogate::SurrogateApproval {
        delegation,
        approval,
    };
    case.folders.workspace().publish_acting(&forged).unwrap();
    let links = case.links();
    assert_eq!(links.links[0].surrogates, []);
    assert_eq!(links.ignored.len(), 1);
    assert_eq!(links.ignored[0].name, name("bob"));
    let error = case.approve("grace").unwrap_err();
    assert!(matches!(
        error,
        CeremonyError::Step(StepError::SignedWrong { .. })
    ));
}

/// An enclave that takes what a real one would: Grace's grant at Bob's index, under the delegation.
pub(in crate::steps) fn serve(case: &Case) -> Arc<Mutex<Vec<ProvisionRequest>>> {
    let received = Arc::<Mutex<Vec<ProvisionRequest>>>::default();
    let (log, world, instance) = (
        Arc::clone(&received),
        Arc::clone(&case.world),
        Instance::new(),
    );
    let manifest = case.manifest.clone();
    crate::fixture::enclave(&case.folders.socket(), move |request| match request {
        Request::Attest(request) => {
            let nonce = request.nonce.as_slice();
            Response::Attested(instance.attest(&world.nitro, &manifest, nonce))
        }
        Request::Provision(request) => {
            let delegation = request.delegation.as_ref().unwrap();
            let bob = &world.keys[1].public().signing;
            let key = delegation.verify(bob).unwrap().signing_key;
            let grant = request.grant.verify(&key).unwrap().clone();
            let context =
                provision_share_context(&grant.genesis, &grant.manifest, grant.index, &grant.epoch);
            let plain = open(
                request.sealed.suite,
                &instance.setup_decryption,
                context.info.as_bytes(),
                &context.aad,
                &request.sealed.sealed(),
                32,
            );
            assert_eq!(&plain.unwrap()[..], &world.shares[1].to_bytes()[..]);
            let receipt = instance.receipt(&request);
            log.lock().unwrap().push(request);
            Response::Provisioned(receipt)
        }
        _ => panic!("no other request"),
    });
    received
}

pub(in crate::steps) fn give(case: &Case) -> Result<provision::Given, CeremonyError> {
    let socket = case.folders.socket();
    let (shared, private) = (case.folders.shared(), case.private("grace"));
    provision::attest(&shared, &private, socket.as_path())?.give(passphrase(WORDS))
}

#[test]
fn a_surrogate_gives_the_share_that_was_entrusted_to_them() {
    let case = Case::new(&[0, 2]);
    let received = serve(&case);
    case.name_as("bob", "grace").unwrap();
    // A delegation alone gives no share.
    let nothing = StepError::NothingEntrusted {
        member: name("bob"),
        name: name("grace"),
    };
    assert_eq!(case.accept().unwrap_err(), nothing.clone().into());
    assert_eq!(give(&case).unwrap_err(), nothing.clone().into());
    let shared = case.share().unwrap();
    assert_eq!(shared.published, Published::Written);
    assert_eq!(case.share().unwrap().published, Published::AlreadyThere);
    // It is in the folder, and Grace has not checked and kept it.
    assert_eq!(give(&case).unwrap_err(), nothing.into());
    assert_eq!(case.accept().unwrap().kept, Published::Written);
    assert_eq!(case.accept().unwrap().kept, Published::AlreadyThere);
    let given = give(&case).unwrap();
    assert_eq!(given.index, case.world.shares[1].index());
    let delegation = given.provision.delegation.as_ref().unwrap();
    assert_eq!(delegation.unverified().member, name("bob"));
    assert_eq!(received.lock().unwrap().len(), 1);
}

/// Shares that are not what the delegation says: of another epoch, index, or sealed to somebody else.
#[test]
fn taking_a_share_that_is_not_the_members_fails_closed() {
    use quorate_protocol::surrogate::{EntrustedShare, surrogate_share_context};
    let refused = |signer: usize, other_share: bool, change: fn(&mut EntrustedShare)| {
        let case = Case::new(&[0, 2]);
        let delegation = case.publish(1, |_| {});
        let digest = Digest::of(&delegation);
        let share = &case.world.shares[usize::from(!other_share)];
        let (genesis, epoch) = (delegation.genesis, case.manifest.epoch);
        let index = case.world.shares[1].index();
        let context = surrogate_share_context(&genesis, &digest, index, &epoch);
        let sealed = crate::steps::seal_share(share, &delegation.encryption_key, &context).unwrap();
        let mut fields = EntrustedShare {
            genesis,
            delegation: digest,
            index,
            epoch,
            sealed,
            time: wall_clock(),
        };
        change(&mut fields);
        let signed = Signed::sign(fields, &case.world.keys[signer].signing_key());
        let workspace = case.folders.workspace();
        workspace
            .publish_entrusted(1, &name("bob"), 1, &signed)
            .unwrap();
        let error = case.accept().unwrap_err();
        assert!(!case.private("grace").join("entrusted").exists());
        error
    };
    let older = refused(1, false, |f| f.epoch = Digest::from_bytes([7; 32]));
    assert!(matches!(
        older,
        CeremonyError::Step(StepError::EpochRevoked { .. })
    ));
    let signed_wrong =
        |error: &CeremonyError| matches!(error, CeremonyError::Step(StepError::SignedWrong { .. }));
    let error = refused(1, false, |f| f.index = crate::fixture::index(1));
    assert!(signed_wrong(&error), "{error}");
    let error = refused(1, false, |f| f.delegation = Digest::from_bytes([7; 32]));
    assert!(signed_wrong(&error), "{error}");
    let error = refused(0, false, |_| {});
    assert!(signed_wrong(&error), "{error}");
    let error = refused(1, true, |_| {});
    assert!(
        matches!(error, CeremonyError::Step(StepError::ShareWrong { .. })),
        "{error}"
    );
}

/// A share is not sealed under a delegation whose time is over, or that names nobody.
#[test]
fn giving_a_share_without_a_delegation_that_counts_fails_closed() {
    let case = Case::new(&[0, 2]);
    let name: Name = name("grace");
    let missing = StepError::NoDelegation { name, sequence: 1 };
    assert_eq!(case.share().unwrap_err(), missing.into());
    case.publish(1, |f| f.expires = UnixMillis(f.time.0 + 1));
    let error = case.share().unwrap_err();
    assert!(
        matches!(
            error,
            CeremonyError::Surrogate(SurrogateError::Expired { .. })
        ),
        "{error}"
    );
}

/// The delegation travels with the grant: a coordinator who carries it without, or in another's name,
/// posts nothing.
#[test]
fn a_surrogate_without_a_network_gives_the_share_by_files() {
    use provision::carried::Found;
    let case = Case::new(&[0, 2]);
    let received = serve(&case);
    case.name_as("bob", "grace").unwrap();
    case.share().unwrap();
    case.accept().unwrap();
    let clock = Set::at(1_000);
    let (shared, private) = (case.folders.shared(), case.private("grace"));
    let find = || provision::carried::find(&shared, &private, &clock.shared(), false).unwrap();
    let carry = || {
        let errands = carry::look(&shared).unwrap();
        errands.run(|_| Ok(Address::from(&case.folders.socket())))
    };
    let Found::Ask(asking) = find() else {
        panic!("nothing was asked");
    };
    asking.ask().unwrap();
    assert_eq!(carry().done.len(), 1);
    let Found::Attested(step) = find() else {
        panic!("nothing was attested");
    };
    let way = step.seal(passphrase(WORDS)).unwrap();
    let made = std::fs::read(&way.file).unwrap();
    let whole: CarriedGrant = from_bytes(&made).unwrap();
    let (mut bare, mut other) = (whole.clone(), whole);
    bare.delegation = None;
    other.delegation = Some(Box::new({
        let mut fields = other.delegation.unwrap().unverified().clone().into_inner();
        fields.surrogate = name("heidi");
        Signed::sign(
            Checked::new(fields).unwrap(),
            &case.world.keys[1].signing_key(),
        )
    }));
    for altered in [bare, other] {
        std::fs::write(&way.file, to_bytes(&altered)).unwrap();
        let done = carry();
        assert!(done.done.is_empty(), "{:?}", done.done);
        let (who, error) = done.refused.into_iter().next().unwrap();
        let stranger = matches!(
            error,
            CeremonyError::Carried(CarriedError::OtherMember { .. })
        );
        assert!(stranger && who == name("grace"), "{error:?}");
    }
    assert!(received.lock().unwrap().is_empty());
    std::fs::write(&way.file, made).unwrap();
    assert_eq!(carry().done.len(), 1);
    let Found::Acknowledged(kept) = find() else {
        panic!("nothing was acknowledged");
    };
    let given = kept.keep().unwrap();
    let delegation = given.provision.delegation.as_ref().unwrap();
    assert_eq!(delegation.unverified().member, name("bob"));
    assert_eq!(given.index, case.world.shares[1].index());
    assert_eq!(received.lock().unwrap().len(), 1);
}
