//! The fuzz target `signature`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signature");
