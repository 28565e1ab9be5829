//! Surrogates as authors: somebody without a seat who acts for a member.
//!
//! A surrogate who approved a manifest stands in the chain, with the delegation. One who only took or gave a
//! share stands nowhere but in evidence; so a surrogate's own records **show** the delegation, in a line of
//! its own ([`line()`]). Their key is an author's if such a line holds: it names this very key, is signed by a
//! member who has a seat where it says, and breaks no rule of [`quorate_verify::surrogate`]
//! ([`may_write`]). A file is thus complete by itself, and what is withheld from it is never such a line.
//!
//! What a surrogate then does in a member's place, an approval or a gift of the share, must be covered: for
//! the manifest of the delegation, in a role it gives, and before its end. A transcript has no time but what
//! its authors say, so the end is that by the surrogate's own clock, within [`CLOCK_TOLERANCE_MS`]; whether
//! the share counted is for the enclave and for who reads its evidence. What else they write (a refusal,
//! that they read the transcript) is theirs to say at any time, as it is for a member who left.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use quorate_protocol::atoms::{Name, Sha256, UnixMillis};
use quorate_protocol::cbor::{Object as _, from_bytes, to_bytes};
use quorate_protocol::cose::Signed;
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::{Link, Manifest};
use quorate_protocol::members::{MemberSet, Role};
use quorate_protocol::provision::ShareGrant;
use quorate_protocol::surrogate::Delegation;
use quorate_protocol::transcript::{Act, Entry, Fact, Sentence, Word};
use quorate_verify::surrogate::{Place, SurrogateError, check};

use crate::error::TranscriptError;
use crate::verify::{CLOCK_TOLERANCE_MS, Line, Taken};

/// What such a line is about.
const ABOUT: &str = "delegation";

/// The line that shows a delegation: the signed object in base64url without padding. None for one that no
/// line can hold; the largest delegation there can be fits.
#[must_use]
pub fn line(delegation: &Signed<Delegation>) -> Option<Fact> {
    let text = Base64UrlUnpadded::encode_string(&to_bytes(delegation));
    Some(Fact::Remark(
        Word::new(ABOUT).ok()?,
        Sentence::new(&text).ok()?,
    ))
}

/// The delegation that a line shows, if it is one. Nothing of it is verified.
#[must_use]
pub fn shown(fact: &Fact) -> Option<Signed<Delegation>> {
    let Fact::Remark(about, text) = fact else {
        return None;
    };
    if about.as_str() != ABOUT {
        return None;
    }
    let bytes = Base64UrlUnpadded::decode_vec(text.as_str()).ok()?;
    from_bytes(&bytes).ok()
}

/// The ceremony in which somebody would act.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The namespace.
    pub genesis: Digest<Genesis>,
    /// What everybody consented to.
    pub definition: &'a Definition,
    /// The approved manifests.
    pub chain: &'a [Link],
}

impl<'a> Scene<'a> {
    /// Both sets as manifest `sequence` leaves them; 0 is the definition, and one that is not there is the
    /// newest.
    fn sets(&self, sequence: u64) -> [&'a MemberSet; 2] {
        let at = usize::try_from(sequence).unwrap_or(usize::MAX);
        let at = at.min(self.chain.len());
        let link = at.checked_sub(1).and_then(|at| self.chain.get(at));
        match link {
            Some(link) => [&link.manifest.manifest_set, &link.manifest.share_set],
            None => [&self.definition.manifest_set, &self.definition.share_set],
        }
    }

    /// Every set there ever was, the oldest first.
    pub fn all_sets(&self) -> impl Iterator<Item = &'a MemberSet> {
        let last = self.next().saturating_sub(1);
        let scene = *self;
        (0..=last).flat_map(move |sequence| scene.sets(sequence))
    }

    /// The manifest that comes after the newest.
    fn next(&self) -> u64 {
        let approved = u64::try_from(self.chain.len()).unwrap_or(u64::MAX);
        approved.saturating_add(1)
    }
}

/// Whether a delegation makes its surrogate an author here. Its end is not looked at: who was an author once
/// has written what they have written.
///
/// # Errors
/// The first rule that is broken.
pub fn may_write(scene: &Scene<'_>, delegation: &Signed<Delegation>) -> Result<(), SurrogateError> {
    let claim = delegation.unverified();
    // Of a later manifest than the next one, nobody knows who has a seat there.
    let sequence = claim.sequence.min(scene.next());
    let before = scene.sets(sequence.saturating_sub(1));
    // A share is given to what runs: of a manifest that is not approved yet, by the sets before it.
    let places = [
        (Role::ManifestSet, before),
        (Role::ShareSet, scene.sets(sequence)),
        (Role::ShareSet, before),
    ];
    let mut refused = SurrogateError::Signature {
        surrogate: claim.surrogate.clone(),
        member: claim.member.clone(),
    };
    for (role, sets) in places {
        let [manifest_set, share_set] = sets;
        let people = match role {
            Role::ManifestSet => manifest_set,
            Role::ShareSet => share_set,
        };
        let Some(member) = people.named(&claim.member) else {
            continue;
        };
        if !claim.roles.contains(&role) {
            continue;
        }
        let place = Place {
            genesis: scene.genesis,
            sequence,
            role,
            member,
            sets,
        };
        match check(&place, delegation, &[]) {
            Ok(_) => return Ok(()),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The delegations under which an entry shows its author to write. Not whether they hold.
fn shown_by(entry: &Entry) -> impl Iterator<Item = Signed<Delegation>> {
    let record = entry.record.unverified();
    let own =
        move |delegation: &Signed<Delegation>| delegation.unverified().signing_key == record.author;
    let lines = entry.openings.iter().filter(|opening| {
        let line = record.lines.get(usize::from(opening.line));
        line == Some(&Digest::of(&opening.leaf))
    });
    lines
        .filter_map(|opening| shown(&opening.leaf.fact))
        .filter(own)
}

/// Whether an entry is by this key and shows a delegation that makes it an author's.
#[must_use]
pub fn shows_delegation(scene: &Scene<'_>, entry: &Entry, key: &VerificationKey) -> bool {
    let own = entry.record.unverified().author == *key && entry.record.verify(key).is_ok();
    own && shown_by(entry).any(|delegation| may_write(scene, &delegation).is_ok())
}

/// An author who is nobody's member, and every delegation that they showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acting {
    pub(crate) name: Name,
    pub(crate) key: VerificationKey,
    delegations: Vec<Delegation>,
}

/// Who acts for somebody, and whose delegation does not hold.
#[derive(Default)]
pub(crate) struct Surrogates {
    pub(crate) acting: Vec<Acting>,
    refused: Vec<(VerificationKey, SurrogateError)>,
}

impl Surrogates {
    /// Those whom the records themselves show, and those who approved a manifest of the chain, of whom none
    /// has a seat.
    pub(crate) fn find(
        scene: Option<&Scene<'_>>,
        seats: &[(Name, VerificationKey)],
        entries: &[Entry],
    ) -> Self {
        let mut found = Self::default();
        let Some(scene) = scene else {
            return found;
        };
        let is_seat = |key: &VerificationKey| seats.iter().any(|(_, seat)| seat == key);
        // The chain was verified: each of these counted there.
        for acting in scene.chain.iter().flat_map(|link| &link.surrogates) {
            let delegation = acting.delegation.unverified();
            if !is_seat(&delegation.signing_key) {
                found.add(delegation);
            }
        }
        for entry in entries {
            let record = entry.record.unverified();
            let key = record.author;
            if is_seat(&key) || entry.record.verify(&key).is_err() {
                continue;
            }
            for delegation in shown_by(entry) {
                match may_write(scene, &delegation) {
                    Ok(()) => found.add(delegation.unverified()),
                    Err(error) => found.refused.push((key, error)),
                }
            }
        }
        found
    }

    fn add(&mut self, delegation: &Delegation) {
        let (name, key) = (&delegation.surrogate, &delegation.signing_key);
        let known = self.acting.iter_mut();
        let mut known = known.filter(|one| (&one.name, &one.key) == (name, key));
        match known.next() {
            Some(one) if one.delegations.contains(delegation) => {}
            Some(one) => one.delegations.push(delegation.clone()),
            None => self.acting.push(Acting {
                name: name.clone(),
                key: *key,
                delegations: vec![delegation.clone()],
            }),
        }
    }

    /// Why the one with this key is no author.
    pub(crate) fn refusal(&self, key: &VerificationKey) -> Option<&SurrogateError> {
        let mut refused = self.refused.iter();
        refused.find_map(|(of, error)| (of == key).then_some(error))
    }

    /// Whether what a surrogate did in a member's place was theirs to do. `before` are the records that
    /// come before it in the file, of the same author among them.
    pub(crate) fn covers(
        &self,
        scene: Option<&Scene<'_>>,
        taken: &Taken,
        before: &[Taken],
    ) -> Result<(), TranscriptError> {
        let role = match taken.record.act {
            Act::Approve => Role::ManifestSet,
            Act::Provision => Role::ShareSet,
            _ => return Ok(()),
        };
        let key = taken.record.author;
        let acting = self.acting.iter().find(|one| one.key == key);
        let (Some(scene), Some(acting)) = (scene, acting) else {
            return Ok(());
        };
        let fits = |delegation: &&Delegation| {
            delegation.roles.contains(&role) && is_for(scene, delegation.sequence, taken)
        };
        let (author, sequence) = (taken.name.clone(), taken.record.sequence);
        let fitting = acting.delegations.iter().filter(fits);
        let Some(expires) = fitting.map(|delegation| delegation.expires).max() else {
            return Err(TranscriptError::SurrogateElsewhere { author, sequence });
        };
        match moment_of(taken, before) {
            Some(time) if time > expires => Err(TranscriptError::SurrogateEnded {
                author,
                sequence,
                expires,
                time,
            }),
            _ => Ok(()),
        }
    }
}

/// When something was done in a member's place: the security module's time, where the record quotes it, or
/// else what its author's clock said, less what clocks may differ. None where the record does not say: it
/// withholds lines, or goes on telling of a grant that one before told of, such as that its receipt came.
fn moment_of(taken: &Taken, before: &[Taken]) -> Option<UnixMillis> {
    let attested = facts(taken).filter_map(|fact| match fact {
        Fact::Attested(time) => Some(*time),
        _ => None,
    });
    if let Some(attested) = attested.max() {
        return Some(attested);
    }
    let mut earlier = before.iter().filter(|one| one.author == taken.author);
    let goes_on = |one: &Taken| grants(taken).any(|grant| grants(one).any(|told| told == grant));
    let withholds = |line: &Line| matches!(line, Line::Withheld(_));
    if taken.lines.iter().any(withholds) || earlier.any(goes_on) {
        return None;
    }
    let time = taken.record.time.0;
    Some(UnixMillis(time.saturating_sub(CLOCK_TOLERANCE_MS)))
}

fn facts(taken: &Taken) -> impl Iterator<Item = &Fact> {
    taken.lines.iter().filter_map(|line| match line {
        Line::Shown(fact) => Some(fact),
        Line::Withheld(_) => None,
    })
}

fn grants(taken: &Taken) -> impl Iterator<Item = Sha256> {
    facts(taken).filter_map(|fact| match fact {
        Fact::Object(label, digest) if label.as_str() == ShareGrant::LABEL => Some(*digest),
        _ => None,
    })
}

/// Whether a record that says which manifest it is about says this one. One that withholds it says nothing.
fn is_for(scene: &Scene<'_>, sequence: u64, taken: &Taken) -> bool {
    let mut named = facts(taken).filter_map(|fact| match fact {
        Fact::Object(label, digest) if label.as_str() == Manifest::LABEL => Some(digest.0),
        _ => None,
    });
    let at = sequence.checked_sub(1).map(usize::try_from);
    let link = at.and_then(|at| scene.chain.get(at.ok()?));
    match link {
        Some(link) => {
            let own = Digest::of(&link.manifest);
            named.all(|named| named == *own.as_bytes())
        }
        // Not approved yet: it must be another than those that are.
        None => !named.any(|named| {
            let mut approved = scene.chain.iter();
            approved.any(|link| *Digest::of(&link.manifest).as_bytes() == named)
        }),
    }
}

/// When a delegation ends.
pub(crate) fn describe(delegation: &Delegation) -> (String, UnixMillis) {
    let text = format!(
        "{} acts for {}, manifest {}",
        delegation.surrogate, delegation.member, delegation.sequence
    );
    (text, delegation.expires)
}
