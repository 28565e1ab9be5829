//! What a person is told when a command fails: a stable code, what happened, whose fault it is and
//! what to do about it.
//!
//! Guarantees: a failure without a remedy cannot be made, and its exit code follows from its kind
//! alone. The codes are for scripts and stay the same between versions.
//!
//! Does not: print. [`crate::output`] is the one place that does.

use std::borrow::Cow;
use std::fmt;

/// Who has to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Whoever typed the command.
    Caller,
    /// Whoever put together the definition, the record, the manifest or the binaries.
    Coordinator,
    /// Somebody who wrote into the ceremony's shared folder.
    Folder,
    /// Whoever made the file or object that was given.
    Sender,
    /// The machine: its disk, its limits, a missing program.
    Machine,
    /// The enclave.
    Enclave,
    /// A member of the ceremony; the text of the failure names them.
    Member,
    /// Quorate itself: a mistake in this program.
    Quorate,
}

impl Fault {
    /// Everyone it can be.
    pub(crate) const ALL: [Self; 8] = [
        Self::Caller,
        Self::Coordinator,
        Self::Folder,
        Self::Sender,
        Self::Machine,
        Self::Enclave,
        Self::Member,
        Self::Quorate,
    ];

    /// The word in JSON.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Coordinator => "coordinator",
            Self::Folder => "folder",
            Self::Sender => "sender",
            Self::Machine => "machine",
            Self::Enclave => "enclave",
            Self::Member => "member",
            Self::Quorate => "quorate",
        }
    }

    /// The words for people.
    const fn explain(self) -> &'static str {
        match self {
            Self::Caller => "the command as it was typed",
            Self::Coordinator => "whoever put the ceremony together",
            Self::Folder => "somebody who wrote into the shared folder",
            Self::Sender => "whoever made what was given",
            Self::Machine => "this machine",
            Self::Enclave => "the enclave",
            Self::Member => "the member named above",
            Self::Quorate => "quorate itself",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explain())
    }
}

/// What the process ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or accepted.
    Success,
    /// Refused, or it could not be done.
    Refused,
    /// The command or a file it names is not usable; nothing was decided and nothing was changed.
    Usage,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Refused => 1,
            Self::Usage => 2,
        }
    }
}

/// Why a command ended without doing what it was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// A stable name, for scripts: `file-missing`.
    pub(crate) code: Cow<'static, str>,
    /// What happened.
    pub(crate) what: String,
    /// Whose fault it is.
    pub(crate) fault: Fault,
    /// What to do.
    pub(crate) remedy: String,
    /// What the process ends with; never [`Exit::Success`].
    exit: Exit,
}

impl Failure {
    /// The command, or a file it names, is not usable.
    pub(crate) fn usage(
        code: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            what: what.into(),
            fault: Fault::Caller,
            remedy: remedy.into(),
            exit: Exit::Usage,
        }
    }

    /// Somebody pressed Ctrl-C where a passphrase or PIN was asked for.
    pub(crate) fn interrupted() -> Self {
        Self::refused(
            Fault::Caller,
            "interrupted",
            "it was interrupted where a secret was asked for; nothing was done",
            "run it again",
        )
    }

    /// It was refused, or could not be done, and this is to blame.
    pub(crate) fn refused(
        fault: Fault,
        code: impl Into<Cow<'static, str>>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            what: what.into(),
            fault,
            remedy: remedy.into(),
            exit: Exit::Refused,
        }
    }

    /// What the process ends with.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// The same failure with words before what happened, separated by a colon.
    #[must_use]
    pub(crate) fn during(mut self, context: impl fmt::Display) -> Self {
        self.what = format!("{context}: {}", self.what);
        self
    }
}
