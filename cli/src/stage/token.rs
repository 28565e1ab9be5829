//! A token for somebody in a played ceremony: SoftHSM's, made for that ceremony alone.
//!
//! Guarantees: the token, its PIN and its configuration are in the folder that was named, and nowhere
//! else: neither the tokens nor the configuration of the user are read or changed, and a module that
//! is not SoftHSM's gets no PIN and makes nothing. Whether SoftHSM is there is seen before anything
//! is done.
//!
//! The PIN is drawn. It stands among the arguments of SoftHSM's own tool, which takes it no other way
//! where nobody types: it opens nothing but that token, which is gone when the ceremony ends.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use zeroize::Zeroizing;

use super::cast::passphrase;
use super::children::Quorate;
use super::{show, text};
use crate::failure::{Failure, Fault};
use crate::files;

/// SoftHSM's tool, which makes tokens.
const TOOL: &str = "softhsm2-util";

/// Where packages put its module: Debian and others, Debian's second place, Fedora, openSUSE.
const PLACES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
];

/// SoftHSM on this machine.
pub(crate) struct SoftHsm {
    module: PathBuf,
}

impl SoftHsm {
    /// Looks for it; `module` is where somebody says that its module is.
    ///
    /// # Errors
    /// If module or tool is missing. Nothing was done.
    pub(crate) fn find(module: Option<&Path>) -> Result<Self, Failure> {
        Self::find_among(module, &PLACES, TOOL)
    }

    fn find_among(module: Option<&Path>, places: &[&str], tool: &str) -> Result<Self, Failure> {
        let module = match module {
            Some(named) if named.is_file() => named.to_owned(),
            Some(named) => {
                return Err(Failure::usage(
                    "module-missing",
                    format!("there is no PKCS#11 module at {}", named.display()),
                    "name SoftHSM's libsofthsm2.so with --module",
                ));
            }
            None => {
                let mut places = places.iter().map(PathBuf::from);
                let found = places.find(|place| place.is_file());
                found.ok_or_else(|| {
                    missing("its module, libsofthsm2.so, is not where packages put it")
                })?
            }
        };
        let mut asked = Command::new(tool);
        asked.arg("--version").stdin(Stdio::null());
        let answered = asked.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !answered.is_ok_and(|status| status.success()) {
            return Err(missing(&format!(
                "there is no {tool}, which makes its tokens"
            )));
        }
        // A name without a folder would be looked for in the system's.
        let module = std::path::absolute(&module).unwrap_or(module);
        Ok(Self { module })
    }

    /// Makes a token in a new folder, and sees that the module shows it.
    ///
    /// # Errors
    /// If the tool cannot, or the module is another one's.
    pub(crate) fn make(
        &self,
        quorate: &Quorate,
        folder: PathBuf,
        label: &str,
    ) -> Result<SoftToken, Failure> {
        let token = SoftToken {
            folder,
            module: self.module.clone(),
            label: label.to_owned(),
            pin: passphrase()?,
        };
        for new in [&token.folder, &token.tokens()] {
            fs::create_dir(new).map_err(|error| files::unwritable(new, &error))?;
        }
        let configuration = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            token.tokens().display()
        );
        files::write_new(&token.configuration(), configuration.as_bytes())?;
        let officer = passphrase()?;
        let made = Command::new(TOOL)
            .args(["--init-token", "--free", "--label", label])
            .args(["--pin", &token.pin, "--so-pin", &officer])
            .envs([token.environment()])
            .stdin(Stdio::null())
            .output();
        let made = made.map_err(|error| unmade(&error.to_string()))?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            return Err(unmade(said.trim()));
        }
        token.check(quorate)?;
        Ok(token)
    }
}

fn missing(what: &str) -> Failure {
    Failure::usage(
        "no-softhsm",
        format!("a member's token is one of SoftHSM, which is not installed: {what}"),
        "install it (package softhsm2 of Debian and Ubuntu, softhsm of Fedora), name its module with \
         --module FILE if it is elsewhere, or name the other faults one by one with --fault",
    )
}

fn unmade(why: &str) -> Failure {
    Failure::refused(
        Fault::Machine,
        "token-not-made",
        format!("{TOOL} made no token: {why}"),
        "see whether SoftHSM works: softhsm2-util --show-slots",
    )
}

/// One token of SoftHSM, with its PIN.
pub(crate) struct SoftToken {
    folder: PathBuf,
    module: PathBuf,
    label: String,
    pin: Zeroizing<String>,
}

impl SoftToken {
    /// How the module is told where the token is.
    pub(crate) fn environment(&self) -> (&'static OsStr, PathBuf) {
        (OsStr::new("SOFTHSM2_CONF"), self.configuration())
    }

    /// What opens it.
    pub(crate) const fn pin(&self) -> &Zeroizing<String> {
        &self.pin
    }

    /// How its owner names it when they join.
    pub(crate) fn named(&self) -> [String; 4] {
        let uri = format!("pkcs11:token={}", self.label);
        [text("--token"), uri, text("--module"), show(&self.module)]
    }

    /// It is gone, with the keys in it: nobody puts it in again.
    pub(crate) fn lose(&self) -> Result<(), Failure> {
        let tokens = self.tokens();
        fs::remove_dir_all(&tokens)
            // The reader is still there, and empty.
            .and_then(|()| fs::create_dir(&tokens))
            .map_err(|error| files::unwritable(&tokens, &error))
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("softhsm2.conf")
    }

    fn tokens(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    /// That the module shows this token and no other.
    fn check(&self, quorate: &Quorate) -> Result<(), Failure> {
        let module = show(&self.module);
        let list = ["ceremony", "token", "list", "--module", &module];
        let told = quorate.ask_with(&list, None, Some(self))?;
        let why = match told.failure() {
            Some(failure) => failure.what,
            None if self.is_alone(&told.value) => return Ok(()),
            None => format!("{module} does not show the token that {TOOL} has made"),
        };
        Err(Failure::usage(
            "not-softhsm",
            format!("that is not SoftHSM's module, or another one's: {why}"),
            "name the libsofthsm2.so that came with softhsm2-util with --module",
        ))
    }

    fn is_alone(&self, told: &Value) -> bool {
        let tokens = told.get("tokens").and_then(Value::as_array);
        let label = |token: &Value| token.get("label").and_then(Value::as_str) == Some(&self.label);
        tokens.is_some_and(|tokens| tokens.len() == 1 && tokens.iter().all(label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(module: Option<&Path>, places: &[&str], tool: &str) -> (String, u8, String) {
        let failure = SoftHsm::find_among(module, places, tool).err();
        let failure = failure.expect("refused");
        let exit = failure.exit().code();
        (failure.code.into_owned(), exit, failure.remedy)
    }

    #[test]
    fn a_machine_without_softhsm_fails_closed() {
        let own = std::env::current_exe().expect("this test");
        let own = own.to_str().expect("UTF-8");
        // Any file does for the module, and `true` for the tool: neither is believed yet.
        assert!(SoftHsm::find_among(None, &["/nowhere", own], "true").is_ok());
        for (module, places, tool) in [
            (None, &["/nowhere"][..], "true"),
            (None, &[own][..], "no-such-tool-of-anybody"),
            (None, &[own][..], "false"),
        ] {
            let (code, exit, remedy) = code(module, places, tool);
            assert_eq!((&*code, exit), ("no-softhsm", 2));
            for named in ["softhsm2", "--module", "--fault"] {
                assert!(remedy.contains(named), "{remedy}");
            }
        }
        let named = Path::new("/nowhere/libsofthsm2.so");
        let (code, exit, _) = code(Some(named), &[own], "true");
        assert_eq!((&*code, exit), ("module-missing", 2));
    }
}
