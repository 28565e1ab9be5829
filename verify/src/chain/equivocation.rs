//! Members who approved two manifests under one number.
//!
//! Only approvals that [`walk`](super::walk) has verified count, so nobody can be made to look
//! guilty.

use quorate_protocol::atoms::Name;
use quorate_protocol::digest::Digest;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Manifest;
use quorate_protocol::members::Role;

use super::VerifiedChain;

/// One member approved two manifests of one sequence in one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// Who.
    pub name: Name,
    /// The key that verified both approvals.
    pub signing_key: VerificationKey,
    /// In which role.
    pub role: Role,
    /// The sequence of both manifests.
    pub sequence: u64,
    /// The two manifests.
    pub manifests: [Digest<Manifest>; 2],
}

/// Who approved different manifests of one sequence in two verified chains of one namespace.
/// Chains of different namespaces have nothing to do with each other: the list is empty.
#[must_use]
pub fn equivocations(one: &VerifiedChain, other: &VerifiedChain) -> Vec<Equivocation> {
    if one.genesis != other.genesis {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (left, right) in one.links.iter().zip(&other.links) {
        if left.successor.digest == right.successor.digest {
            continue;
        }
        for role in [Role::ManifestSet, Role::ShareSet] {
            for approver in left.approvers.in_role(role) {
                let both = right
                    .approvers
                    .in_role(role)
                    .any(|second| second.signing_key == approver.signing_key);
                if both {
                    found.push(Equivocation {
                        name: approver.name.clone(),
                        signing_key: approver.signing_key,
                        role,
                        sequence: left.successor.sequence,
                        manifests: [left.successor.digest, right.successor.digest],
                    });
                }
            }
        }
    }
    found
}
