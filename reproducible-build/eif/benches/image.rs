//! Images written and measured, beside what nobody can leave out: hashing the same bytes once.

use std::fs::{self, File};
use std::hint::black_box;
use std::process::{Command, Stdio};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quorate_eif::{Architecture, Eif, Parts, Scan};

/// Bytes that do not repeat soon.
fn content(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    next.take(length).collect()
}

fn image(kernel: &[u8], ramdisks: &[&[u8]]) -> Vec<u8> {
    let parts = Parts {
        architecture: Architecture::X86_64,
        kernel,
        command_line: "reboot=k panic=-1 console=ttyS0",
        ramdisks,
        metadata: b"{}",
    };
    Eif::assemble(&parts).expect("an image").to_bytes()
}

fn images(c: &mut Criterion) {
    let mut group = c.benchmark_group("eif");
    group.sample_size(20);
    let (kernel, ramdisk) = (content(2_300_000), content(700_000));
    group.bench_function("write 3 MB", |b| {
        b.iter(|| image(black_box(&kernel), &[&ramdisk]));
    });
    let scratch = std::env::temp_dir().join(format!("quorate-bench-{}", std::process::id()));
    fs::create_dir_all(&scratch).expect("a folder");
    let part = content(32 << 20);
    let system = image(&part, &[&part]);
    let application = image(&part[..1 << 20], &[&part[..1 << 20], &part, &part]);
    for (measure, sha384sum, bytes) in [
        ("measure 64 MiB", "sha384sum 64 MiB", system),
        (
            "measure 64 MiB with applications",
            "sha384sum 64 MiB with applications",
            application,
        ),
    ] {
        let path = scratch.join(measure);
        fs::write(&path, &bytes).expect("a file");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(measure, |b| {
            b.iter(|| {
                let file = File::open(&path).expect("the file");
                Scan::read(file, |_, _| ()).expect("an image")
            });
        });
        group.bench_function(sha384sum, |b| {
            b.iter(|| {
                let ran = Command::new("sha384sum")
                    .arg(&path)
                    .stdout(Stdio::null())
                    .status();
                assert!(ran.expect("sha384sum").success());
            });
        });
    }
    fs::remove_dir_all(&scratch).expect("the folder");
}

criterion_group!(benches, images);
criterion_main!(benches);
