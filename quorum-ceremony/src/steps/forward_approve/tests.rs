use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::forward::ApprovalRule;
use quorate_protocol::manifest::Approval;
use quorate_verify::chain::Rollback;

use quorate_verify::chain::walk;

use super::*;
use crate::fixture::{Folders, SIGNED, WORDS, World, measurements, passphrase};
use crate::pins::PinError;

fn policy(approvals: ApprovalRule) -> ForwardPolicy {
    ForwardPolicy {
        not_after: UnixMillis(u64::MAX >> 12),
        approvals,
    }
}

/// A link that both sets approved.
fn link(world: &World, manifest: &Manifest) -> Link {
    let mut link = world.link(manifest, &[0, 1]);
    for member in [0, 1] {
        let approval = Approval {
            role: Role::ShareSet,
            ..world.approval(manifest, member).unverified().clone()
        };
        let key = world.keys[member].signing_key();
        link.approvals.push(Signed::sign(approval, &key));
    }
    link
}

/// Two manifests, the first with this policy, the second of another image.
fn links(world: &World, policy: Option<ForwardPolicy>) -> Vec<Link> {
    let mut fields = world.manifest(None, b"app").into_inner();
    fields.forward = policy;
    let first = Checked::new(fields).unwrap();
    let mut fields = world.manifest(Some(&first), b"app").into_inner();
    fields.measurements = measurements(9);
    let second = Checked::new(fields).unwrap();
    vec![link(world, &first), link(world, &second)]
}

fn decided(world: &World, pins: &Pins, links: &[Link]) -> Result<Step, CeremonyError> {
    let chain = walk(&world.verified(), links).unwrap();
    let key = world.keys[0].public().signing;
    decide(pins, &key, &chain, links)
}

#[test]
fn a_holder_of_the_manifest_before_may_approve() {
    let world = World::new();
    let links = links(&world, Some(policy(ApprovalRule::Always)));
    let step = decided(&world, &world.pins(0), &links).unwrap();
    assert_eq!((step.from.sequence, step.to.sequence), (1, 2));
    assert_eq!(step.index, world.shares[0].index());
    assert_eq!(step.policy, policy(ApprovalRule::Always));
}

#[test]
fn a_forward_to_the_first_manifest_fails_closed() {
    let world = World::new();
    let links = links(&world, Some(policy(ApprovalRule::Always)));
    let refused = decided(&world, &world.pins(0), &links[..1]);
    assert_eq!(
        refused,
        Err(StepError::ForwardToFirst { sequence: 1 }.into())
    );
}

#[test]
fn approving_where_the_manifest_before_forwards_nothing_fails_closed() {
    let world = World::new();
    let refused = decided(&world, &world.pins(0), &links(&world, None));
    let expected = StepError::ForwardNotAllowed { sequence: 1 };
    assert_eq!(refused, Err(expected.into()));
}

#[test]
fn approving_what_the_policy_waives_fails_closed() {
    let world = World::new();
    let rule = policy(ApprovalRule::ExceptApplications);
    let mut links = links(&world, Some(rule));
    // The image is another: approvals are needed.
    assert!(decided(&world, &world.pins(0), &links).is_ok());
    let same = world.manifest(Some(&links[0].manifest), b"another application");
    links[1] = link(&world, &same);
    let refused = decided(&world, &world.pins(0), &links);
    assert_eq!(
        refused,
        Err(StepError::ForwardExempt { sequence: 2 }.into())
    );
}

#[test]
fn approving_with_another_key_fails_closed() {
    let world = World::new();
    let links = links(&world, Some(policy(ApprovalRule::Always)));
    let chain = walk(&world.verified(), &links).unwrap();
    let other = world.keys[1].public().signing;
    let refused = decide(&world.pins(0), &other, &chain, &links);
    let name = world.keys[0].name().clone();
    assert_eq!(refused, Err(StepError::KeysDiffer { name }.into()));
}

#[test]
fn approving_without_a_share_fails_closed() {
    let world = World::new();
    let links = links(&world, Some(policy(ApprovalRule::Always)));
    let chain = walk(&world.verified(), &links).unwrap();
    let name = crate::fixture::name("mallory");
    let key = world.keys[0].public().signing;
    let refused = decide(&Pins::new(name.clone()), &key, &chain, &links);
    assert_eq!(refused, Err(StepError::NoShare { name }.into()));
}

/// Whoever has seen manifest 2 does not approve that the key goes to another second one.
#[test]
fn approving_a_forward_that_leads_back_fails_closed() {
    let world = World::new();
    let links = links(&world, Some(policy(ApprovalRule::Always)));
    let mut pins = world.pins(0);
    let seen = quorate_verify::chain::HighestSeen {
        sequence: 2,
        digest: Digest::from_bytes([5; 32]),
    };
    pins.pin_manifest(seen).unwrap();
    let refused = decided(&world, &pins, &links);
    assert!(
        matches!(
            refused,
            Err(CeremonyError::Pin(PinError::Rollback(
                Rollback::SecondDigest { .. }
            )))
        ),
        "{refused:?}"
    );
}

/// What somebody wrote in the member's name stays, and the member is told.
#[test]
fn a_forged_approval_in_the_members_name_fails_closed() {
    let (world, folders) = (World::new(), Folders::new());
    let links = links(&world, Some(policy(ApprovalRule::Always)));
    folders.publish(&world, &links);
    folders.member(&world, 0, &world.pins(0));
    let (from, to) = (&links[0].manifest, &links[1].manifest);
    let forged = ForwardApproval {
        role: Role::ShareSet,
        genesis: from.genesis,
        from: Digest::of(from),
        to: Digest::of(to),
        index: world.shares[0].index(),
        time: SIGNED,
    };
    let forged = Signed::sign(forged, &world.keys[1].signing_key());
    let name = world.keys[0].name();
    let workspace = folders.workspace();
    workspace
        .publish_forward_approval(2, name, &forged)
        .unwrap();
    let (given, ignored) = workspace.forward_approvals(from, to).unwrap();
    assert_eq!((given.len(), ignored), (0, vec![name.clone()]));

    let review = || review(&folders.shared(), &folders.private(0), None).unwrap();
    let refused = review().approve(passphrase(WORDS));
    let expected = StepError::SignedWrong {
        name: name.clone(),
        role: None,
    };
    assert_eq!(refused, Err(expected.into()));
    let file = format!("manifests/0002/forwards/{name}.cbor");
    std::fs::remove_file(folders.shared().join(file)).unwrap();
    let first = review().approve(passphrase(WORDS)).unwrap();
    assert_eq!(first.published, Published::Written);
    let again = review().approve(passphrase(WORDS)).unwrap();
    assert_eq!(again.published, Published::AlreadyThere);
    let (given, ignored) = workspace.forward_approvals(from, to).unwrap();
    assert_eq!((given.len(), ignored.len()), (1, 0));
}

fn told(folders: &Folders) -> Vec<quorate_transcript::VerifiedRecord> {
    let gathered = crate::transcript::gather(&folders.workspace()).unwrap();
    let verified = gathered.verify(&quorate_transcript::Expected::default());
    verified.unwrap().records
}

/// What the record of an approval says, once however often the step is run.
#[test]
fn an_approval_is_told_once_with_both_manifests() {
    let (world, folders) = (World::new(), Folders::new());
    let links = links(&world, Some(policy(ApprovalRule::Always)));
    folders.publish(&world, &links);
    folders.member(&world, 0, &world.pins(0));
    let approve = || {
        let review = review(&folders.shared(), &folders.private(0), None).unwrap();
        review.approve(passphrase(WORDS)).unwrap()
    };
    approve();
    let records = told(&folders);
    let [record] = records.as_slice() else {
        panic!("{records:?}");
    };
    assert_eq!(record.act, Act::Forward);
    let (from, to) = (&links[0].manifest, &links[1].manifest);
    let given = folders.workspace().forward_approvals(from, to).unwrap().0;
    let expected = [
        object(given[0].digest()),
        object(world.verified().digest()),
        object(Digest::of(from)),
        object(Digest::of(to)),
        Fact::Role(Role::ShareSet),
        remark("from", "manifest 1").unwrap(),
        remark("to", "manifest 2").unwrap(),
    ];
    // The first line is the tool's.
    assert!(record.facts().skip(1).eq(&expected));

    assert_eq!(approve().published, Published::AlreadyThere);
    assert_eq!(told(&folders).len(), 1);
    // As if it had ended between approval and record.
    for folder in [folders.shared(), folders.private(0)] {
        std::fs::remove_dir_all(folder.join("transcript")).unwrap();
    }
    approve();
    let again = told(&folders);
    assert!(again[0].facts().skip(1).eq(&expected) && again.len() == 1);
}

/// A refusal that is somebody else's fault is told with the member's next signature.
#[test]
fn a_refused_forward_is_told() {
    let (world, folders) = (World::new(), Folders::new());
    let links = links(&world, Some(policy(ApprovalRule::Always)));
    folders.publish(&world, &links);
    let mut pins = world.pins(0);
    let seen = quorate_verify::chain::HighestSeen {
        sequence: 2,
        digest: Digest::from_bytes([5; 32]),
    };
    pins.pin_manifest(seen).unwrap();
    folders.member(&world, 0, &pins);
    let refused = review(&folders.shared(), &folders.private(0), None).unwrap_err();
    let private = crate::private::PrivateFolder::open(&folders.private(0)).unwrap();
    let notes = crate::transcript::waiting(&private).unwrap().0;
    let facts: Vec<_> = notes[0].lines.iter().map(|leaf| &leaf.fact).collect();
    assert_eq!((notes.len(), notes[0].act), (1, Act::Refusal));
    assert_eq!(facts[1], &Fact::During(Act::Forward));
    assert!(
        matches!(facts[2], Fact::Refused(code, _) if code.as_str() == refused.code()),
        "{facts:?}"
    );
}
