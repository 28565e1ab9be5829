//! The fuzz target `manifest`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("manifest");
