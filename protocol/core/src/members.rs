//! People: members, the sets they form, and the roles they sign in.

use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use crate::atoms::{Name, ShareIndex};
use crate::cbor::{Checked, Rules};
use crate::invalid::Invalid;
use crate::keys::{EncryptionKey, VerificationKey};

/// One person in a set.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Member {
    /// What people call them. Unique in the set.
    #[n(0)]
    pub name: Name,
    /// Position, fixed for life; in a share set also the point the polynomial is evaluated at.
    #[cbor(n(1), with = "crate::atoms::index")]
    pub index: ShareIndex,
    /// Verifies what they sign.
    #[n(2)]
    pub signing_key: VerificationKey,
    /// What is encrypted to them. Never the signing key.
    #[n(3)]
    pub encryption_key: EncryptionKey,
}

/// A threshold and the members it counts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MemberSetFields {
    /// Members that must agree.
    #[n(0)]
    pub threshold: u8,
    /// In ascending order of index.
    #[n(1)]
    pub members: Vec<Member>,
}

/// A set in which the threshold is 2 to all, and no name, index or key occurs twice.
pub type MemberSet = Checked<MemberSetFields>;

impl MemberSetFields {
    /// The member with this index.
    pub fn member(&self, index: ShareIndex) -> Option<&Member> {
        self.members.iter().find(|m| m.index == index)
    }

    /// The member with this name.
    pub fn named(&self, name: &Name) -> Option<&Member> {
        self.members.iter().find(|m| m.name == *name)
    }

    /// All indices, ascending.
    pub fn indices(&self) -> Vec<ShareIndex> {
        self.members.iter().map(|m| m.index).collect()
    }
}

impl Rules for MemberSetFields {
    fn check(&self) -> Result<(), Invalid> {
        let count = self.members.len();
        let threshold = self.threshold;
        if threshold < 2 || usize::from(threshold) > count {
            return Err(Invalid::Threshold {
                threshold,
                members: count,
            });
        }
        for pair in self.members.windows(2) {
            if let [before, after] = pair
                && before.index >= after.index
            {
                return Err(Invalid::IndicesNotAscending {
                    index: after.index.get(),
                });
            }
        }
        let mut names: Vec<_> = self.members.iter().map(|m| &m.name).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(Invalid::MemberNameRepeated);
        }
        let mut keys: Vec<[u8; 33]> = self.members.iter().flat_map(points).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(Invalid::KeyReused);
        }
        Ok(())
    }
}

/// A person in both sets has the same keys in both, and no two people share a key.
pub(crate) fn check_both(a: &MemberSet, b: &MemberSet) -> Result<(), Invalid> {
    // Encoded once, not once a pair: the sets come from outside and may be large.
    let right: Vec<_> = b.members.iter().map(|m| (&m.name, points(m))).collect();
    for left in &a.members {
        let keys = points(left);
        for (name, others) in &right {
            let same_person = left.name == **name;
            let same_keys = keys == *others;
            let shared = others.iter().any(|point| keys.contains(point));
            if same_person != same_keys || (shared && !same_keys) {
                return Err(Invalid::MemberDiffers);
            }
        }
    }
    Ok(())
}

fn points(member: &Member) -> [[u8; 33]; 2] {
    [
        member.signing_key.to_compressed(),
        member.encryption_key.to_compressed(),
    ]
}

/// In which set a signer acts. Part of what is signed: an approval of a manifest is never a grant
/// of a share, whoever gives both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Role {
    /// Approves what may run.
    #[n(1)]
    ManifestSet,
    /// Holds a share of the quorum key.
    #[n(2)]
    ShareSet,
}

/// [`Role::ShareSet`] on the wire, or refused; `#[cbor(with = "crate::members::share_set")]`.
pub(crate) mod share_set {
    use minicbor::decode::{Decode, Decoder, Error as CborError};
    use minicbor::encode::{Encode, Encoder, Write};

    use super::{Invalid, Role};

    pub(crate) fn encode<C, W: Write>(
        v: &Role,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        v.encode(e, ctx)
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Role, CborError> {
        let position = d.position();
        match Role::decode(d, ctx)? {
            Role::ShareSet => Ok(Role::ShareSet),
            Role::ManifestSet => Err(CborError::custom(Invalid::Role).at(position)),
        }
    }
}
