//! The whole transcript of a shared folder, as it lies there, for whoever verifies it.
//!
//! Nothing is decided here: what is gathered is what anyone could have written. A gap in a chain is
//! looked past a little way, so that the record after a removed one is found and names it.

use quorate_protocol::atoms::Name;
use quorate_protocol::cbor::{Checked, Object as _, from_bytes};
use quorate_protocol::definition::Definition;
use quorate_protocol::digest::Digest;
use quorate_protocol::genesis::{Genesis, GenesisRecord};
use quorate_protocol::keys::VerificationKey;
use quorate_protocol::manifest::Link;
use quorate_protocol::transcript::{
    Entry, EntryBytes, MAX_RECORDS, Origin, Transcript, TranscriptFields,
};
use quorate_transcript::acting::{Scene, may_write, shows_delegation};
use quorate_transcript::{Expected, TranscriptError, Verified, verify_named};
use quorate_verify::chain::ChainError;
use quorate_verify::genesis::VerifiedGenesis;

use super::journal::place;
use crate::error::CeremonyError;
use crate::steps::newest_approved;
use crate::workspace::Workspace;

/// How many missing records are looked past.
const GAP: u64 = 16;

/// A transcript and where its entries were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered {
    /// The transcript.
    pub transcript: Transcript,
    /// In whose name each entry was found, and as which of their records.
    pub places: Vec<(Name, u64)>,
}

impl Gathered {
    /// Verifies it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, expected: &Expected) -> Result<Verified, TranscriptError> {
        verify_named(&self.transcript, &self.places, expected)
    }
}

/// Reads the transcript of a folder.
///
/// # Errors
/// A folder without a definition; a file that is too long or no plain file; more records than a
/// transcript may have.
pub fn gather(workspace: &Workspace) -> Result<Gathered, CeremonyError> {
    let (origin, chain) = match workspace.find_record()? {
        Some(record) => {
            let chain = approved(workspace, &record)?;
            (Origin::Record(record), chain)
        }
        None => (Origin::Definition(workspace.definition()?), Vec::new()),
    };
    let mut people = authors(origin.definition(), &chain);
    if let Origin::Record(record) = &origin {
        add_surrogates(
            workspace,
            record.digest(),
            &record.definition,
            &chain,
            &mut people,
        )?;
    }
    people.sort_by(|a, b| a.0.cmp(&b.0));
    let (mut entries, mut places) = (Vec::new(), Vec::new());
    for (name, key) in &people {
        let (mut sequence, mut missing) = (1, 0);
        while missing < GAP {
            let file = place(name, key, sequence);
            let file: Vec<&str> = file.iter().map(String::as_str).collect();
            if let Some(bytes) = workspace.folder().read(&file, Entry::MAX)? {
                missing = 0;
                if entries.len() >= MAX_RECORDS {
                    return Err(TranscriptError::TooMany.into());
                }
                // An empty file is no entry either, and is named as such.
                let bytes = if bytes.is_empty() { vec![0xf6] } else { bytes };
                entries.push(EntryBytes::new(bytes).map_err(|_| TranscriptError::TooMany)?);
                places.push((name.clone(), sequence));
            } else {
                missing = missing.saturating_add(1);
            }
            sequence = sequence.saturating_add(1);
        }
    }
    let fields = TranscriptFields {
        origin,
        chain,
        entries,
    };
    let transcript = Checked::new(fields).map_err(|_| TranscriptError::TooMany)?;
    Ok(Gathered { transcript, places })
}

/// The approved manifests of the folder. A chain that is wrong is left as it is, to be refused.
fn approved(workspace: &Workspace, record: &GenesisRecord) -> Result<Vec<Link>, CeremonyError> {
    let mut links = workspace.links(&record.definition, None)?.links;
    if let Ok(genesis) = VerifiedGenesis::from_record(record.clone()) {
        match newest_approved(&genesis, &links) {
            Ok(chain) => links.truncate(chain.links().len()),
            Err(ChainError::Threshold { sequence: 1, .. }) => links.clear(),
            Err(_) => {}
        }
    }
    Ok(links)
}

/// Adds everybody without a seat who acts for a member here and says so in a record of their own: only then
/// do others know whose it is. The delegations of the folder say where to look.
///
/// # Errors
/// A folder that cannot be read.
pub(crate) fn add_surrogates(
    workspace: &Workspace,
    genesis: Digest<Genesis>,
    definition: &Definition,
    chain: &[Link],
    people: &mut Vec<(Name, VerificationKey)>,
) -> Result<(), CeremonyError> {
    if !workspace.has_surrogates()? {
        return Ok(());
    }
    let scene = Scene {
        genesis,
        definition,
        chain,
    };
    let mut members: Vec<&Name> = Vec::new();
    for set in scene.all_sets() {
        for member in &set.members {
            if !members.contains(&&member.name) {
                members.push(&member.name);
            }
        }
    }
    // The one after the newest too: surrogates may be named before it is there.
    let next = u64::try_from(chain.len()).unwrap_or(u64::MAX);
    for sequence in 1..=next.saturating_add(1) {
        for member in &members {
            for (_, delegation) in workspace.delegations(sequence, member)? {
                let claim = delegation.unverified();
                let author = (claim.surrogate.clone(), claim.signing_key);
                if !people.contains(&author)
                    && may_write(&scene, &delegation).is_ok()
                    && shows(workspace, &scene, &author)?
                {
                    people.push(author);
                }
            }
        }
    }
    Ok(())
}

/// Whether one of this person's records shows a delegation that lets them write.
fn shows(
    workspace: &Workspace,
    scene: &Scene<'_>,
    (name, key): &(Name, VerificationKey),
) -> Result<bool, CeremonyError> {
    let (mut sequence, mut missing) = (1, 0);
    while missing < GAP && sequence <= u64::try_from(MAX_RECORDS).unwrap_or(u64::MAX) {
        let file = place(name, key, sequence);
        let file = file.each_ref().map(String::as_str);
        match workspace.folder().read(&file, Entry::MAX)? {
            Some(bytes) => {
                missing = 0;
                let entry = from_bytes::<Entry>(&bytes);
                if entry.is_ok_and(|entry| shows_delegation(scene, &entry, key)) {
                    return Ok(true);
                }
            }
            None => missing = missing.saturating_add(1),
        }
        sequence = sequence.saturating_add(1);
    }
    Ok(false)
}

/// Everybody who could have written: of the definition and of these manifests, and the surrogates who
/// approved one, each key once.
pub(crate) fn authors(definition: &Definition, chain: &[Link]) -> Vec<(Name, VerificationKey)> {
    let sets = chain
        .iter()
        .flat_map(|link| [&link.manifest.manifest_set, &link.manifest.share_set]);
    let later = sets.flat_map(|set| &set.members);
    let mut authors: Vec<(Name, VerificationKey)> = Vec::new();
    for member in definition.people().into_iter().chain(later) {
        let author = (member.name.clone(), member.signing_key);
        if !authors.contains(&author) {
            authors.push(author);
        }
    }
    for acting in chain.iter().flat_map(|link| &link.surrogates) {
        let delegation = acting.delegation.unverified();
        let author = (delegation.surrogate.clone(), delegation.signing_key);
        if !authors.contains(&author) {
            authors.push(author);
        }
    }
    authors
}
