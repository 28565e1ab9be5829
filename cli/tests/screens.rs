//! A member in front of a terminal: what is shown before anything is signed or given, and how they
//! say yes and no. With an emulated enclave on the other side.

#[path = "support/emulator.rs"]
mod emulator;
mod support;
#[path = "support/terminal.rs"]
mod terminal;
#[path = "support/world.rs"]
mod world;

use support::binaries;
use terminal::{Terminal, asked, said};
use world::{World, words};

const ESCAPE: &str = "\x1b";

/// What alice types, without a passphrase file.
fn alice<'a>(step: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let start = ["ceremony", step, "--folder", "shared", "--private", "alice"];
    [&start, more].concat()
}

/// Waits until the page with this title has been drawn, and gives its two words.
fn page(terminal: &mut Terminal, title: &str) -> String {
    terminal.wait_for("\x1b[?1049h");
    terminal.wait_for(title);
    // The last words of the last line.
    terminal.wait_for("scroll");
    asked(&terminal.seen).expect("a question")
}

/// A yes on a screen, and the passphrase.
fn agree(terminal: &mut Terminal, title: &str) {
    let two = page(terminal, title);
    terminal.type_in(&format!("{two}\r"));
    terminal.wait_for("\x1b[?1049l");
    terminal.wait_for("passphrase: ");
    terminal.type_in(&format!("{}\n", words("alice")));
    assert_eq!(terminal.end(), Some(0), "{}", terminal.seen);
    assert!(terminal.echoes());
}

#[test]
fn a_member_decides_on_screens() {
    let Some(binaries) = binaries() else { return };
    let mut world = World::new(binaries);
    let root = ["--partition", "development", "--root", world::ROOT];
    for member in world::MEMBERS {
        let name = ["--name", member];
        world.person("join", member, "shared", &name).good();
    }
    world.define(&root);
    let place = |world: &World| world.place.path("shared/consents/alice.cbor");

    // Leaving signs nothing.
    for key in [ESCAPE, "\x03"] {
        let mut terminal = Terminal::start(&world.place, &alice("consent", &[]));
        page(&mut terminal, "consent");
        terminal.type_in(key);
        terminal.wait_for("error[not-confirmed]");
        assert_eq!(terminal.end(), Some(1));
        assert!(terminal.echoes());
        assert!(!place(&world).exists());
    }
    let mut terminal = Terminal::start(&world.place, &alice("consent", &[]));
    let two = page(&mut terminal, "consent");
    terminal.type_in("y\r");
    terminal.wait_for("words");
    terminal.type_in(&format!("{two}\r"));
    terminal.wait_for("passphrase: ");
    terminal.type_in(&format!("{}\n", words("alice")));
    assert_eq!(terminal.end(), Some(0), "{}", terminal.seen);
    assert!(place(&world).exists());
    // What was agreed to stays on the terminal; the screen is gone.
    assert!(terminal.scroll_back().contains("fingerprint"));
    world.person("consent", "bob", "shared", &[]).good();

    let socket = world.start("genesis");
    let at = ["--socket", socket.as_str()];
    world.step("genesis", "shared", &at).good();
    let mut terminal = Terminal::start(&world.place, &alice("receipt", &at));
    agree(&mut terminal, "SAFE");
    world.person("receipt", "bob", "shared", &at).good();

    world.propose("shared", "30");
    let mut terminal = Terminal::start(&world.place, &alice("approve", &[]));
    agree(&mut terminal, "manifest");
    world.person("approve", "bob", "shared", &[]).good();

    // An instance of the manifest before is not what was approved last.
    world.propose("shared", "60");
    world.everyone("approve", "shared", &[]);
    let old = world.boot("old", "shared", &["--manifest", "1"]);
    let at = ["--socket", old.as_str()];
    let mut terminal = Terminal::start(&world.place, &alice("provision", &at));
    terminal.wait_for("\x1b[?1049h");
    terminal.wait_for("NOT:");
    terminal.wait_for("scroll");
    assert!(!said(&terminal.seen).iter().any(|word| word == "type:"));
    terminal.type_in("q");
    terminal.wait_for("error[");
    assert_eq!(terminal.end(), Some(1));

    let instance = world.boot("instance", "shared", &[]);
    let at = ["--socket", instance.as_str()];
    let mut terminal = Terminal::start(&world.place, &alice("provision", &at));
    // Attested again when asked.
    page(&mut terminal, "SAFE");
    let shown = said(&terminal.seen);
    assert!(shown.iter().any(|word| word == "confirmed:"), "{shown:?}");
    terminal.type_in("\x12");
    agree(&mut terminal, "SAFE");
    world.person("provision", "bob", "shared", &at).good();

    // The board, until somebody leaves it.
    let mut terminal = Terminal::start(
        &world.place,
        &[
            "ceremony", "board", "--folder", "shared", "--socket", &instance,
        ],
    );
    terminal.wait_for("alice");
    terminal.wait_for("scroll");
    terminal.type_in("q");
    assert_eq!(terminal.end(), Some(0));
    let mut terminal = Terminal::start(
        &world.place,
        &["ceremony", "transcript", "browse", "--folder", "shared"],
    );
    terminal.wait_for("aloud:");
    terminal.wait_for("scroll");
    terminal.type_in("q");
    assert_eq!(terminal.end(), Some(0));
}

/// No screen, the same question.
#[test]
fn a_member_decides_in_lines() {
    let Some(binaries) = binaries() else { return };
    let world = World::new(binaries);
    for member in world::MEMBERS {
        let name = ["--name", member];
        world.person("join", member, "shared", &name).good();
    }
    world.define(&["--partition", "development", "--root", world::ROOT]);
    let consent = world.place.path("shared/consents/alice.cbor");

    for no in ["q\n", "\x04"] {
        let mut terminal = Terminal::start(&world.place, &alice("consent", &["--plain"]));
        terminal.wait_for("or q to leave:");
        terminal.type_in(no);
        terminal.wait_for("error[not-confirmed]");
        assert_eq!(terminal.end(), Some(1));
        assert!(!consent.exists());
    }
    let mut terminal = Terminal::start(&world.place, &alice("consent", &["--plain"]));
    terminal.wait_for("or q to leave:");
    terminal.type_in("yes\n");
    terminal.wait_for("these are not the two words");
    terminal.wait_for("or q to leave:");
    let two = asked(&terminal.seen).expect("a question");
    terminal.type_in(&format!("{two}\n"));
    terminal.wait_for("passphrase: ");
    terminal.type_in(&format!("{}\n", words("alice")));
    assert_eq!(terminal.end(), Some(0), "{}", terminal.seen);
    assert!(!terminal.seen.contains('\x1b'), "no escape sequence");
    assert!(consent.exists());
}
