//! The fuzz target `provision-receipt`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("provision-receipt");
