//! SoftHSM's tokens for tests: a folder with a configuration, where tokens are made, changed and
//! taken out. The tests of other packages use this file, too.
//!
//! Without SoftHSM (Debian package softhsm2, which `./test` installs) a test says so and passes, but
//! not in CI.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The user PIN of every token.
pub(crate) const PIN: &str = "123456";
/// `CKF_USER_PIN_FINAL_TRY`.
pub(crate) const FINAL_TRY: u64 = 0x2_0000;
/// `CKF_USER_PIN_LOCKED`.
pub(crate) const LOCKED: u64 = 0x4_0000;

/// Where a test that runs alone finds its tokens.
const CHILD: &str = "QUORATE_TEST_TOKENS";

/// SoftHSM's module.
pub(crate) fn softhsm() -> Option<PathBuf> {
    let places = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
    ];
    let found = places.iter().map(PathBuf::from).find(|path| path.is_file());
    if found.is_none() {
        let what = "SoftHSM is not installed (package softhsm2)";
        assert!(std::env::var_os("CI").is_none(), "{what}");
        eprintln!("SKIPPED, NOTHING WAS TESTED: {what}");
    }
    found
}

/// A folder with tokens.
pub(crate) struct Tokens {
    folder: PathBuf,
    /// SoftHSM's module.
    pub(crate) module: PathBuf,
}

impl Tokens {
    /// An empty one, if SoftHSM is there.
    pub(crate) fn new(folder: &Path) -> Option<Self> {
        let module = softhsm()?;
        fs::create_dir_all(folder.join("tokens")).expect("a folder");
        let tokens = Self {
            folder: folder.to_owned(),
            module,
        };
        tokens.configure("");
        Some(tokens)
    }

    /// What `SOFTHSM2_CONF` has to be.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.folder.join("softhsm.conf")
    }

    /// Writes the configuration with further lines.
    pub(crate) fn configure(&self, more: &str) {
        let tokens = self.folder.join("tokens");
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n{more}",
            tokens.display()
        );
        fs::write(self.configuration(), text).expect("written");
    }

    /// Runs SoftHSM's own tool.
    pub(crate) fn tool(&self, line: &str) {
        let status = Command::new("softhsm2-util")
            .args(line.split(' '))
            .env("SOFTHSM2_CONF", self.configuration())
            .stdout(Stdio::null())
            .status()
            .expect("softhsm2-util");
        assert!(status.success(), "{line}");
    }

    /// Adds a token.
    pub(crate) fn add(&self, label: &str) {
        self.tool(&format!(
            "--init-token --free --label {label} --pin {PIN} --so-pin 5678"
        ));
    }

    /// Brings a key into a token.
    pub(crate) fn import(&self, token: &str, key: &Path, label: &str, id: &str) {
        let key = key.to_str().expect("UTF-8");
        self.tool(&format!(
            "--import {key} --token {token} --label {label} --id {id} --pin {PIN}"
        ));
    }

    /// The files of the only token: one for itself, one for each object in it.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let list = |path: &Path| -> Vec<PathBuf> {
            let entries = fs::read_dir(path).expect("a folder");
            entries
                .map(|entry| entry.expect("an entry").path())
                .collect()
        };
        let tokens = list(&self.folder.join("tokens"));
        assert_eq!(tokens.len(), 1, "{tokens:?}");
        list(&tokens[0])
    }

    /// The files of the objects in the only token.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        let is_object = |path: &PathBuf| {
            path.extension().is_some_and(|end| end == "object") && !path.ends_with("token.object")
        };
        self.files().into_iter().filter(is_object).collect()
    }

    /// The flags of the only token (`CK_TOKEN_INFO`), as SoftHSM stores them.
    pub(crate) fn flags(&self) -> u64 {
        let (_, bytes, at) = self.stored_flags();
        u64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
    }

    /// Sets flags of the only token, since SoftHSM counts no tries itself.
    pub(crate) fn set_flags(&self, flags: u64) {
        let (file, mut bytes, at) = self.stored_flags();
        let flags = self.flags() | flags;
        bytes[at..at + 8].copy_from_slice(&flags.to_be_bytes());
        fs::write(file, bytes).expect("written");
    }

    fn stored_flags(&self) -> (PathBuf, Vec<u8>, usize) {
        let mut files = self.files().into_iter();
        let file = files.find(|path| path.ends_with("token.object"));
        let file = file.expect("the token's object");
        let bytes = fs::read(&file).expect("it");
        // CKA_OS_TOKENFLAGS, then the kind of a number; then comes the number.
        let head = [0, 0, 0, 0, 0x80, 0, 0x53, 0x4b, 0, 0, 0, 0, 0, 0, 0, 2];
        let at = bytes.windows(head.len()).position(|part| part == head);
        let at = at.expect("the token's flags") + head.len();
        (file, bytes, at)
    }

    /// The folder of the token of that label, when all are taken out.
    pub(crate) fn folder_of(&self, label: &str) -> PathBuf {
        // As PKCS#11 has it: filled up with blanks.
        let label = format!("{label:32}").into_bytes();
        let entries = fs::read_dir(self.folder.join("taken-out")).expect("a folder");
        let mut tokens = entries.map(|entry| entry.expect("an entry").path());
        let is_it = |token: &PathBuf| {
            let bytes = fs::read(token.join("token.object")).expect("the token's object");
            bytes.windows(label.len()).any(|part| part == label)
        };
        tokens.find(is_it).expect("a token of that label")
    }

    /// Takes every token out.
    pub(crate) fn take_out(&self) {
        let (there, gone) = (self.folder.join("tokens"), self.folder.join("taken-out"));
        fs::rename(there, gone).expect("taken out");
    }

    /// Puts them in again.
    pub(crate) fn put_in(&self) {
        let (there, gone) = (self.folder.join("tokens"), self.folder.join("taken-out"));
        fs::rename(gone, there).expect("put in");
    }
}

/// Runs the test of that name again in a process of its own, with tokens that `prepare` makes. In
/// that process, gives the tokens: a module is started once in a process, and SoftHSM finds its
/// tokens through its environment.
pub(crate) fn alone(name: &str, prepare: impl FnOnce(&Tokens)) -> Option<Tokens> {
    if let Some(folder) = std::env::var_os(CHILD) {
        return Some(Tokens {
            folder: folder.into(),
            module: softhsm().expect("the parent has found it"),
        });
    }
    let place = tempfile::tempdir().expect("a folder");
    let tokens = Tokens::new(place.path())?;
    prepare(&tokens);
    let ran = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, place.path())
        .env("SOFTHSM2_CONF", tokens.configuration())
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&ran.stdout);
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{text}\n{errors}");
    assert!(text.contains("1 passed"), "{name} is no test: {text}");
    None
}
