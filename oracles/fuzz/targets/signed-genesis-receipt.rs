//! The fuzz target `signed-genesis-receipt`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-genesis-receipt");
