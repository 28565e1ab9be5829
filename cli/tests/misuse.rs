//! What people mistype and what they are handed: each file in `tests/cmd` is one misuse, with the
//! whole of what the command answers and its exit code.
//!
//! A file starts with a sentence about the misuse. A line `$ quorate …` runs the command, in a
//! folder with the files [`prepare`] makes; below it stands what must come back: `? CODE`, then
//! standard output with `> ` and standard error with `! ` before each line. Nothing may be left
//! out. `QUORATE_TEST_UPDATE=1 cargo test -p quorate --test misuse` writes the answers anew, for a
//! person to read in the diff.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use support::{Place, Ran};

/// Most misuse ends with exit code 2; where something was decided against, 1. Never anything else.
const EXITS: [Option<i32>; 2] = [Some(1), Some(2)];

/// The files the commands are given.
fn prepare(place: &Place) {
    let write = |name: &str, bytes: &[u8]| fs::write(place.path(name), bytes).expect("a file");
    let large = |name: &str, len: u64| {
        let file = fs::File::create(place.path(name)).expect("a file");
        file.set_len(len).expect("a sparse file");
    };
    let folder = |name: &str| fs::create_dir(place.path(name)).expect("a folder");

    folder("folder");
    write("empty", b"");
    write("text", b"not what was asked for\n");
    // The same on each run, and no CBOR: it begins with a reserved initial byte.
    let mut state = 0x1d_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    let noise: Vec<u8> = [0x1f].into_iter().chain(noise.take(4096)).collect();
    write("noise", &noise);
    large("over-8-mib", 8 * 1024 * 1024 + 1);
    large("over-64-kib", 64 * 1024 + 1);
    large("over-64-mib", 64 * 1024 * 1024 + 1);
    write(
        "bad.pem",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let certificate = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
    write("two.pem", certificate.repeat(2).as_bytes());
    let key = "-----BEGIN PRIVATE KEY-----\nMAMCAQE=\n-----END PRIVATE KEY-----\n";
    write("key.pem", key.as_bytes());
    write("der", b"\x30\x03\x02\x01\x01");
    write("empty.json", b"[]");
    write("object.json", b"{}");
    write("half.json", b"[{\"file\":");
    let row = |more: &str| format!("[{{\"file\":\"noise\",\"expected\":\"accept\"{more}}}]\n");
    write(
        "up.json",
        b"[{\"file\":\"../noise\",\"expected\":\"accept\"}]",
    );
    write(
        "gone.json",
        b"[{\"file\":\"gone\",\"expected\":\"accept\"}]",
    );
    write("word.json", row(",\"verify_at\":\"now\"").as_bytes());
    write("root.json", row(",\"root\":\"text\"").as_bytes());
    write("noise.json", row("").as_bytes());
    folder("precious");
    write("precious/diary", b"mine\n");
    folder("shared");
    let pcrs = |byte: &str| {
        let value = byte.repeat(48);
        format!("{{\"pcr0\":\"{value}\",\"pcr1\":\"{value}\",\"pcr2\":\"{value}\"}}\n")
    };
    write("measurements.json", pcrs("5a").as_bytes());
    write("debug.json", pcrs("00").as_bytes());
    write(
        "response",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhEShATgi\r\n",
    );
    write(
        "typo.toml",
        b"format = 1\n\n[require]\nrole_arm = \"admin\"\n",
    );
    write("nothing.toml", b"format = 1\n");
    let image = quorate_eif::Parts {
        architecture: quorate_eif::Architecture::X86_64,
        kernel: b"kernel",
        command_line: "console=ttyS0",
        ramdisks: &[b"ramdisk"],
        metadata: b"{}",
    };
    let image = quorate_eif::Eif::assemble(&image).expect("an image");
    write("small.eif", &image.to_bytes());
    let mut private = fs::DirBuilder::new();
    let private = std::os::unix::fs::DirBuilderExt::mode(&mut private, 0o700);
    private.create(place.path("closed")).expect("a folder");
}

/// A misuse as a file: what is said about it, and each command with its answer.
struct Misuse {
    about: String,
    commands: Vec<(String, String)>,
}

impl Misuse {
    fn parse(text: &str) -> Self {
        let mut misuse = Self {
            about: String::new(),
            commands: Vec::new(),
        };
        for line in text.lines() {
            if line.starts_with("$ quorate") {
                misuse.commands.push((line.to_owned(), String::new()));
            } else {
                let part = match misuse.commands.last_mut() {
                    None => &mut misuse.about,
                    Some((_, answer)) => answer,
                };
                let _ = writeln!(part, "{line}");
            }
        }
        misuse
    }

    /// The file as it should be.
    fn played(&self, place: &Place) -> Self {
        let play = |(command, _): &(String, String)| {
            let words = command.split(' ').skip(2);
            let words: Vec<_> = words.map(|word| word.trim_matches('\'')).collect();
            let ran = place.run(&words);
            assert!(EXITS.contains(&ran.code), "{command}: {ran:?}");
            (command.clone(), answer(&ran, place))
        };
        Self {
            about: self.about.clone(),
            commands: self.commands.iter().map(play).collect(),
        }
    }

    fn text(&self) -> String {
        let command = |(command, answer): &(String, String)| format!("{command}\n{answer}");
        let commands: Vec<_> = self.commands.iter().map(command).collect();
        format!("{}{}", self.about, commands.concat())
    }
}

fn answer(ran: &Ran, place: &Place) -> String {
    let mut text = format!("? {}\n", ran.code.unwrap_or(-1));
    let here = place.path("");
    let here = here.to_str().expect("a path in UTF-8");
    for (mark, stream) in [('>', &ran.out), ('!', &ran.err)] {
        assert!(!stream.contains('\x1b'), "escape sequences: {ran:?}");
        for line in stream.replace(here, "[HERE]/").lines() {
            let _ = writeln!(text, "{}", format!("{mark} {line}").trim_end());
        }
    }
    text.push('\n');
    text
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd");
    let entries = fs::read_dir(folder).expect("the folder of misuses");
    let mut files: Vec<_> = entries.map(|e| e.expect("a file").path()).collect();
    files.sort();
    files
}

#[test]
fn every_misuse_fails_closed() {
    let place = Place::new();
    prepare(&place);
    let update = std::env::var_os("QUORATE_TEST_UPDATE").is_some();
    let mut wrong = String::new();
    let files = files();
    assert!(files.len() > 30, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).expect("a misuse");
        let misuse = Misuse::parse(&text);
        assert!(!misuse.about.is_empty() && !misuse.commands.is_empty());
        let played = misuse.played(&place).text();
        let played = format!("{}\n", played.trim_end());
        if update {
            fs::write(&path, &played).expect("written");
        } else if played != text {
            let _ = writeln!(wrong, "--- {}\n{played}", path.display());
        }
    }
    assert!(wrong.is_empty(), "answers that changed:\n{wrong}");
    // Nothing was made, and what is somebody's is still theirs.
    let diary = fs::read(place.path("precious/diary")).expect("the diary");
    assert_eq!(diary, b"mine\n");
    assert_eq!(place.left(), [] as [PathBuf; 0]);
    assert_eq!(fs::read_dir(place.path("shared")).expect("it").count(), 0);
    assert!(!place.path("out").exists());
}
