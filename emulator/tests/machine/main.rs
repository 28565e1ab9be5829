//! Machines: the unmodified image in QEMU, with the emulator's devices.
//!
//! The image is the file that `QUORATE_IMAGE` names; without it these tests say that they were
//! skipped. `QUORATE_QEMU` names a QEMU or an unpacked tree of one; else one is looked for.

mod guest;

use std::time::Instant;

use guest::Bench;

#[test]
fn the_unmodified_image_boots_and_answers() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let since = Instant::now();
    let started = bench.start("one");
    println!("listens after {:?}", since.elapsed());
    let status = guest::status(&started.operator);
    println!("{status:?} after {:?}", since.elapsed());
    println!("{}", std::fs::read_to_string(&started.console).unwrap());
}
