//! What a step sees and what it does not, in real namespaces.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use quorate_builder::sandbox::{Access, Bind, Spec, World};

const HELPER: &str = env!("CARGO_BIN_EXE_quorate-builder-step");

/// A root with a shell in it and nothing else, under a path with spaces and letters of all kinds.
fn root(folder: &Path) -> PathBuf {
    let root = folder.join("Wurzel für 構築");
    for name in ["bin", "build", "build2", "dev", "etc", "proc", "tmp"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    let listed = Command::new("ldd").arg("/bin/sh").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let libraries = listed
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    for file in libraries.chain(["/bin/sh"]) {
        let target = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    }
    root
}

fn spec(folder: &Path, script: &str, world: World) -> Spec {
    let (input, out) = (folder.join("input"), folder.join("out"));
    fs::create_dir_all(&out).unwrap();
    fs::write(&input, "given").unwrap();
    let bind = |host: &Path, name: &str, access| Bind {
        host: host.to_owned(),
        name: name.into(),
        access,
    };
    Spec {
        root: root(folder),
        binds: vec![
            bind(&input, "input", Access::Read),
            bind(&out, "out", Access::Write),
        ],
        command: ["/bin/sh", "-c", script].map(str::to_owned).into(),
        environment: vec![("ONLY".into(), "this".into())],
        world,
    }
}

fn run(folder: &Path, spec: &Spec) -> Output {
    let path = folder.join("spec.json");
    fs::write(&path, serde_json::to_vec(spec).unwrap()).unwrap();
    Command::new(HELPER)
        .arg(&path)
        .env("SECRET", "of the host")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What a script says in the usual world; none where this machine allows no sandbox at all.
fn said(script: &str, world: World) -> Option<(i32, String)> {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &spec(folder.path(), script, world));
    let text = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code().unwrap();
    if code == 125 && text.starts_with("making namespaces") {
        eprintln!("skipped: this machine lets nobody make namespaces here: {text}");
        return None;
    }
    assert!(code != 125, "{text}");
    Some((code, String::from_utf8_lossy(&output.stdout).into_owned()))
}

macro_rules! expect {
    ($script:expr, $expected:expr) => {
        if let Some((code, text)) = said($script, World::usual()) {
            assert_eq!((code, text.trim_end()), (0, $expected));
        }
    };
}

#[test]
fn a_step_sees_its_root_and_what_was_handed_to_it() {
    expect!(
        "echo /build/*; read x </build/input || true; echo $x",
        "/build/input /build/out\ngiven"
    );
    expect!(
        "echo /dev/*",
        "/dev/fd /dev/full /dev/null /dev/random /dev/stderr /dev/stdin /dev/stdout /dev/urandom /dev/zero"
    );
    expect!("echo /home/* /root/* /work/*", "/home/* /root/* /work/*");
}

#[test]
fn a_step_cannot_change_its_root_or_its_inputs_fails_closed() {
    expect!(
        "(echo x >/bin/x) 2>/dev/null || echo root; (echo x >/build/input) 2>/dev/null || echo input;
         (echo x >/build/new) 2>/dev/null || echo place; echo x >/build/out/x && echo out",
        "root\ninput\nplace\nout"
    );
}

#[test]
fn a_step_has_no_network_fails_closed() {
    // Two lines of headings, then one for each device.
    expect!(
        "n=0; while read x; do n=$((n+1)); case $x in lo:*) n=$((n-1));; esac; done </proc/net/dev; echo $n",
        "2"
    );
}

#[test]
fn a_step_knows_nothing_of_the_machine() {
    expect!(
        "read x </proc/sys/kernel/hostname; echo $x; umask; echo $ONLY ${SECRET-unset}",
        "build\n0022\nthis unset"
    );
    expect!(
        "while read k v rest; do case $k in Uid:|Gid:) echo $v;; NoNewPrivs:) echo $v;; CapEff:) echo $v;; esac; done </proc/self/status",
        "1000\n1000\n0000000000000000\n1"
    );
    // The shell is the second process of its namespace.
    expect!("echo $$", "2");
}

#[test]
fn another_world_is_another_world() {
    let script = "read x </proc/sys/kernel/hostname; echo $x; umask; echo /build2/*";
    if let Some((code, text)) = said(script, World::other()) {
        assert_eq!(
            (code, text.as_str()),
            (0, "elsewhere.example\n0077\n/build2/input /build2/out\n")
        );
    }
}

#[test]
fn a_step_that_fails_says_so() {
    if let Some((code, _)) = said("exit 7", World::usual()) {
        assert_eq!(code, 7);
    }
    if let Some((code, _)) = said("kill -9 $$", World::usual()) {
        assert_eq!(code, 128 + 9);
    }
}

#[test]
fn nothing_of_a_step_survives_it() {
    // The child would write after the step has ended; its namespace has ended with it.
    let folder = tempfile::tempdir().unwrap();
    let spec = spec(
        folder.path(),
        "(read never; echo late >/build/out/late) </dev/zero & exit 0",
        World::usual(),
    );
    let output = run(folder.path(), &spec);
    if output.status.code() == Some(125) {
        return;
    }
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!folder.path().join("out/late").exists());
}

#[test]
fn an_order_that_cannot_be_read_fails_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spec.json");
    fs::write(&path, "{}").unwrap();
    let output = Command::new(HELPER).arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("reading the order"));
}
