use std::fs::File;

use nix::sys::wait::WaitStatus;

use super::*;

fn memory(contents: &[u8]) -> File {
    use std::io::Write as _;
    let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
    let mut file = File::from(nix::sys::memfd::memfd_create(c"test", flags).unwrap());
    file.write_all(contents).unwrap();
    file
}

/// Starts `binary` with `descriptors` as 3, 4, ….
fn start(binary: &File, arguments: &[&str], descriptors: &[BorrowedFd<'_>]) -> Result<Pid, Failed> {
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .unwrap();
    let arguments: Vec<CString> = arguments
        .iter()
        .map(|a| CString::new(*a).unwrap())
        .collect();
    super::start(Spawn {
        binary: binary.as_fd(),
        arguments,
        environment: Vec::new(),
        null: null.as_fd(),
        descriptors,
        memory_limit: 1 << 40,
        sandbox: &Sandbox(Kind::User),
    })
}

#[test]
fn inherited_descriptors_keep_their_order_whatever_their_numbers() {
    let shell = File::open("/bin/sh").unwrap();
    let (right, wrong) = (memory(b"right\n"), memory(b"wrong\n"));
    // Another one is placed where `right` was before `right` itself has its turn.
    let number = usize::try_from(right.as_raw_fd()).unwrap();
    let mut descriptors = vec![wrong.as_fd(); number - 2];
    descriptors.push(right.as_fd());
    let script = format!(
        "read said < /proc/self/fd/{}; test \"$said\" = right",
        number + 1
    );
    let child = start(&shell, &["sh", "-c", &script], &descriptors).unwrap();
    let ended = waitpid(child, None).unwrap();
    assert_eq!(ended, WaitStatus::Exited(child, 0));
}

#[test]
fn binary_that_is_none_fails_closed() {
    let garbage = memory(b"no program");
    // Enough of them to overwrite every low number, that of the report too.
    let descriptors = vec![garbage.as_fd(); 200];
    let failed = Failed {
        step: Step::Execute,
        errno: Errno::ENOEXEC,
    };
    assert_eq!(start(&garbage, &["x"], &descriptors), Err(failed));
}
