//! The fuzz target `signed-provision-receipt`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-provision-receipt");
