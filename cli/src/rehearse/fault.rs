//! The faults that a rehearsal can inject: what is done, who must notice it, what the tool must say,
//! and what helps.
//!
//! Guarantees: a fault that is noticed by nobody, or is called something else than what stands here,
//! fails the rehearsal.

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A member types another passphrase than theirs
    WrongPassphrase,
    /// Somebody alters a file of the shared folder after everyone has pinned it
    AlteredFile,
    /// The enclave that is to be booted was started in debug mode
    DebugEnclave,
    /// A member is led to an enclave that runs another image
    OtherPcr,
    /// A member is led to an enclave of somebody else's manifest
    OtherManifest,
    /// The host answers with an attestation that it has kept
    StaleAttestation,
    /// The enclave ends while shares are being given
    HaltedEnclave,
    /// A member has lost the private folder, key, share and pins
    LostKey,
    /// A member's tool sends another share than theirs
    BadShare,
    /// The token with a member's keys is gone
    LostToken,
    /// A member whose share is needed does not come
    AbsentOperator,
}

impl Fault {
    /// All, in the order in which they are injected.
    pub(crate) const ALL: [Self; 11] = [
        Self::WrongPassphrase,
        Self::AlteredFile,
        Self::DebugEnclave,
        Self::OtherPcr,
        Self::OtherManifest,
        Self::StaleAttestation,
        Self::HaltedEnclave,
        Self::LostKey,
        Self::BadShare,
        Self::LostToken,
        Self::AbsentOperator,
    ];

    /// How it is typed.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::WrongPassphrase => "wrong-passphrase",
            Self::AlteredFile => "altered-file",
            Self::DebugEnclave => "debug-enclave",
            Self::OtherPcr => "other-pcr",
            Self::OtherManifest => "other-manifest",
            Self::StaleAttestation => "stale-attestation",
            Self::HaltedEnclave => "halted-enclave",
            Self::LostKey => "lost-key",
            Self::BadShare => "bad-share",
            Self::LostToken => "lost-token",
            Self::AbsentOperator => "absent-operator",
        }
    }

    /// In which step it is noticed.
    pub(crate) const fn step(self) -> &'static str {
        match self {
            Self::WrongPassphrase => "consent",
            Self::AlteredFile => "receipt",
            Self::DebugEnclave => "boot",
            Self::OtherPcr
            | Self::OtherManifest
            | Self::StaleAttestation
            | Self::HaltedEnclave
            | Self::LostKey
            | Self::BadShare
            | Self::LostToken => "provision",
            Self::AbsentOperator => "evidence",
        }
    }

    /// What the tool must call it.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::WrongPassphrase => "wrong-passphrase",
            Self::AlteredFile => "definition-differs-from-pin",
            Self::DebugEnclave => "refused-measurement-mismatch",
            Self::OtherPcr => "instance-measurement",
            Self::OtherManifest => "instance-setup-register",
            Self::StaleAttestation => "nonce-mismatch",
            Self::HaltedEnclave => "no-enclave",
            Self::LostKey => "file-missing",
            Self::BadShare => "refused-share-wrong",
            Self::LostToken => "token-missing",
            Self::AbsentOperator => "not-provisioned",
        }
    }

    /// Whether it happens to a member who is there with keys in a file, or to one who does not come:
    /// not to the one whose token is lost.
    pub(super) const fn takes_another_member(self) -> bool {
        matches!(
            self,
            Self::WrongPassphrase | Self::LostKey | Self::BadShare | Self::AbsentOperator
        )
    }

    /// Who notices it, with `who` for the member it happens to.
    pub(crate) fn noticed_by(self, who: &str) -> String {
        match self {
            Self::DebugEnclave => "the enclave, which compares itself with the manifest".into(),
            Self::BadShare => "the enclave, which checks each share when it arrives".into(),
            Self::AbsentOperator => "whoever verifies what the enclave shows".into(),
            _ => format!("{who}'s own tool"),
        }
    }

    /// What is done to the ceremony.
    pub(crate) fn injected(self, who: &str) -> String {
        match self {
            Self::WrongPassphrase => format!("{who} types another passphrase"),
            Self::AlteredFile => {
                "one word of definition.cbor in the shared folder is changed after everyone \
                 consented"
                    .into()
            }
            Self::DebugEnclave => "the host starts the enclave in debug mode".into(),
            Self::OtherPcr => format!("{who} is led to an enclave that runs another image"),
            Self::OtherManifest => {
                format!("{who} is led to an enclave of the right image that strangers booted")
            }
            Self::StaleAttestation => {
                format!(
                    "the host answers {who} with a genuine attestation made before, for another"
                )
            }
            Self::HaltedEnclave => format!("the enclave ends before {who} has given a share"),
            Self::LostKey => format!("{who}'s private folder is gone: key, share and pins"),
            Self::BadShare => {
                format!("{who}'s tool seals and signs another number than {who}'s share")
            }
            Self::LostToken => {
                format!("the token with {who}'s keys is gone, and nobody has a copy of them")
            }
            Self::AbsentOperator => format!("{who} does not come"),
        }
    }

    /// What is done about it.
    pub(crate) fn remedied(self, who: &str, instead: Option<&str>) -> String {
        match self {
            Self::WrongPassphrase => format!("{who} types it again"),
            Self::AlteredFile => {
                "the file is put back as everyone's own copy has it, and who wrote it is asked"
                    .into()
            }
            Self::DebugEnclave => "an enclave is started without debug mode".into(),
            Self::OtherPcr | Self::OtherManifest => {
                format!(
                    "{who} gives nothing, asks who answers there, and goes to the right enclave"
                )
            }
            Self::StaleAttestation => {
                format!("{who} gives nothing and asks again, past that host")
            }
            Self::HaltedEnclave => {
                "another enclave is booted; whoever had given a share gives it again".into()
            }
            Self::LostKey => {
                format!("{who} restores the share from paper and the key from its copy")
            }
            Self::BadShare => {
                format!(
                    "{who} proves the share that is kept and gives it with a sound tool; the \
                         others' shares were kept"
                )
            }
            Self::LostToken => match instead {
                Some(other) => format!(
                    "{other} gives a share instead of {who}, who joins with a new token afterwards: \
                     with a paper of the share `join --new-keys` and `rotate --new-keys` name the \
                     new keys, without one a resharing gives another share"
                ),
                None => format!(
                    "nobody can stand in: without {who}'s token there are fewer shares than the \
                     threshold, and fewer approvals than a manifest with new keys takes: this \
                     ceremony cannot be finished. If the token is found, {who} goes on here; if \
                     not, the members hold a new genesis, with more members than the threshold"
                ),
            },
            Self::AbsentOperator => match instead {
                Some(other) => format!("{other} gives a share instead of {who}"),
                None => format!(
                    "nobody can stand in: without {who} there are fewer shares than the threshold"
                ),
            },
        }
    }
}
