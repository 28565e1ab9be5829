//! Independent rebuilds: how many of whom made the same image of the same source.
//!
//! Guarantees: [`verify`] accepts an image only if at least the policy's threshold of its rebuilders
//! signed that one source and one lock give exactly these measurements. A rebuilder counts once,
//! whatever they sent; one who signed two results of one source is not believed at all.
//!
//! Trusts: that fewer than the threshold of the policy's rebuilders lie or share a broken machine.
//!
//! Does not: say that the source is good, or that nobody else got another result. Rebuilders of the
//! policy who did are listed; that is somebody's alarm, and the threshold decides whether it is enough.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use quorate_protocol::atoms::{Name, Pcr, Sha256};
use quorate_protocol::cose::Signed;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::rebuild::{Commit, Rebuild};
use thiserror::Error;

use crate::text::Listed;

extern crate alloc;

/// Most rebuilders a policy names.
pub const MAX_REBUILDERS: usize = 64;
/// Most statements that are looked at.
pub const MAX_STATEMENTS: usize = 256;

/// Somebody whose rebuilds count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilder {
    /// What the policy calls them.
    pub name: Name,
    /// Verifies their statements.
    pub key: VerificationKey,
}

/// Whose rebuilds count, and how many have to agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuilderPolicy {
    threshold: usize,
    rebuilders: Vec<Rebuilder>,
}

/// Why a policy is none. The fault is with whoever wrote it.
#[non_exhaustive]
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PolicyError {
    /// Nobody, or too many.
    #[error("the policy names {found} rebuilders; 1 to {MAX_REBUILDERS} are allowed")]
    Count {
        /// How many.
        found: usize,
    },
    /// One key under two names, or one name for two keys.
    #[error("{name} stands twice in the policy, by name or by key")]
    Twice {
        /// The second of them.
        name: Name,
    },
    /// A threshold nobody or everybody fulfils.
    #[error("the threshold is {threshold}, of {rebuilders} rebuilders")]
    Threshold {
        /// The threshold.
        threshold: usize,
        /// How many rebuilders there are.
        rebuilders: usize,
    },
}

impl RebuilderPolicy {
    /// A policy of `threshold` out of `rebuilders`.
    ///
    /// # Errors
    /// If it names nobody or somebody twice, or could not be fulfilled.
    pub fn new(threshold: usize, rebuilders: Vec<Rebuilder>) -> Result<Self, PolicyError> {
        let found = rebuilders.len();
        if found == 0 || found > MAX_REBUILDERS {
            return Err(PolicyError::Count { found });
        }
        for (place, one) in rebuilders.iter().enumerate() {
            let mut before = rebuilders.iter().take(place);
            if before.any(|other| other.name == one.name || other.key == one.key) {
                let name = one.name.clone();
                return Err(PolicyError::Twice { name });
            }
        }
        if threshold == 0 || threshold > found {
            return Err(PolicyError::Threshold {
                threshold,
                rebuilders: found,
            });
        }
        Ok(Self {
            threshold,
            rebuilders,
        })
    }

    /// How many have to agree.
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// Whose statements count.
    pub fn rebuilders(&self) -> &[Rebuilder] {
        &self.rebuilders
    }

    fn name(&self, key: &VerificationKey) -> Option<&Name> {
        let mut rebuilders = self.rebuilders.iter();
        let found = rebuilders.find(|rebuilder| rebuilder.key == *key);
        found.map(|rebuilder| &rebuilder.name)
    }
}

/// The image that is to be believed in, and what is known of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// PCR0, 1 and 2.
    pub registers: [Pcr; 3],
    /// The source it must come from, where the caller knows.
    pub commit: Option<Commit>,
    /// The lock it must come from, where the caller knows.
    pub lock: Option<Sha256>,
}

/// Enough rebuilders agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The source.
    pub commit: Commit,
    /// The lock of all other inputs.
    pub lock: Sha256,
    /// Who built it and got these measurements, in the policy's order.
    pub agreeing: Vec<Name>,
    /// Who built the same source with the same lock and got others.
    pub dissenting: Vec<Name>,
    /// Statements of people the policy does not name; they counted for nothing.
    pub unknown: usize,
}

/// Why an image is not believed to come from a source.
#[non_exhaustive]
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RebuildsError {
    /// One rebuilder signed two results of one source.
    #[error("{name} signed two different results of one source and lock: do not rely on them")]
    Equivocation {
        /// Who.
        name: Name,
    },
    /// A statement in a rebuilder's name that they did not sign.
    #[error("a statement in the name of {name} does not carry their signature")]
    Forged {
        /// In whose name.
        name: Name,
    },
    /// Not enough agree.
    #[error(
        "{} of {threshold} rebuilders needed got these measurements: {}; got others: {}",
        agreeing.len(), Listed(agreeing), Listed(dissenting)
    )]
    TooFew {
        /// Who agrees, on the source most of them name.
        agreeing: Vec<Name>,
        /// Who built that source and got something else.
        dissenting: Vec<Name>,
        /// How many are needed.
        threshold: usize,
    },
    /// More statements than are looked at.
    #[error("{found} statements; at most {MAX_STATEMENTS} are looked at")]
    TooMany {
        /// How many.
        found: usize,
    },
}

/// One source with one lock.
type Source<'a> = (&'a [u8], Sha256);

/// Decides whether enough rebuilders made `claim`'s measurements of one source.
///
/// # Errors
/// If too few did, or a statement is forged, or one of them signed two results.
pub fn verify(
    policy: &RebuilderPolicy,
    claim: &Claim,
    statements: &[Signed<Rebuild>],
) -> Result<Rebuilt, RebuildsError> {
    let found = statements.len();
    if found > MAX_STATEMENTS {
        return Err(RebuildsError::TooMany { found });
    }
    // What each rebuilder got of each source.
    let mut results: BTreeMap<Source<'_>, BTreeMap<&Name, &Rebuild>> = BTreeMap::new();
    let mut unknown = 0_usize;
    for signed in statements {
        let Some(name) = policy.name(&signed.unverified().rebuilder) else {
            unknown = unknown.saturating_add(1);
            continue;
        };
        let statement = signed
            .verify_self()
            .map_err(|_| RebuildsError::Forged { name: name.clone() })?;
        let source = (statement.commit.as_slice(), statement.lock);
        let of_source = results.entry(source).or_default();
        if let Some(before) = of_source.insert(name, statement)
            && before != statement
        {
            return Err(RebuildsError::Equivocation { name: name.clone() });
        }
    }
    let wanted = |(commit, lock): &Source<'_>| {
        claim
            .commit
            .as_ref()
            .is_none_or(|it| it.as_slice() == *commit)
            && claim.lock.is_none_or(|it| it == *lock)
    };
    let mut best: Option<(&Rebuild, Vec<Name>, Vec<Name>)> = None;
    for (_, of_source) in results.iter().filter(|(source, _)| wanted(source)) {
        let (mut agreeing, mut dissenting) = (Vec::new(), Vec::new());
        let mut sample = None;
        for rebuilder in &policy.rebuilders {
            match of_source.get(&rebuilder.name) {
                None => {}
                Some(statement) if registers(statement) == claim.registers => {
                    agreeing.push(rebuilder.name.clone());
                    sample = Some(*statement);
                }
                Some(_) => dissenting.push(rebuilder.name.clone()),
            }
        }
        let sample = sample.or_else(|| of_source.values().next().copied());
        let better = best
            .as_ref()
            .is_none_or(|(_, before, _)| agreeing.len() > before.len());
        if let Some(sample) = sample
            && better
        {
            best = Some((sample, agreeing, dissenting));
        }
    }
    match best {
        Some((statement, agreeing, dissenting)) if agreeing.len() >= policy.threshold => {
            Ok(Rebuilt {
                commit: statement.commit.clone(),
                lock: statement.lock,
                agreeing,
                dissenting,
                unknown,
            })
        }
        other => {
            let (agreeing, dissenting) = other.map_or_else(Default::default, |(_, a, d)| (a, d));
            Err(RebuildsError::TooFew {
                agreeing,
                dissenting,
                threshold: policy.threshold,
            })
        }
    }
}

const fn registers(statement: &quorate_protocol::rebuild::RebuildFields) -> [Pcr; 3] {
    [statement.pcr0, statement.pcr1, statement.pcr2]
}
