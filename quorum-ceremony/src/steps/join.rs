//! `join`: a person makes their keys and puts their card into the shared folder.
//!
//! Who joins a namespace that has its key already names the genesis digest that another member read
//! to them: it is compared with the record in the folder and pinned, with its definition and the
//! newest approved manifest, so that whatever they sign or receive later rests on it.
//!
//! Who has lost their keys makes others with [`prepare_new_keys`]: their card lies beside the old one, and
//! counts nowhere before an approved manifest names it.
//!
//! A join that was interrupted goes on where it ended: keys are drawn once and never replaced.

use std::path::Path;

use quorate_protocol::atoms::Name;
use quorate_protocol::card::MemberCard;
use quorate_protocol::cbor::to_bytes;
use quorate_protocol::cose::Signed;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::Genesis;
use quorate_protocol::members::MemberSet;
use quorate_protocol::token::TokenIdentity;
use quorate_protocol::transcript::Act;
use quorate_token::{Inserted, Pin};
use quorate_verify::chain::{ChainError, HighestSeen};
use quorate_verify::genesis::VerifiedGenesis;

use super::newest_approved;
use crate::error::{CeremonyError, StepError};
use crate::hardening;
use crate::keyfile::{KeyFile, MemberKeys, Passphrase, PublicKeys};
use crate::keys::{LockedKeys, Unlock, UnlockedKeys};
use crate::pins::{PinError, Pins};
use crate::private::PrivateFolder;
use crate::rekey::{KeyFingerprint, card_file};
use crate::storage::{Published, StorageError};
use crate::token::{KeyChoice, NamedKeys, TokenIntent, TokenKeys, check_able};
use crate::transcript::{Content, Effect, Journal, add, object};
use crate::workspace::Workspace;

/// A private folder that is ready for keys, or has them.
#[derive(Debug)]
pub struct Joining {
    workspace: Workspace,
    private: PrivateFolder,
    name: Name,
    keys: Option<LockedKeys>,
    adopted: Option<Adopted>,
    /// Whether the keys take the place of lost ones.
    replacing: bool,
}

/// A namespace that is joined after its genesis.
#[derive(Debug)]
struct Adopted {
    genesis: VerifiedGenesis,
    highest: Option<HighestSeen>,
}

/// Who joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Their name.
    pub name: Name,
    /// Their public keys, as on the card.
    pub keys: PublicKeys,
    /// The token the keys are in; none for a key file.
    pub token: Option<JoinedToken>,
    /// Whether they had joined before.
    pub before: bool,
    /// The namespace that is pinned; none before there is one.
    pub genesis: Option<Digest<Genesis>>,
    /// What is read aloud of keys that take the place of lost ones; none of the first keys.
    pub new_keys: Option<KeyFingerprint>,
}

/// The token that somebody joined with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedToken {
    /// What it says it is.
    pub identity: TokenIdentity,
    /// Whether it says that it drew both keys itself, where it tells.
    pub drawn_on_token: Option<bool>,
}

/// Opens both folders, or makes them.
///
/// # Errors
/// [`StepError::OtherName`] if the private folder is somebody else's; [`StepError::OtherGenesis`] and
/// what the record or chain break, where a genesis is named.
pub fn prepare(
    folder: &Path,
    private: &Path,
    name: &Name,
    genesis: Option<Digest<Genesis>>,
) -> Result<Joining, CeremonyError> {
    let workspace = Workspace::create(folder)?;
    let adopted = genesis.map(|given| adopt(&workspace, given)).transpose()?;
    open(workspace, private, name, adopted, false)
}

/// The same, for a member who has lost their keys: the new ones get a card of their own beside that of the
/// old ones.
///
/// # Errors
/// As [`prepare`]; [`StepError::NobodyToReplace`] for a name without card and seat;
/// [`StepError::JoinedOtherwise`] in a private folder that has the keys of the card already.
pub fn prepare_new_keys(
    folder: &Path,
    private: &Path,
    name: &Name,
    genesis: Option<Digest<Genesis>>,
) -> Result<Joining, CeremonyError> {
    let workspace = Workspace::open(folder)?;
    let adopted = genesis.map(|given| adopt(&workspace, given)).transpose()?;
    check_replaceable(&workspace, name)?;
    let joining = open(workspace, private, name, adopted, true)?;
    if let Some(keys) = &joining.keys {
        joining.check_new(&keys.public(), keys.token().is_some())?;
    }
    Ok(joining)
}

/// Whether somebody of that name has keys that can be replaced: a card, or a seat.
///
/// # Errors
/// [`StepError::NobodyToReplace`]; what the record or chain break.
pub fn check_replaceable(workspace: &Workspace, name: &Name) -> Result<(), CeremonyError> {
    match workspace.find_card(name) {
        // What is no card has taken the name.
        Ok(Some(_)) | Err(CeremonyError::Decode { .. }) => return Ok(()),
        Ok(None) => {}
        Err(error) => return Err(error),
    }
    let seated = |sets: [&MemberSet; 2]| sets.iter().any(|set| set.named(name).is_some());
    if let Some(record) = workspace.find_record()? {
        let genesis = VerifiedGenesis::from_record(record)?;
        let definition = genesis.definition();
        let links = workspace.links(definition, None)?.links;
        let found = match newest_approved(&genesis, &links) {
            Ok(chain) => seated([&chain.manifest().manifest_set, &chain.manifest().share_set]),
            Err(
                ChainError::Empty
                | ChainError::Threshold { sequence: 1, .. }
                | ChainError::SurrogateExpired { sequence: 1, .. },
            ) => seated([&definition.manifest_set, &definition.share_set]),
            Err(error) => return Err(error.into()),
        };
        if found {
            return Ok(());
        }
    }
    Err(StepError::NobodyToReplace { name: name.clone() }.into())
}

fn open(
    workspace: Workspace,
    private: &Path,
    name: &Name,
    adopted: Option<Adopted>,
    replacing: bool,
) -> Result<Joining, CeremonyError> {
    let private = PrivateFolder::create(private)?;
    let keys = private.find_keys()?;
    if let Some(keys) = &keys
        && keys.name() != name
    {
        return Err(StepError::OtherName {
            expected: name.clone(),
            found: keys.name().clone(),
        }
        .into());
    }
    private.bind(&workspace)?;
    Ok(Joining {
        workspace,
        private,
        name: name.clone(),
        keys,
        adopted,
        replacing,
    })
}

/// The namespace in the folder, if it is the one that was named.
fn adopt(workspace: &Workspace, given: Digest<Genesis>) -> Result<Adopted, CeremonyError> {
    let genesis = VerifiedGenesis::from_record(workspace.record()?)?;
    let found = genesis.digest();
    if found != given {
        return Err(StepError::OtherGenesis { given, found }.into());
    }
    let links = workspace.links(genesis.definition(), None)?.links;
    let highest = match newest_approved(&genesis, &links) {
        Ok(chain) => Some(chain.highest_seen()),
        // The first manifest may wait for approvals still, by a surrogate who joins for that.
        Err(
            ChainError::Empty
            | ChainError::Threshold { sequence: 1, .. }
            | ChainError::SurrogateExpired { sequence: 1, .. },
        ) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Adopted { genesis, highest })
}

/// Whether the namespace in the folder is the one that was named, and its chain holds.
///
/// # Errors
/// [`StepError::OtherGenesis`]; what the record or chain break.
pub fn check_genesis(folder: &Path, given: Digest<Genesis>) -> Result<(), CeremonyError> {
    adopt(&Workspace::open(folder)?, given).map(drop)
}

impl Joining {
    /// Whether keys will be made, so that the passphrase is a new one.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.keys.is_none()
    }

    /// The keys that are there already.
    #[must_use]
    pub const fn keys(&self) -> Option<&LockedKeys> {
        self.keys.as_ref()
    }

    /// Makes the keys if there are none, in a file or in the token, and publishes the card.
    ///
    /// # Errors
    /// [`StepError::NameTaken`]; a passphrase that is too short or wrong; what the token says;
    /// [`StepError::JoinedOtherwise`].
    pub fn join(self, unlock: impl Into<Unlock>) -> Result<Joined, CeremonyError> {
        self.with(unlock.into(), None)
    }

    /// Takes two keys that are in a token already, and publishes the card.
    ///
    /// # Errors
    /// As [`join`](Self::join); [`StepError::JoinedOtherwise`] if the keys of `join` are others.
    pub fn join_with(self, unlock: Unlock, named: &NamedKeys) -> Result<Joined, CeremonyError> {
        self.with(unlock, Some(named))
    }

    fn with(self, unlock: Unlock, named: Option<&NamedKeys>) -> Result<Joined, CeremonyError> {
        hardening::protect()?;
        let before = self.keys.is_some();
        let module = unlock.module().map(Path::to_owned);
        let keys = match (&self.keys, unlock) {
            (Some(LockedKeys::File(_)), Unlock::Token(..)) => {
                return Err(self.joined_otherwise(false));
            }
            (Some(LockedKeys::Token(_)), Unlock::Passphrase(_)) => {
                return Err(self.joined_otherwise(true));
            }
            (Some(known), unlock) => known.unlock(unlock)?,
            (None, Unlock::Passphrase(passphrase)) => {
                UnlockedKeys::File(Box::new(self.draw(&passphrase)?))
            }
            (None, Unlock::Token(token, pin)) => {
                check_able(token.report())?;
                UnlockedKeys::Token(Box::new(self.take(token, &pin, named)?))
            }
        };
        if let (UnlockedKeys::Token(keys), Some(named), true) = (&keys, named, before)
            && !keys.are(named)?
        {
            return Err(self.joined_otherwise(true));
        }
        if let Some(module) = module {
            self.private.remember_module(&module)?;
        }
        self.publish(&keys, before)
    }

    /// Whether keys that take the place of others are others: with the very keys of the card, pins that are
    /// lost would be made anew.
    fn check_new(&self, keys: &PublicKeys, token: bool) -> Result<(), CeremonyError> {
        match self.workspace.card(&self.name) {
            Ok(card) if card.signing_key == keys.signing => Err(self.joined_otherwise(token)),
            _ => Ok(()),
        }
    }

    fn joined_otherwise(&self, token: bool) -> CeremonyError {
        let name = self.name.clone();
        StepError::JoinedOtherwise { name, token }.into()
    }

    /// New keys in a file.
    fn draw(&self, passphrase: &Passphrase) -> Result<MemberKeys, CeremonyError> {
        // New keys are nobody's: no card can be theirs. Keys under a name that is taken would stand in
        // the way of the other name.
        if !self.replacing && self.workspace.find_card(&self.name)?.is_some() {
            let name = self.name.clone();
            return Err(StepError::NameTaken { name }.into());
        }
        let keys = MemberKeys::generate(self.name.clone())?;
        self.private
            .store_key_file(&KeyFile::lock(&keys, passphrase)?)?;
        Ok(keys)
    }

    /// Keys in a token: those that are named, or new ones. Which ones will be made is written down
    /// first, so that an interruption leaves none behind that nobody knows.
    fn take(
        &self,
        token: Inserted,
        pin: &Pin,
        named: Option<&NamedKeys>,
    ) -> Result<TokenKeys, CeremonyError> {
        let choice = match (named, self.private.token_intent()?) {
            (Some(named), _) => KeyChoice::Existing(named),
            (None, Some(intent)) => {
                intent.check_token(token.report())?;
                if *intent.name() != self.name {
                    return Err(StepError::OtherName {
                        expected: self.name.clone(),
                        found: intent.name().clone(),
                    }
                    .into());
                }
                KeyChoice::Make(intent)
            }
            (None, None) => KeyChoice::Make(TokenIntent::draw(&self.name, token.report())?),
        };
        let token = token.log_in(pin)?;
        if let KeyChoice::Make(intent) = &choice {
            self.private.store_token_intent(intent)?;
        }
        let keys = TokenKeys::join(&self.name, token, &choice)?;
        self.private.store_token_file(keys.file())?;
        Ok(keys)
    }

    fn publish(self, keys: &UnlockedKeys, before: bool) -> Result<Joined, CeremonyError> {
        // Pins that are lost are not made anew: they would forget what must not come back. A join
        // that ended between key file and pins has nothing to forget, since no card is out. Keys in a
        // token may come into a new folder and have a card already.
        if self.replacing {
            self.check_new(&keys.public(), keys.token().is_some())?;
        }
        let card = keys.card()?;
        let fingerprint = KeyFingerprint::of(&keys.public().signing);
        let fingerprint = self.replacing.then_some(fingerprint);
        let known = self.known(&card, fingerprint.as_ref())?;
        if !self.private.has_pins()? {
            let taken = !self.replacing && self.workspace.card(&self.name).is_ok();
            if known.is_some() || (before && taken) {
                return Err(PinError::Lost.into());
            }
            self.private.store_pins(&Pins::new(self.name.clone()))?;
        }
        if let (Some(adopted), Some(locked)) = (&self.adopted, self.private.find_keys()?) {
            let mut pins = self.private.pins(&locked)?;
            // Who holds a share of the genesis has pinned it by a receipt.
            pins.check_genesis(adopted.genesis.digest())?;
            pins.pin_definition(adopted.genesis.definition())?;
            if pins.genesis().is_none() {
                pins.pin_genesis(adopted.genesis.digest(), None)?;
            }
            if let Some(highest) = adopted.highest {
                pins.pin_manifest(highest)?;
            }
            self.private.store_pins(&pins)?;
        }
        // A token signs differently each time.
        let card = known.unwrap_or(card);
        let journal = Journal::new(&self.private, &self.workspace, None, Vec::new());
        let told = object(card.digest());
        if !journal.tells(keys, Act::Join, &told)? {
            let file = match &fingerprint {
                Some(new) => card_file(&self.name, &new.short()),
                None => ["members".into(), format!("{}.cbor", self.name)],
            };
            let content = Content {
                act: Act::Join,
                facts: vec![told],
            };
            let effect = Effect::published(&file, &to_bytes(&card))?;
            add(&self.private, &content, effect)?;
        }
        let published = match self.replacing {
            true => self.workspace.publish_new_card(&card),
            false => self.workspace.publish_card(&card),
        };
        match published {
            Ok(Published::Written | Published::AlreadyThere) => {}
            Err(StorageError::Differs { .. }) if !self.replacing => {
                return Err(StepError::NameTaken { name: self.name }.into());
            }
            Err(error) => return Err(error.into()),
        }
        Journal::new(&self.private, &self.workspace, None, Vec::new()).settle(keys)?;
        let token = match keys {
            UnlockedKeys::File(_) => None,
            UnlockedKeys::Token(keys) => Some(JoinedToken {
                identity: keys.identity().clone(),
                drawn_on_token: keys.drawn_on_token(),
            }),
        };
        Ok(Joined {
            name: self.name,
            keys: keys.public(),
            token,
            before,
            genesis: self.adopted.map(|adopted| adopted.genesis.digest()),
            new_keys: fingerprint,
        })
    }

    /// The same card, if it is out.
    fn known(
        &self,
        card: &Signed<MemberCard>,
        fingerprint: Option<&KeyFingerprint>,
    ) -> Result<Option<Signed<MemberCard>>, CeremonyError> {
        let found = match fingerprint {
            Some(new) => self.workspace.find_new_card(&self.name, &new.short()),
            None => self.workspace.find_card(&self.name),
        };
        match found {
            Ok(Some(known)) if known.verify_self() == Ok(card.unverified()) => Ok(Some(known)),
            // What is no card has taken the name.
            Ok(_) | Err(CeremonyError::Decode { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
