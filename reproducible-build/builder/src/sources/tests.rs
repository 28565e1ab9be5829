use super::*;

/// A workspace with `top` → `middle` → crate `foreign`, and things that are in no binary.
fn workspace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let zero = "0".repeat(64);
    let foreign = |name: &str, more: &str| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\nsource = \"{CRATES_IO}\"\n\
             checksum = \"{zero}\"\n{more}\n"
        )
    };
    for (path, text) in [
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"top\", \"middle\", \"other\"]\n\
             [workspace.package]\nversion = \"0.1.0\"\n\
             [workspace.dependencies]\nmiddle = { path = \"middle\" }\nforeign = \"1\"\n"
                .to_owned(),
        ),
        (
            "top/Cargo.toml",
            "[package]\nname = \"top\"\nversion.workspace = true\n\
             [dependencies]\nmiddle = { workspace = true }\n\
             [dev-dependencies]\ntester = \"1\"\n"
                .to_owned(),
        ),
        ("top/src/main.rs", "fn main() {}\n".to_owned()),
        ("top/tests/t.rs", "broken\n".to_owned()),
        (
            "middle/Cargo.toml",
            "[package]\nname = \"middle\"\nversion.workspace = true\n\
             [target.'cfg(unix)'.dependencies]\nforeign.workspace = true\n"
                .to_owned(),
        ),
        ("middle/src/lib.rs", String::new()),
        (
            "other/Cargo.toml",
            "[package]\nname = \"other\"\nversion = \"9.0.0\"\n".to_owned(),
        ),
        ("other/src/lib.rs", String::new()),
        (
            "Cargo.lock",
            format!(
                "version = 4\n\
                 [[package]]\nname = \"top\"\nversion = \"0.1.0\"\ndependencies = [\"middle\", \"tester\"]\n\
                 [[package]]\nname = \"middle\"\nversion = \"0.1.0\"\ndependencies = [\"foreign 1.0.0\"]\n\
                 {}{}{}{}",
                foreign("foreign", "dependencies = [\"deep\"]"),
                foreign("deep", ""),
                foreign("tester", ""),
                foreign("unrelated", ""),
            ),
        ),
    ] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn edit(folder: &tempfile::TempDir, path: &str, from: &str, to: &str) {
    let path = folder.path().join(path);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn plan(folder: &tempfile::TempDir) -> Result<Plan, Error> {
    Plan::read(&folder.path().join("top"))
}

#[test]
fn a_plan_holds_what_the_binary_is_made_of_and_nothing_else() {
    let folder = workspace();
    let plan = plan(&folder).unwrap();
    let files: Vec<_> = plan
        .files
        .keys()
        .map(|path| path.to_str().unwrap())
        .collect();
    assert_eq!(
        files,
        [
            "Cargo.lock",
            "Cargo.toml",
            "middle/Cargo.toml",
            "middle/src/lib.rs",
            "top/Cargo.toml",
            "top/src/main.rs",
        ]
    );
    let crates: Vec<_> = plan.crates.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(crates, ["deep", "foreign"]);
    assert_eq!(plan.package, Path::new("top"));
    let root = String::from_utf8(plan.files[Path::new("Cargo.toml")].clone()).unwrap();
    let root: Table = toml::from_str(&root).unwrap();
    let members = root["workspace"]["members"].as_array().unwrap();
    let members: Vec<_> = members
        .iter()
        .map(|member| member.as_str().unwrap())
        .collect();
    assert_eq!(members, ["middle", "top"]);
    let top = String::from_utf8(plan.files[Path::new("top/Cargo.toml")].clone()).unwrap();
    assert!(!top.contains("tester"));
}

#[test]
fn an_unrelated_change_changes_nothing() {
    let folder = workspace();
    let before = plan(&folder).unwrap();
    edit(
        &folder,
        "Cargo.lock",
        "name = \"unrelated\"",
        "name = \"unrelated2\"",
    );
    fs::write(folder.path().join("other/src/lib.rs"), "pub fn f() {}").unwrap();
    fs::write(folder.path().join("top/tests/t.rs"), "other").unwrap();
    let after = plan(&folder).unwrap();
    assert_eq!(after.digest(), before.digest());
    assert_eq!(after.crates_digest(), before.crates_digest());

    fs::write(folder.path().join("middle/src/lib.rs"), "pub fn f() {}").unwrap();
    assert_ne!(plan(&folder).unwrap().digest(), before.digest());
}

#[test]
fn a_package_from_git_fails_closed() {
    let folder = workspace();
    let from = "middle = { workspace = true }";
    edit(
        &folder,
        "top/Cargo.toml",
        from,
        "middle = { git = \"https://x.example/m\" }",
    );
    let why = plan(&folder).unwrap_err().to_string();
    assert!(why.contains("middle does not come from crates.io"), "{why}");
}

#[test]
fn a_crate_of_another_registry_fails_closed() {
    let folder = workspace();
    edit(
        &folder,
        "Cargo.lock",
        CRATES_IO,
        "registry+https://evil.example",
    );
    let why = plan(&folder).unwrap_err().to_string();
    assert!(why.contains("does not come from crates.io"), "{why}");
}

#[test]
fn a_crate_without_checksum_fails_closed() {
    let folder = workspace();
    edit(&folder, "Cargo.lock", "checksum", "chekcsum");
    let why = plan(&folder).unwrap_err().to_string();
    assert!(why.contains("foreign has no checksum"), "{why}");
}

#[test]
fn a_workspace_with_patches_fails_closed() {
    let folder = workspace();
    edit(
        &folder,
        "Cargo.toml",
        "[workspace]\n",
        "[patch.crates-io]\n[workspace]\n",
    );
    assert!(
        plan(&folder)
            .unwrap_err()
            .to_string()
            .contains("it has [patch]")
    );
}

#[test]
fn a_lock_that_lacks_a_package_fails_closed() {
    let folder = workspace();
    edit(
        &folder,
        "Cargo.lock",
        "name = \"middle\"",
        "name = \"muddle\"",
    );
    assert!(
        plan(&folder)
            .unwrap_err()
            .to_string()
            .contains("it does not know middle")
    );
    fs::remove_file(folder.path().join("Cargo.lock")).unwrap();
    assert!(
        plan(&folder)
            .unwrap_err()
            .to_string()
            .contains("there is no lockfile")
    );
}

#[test]
fn our_own_init_has_a_plan() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let plan = Plan::read(&repository.join("init")).unwrap();
    assert_eq!(plan.name, "quorate-init");
    let names: Vec<_> = plan.crates.iter().map(|part| part.name.as_str()).collect();
    assert!(
        names.contains(&"p256") && names.contains(&"nix"),
        "{names:?}"
    );
    for outside in ["clap", "criterion", "proptest", "tempfile", "ureq"] {
        assert!(!names.contains(&outside), "{outside} is no part of init");
    }
}
