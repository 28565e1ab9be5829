//! The fuzz target `ramdisk`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("ramdisk");
