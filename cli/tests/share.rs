//! `quorate ceremony share` as a person or a script meets it: in a terminal, with files, and refused.
//! What is decided is tested in `quorate-quorum-ceremony` and `quorate-share-backup`.

#[path = "support/shares.rs"]
mod shares;
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use nix::sys::signal::Signal;
use quorate_share_backup::{Backup, Origin, rows::Rows};
use serde_json::Value;
use shares::{Ceremony, PASSPHRASE};
use support::Ran;
use terminal::Terminal;

const BACKUP: &str = "share backup --folder F --private alice";
const RESTORE: &str = "share restore --folder F --private alice";
const CHECK: &str = "share check --folder F --private alice";
const GIVEN: &str = "--passphrase-file words";

fn arguments(line: &str) -> Vec<&str> {
    std::iter::once("ceremony")
        .chain(line.split_whitespace())
        .collect()
}

fn run(at: &Ceremony, line: &str) -> Ran {
    at.place.run(&arguments(line))
}

#[track_caller]
fn json(at: &Ceremony, line: &str) -> Value {
    let ran = run(at, &format!("{line} {GIVEN} --json"));
    assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
    serde_json::from_str(ran.out.lines().last().unwrap()).unwrap()
}

/// The code of a failure, which comes with the exit code that belongs to it.
#[track_caller]
fn refused(at: &Ceremony, line: &str, exit: i32) -> String {
    let ran = run(at, &format!("{line} --json"));
    assert_eq!(ran.code, Some(exit), "{line}: {ran:?}");
    let object: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    for field in ["code", "message", "fault", "remedy"] {
        assert!(
            object["error"][field]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{field}"
        );
    }
    object["error"]["code"].as_str().unwrap().to_owned()
}

fn backup(at: &Ceremony, member: usize, origin: Origin) -> Backup {
    let output = fs::read(at.place.path("F/genesis/output.cbor")).unwrap();
    let output: quorate_protocol::genesis::GenesisOutput =
        quorate_protocol::cbor::from_bytes(&output).unwrap();
    Backup::new(
        origin,
        &at.genesis,
        &output.commitments.epoch(),
        &at.shares[member],
    )
}

fn is_kept(at: &Ceremony) -> bool {
    run(at, &format!("{CHECK} {GIVEN}")).code == Some(0)
}

#[test]
fn a_share_is_checked() {
    let at = Ceremony::real();
    let checked = json(&at, CHECK);
    assert_eq!(checked["member"], "alice");
    assert_eq!(checked["index"], 1);
    assert_eq!(checked["genesis"], at.genesis.to_string());
    assert_eq!(checked["development"], false);
    assert!(checked["proof_microseconds"].as_u64().unwrap() > 0);
    let shown = run(&at, &format!("{CHECK} {GIVEN}"));
    assert!(shown.out.contains("your share is right"), "{shown:?}");
}

/// What is done with a share is told where there is a transcript, to be verified by anybody.
#[test]
fn a_share_that_is_checked_written_down_and_restored_is_told() {
    let at = Ceremony::real();
    assert_eq!(json(&at, CHECK)["recorded"], "none");
    assert!(!at.place.path("F/transcript").exists());
    fs::create_dir(at.place.path("F/transcript")).unwrap();
    assert_eq!(json(&at, CHECK)["recorded"], "yes");
    let form = format!("{BACKUP} --form words --out w.txt");
    assert_eq!(json(&at, &form)["recorded"], "yes");
    let restored = json(&at, &format!("{RESTORE} --from words --in w.txt"));
    assert_eq!(restored["recorded"], "yes");
    let verified = "transcript verify --folder F --json --genesis";
    let verified = run(&at, &format!("{verified} {}", at.genesis)).good();
    assert_eq!(verified.json()["records"], 3);
    let shown = run(&at, "transcript show --folder F").good().out;
    for told in [
        "alice 1: check at ",
        "alice 2: backup at ",
        "form: words",
        "to: a file",
        "alice 3: restore at ",
        "share: was kept already; the paper is the very same share",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    let words = fs::read_to_string(at.place.path("w.txt")).unwrap();
    assert!(words.lines().all(|line| !shown.contains(line)));
    let line = "report --folder F --out report.html";
    run(&at, line).good();
    let report = fs::read_to_string(at.place.path("report.html")).unwrap();
    assert!(report.contains("backup") && report.contains("restore"));
    // The folder takes nothing now: a check is a check, and says what is missing.
    let place = fs::read_dir(at.place.path("F/transcript")).unwrap();
    let place = place.last().unwrap().unwrap().path();
    fs::remove_dir_all(&place).unwrap();
    fs::write(&place, "in the way").unwrap();
    let checked = json(&at, CHECK);
    assert_eq!(checked["recorded"], "file-not-plain");
    let notes = checked["notes"].to_string();
    assert!(notes.contains("does not tell of it yet"), "{notes}");
}

#[test]
fn every_form_is_written_and_comes_back() {
    let at = Ceremony::real();
    let written = backup(&at, 0, Origin::Hardware);
    for (form, file, from) in [
        ("words", "w.txt", "words"),
        ("sheet", "s.txt", "rows"),
        ("qr", "q.png", "qr"),
        ("page", "p.html", ""),
        ("qr-ascii", "q.txt", ""),
    ] {
        let line = format!("{BACKUP} --form {form} --out {file} {GIVEN}");
        let done = run(&at, &line);
        assert_eq!(done.code, Some(0), "{done:?}");
        let path = at.place.path(file);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        for said in [&done.out, &done.err] {
            for row in written.rows() {
                assert!(!said.contains(&*row.text()));
            }
            assert!(written.words().lines().all(|line| !said.contains(line)));
        }
        if from.is_empty() {
            continue;
        }
        // The paper is tried out, then needed.
        let line = format!("{RESTORE} --from {from} --in {file}");
        assert!(
            run(&at, &format!("{line} {GIVEN}"))
                .out
                .contains("kept already")
        );
        at.lose_share();
        assert!(!is_kept(&at));
        assert_eq!(json(&at, &line)["index"], 1);
        assert!(is_kept(&at));
    }
    let sheet = fs::read_to_string(at.place.path("s.txt")).unwrap();
    assert!(Rows::parse(&sheet).is_ok());
    let page = fs::read_to_string(at.place.path("p.html")).unwrap();
    assert!(page.contains("treasury") && page.contains("<svg"));
}

#[test]
fn a_damaged_sheet_comes_back_and_says_where_it_was_damaged() {
    let at = Ceremony::rehearsal();
    let sheet = backup(&at, 0, Origin::Rehearsal);
    let lines: Vec<String> = sheet
        .rows()
        .iter()
        .map(|row| {
            let mut text: Vec<char> = row.text().chars().collect();
            match row.number().get() {
                2 => text[3] = if text[3] == 'Z' { 'Y' } else { 'Z' },
                5 => {
                    text[0] = '?';
                    text[16] = '?';
                }
                _ => {}
            }
            text.into_iter().collect()
        })
        .collect();
    fs::write(at.place.path("s.txt"), lines.join("\n")).unwrap();
    at.lose_share();
    let line = format!("{RESTORE} --in s.txt");
    assert_eq!(json(&at, &line)["repaired"], serde_json::json!([2, 5]));
    let text = run(&at, &format!("{line} {GIVEN}")).out;
    assert!(
        text.contains("Row 2: character 4 (number 4 of group 1) was wrong"),
        "{text}"
    );
    assert!(text.contains("character 1, 15"), "{text}");
    assert!(text.contains("DEVELOPMENT ROOT"), "{text}");
}

#[test]
fn a_lost_laptop_comes_back() {
    let at = Ceremony::real();
    fs::write(
        at.place.path("w"),
        &*backup(&at, 0, Origin::Hardware).words(),
    )
    .unwrap();
    fs::rename(at.place.path("alice/key.cbor"), at.place.path("copy")).unwrap();
    fs::remove_dir_all(at.place.path("alice")).unwrap();
    let line = format!("{RESTORE} --from words --in w --key-file copy");
    assert_eq!(
        refused(&at, &format!("{line} {GIVEN}"), 1),
        "genesis-unknown"
    );
    let wrong = format!("{line} --genesis {} {GIVEN}", "07".repeat(32));
    assert_eq!(refused(&at, &wrong, 1), "genesis-differs");
    let bad = format!("{line} --genesis {} --passphrase-file w", at.genesis);
    assert_eq!(refused(&at, &bad, 1), "wrong-passphrase");
    assert!(!at.place.path("alice").exists(), "nothing was written");
    let restored = json(&at, &format!("{line} --genesis {}", at.genesis));
    assert_eq!(restored["genesis"], at.genesis.to_string());
    assert!(is_kept(&at));
    let mode = |file: &str| {
        fs::metadata(at.place.path(file))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("alice"), 0o700);
    assert_eq!(
        (mode("alice/key.cbor"), mode("alice/share.cbor")),
        (0o600, 0o600)
    );
}

#[test]
fn backups_of_other_shares_fails_closed() {
    let at = Ceremony::real();
    at.lose_share();
    let put = |backup: &Backup| fs::write(at.place.path("w"), &*backup.words()).unwrap();
    let line = format!("{RESTORE} --from words --in w {GIVEN}");
    put(&backup(&at, 1, Origin::Hardware));
    assert_eq!(refused(&at, &line, 1), "backup-of-another-member");
    put(&backup(&at, 0, Origin::Rehearsal));
    assert_eq!(refused(&at, &line, 1), "backup-of-a-rehearsal");
    put(&backup(&Ceremony::real(), 0, Origin::Hardware));
    assert_eq!(refused(&at, &line, 1), "backup-of-another-genesis");
    let good = backup(&at, 0, Origin::Hardware).words().replace('\n', " ");
    let mut words: Vec<&str> = good.split_whitespace().collect();
    words.swap(4, 5);
    fs::write(at.place.path("w"), words.join(" ")).unwrap();
    assert_eq!(refused(&at, &line, 1), "backup-checksum");
    assert!(!at.share_file().exists());
    fs::write(at.place.path("w"), good).unwrap();
    assert_eq!(run(&at, &line).code, Some(0));
}

#[test]
fn a_share_is_never_where_others_see_it_fails_closed() {
    let at = Ceremony::real();
    // Not in JSON, not on a screen that scrolls, not without any, not where everybody reads.
    assert_eq!(
        refused(&at, &format!("{BACKUP} {GIVEN}"), 2),
        "screen-needed"
    );
    for more in ["", "--plain"] {
        let ran = run(&at, &format!("{BACKUP} {GIVEN} {more}"));
        assert_eq!(ran.code, Some(2));
        assert!(ran.err.contains("error[screen-needed]"), "{ran:?}");
    }
    let line = format!("{BACKUP} --form page {GIVEN}");
    assert_eq!(refused(&at, &line, 2), "page-needs-file");
    for out in ["F/s.txt", "F/members/../s.txt", "alice/../F/s.txt"] {
        fs::create_dir_all(at.place.path("F/members")).unwrap();
        let line = format!("{BACKUP} --out {out} {GIVEN}");
        assert_eq!(refused(&at, &line, 2), "out-in-shared-folder", "{out}");
    }
    // A file that is there stays as it is.
    fs::write(at.place.path("diary"), "mine").unwrap();
    let line = format!("{BACKUP} --out diary {GIVEN}");
    assert_eq!(refused(&at, &line, 1), "file-differs");
    assert_eq!(fs::read(at.place.path("diary")).unwrap(), b"mine");
    let line = format!("{BACKUP} --out new --passphrase-file diary");
    assert_eq!(refused(&at, &line, 1), "wrong-passphrase");
    assert!(!at.place.path("new").exists());
}

#[test]
fn unusable_commands_fails_closed() {
    let at = Ceremony::real();
    let line = format!("{RESTORE} --from qr {GIVEN}");
    assert_eq!(refused(&at, &line, 2), "qr-needs-file");
    assert_eq!(
        refused(&at, &format!("{RESTORE} {GIVEN}"), 2),
        "screen-needed"
    );
    for unlock in ["--passphrase-file", "--pin-file"] {
        let line = format!("{RESTORE} --in - {unlock} -");
        assert_eq!(refused(&at, &line, 2), "input-twice");
    }
    assert_eq!(
        refused(&at, &format!("{RESTORE} --in none {GIVEN}"), 2),
        "backup-unreadable"
    );
    fs::write(at.place.path("odd"), [0xff, 0xfe]).unwrap();
    assert_eq!(
        refused(&at, &format!("{RESTORE} --in odd {GIVEN}"), 2),
        "backup-no-text"
    );
    let line = format!("{RESTORE} --from qr --in odd {GIVEN}");
    assert_eq!(refused(&at, &line, 1), "qr-no-picture");
    let line = format!("{RESTORE} --in words {GIVEN}");
    assert_eq!(refused(&at, &line, 1), "row-length");
    let line = format!("{RESTORE} --from words --in words {GIVEN}");
    assert_eq!(refused(&at, &line, 1), "word-unknown");
    let line = format!("{RESTORE} --genesis 12 --in words {GIVEN}");
    assert_eq!(refused(&at, &line, 2), "usage");
    assert_eq!(refused(&at, "share", 2), "usage");
}

/// Every write fails, as on a disk that is full: the limit is on the size of files.
#[test]
fn a_full_disk_leaves_nothing_fails_closed() {
    let at = Ceremony::real();
    fs::write(
        at.place.path("w"),
        &*backup(&at, 0, Origin::Hardware).words(),
    )
    .unwrap();
    at.lose_share();
    let before = at.private_files();
    let full = |line: &str| {
        let own = at.place.command(&arguments(line));
        let script = "ulimit -f 0; trap '' XFSZ; exec \"$@\"";
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script, "sh"])
            .arg(own.get_program())
            .args(own.get_args());
        let ran = shell.current_dir(at.place.path("")).output().unwrap();
        assert_eq!(ran.status.code(), Some(1), "{ran:?}");
        String::from_utf8(ran.stderr).unwrap()
    };
    let restore = format!("{RESTORE} --from words --in w {GIVEN}");
    assert!(full(&restore).contains("error[disk-full]"));
    assert_eq!(at.private_files(), before);
    assert_eq!(run(&at, &restore).code, Some(0));
    let write = format!("{BACKUP} --form sheet --out new {GIVEN}");
    assert!(full(&write).contains("error[disk-full]"));
    assert!(!at.place.path("new").exists());
    let folder: Vec<_> = fs::read_dir(at.place.path(""))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        folder
            .iter()
            .all(|name| !name.to_string_lossy().starts_with(".new")),
        "{folder:?}"
    );
    assert_eq!(run(&at, &write).code, Some(0));
}

#[test]
fn words_are_on_a_screen_of_their_own_and_gone_after_enter() {
    let at = Ceremony::real();
    let words = backup(&at, 0, Origin::Hardware).words();
    let mut terminal = Terminal::start(&at.place, &arguments(BACKUP));
    terminal.wait_for("whoever finds it has this share");
    terminal.wait_for_secret("passphrase: ");
    terminal.type_in(&format!("{PASSPHRASE}\n"));
    for line in words.lines() {
        terminal.wait_for(line);
    }
    terminal.wait_for("Enter clears this screen");
    assert!(!terminal.echoes());
    terminal.type_in("x\r");
    terminal.wait_for("\x1b[2J\x1b[H\x1b[?1049l");
    terminal.wait_for("the screen is cleared");
    assert_eq!(terminal.end(), Some(0));
    assert!(terminal.echoes(), "the terminal is as it was");
    let kept = terminal.scroll_back();
    let words: Vec<&str> = words.split_whitespace().collect();
    for two in words.windows(2) {
        assert!(!kept.contains(&two.join(" ")), "{two:?} in {kept}");
    }
    assert!(!kept.contains(PASSPHRASE));
}

#[test]
fn a_qr_code_fits_the_screen() {
    let at = Ceremony::real();
    let code = backup(&at, 0, Origin::Hardware)
        .qr()
        .ok()
        .unwrap()
        .half_blocks();
    let line = format!("{BACKUP} --form qr {GIVEN}");
    let mut terminal = Terminal::start(&at.place, &arguments(&line));
    for row in code.lines() {
        terminal.wait_for(row);
    }
    terminal.type_in("\r");
    assert_eq!(terminal.end(), Some(0));
    assert!(!terminal.scroll_back().contains('█'));
}

/// Whichever way the screen is left, the words are off it and the terminal is as it was.
#[test]
fn an_interrupted_screen_is_cleared_fails_closed() {
    let at = Ceremony::real();
    let words = backup(&at, 0, Origin::Hardware).words();
    let last = words.lines().last().unwrap();
    for end in ["\x03", "TERM", "HUP", "INT"] {
        let line = format!("{BACKUP} {GIVEN}");
        let mut terminal = Terminal::start(&at.place, &arguments(&line));
        terminal.wait_for(last);
        match end {
            "\x03" => terminal.type_in(end),
            name => terminal.signal(format!("SIG{name}").parse::<Signal>().unwrap()),
        }
        terminal.wait_for("\x1b[2J\x1b[H\x1b[?1049l");
        terminal.wait_for("error[interrupted]");
        assert_eq!(terminal.end(), Some(1), "{end}");
        assert!(terminal.echoes());
        assert!(!terminal.scroll_back().contains(last));
    }
}

#[test]
fn rows_are_typed_and_repaired_as_they_are_typed() {
    let at = Ceremony::real();
    let rows = backup(&at, 0, Origin::Hardware).rows();
    at.lose_share();
    let mut terminal = Terminal::start(&at.place, &arguments(RESTORE));
    terminal.wait_for("type the rows of the sheet");
    for row in &rows {
        let number = row.number().get();
        let mut text: Vec<char> = row.text().to_lowercase().chars().collect();
        if number == 3 {
            text[1] = if text[1] == 'z' { 'y' } else { 'z' };
        }
        if number == 4 {
            text[8] = '?';
        }
        terminal.type_in(&text.into_iter().collect::<String>());
        match number {
            3 => terminal.wait_for("Row 3: character 2 (number 2 of group 1) was wrong"),
            4 => terminal.wait_for("Row 4: filled in what could not be read, character 8."),
            6 => {}
            _ => terminal.wait_for(&format!("Row {number} is right.")),
        }
    }
    terminal.wait_for("this is your share, by the commitments");
    terminal.wait_for_secret("passphrase: ");
    terminal.type_in(&format!("{PASSPHRASE}\n"));
    terminal.wait_for("your share is back");
    assert_eq!(terminal.end(), Some(0));
    let kept = terminal.scroll_back();
    for row in &rows {
        assert!(!kept.contains(&*row.text()) && !kept.contains(&row.text().to_lowercase()));
    }
    assert!(is_kept(&at));
}

#[test]
fn an_interruption_at_each_prompt_leaves_nothing_fails_closed() {
    let at = Ceremony::real();
    let rows = backup(&at, 0, Origin::Hardware).rows();
    at.lose_share();
    let before = at.private_files();
    for typed in [0, 3, 6] {
        let mut terminal = Terminal::start(&at.place, &arguments(RESTORE));
        terminal.wait_for("type the rows of the sheet");
        for row in &rows[..typed] {
            terminal.type_in(&row.text());
        }
        if typed == rows.len() {
            terminal.wait_for_secret("passphrase: ");
        }
        terminal.type_in("\x03");
        terminal.wait_for("error[interrupted]");
        assert_eq!(terminal.end(), Some(1));
        assert!(terminal.echoes(), "after {typed} rows");
        assert_eq!(at.private_files(), before);
        let kept = terminal.scroll_back();
        assert!(rows.iter().all(|row| !kept.contains(&*row.text())));
    }
    assert!(!at.share_file().exists());
}

/// Without a screen that can be cleared, what is typed is not shown at all.
#[test]
fn plain_output_takes_rows_without_showing_them() {
    let at = Ceremony::real();
    let rows = backup(&at, 0, Origin::Hardware).rows();
    at.lose_share();
    let line = format!("{RESTORE} --plain {GIVEN}");
    let mut terminal = Terminal::start(&at.place, &arguments(&line));
    for row in &rows {
        terminal.wait_for_secret(&format!("row {}, not shown as you type: ", row.number()));
        if row.number().get() == 2 {
            terminal.type_in("zz\n");
            terminal.wait_for("row 2 has 15 characters, these are 2");
            terminal.wait_for_secret("row 2, not shown as you type: ");
        }
        terminal.type_in(&format!("{}\n", *row.text()));
    }
    terminal.wait_for("your share is back");
    assert_eq!(terminal.end(), Some(0));
    assert!(!terminal.seen.contains('\x1b'), "no escape sequence");
    assert!(rows.iter().all(|row| !terminal.seen.contains(&*row.text())));
    assert!(is_kept(&at));
}
