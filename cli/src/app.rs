//! `quorate app`: whether a binary would run in an enclave.
//!
//! An enclave has no dynamic linker and no libraries: init starts a static ELF file out of memory,
//! with descriptors and an environment it chose. What is checked here is what `execve` and the
//! manifest's rules would refuse later, in a ceremony, with people waiting.
//!
//! Guarantees: the file is read once, within the manifest's bound, and never run. Every reason
//! against it is named, not only the first.
//!
//! Does not: say anything about what the binary does.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use object::LittleEndian;
use object::elf::{
    DT_NEEDED, EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, PF_X, PT_DYNAMIC, PT_INTERP, PT_LOAD,
};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use quorate_protocol::atoms::{Name, Sha256};
use quorate_protocol::manifest::MAX_BINARY;
use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::files;
use crate::output::{Output, Render, Style, clean};

/// Work on enclave applications.
#[derive(Debug, Subcommand)]
pub(crate) enum App {
    /// Tell whether a binary would run in an enclave, and print its manifest line
    Check(Check),
}

/// Tell whether a binary would run in an enclave.
#[derive(Debug, Args)]
#[command(after_help = "\
A binary runs in an enclave when it is a static ELF file for x86-64 of at most 64 MiB: there is no
dynamic linker and there are no libraries. For Rust that is
`cargo build --release --target x86_64-unknown-linux-musl`.

Example:
  quorate app check target/x86_64-unknown-linux-musl/release/quorate-echo --name echo

Exit codes: 0 it would run, 1 it would not, 2 the file cannot be read.")]
pub(crate) struct Check {
    /// The binary
    #[arg(value_name = "BINARY")]
    pub(crate) binary: PathBuf,

    /// The application's name in the manifest [default: the file's name]
    #[arg(long, value_parser = name)]
    pub(crate) name: Option<Name>,
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|rule| rule.to_string())
}

/// Runs the command.
///
/// # Errors
/// [`Failure`]: the file cannot be read, or the result not be printed.
pub(crate) fn run(app: &App, output: Output) -> Result<Exit, Failure> {
    let App::Check(check) = app;
    let max = usize::try_from(MAX_BINARY).unwrap_or(usize::MAX);
    let bytes = files::read(&check.binary, max, "binary")?;
    let report = Checked {
        name: check.name.clone().or_else(|| name_of(&check.binary)),
        path: check.binary.clone(),
        sha256: Sha256::of(&bytes),
        size: bytes.len(),
        reasons: reasons(&bytes),
    };
    output.print(&report)?;
    Ok(if report.reasons.is_empty() {
        Exit::Success
    } else {
        Exit::Refused
    })
}

/// The file's name as an application's, if it can be one.
fn name_of(path: &Path) -> Option<Name> {
    Name::new(path.file_stem()?.to_str()?).ok()
}

/// Why a binary would not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Dynamic,
    Empty,
    Interpreter,
    Machine,
    NoCode,
    NotElf,
    NotExecutable,
}

impl Reason {
    /// A stable name, what is wrong, what to do.
    const fn explain(self) -> (&'static str, &'static str, &'static str) {
        const STATIC: &str = "link it statically: --target x86_64-unknown-linux-musl";
        const TARGET: &str = "build it for x86_64-unknown-linux-musl";
        match self {
            Self::Dynamic => ("needs-libraries", "it needs shared libraries", STATIC),
            Self::Empty => ("empty", "it is empty", "name the application's binary"),
            Self::Interpreter => (
                "needs-interpreter",
                "it needs a dynamic linker, and an enclave has none",
                STATIC,
            ),
            Self::Machine => ("wrong-machine", "it is not for 64-bit x86", TARGET),
            Self::NoCode => (
                "no-code",
                "its entry point is in no executable segment",
                TARGET,
            ),
            Self::NotElf => ("not-elf", "it is not a whole ELF file", TARGET),
            Self::NotExecutable => (
                "not-executable",
                "it is an object or a library, not a program",
                "name the program the linker made",
            ),
        }
    }
}

/// Every reason against it. What the kernel would not even look at is not looked at here.
fn reasons(bytes: &[u8]) -> Vec<Reason> {
    if bytes.is_empty() {
        return vec![Reason::Empty];
    }
    // The machine stands at one place in files of every class; a file of 32 bits is no `NotElf`.
    if bytes.get(..5) == Some(b"\x7fELF\x01") {
        return vec![Reason::Machine];
    }
    inspect(bytes).unwrap_or_else(|| vec![Reason::NotElf])
}

/// `None` for what is not a whole ELF file.
fn inspect(bytes: &[u8]) -> Option<Vec<Reason>> {
    let header = FileHeader64::<LittleEndian>::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let mut reasons = Vec::new();
    if header.e_machine(endian) != EM_X86_64 {
        reasons.push(Reason::Machine);
    }
    if !matches!(header.e_type(endian), ET_EXEC | ET_DYN) {
        reasons.push(Reason::NotExecutable);
    }
    let entry = header.e_entry(endian);
    let mut code = false;
    for segment in header.program_headers(endian, bytes).ok()? {
        // A segment that ends behind the file is a file that was cut.
        segment.data(endian, bytes).ok()?;
        match segment.p_type(endian) {
            PT_INTERP => reasons.push(Reason::Interpreter),
            PT_DYNAMIC => {
                let entries = segment.dynamic(endian, bytes).ok()??;
                if entries.iter().any(|e| e.d_tag.get(endian) == DT_NEEDED) {
                    reasons.push(Reason::Dynamic);
                }
            }
            PT_LOAD if segment.p_flags(endian) & PF_X != 0 => {
                let start = segment.p_vaddr(endian);
                let end = start.saturating_add(segment.p_filesz(endian));
                code |= (start..end).contains(&entry);
            }
            _ => {}
        }
    }
    if !code && !reasons.contains(&Reason::NotExecutable) {
        reasons.push(Reason::NoCode);
    }
    Some(reasons)
}

/// What was found.
struct Checked {
    name: Option<Name>,
    path: PathBuf,
    sha256: Sha256,
    size: usize,
    reasons: Vec<Reason>,
}

impl Checked {
    /// What `quorate ceremony manifest` takes.
    fn line(&self) -> Option<String> {
        let path = self.path.to_str().filter(|path| !path.contains(','))?;
        Some(format!("--application {}={path}", self.name.as_ref()?))
    }
}

impl Render for Checked {
    fn text(&self, style: Style) -> String {
        let mut lines = vec![
            format!("binary   {}", clean(&self.path.display().to_string())),
            format!("size     {} bytes", self.size),
            format!("sha256   {}", self.sha256),
        ];
        if self.reasons.is_empty() {
            lines.push(style.green("It would run in an enclave."));
            match self.line() {
                Some(line) => {
                    lines.push(
                        "For `quorate ceremony manifest`; add ,port= and what it needs:".into(),
                    );
                    lines.push(format!("  {}", clean(&line)));
                }
                None => lines.push(
                    "The file's name is no application's name; give one with --name, and a path \
                     without a comma."
                        .into(),
                ),
            }
        } else {
            lines.push(style.red("It would not run in an enclave:"));
            for reason in &self.reasons {
                let (_, what, remedy) = reason.explain();
                lines.push(format!("  {what}; {remedy}"));
            }
        }
        lines.join("\n") + "\n"
    }

    fn json(&self) -> Value {
        let reasons = self.reasons.iter().map(|reason| {
            let (code, what, remedy) = reason.explain();
            json!({ "code": code, "message": what, "remedy": remedy })
        });
        json!({
            "ok": self.reasons.is_empty(),
            "sha256": self.sha256.to_string(),
            "size": self.size,
            "application": self.line(),
            "reasons": reasons.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program of one segment that holds its own headers, with these changes to its bytes.
    fn program(segments: &[(u32, u32)], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(16, 0);
        bytes.extend(ET_EXEC.to_le_bytes());
        bytes.extend(EM_X86_64.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        // Entry, program headers, section headers.
        for word in [0x40_0000_u64 + 64, 64, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(0_u32.to_le_bytes());
        let count = u16::try_from(segments.len()).unwrap();
        for half in [64, 56, count, 64, 0, 0] {
            bytes.extend(half.to_le_bytes());
        }
        for (kind, flags) in segments {
            bytes.extend(kind.to_le_bytes());
            bytes.extend(flags.to_le_bytes());
            // Offset, addresses, sizes, alignment.
            for word in [0_u64, 0x40_0000, 0x40_0000, 112, 112, 1] {
                bytes.extend(word.to_le_bytes());
            }
        }
        bytes.resize(bytes.len().max(128), 0);
        change(&mut bytes);
        bytes
    }

    const CODE: (u32, u32) = (PT_LOAD, PF_X);

    #[test]
    fn a_static_program_would_run() {
        assert_eq!(reasons(&program(&[CODE], |_| {})), []);
        // A position-independent static program is of the type of a library.
        let pie = program(&[CODE], |bytes| bytes[16] = 3);
        assert_eq!(reasons(&pie), []);
    }

    #[test]
    fn what_is_no_elf_file_fails_closed() {
        assert_eq!(reasons(b""), [Reason::Empty]);
        assert_eq!(reasons(b"#!/bin/sh\n"), [Reason::NotElf]);
        let whole = program(&[CODE], |_| {});
        for length in 1..112 {
            assert_eq!(reasons(&whole[..length]), [Reason::NotElf], "{length}");
        }
        let big_endian = program(&[CODE], |bytes| bytes[5] = 2);
        assert_eq!(reasons(&big_endian), [Reason::NotElf]);
    }

    #[test]
    fn a_program_for_another_machine_fails_closed() {
        let arm = program(&[CODE], |bytes| bytes[18] = 183);
        assert_eq!(reasons(&arm), [Reason::Machine]);
        let narrow = program(&[CODE], |bytes| bytes[4] = 1);
        assert_eq!(reasons(&narrow), [Reason::Machine]);
    }

    #[test]
    fn an_object_file_fails_closed() {
        let object = program(&[], |bytes| bytes[16] = 1);
        assert_eq!(reasons(&object), [Reason::NotExecutable]);
    }

    #[test]
    fn a_program_that_needs_a_dynamic_linker_fails_closed() {
        let interpreted = program(&[CODE, (PT_INTERP, 4)], |_| {});
        assert_eq!(reasons(&interpreted), [Reason::Interpreter]);
    }

    #[test]
    fn a_program_that_needs_libraries_fails_closed() {
        // The dynamic section is put over the start of the file: its first entry's tag is replaced.
        let dynamic = program(&[CODE, (PT_DYNAMIC, 4)], |bytes| {
            let at = bytes.len();
            bytes.extend(DT_NEEDED.to_le_bytes());
            bytes.extend([0; 24]);
            // Offset and sizes of the second segment.
            let second = 64 + 56;
            bytes[second + 8..second + 16].copy_from_slice(&(at as u64).to_le_bytes());
            bytes[second + 32..second + 40].copy_from_slice(&32_u64.to_le_bytes());
        });
        assert_eq!(reasons(&dynamic), [Reason::Dynamic]);
    }

    #[test]
    fn a_program_without_code_at_its_entry_fails_closed() {
        let data = program(&[(PT_LOAD, 4)], |_| {});
        assert_eq!(reasons(&data), [Reason::NoCode]);
        let elsewhere = program(&[CODE], |bytes| bytes[24] = 0xff);
        assert_eq!(reasons(&elsewhere), [Reason::NoCode]);
    }

    /// This very test is linked dynamically, or statically where that is the default; never both.
    #[test]
    fn a_real_program_is_read_as_the_linker_made_it() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let found = reasons(&own);
        if cfg!(target_env = "musl") {
            assert_eq!(found, []);
        } else {
            assert_eq!(found.len(), 2, "{found:?}");
            assert!(found.contains(&Reason::Interpreter) && found.contains(&Reason::Dynamic));
        }
    }
}
