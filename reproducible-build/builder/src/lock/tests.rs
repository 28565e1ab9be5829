use super::*;

fn package(name: &str) -> Package {
    Package {
        name: name.into(),
        version: "1:2.3~rc1+b1".into(),
        size: 7,
        sha256: Sha256::of(name.as_bytes()),
        archive: "debian".into(),
        path: format!("pool/main/x/{name}_2.3~rc1+b1_amd64.deb"),
    }
}

fn lock() -> Lock {
    let kernel = KernelLock {
        source: package("linux-source"),
        tarball: Sha256::of(b"tar"),
        patches: vec![Sha256::of(b"patch")],
    };
    let crates = CratesLock {
        count: 3,
        digest: Sha256::of(b"crates"),
    };
    let mut lock = Lock::new(vec![package("b"), package("a+")], kernel, crates);
    lock.expected = Some(Expected {
        root: Sha256::of(b"root"),
        config: Sha256::of(b"config"),
        kernel: Sha256::of(b"kernel"),
        init: Sha256::of(b"init"),
        ramdisk0: Sha256::of(b"0"),
        ramdisk1: None,
        eif: Sha256::of(b"eif"),
        eif_bytes: 2_500_000,
        pcr0: "ab".repeat(48),
        pcr1: "cd".repeat(48),
        pcr2: "ef".repeat(48),
    });
    lock
}

fn refusal(text: &str) -> String {
    Lock::parse(text, Path::new("lock.toml"))
        .unwrap_err()
        .to_string()
}

#[test]
fn what_is_written_is_what_is_read() {
    let mut lock = lock();
    assert_eq!(
        Lock::parse(&lock.to_text(), Path::new("x")),
        Ok(lock.clone())
    );
    lock.expected = None;
    assert_eq!(Lock::parse(&lock.to_text(), Path::new("x")), Ok(lock));
}

#[test]
fn what_comes_out_is_no_input() {
    let mut other = lock();
    other.expected = None;
    assert_eq!(lock().digest(), other.digest());
    other.crates.count += 1;
    assert_ne!(lock().digest(), other.digest());
}

#[test]
fn a_lock_edited_by_hand_fails_closed() {
    let good = lock().to_text();
    for (from, to, why) in [
        (
            "pool/main/x/b_",
            "../../x/b_",
            "is no path in an archive's pool",
        ),
        (
            "pool/main/x/b_",
            "/etc/b_",
            "is no path in an archive's pool",
        ),
        (
            "pool/main/x/b_",
            "pool/../b_",
            "is no path in an archive's pool",
        ),
        ("name = \"b\"", "name = \"-b\"", "is no name"),
        ("name = \"b\"", "name = \"a+\"", "one stands twice"),
        ("name = \"b\"", "name = \"A\"", "are not in order"),
        ("size = 7", "size = 0", "0 bytes"),
        ("size = 7", "size = 2000000000", "2000000000 bytes"),
        ("format = 1", "format = 2", "format 2 is unknown"),
        ("count = 3", "cuont = 3", "unknown field `cuont`"),
        ("archive = \"debian\"", "archive = \"a/b\"", "is no name"),
        (&"ab".repeat(48), &"00".repeat(48), "is zero"),
        (&"ab".repeat(48), "ab", "96 hexadecimal digits"),
    ] {
        assert!(good.contains(from), "{from}");
        let found = refusal(&good.replace(from, to));
        assert!(found.contains(why), "{from} -> {to}: {found}");
    }
    assert!(Lock::parse(&good, Path::new("x")).is_ok());
}

#[test]
fn a_digest_that_is_none_fails_closed() {
    let digest = Sha256::of(b"tar").to_string();
    let text = lock().to_text().replace(&digest, &digest[1..]);
    assert!(refusal(&text).contains("not 64 lower-case hexadecimal digits"));
}
