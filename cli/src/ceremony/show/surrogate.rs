//! What the steps of surrogates show.

use quorate_protocol::cose::Signed;
use quorate_protocol::members::Role;
use quorate_protocol::surrogate::{Delegation, DelegationFields};
use quorate_quorum_ceremony::steps::surrogate::accept::{self, Accepted};
use quorate_quorum_ceremony::steps::surrogate::list::{List, Listed};
use quorate_quorum_ceremony::steps::surrogate::name::{self, Named};
use quorate_quorum_ceremony::steps::surrogate::share::{self, Shared};
use quorate_quorum_ceremony::workspace::role_name;
use quorate_screens::{Change, ChangeKind};
use serde_json::json;

use super::{time, title};
use crate::ceremony::report::Report;
use crate::output::hex;

/// What everybody should know before a share is given.
const FOR_GOOD: &str = "THIS CANNOT BE TAKEN BACK before the next resharing: whoever has a share once \
     has it for good, whatever becomes of the delegation";

/// A delegation, in full.
fn delegation(report: Report, delegation: &DelegationFields) -> Report {
    let roles = delegation.roles.iter().map(|role| role_name(*role));
    let roles: Vec<String> = roles.map(str::to_owned).collect();
    let value = json!(roles);
    report
        .fact("member", "for", &delegation.member)
        .fact("surrogate", "surrogate", &delegation.surrogate)
        .row("roles", "in the", roles, value)
        .number("sequence", "for manifest", delegation.sequence)
        .row(
            "expires",
            "until, by the enclave's time",
            vec![time(delegation.expires)],
            delegation.expires.0.into(),
        )
        .fact("genesis", "genesis digest", delegation.genesis)
        .fact(
            "signing_key",
            "surrogate's signing key",
            delegation.signing_key,
        )
}

/// In whose place something is done.
pub(super) fn acting(report: Report, delegation: Option<&Signed<Delegation>>) -> Report {
    let Some(delegation) = delegation else {
        return report;
    };
    let claim = delegation.unverified();
    report
        .fact("for_member", "FOR THE MEMBER", &claim.member)
        .row(
            "until",
            "as their surrogate until",
            vec![time(claim.expires)],
            claim.expires.0.into(),
        )
}

pub(in crate::ceremony) fn delegation_review(step: &name::Review) -> Report {
    let report = Report::new(
        "surrogate name",
        "you are about to let somebody act for you",
    )
    .fact("fingerprint", "fingerprint", step.digest());
    delegation(report, step.delegation())
        .development(step.definition().attestation_root.is_development())
        .note("what they do counts as yours, once; it cannot be taken back before its end")
        .note("compare their key by voice: it is what you sign")
        .note("your share stays with you: giving it is a step of its own")
}

pub(in crate::ceremony) fn delegated(done: &Named) -> Report {
    let report = Report::new("surrogate name", title("your delegation", done.published)).fact(
        "fingerprint",
        "fingerprint",
        done.delegation.digest(),
    );
    let claim: &Delegation = done.delegation.unverified();
    delegation(report, claim)
        .development(done.development)
        .next(format!(
            "{}: quorate ceremony approve; to let them give your share: quorate ceremony surrogate \
             share {}",
            claim.surrogate, claim.surrogate
        ))
}

pub(in crate::ceremony) fn entrust_review(step: &share::Review) -> Report {
    let (index, epoch) = step.share();
    let report = Report::new(
        "surrogate share",
        "you are about to give your share out of your hands",
    )
    .fact("fingerprint", "fingerprint", step.digest())
    .number("index", "your index", index.0.get().into())
    .fact("epoch", "epoch", epoch);
    let to = step.delegation().encryption_key.to_compressed();
    delegation(report, step.delegation())
        .fact("encryption_key", "sealed to the key", hex(&to))
        .development(step.definition().attestation_root.is_development())
        .note(FOR_GOOD)
}

/// What giving a share changes, for a screen.
pub(in crate::ceremony) fn entrust_changes(step: &share::Review) -> Vec<Change> {
    let delegation = step.delegation();
    let surrogate = &delegation.surrogate;
    let change = |kind, words: String| Change {
        kind,
        words: words.into(),
    };
    vec![
        change(ChangeKind::Grave, format!("{surrogate} GETS YOUR SHARE")),
        change(ChangeKind::Grave, FOR_GOOD.to_owned()),
        change(
            ChangeKind::Added,
            format!(
                "{surrogate} may give it to enclaves that run manifest {}, until {} by the enclave's \
                 time",
                delegation.sequence,
                time(delegation.expires)
            ),
        ),
    ]
}

pub(in crate::ceremony) fn entrusted(done: &Shared) -> Report {
    let claim = done.delegation.unverified();
    let share = done.share.unverified();
    let report = Report::new(
        "surrogate share",
        title("your share for your surrogate", done.published),
    )
    .number("index", "your index", share.index.get().into())
    .fact("epoch", "epoch", share.epoch);
    delegation(report, claim)
        .development(done.development)
        .note(FOR_GOOD)
        .next(format!(
            "{}: quorate ceremony surrogate accept",
            claim.surrogate
        ))
}

pub(in crate::ceremony) fn accept_review(step: &accept::Review) -> Report {
    let share = step.share().unverified();
    let report = Report::new(
        "surrogate accept",
        "you are about to take the share of a member",
    )
    .fact("fingerprint", "fingerprint", step.digest())
    .number("index", "their index", share.index.get().into())
    .fact("epoch", "epoch", share.epoch);
    delegation(report, step.delegation())
        .development(step.definition().attestation_root.is_development())
        .note("it is yours to guard until the members share the key anew")
}

pub(in crate::ceremony) fn accepted(done: &Accepted) -> Report {
    let share = done.share.unverified();
    let report = Report::new(
        "surrogate accept",
        "the share fits the commitments and is kept",
    )
    .number("index", "their index", share.index.get().into())
    .fact("epoch", "epoch", share.epoch);
    delegation(report, done.delegation.unverified())
        .development(done.development)
        .next("when the enclave waits for shares: quorate ceremony provision")
}

pub(in crate::ceremony) fn delegations(done: &List) -> Report {
    let lines = done.delegations.iter().map(line).collect();
    let values = done.delegations.iter().map(|one| {
        let claim = one.delegation.unverified();
        let roles: Vec<&str> = claim.roles.iter().map(|role| role_name(*role)).collect();
        json!({
            "member": claim.member.as_str(),
            "surrogate": claim.surrogate.as_str(),
            "roles": roles,
            "sequence": claim.sequence,
            "expires": claim.expires.0,
            "digest": one.delegation.digest().to_string(),
            "counts": one.refused.is_none(),
            "refused": one.refused.as_ref().map(|error| error.code()),
            "entrusted": one.entrusted,
            "approved": one.approved,
        })
    });
    Report::new(
        "surrogate list",
        "what the folder shows; the ends are compared with the clock of this computer",
    )
    .row("delegations", "surrogates", lines, values.collect())
    .development(done.definition.attestation_root.is_development())
}

fn line(one: &Listed) -> String {
    let claim = one.delegation.unverified();
    let state = match &one.refused {
        None => "counts".to_owned(),
        Some(error) => format!("DOES NOT COUNT: {error}"),
    };
    let roles: Vec<&str> = claim
        .roles
        .iter()
        .map(|role: &Role| role_name(*role))
        .collect();
    let mut did = Vec::new();
    if one.entrusted {
        did.push("has been sealed the share");
    }
    if one.approved {
        did.push("an approval is there");
    }
    let did = match did.as_slice() {
        [] => String::new(),
        did => format!("; {}", did.join(", ")),
    };
    format!(
        "manifest {}: {} for {} ({}) until {}; {state}{did}",
        claim.sequence,
        claim.surrogate,
        claim.member,
        roles.join(", "),
        time(claim.expires)
    )
}
