//! What an exporter refuses. The importers here are real; those that lie are in `puppet`.

use quorate_protocol::atoms::UnixMillis;
use quorate_protocol::cbor::Checked;
use quorate_protocol::cose::Signed;
use quorate_protocol::forward::{ApprovalRule, ExportRequest, ForwardApproval, ForwardChallenge};
use quorate_protocol::manifest::Link;
use quorate_protocol::message::{Reason, Request};

use crate::common::{Instance, Person, nonce, reason};
use crate::{Namespace, after, always, ask_export, document, export, import, link, same, until};

/// What a challenge, and an export under a nonce that nobody drew, are refused for.
fn both_refused(namespace: &mut Namespace) -> [Reason; 2] {
    let chain = [namespace.first.clone()];
    let exporter = namespace.run(&chain);
    let importer = namespace.boot(&chain);
    let request = ExportRequest {
        document: quorate_protocol::genesis::Document::new(
            importer
                .enclave
                .attest(quorate_protocol::message::Stage::Setup, &nonce()),
        )
        .unwrap(),
        link: None,
        approvals: Vec::new(),
    };
    let answers = [
        exporter.enclave.ask(&Request::Challenge),
        ask_export(&exporter.enclave, &request),
    ];
    // It runs on, and the importer can still be given shares.
    importer.provision(&namespace.world, &[0, 1]);
    exporter.await_running();
    answers.map(reason)
}

#[test]
fn a_manifest_without_forward_policy_fails_closed() {
    let mut namespace = Namespace::new(|fields| fields.forward = None);
    assert_eq!(both_refused(&mut namespace), [Reason::ForwardNotAllowed; 2]);
}

#[test]
fn a_forward_after_the_end_date_fails_closed() {
    let ended = until(1_700_000_000_000, ApprovalRule::Always);
    let mut namespace = Namespace::new(|fields| fields.forward = Some(ended));
    assert_eq!(both_refused(&mut namespace), [Reason::ForwardEnded; 2]);
}

/// An exporter of the first manifest and an importer of the second, with the honest request.
struct Step {
    namespace: Namespace,
    exporter: Instance,
    importer: Instance,
    second: Link,
}

impl Step {
    fn new() -> Self {
        let mut namespace = Namespace::new(|_| {});
        let second = namespace.second();
        let exporter = namespace.run(&[namespace.first.clone()]);
        let importer = namespace.boot(&[namespace.first.clone(), second.clone()]);
        Self {
            namespace,
            exporter,
            importer,
            second,
        }
    }

    fn request(&self) -> ExportRequest {
        let first = &self.namespace.first.manifest;
        ExportRequest {
            link: Some(self.second.clone()),
            approvals: self.namespace.approvals(first, &self.second.manifest),
            ..same(&self.exporter.enclave, &self.importer.enclave)
        }
    }

    /// Refuses the changed request, then takes the honest one for the same challenge.
    fn refuses(&self, change: impl FnOnce(&mut ExportRequest)) -> Reason {
        let honest = self.request();
        let mut request = honest.clone();
        change(&mut request);
        let refused = reason(ask_export(&self.exporter.enclave, &request));
        let forwarded = export(&self.exporter.enclave, &honest);
        assert_eq!(
            forwarded.record.unverified().count,
            1,
            "nothing was counted"
        );
        import(&self.importer.enclave, &forwarded);
        refused
    }
}

#[test]
fn an_importer_of_an_older_manifest_fails_closed() {
    let mut namespace = Namespace::new(|_| {});
    let (first, second) = (namespace.first.clone(), namespace.second());
    let exporter = namespace.run(&[first.clone(), second]);
    let importer = namespace.boot(std::slice::from_ref(&first));
    let request = ExportRequest {
        link: Some(first),
        ..same(&exporter.enclave, &importer.enclave)
    };
    let refused = reason(ask_export(&exporter.enclave, &request));
    assert_eq!(refused, Reason::ForwardOlder);
}

#[test]
fn an_importer_of_another_manifest_of_the_same_sequence_fails_closed() {
    let step = Step::new();
    let mut twin = step.namespace.first.manifest.clone().into_inner();
    twin.validity.not_before.0 += 1;
    let twin = link(&step.namespace.world, twin);
    let refused = step.refuses(|request| request.link = Some(twin));
    assert_eq!(refused, Reason::ForwardOtherManifest);
}

#[test]
fn an_importer_of_a_manifest_that_does_not_follow_directly_fails_closed() {
    let step = Step::new();
    let third = link(&step.namespace.world, after(&step.second.manifest));
    let refused = step.refuses(|request| request.link = Some(third));
    assert_eq!(refused, Reason::ForwardNotSuccessor);
}

#[test]
fn an_importer_of_another_genesis_fails_closed() {
    let step = Step::new();
    let other = Namespace::new(|_| {});
    let refused = step.refuses(|request| request.link = Some(other.first.clone()));
    assert_eq!(refused, Reason::ForwardOtherGenesis);
}

#[test]
fn a_successor_that_nobody_approved_fails_closed() {
    let step = Step::new();
    let refused = step.refuses(|request| {
        request.link.as_mut().unwrap().approvals.clear();
    });
    assert_eq!(refused, Reason::ApprovalsMissing);
}

#[test]
fn a_successor_with_a_spoilt_approval_fails_closed() {
    let step = Step::new();
    let refused = step.refuses(|request| {
        let approvals = &mut request.link.as_mut().unwrap().approvals;
        approvals[1] = approvals[0].clone();
    });
    assert_eq!(refused, Reason::ApprovalInvalid);
}

/// The document is of the successor, the request is not.
#[test]
fn an_importer_of_another_manifest_than_is_said_fails_closed() {
    let step = Step::new();
    let refused = step.refuses(|request| request.link = None);
    assert_eq!(refused, Reason::ForwardKeys);
}

#[test]
fn too_few_approvals_of_a_forward_fails_closed() {
    let step = Step::new();
    let refused = step.refuses(|request| request.approvals.truncate(1));
    assert_eq!(refused, Reason::ForwardApprovalsMissing);
}

#[test]
fn approvals_of_the_manifest_in_place_of_forward_approvals_fails_closed() {
    let step = Step::new();
    // Enough people of the share set approved the manifest itself, in that very role.
    let refused = step.refuses(|request| request.approvals.clear());
    assert_eq!(refused, Reason::ForwardApprovalsMissing);
}

#[test]
fn a_repeated_approval_of_a_forward_fails_closed() {
    let step = Step::new();
    let refused = step.refuses(|request| request.approvals[1] = request.approvals[0].clone());
    assert_eq!(refused, Reason::ForwardApprovalRepeated);
}

/// One approval that is changed and signed by somebody.
fn with_approval(change: impl FnOnce(&mut ForwardApproval), by: Option<&Person>) -> Reason {
    let step = Step::new();
    let own = &step.namespace.world.people[0].signing;
    step.refuses(|request| {
        let mut approval = request.approvals[0].unverified().clone();
        change(&mut approval);
        let key = by.map_or(own, |person| &person.signing);
        request.approvals[0] = Signed::sign(approval, key);
    })
}

#[test]
fn an_approval_of_a_forward_by_a_stranger_fails_closed() {
    let stranger = Person::new("mallory", 9);
    let refused = with_approval(|a| a.index = stranger.index, Some(&stranger));
    assert_eq!(refused, Reason::ForwardApprovalOfStranger);
}

#[test]
fn an_approval_of_a_forward_in_a_members_name_fails_closed() {
    let stranger = Person::new("mallory", 1);
    let refused = with_approval(|_| {}, Some(&stranger));
    assert_eq!(refused, Reason::ForwardApprovalSignature);
}

#[test]
fn an_approval_of_another_forward_fails_closed() {
    let refused = with_approval(|a| core::mem::swap(&mut a.from, &mut a.to), None);
    assert_eq!(refused, Reason::ForwardApprovalOfAnother);
}

#[test]
fn a_nonce_of_somebody_else_fails_closed() {
    let step = Step::new();
    let importer = &step.importer.enclave;
    let refused = step.refuses(|request| {
        let other = ForwardChallenge {
            nonce: nonce(),
            expires: UnixMillis(u64::MAX),
        };
        request.document = document(importer, &other);
    });
    assert_eq!(refused, Reason::ForwardNonce);
}

#[test]
fn a_replaced_challenge_fails_closed() {
    let mut namespace = Namespace::new(|_| {});
    let chain = [namespace.first.clone()];
    let (exporter, importer) = (namespace.run(&chain), namespace.boot(&chain));
    let (exporter, importer) = (&exporter.enclave, &importer.enclave);
    let stale = same(exporter, importer);
    let fresh = same(exporter, importer);
    assert_eq!(reason(ask_export(exporter, &stale)), Reason::ForwardNonce);
    export(exporter, &fresh);
}

#[test]
fn a_challenge_that_was_used_fails_closed() {
    let mut namespace = Namespace::new(|_| {});
    let chain = [namespace.first.clone()];
    let (exporter, importer) = (namespace.run(&chain), namespace.boot(&chain));
    let (exporter, importer) = (&exporter.enclave, &importer.enclave);
    let request = same(exporter, importer);
    let forwarded = export(exporter, &request);
    assert_eq!(reason(ask_export(exporter, &request)), Reason::ForwardNonce);
    import(importer, &forwarded);
}

#[test]
fn an_importer_of_another_role_fails_closed() {
    let mut namespace = Namespace::new(|_| {});
    let chain = [namespace.first.clone()];
    let exporter = namespace.run(&chain);
    for role in [Some("arn:aws:iam::999999999999:role/quorate"), None] {
        namespace.world.role = role.map(str::to_owned);
        let importer = namespace.boot(&chain);
        let request = same(&exporter.enclave, &importer.enclave);
        let refused = reason(ask_export(&exporter.enclave, &request));
        assert_eq!(refused, Reason::ForwardOtherAccount);
    }
    namespace.world.role = Some(crate::ROLE.to_owned());
    let importer = namespace.boot(&chain);
    crate::replace(&exporter, &importer);
}

/// Without a role there is nothing to tell two accounts apart.
#[test]
fn an_exporter_without_a_role_fails_closed() {
    let mut world = crate::world();
    world.role = None;
    let (record, shares) = world.genesis();
    let mut namespace = Namespace::of(world, record, shares, |_| {});
    let chain = [namespace.first.clone()];
    let (exporter, importer) = (namespace.run(&chain), namespace.boot(&chain));
    let request = same(&exporter.enclave, &importer.enclave);
    let refused = reason(ask_export(&exporter.enclave, &request));
    assert_eq!(refused, Reason::ForwardOtherAccount);
}

#[test]
fn requests_of_a_forward_in_the_wrong_phase_fails_closed() {
    let mut namespace = Namespace::new(|_| {});
    let chain = [namespace.first.clone()];
    let exporter = namespace.run(&chain);
    let importer = namespace.boot(&chain);
    let waiting = namespace.world.start();
    let request = same(&exporter.enclave, &importer.enclave);
    for enclave in [&importer.enclave, &waiting] {
        assert_eq!(reason(enclave.ask(&Request::Challenge)), Reason::WrongPhase);
        assert_eq!(reason(ask_export(enclave, &request)), Reason::WrongPhase);
    }
    let forwarded = export(&exporter.enclave, &request);
    for enclave in [&exporter.enclave, &waiting] {
        let refused = reason(crate::ask_import(enclave, &forwarded));
        assert_eq!(refused, Reason::WrongPhase);
    }
    let confirmed = import(&importer.enclave, &forwarded);
    let refused = reason(crate::ask_hand_over(&waiting, &confirmed));
    assert_eq!(refused, Reason::WrongPhase);
    crate::hand_over(&exporter.enclave, &confirmed);
}

/// Hundreds of bad requests cost nothing but time.
#[test]
fn three_hundred_bad_exports_fails_closed() {
    let step = Step::new();
    let honest = step.request();
    let mut bad = honest.clone();
    bad.approvals[0] = bad.approvals[1].clone();
    for _ in 0..100 {
        let refused = reason(ask_export(&step.exporter.enclave, &bad));
        assert_eq!(refused, Reason::ForwardApprovalRepeated);
    }
    let mut bad = honest.clone();
    bad.document = quorate_protocol::genesis::Document::new(vec![0x84; 4096]).unwrap();
    for _ in 0..100 {
        let refused = reason(ask_export(&step.exporter.enclave, &bad));
        assert_eq!(refused, Reason::ForwardDocument);
    }
    let mut bad = honest.clone();
    let mut third = after(&step.second.manifest);
    third.forward = Some(always());
    bad.link = Some(Link {
        manifest: Checked::new(third).unwrap(),
        approvals: Vec::new(),
        reshare: None,
        surrogates: Vec::new(),
    });
    for _ in 0..100 {
        let refused = reason(ask_export(&step.exporter.enclave, &bad));
        assert_eq!(refused, Reason::ForwardNotSuccessor);
    }
    let forwarded = export(&step.exporter.enclave, &honest);
    assert_eq!(forwarded.record.unverified().count, 1);
    import(&step.importer.enclave, &forwarded);
}
