//! The fuzz target `redeem`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("redeem");
