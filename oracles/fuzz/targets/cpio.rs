//! The fuzz target `cpio`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("cpio");
